//# error: refers directly to data whose distance is only known after loading, from code whose instructions cannot be told
// A relocation in bytes that only look like code: the reference cannot be believed.
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    ret
    .byte 0x48, 0x8b
    .long room - .
    movl room(%rip), %eax
    ret
    .bss
room: .quad 0
    .section .note.GNU-stack,"",@progbits
