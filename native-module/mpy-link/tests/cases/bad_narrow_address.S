//# error: R_X86_64_16 for MP_QSTR_alpha: a 16-bit absolute address, which no loader can fill in
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    leaq table(%rip), %rax
    ret
    .section .rodata
    .globl table
table: .short MP_QSTR_alpha
    .section .note.GNU-stack,"",@progbits
