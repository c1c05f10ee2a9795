//# part
    .section .text.shared,"axG",@progbits,shared,comdat
    .weak shared
    .type shared,@function
shared:
    movl $1, %eax
    ret
    .weak shared_table
    .type shared_table,@function
shared_table:
    movl .Lvalue(%rip), %eax
    ret
    .section .rodata.shared,"aG",@progbits,shared,comdat
.Lvalue:
    .long 11

    .text
    .globl use_one
    .type use_one,@function
use_one:
    jmp shared@PLT
    .section .note.GNU-stack,"",@progbits
