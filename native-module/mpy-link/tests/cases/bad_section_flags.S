//# error: bad_section_flags.o: section .ldata: unknown section flags 0x10000000; compile with the small code model
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .section .ldata,"awl",@progbits
    .quad 1
    .section .note.GNU-stack,"",@progbits
