//# error: R_X86_64_32 for BIG: the value 0x123456789 does not fit 32 bits
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    movl $BIG, %eax
    ret
    .globl BIG
    .set BIG, 0x123456789
    .section .note.GNU-stack,"",@progbits
