//# part
    .section .text.shared,"axG",@progbits,shared,comdat
    .weak shared
    .type shared,@function
shared:
    movl $2, %eax
    ret
    .weak shared_table
    .type shared_table,@function
shared_table:
    movl .Lvalue(%rip), %eax
    ret
    .section .rodata.shared,"aG",@progbits,shared,comdat
.Lvalue:
    .long 12

    .text
    .globl use_two
    .type use_two,@function
use_two:
    jmp shared@PLT
    .section .note.GNU-stack,"",@progbits
