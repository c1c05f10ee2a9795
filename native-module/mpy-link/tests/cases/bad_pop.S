//# error: the instruction Pop refers directly to data
//# error: it uses the stack pointer
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    popq room(%rip)
    ret
    .bss
room: .quad 0
    .section .note.GNU-stack,"",@progbits
