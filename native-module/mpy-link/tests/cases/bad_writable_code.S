//# error: bad_writable_code.o: section .both: code that is also writable
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .section .both,"awx",@progbits
    nop
    .section .note.GNU-stack,"",@progbits
