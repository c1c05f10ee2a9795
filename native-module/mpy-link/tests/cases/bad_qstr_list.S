//# error: section .mpy_qstrs.0: the last string has no NUL behind it
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .section .mpy_qstrs.0,"a",@progbits
    .ascii "alpha"
    .section .note.GNU-stack,"",@progbits
