//# error: the instruction Mov refers directly to data whose distance is only known after loading, and it carries a second relocation; load the address with lea first
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    movl $mpy_init@SIZE, room(%rip)
    ret
    .size mpy_init, . - mpy_init
    .bss
room: .quad 0
    .section .note.GNU-stack,"",@progbits
