//# error: section .init_array: an entry is not the address of a function in the module
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .section .init_array,"aw",@init_array
    .quad memset
    .section .note.GNU-stack,"",@progbits
