//# part
    .section .text.shared,"axG",@progbits,shared,comdat
    .weak shared
shared:
    ret
.Linside:
    ret

    .text
    .globl use_inside
use_inside:
    leaq .Linside(%rip), %rax
    ret
    .section .note.GNU-stack,"",@progbits
