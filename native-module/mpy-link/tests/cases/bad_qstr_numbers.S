//# error: R_X86_64_REX_GOTPCRELX for mp_native_qstr_table: names strings by their numbers
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    cmpq mp_native_qstr_table@GOTPCREL(%rip), %rax
    ret
    .section .note.GNU-stack,"",@progbits
