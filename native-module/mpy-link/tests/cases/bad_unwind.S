//# error: bad_unwind.o: .text+
//# error: in section .eh_frame of bad_unwind.o, which is left out: unwind tables are not used
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    leaq frame(%rip), %rax
    ret
    .section .eh_frame,"a",@progbits
frame: .long 0
    .section .note.GNU-stack,"",@progbits
