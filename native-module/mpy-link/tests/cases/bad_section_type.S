//# error: bad_section_type.o: section .strange: unknown section type 0x60001234
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .section .strange,"aw",@0x60001234
    .quad 1
    .section .note.GNU-stack,"",@progbits
