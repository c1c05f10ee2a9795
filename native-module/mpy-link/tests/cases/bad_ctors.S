//# error: bad_ctors.o: section .ctors: use .init_array for functions that run at start
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .section .ctors,"aw",@progbits
    .quad mpy_init
    .section .note.GNU-stack,"",@progbits
