//# part
    .data
    .balign 16
pair: .quad 2, 3
ints: .long 1, 2, 3, 4
floats: .float 5, 6, 7, 8
eleven: .long 11
minus: .long -2
halfword: .short 65534
bytes: .byte 200, 44
unsigned: .long 4000000000
thirty: .long 30
five: .quad 5
nine: .quad 8
ten_thousand: .long 10000
three: .quad 3
single: .float 3
real: .double 3.5
    .balign 8
pointer: .quad double_it
tail_pointer: .quad triple_it
pushed: .quad 99
mask: .quad 0x1000
    .bss
    .balign 8
room: .skip 64

    .text
    .macro begin name
    .globl \name
    .type \name,@function
\name:
    .endm

begin f_mov32
    movl eleven(%rip), %eax
    ret
begin f_movsx
    movslq minus(%rip), %rax
    ret
begin f_movzx16
    movzwl halfword(%rip), %eax
    ret
begin f_movzx8
    movzbl bytes(%rip), %eax
    ret
begin f_mov_unsigned
    movl unsigned(%rip), %r8d
    movq %r8, %rax
    ret
// A high byte register forbids the prefix that some base registers would need.
begin f_high
    movl %edi, %eax
    movb %al, %ch
    movb %ch, room(%rip)
    movb room(%rip), %dh
    movzbl %dh, %eax
    ret
begin f_high_word
    movw $300, room+8(%rip)
    movzwl room+8(%rip), %eax
    ret
begin f_r12
    pushq %r12
    movq %rdi, %r12
    movq %r12, room+16(%rip)
    xorl %r12d, %r12d
    addq room+16(%rip), %r12
    movq %r12, %rax
    popq %r12
    ret
begin f_r13
    pushq %r13
    movq %rdi, room+16(%rip)
    movq room+16(%rip), %r13
    movq %r13, %rax
    popq %r13
    ret
begin f_r15
    pushq %r15
    movb %dil, room+16(%rip)
    movzbl room+16(%rip), %r15d
    movq %r15, %rax
    popq %r15
    ret
begin f_imm
    addl $5, thirty(%rip)
    movl thirty(%rip), %eax
    ret
begin f_test
    testl $2, ints+4(%rip)
    setne %al
    movzbl %al, %eax
    ret
begin f_cmp
    cmpb $44, bytes+1(%rip)
    sete %al
    movzbl %al, %eax
    ret
begin f_sub
    movq %rdi, room+24(%rip)
    subq $-14, room+24(%rip)
    movq room+24(%rip), %rax
    ret
begin f_neg
    movq %rdi, room+24(%rip)
    negq room+24(%rip)
    movq room+24(%rip), %rax
    ret
begin f_carry
    movl $1, %eax
    subl eleven(%rip), %eax
    setc %al
    movzbl %al, %eax
    ret
begin f_zero
    movl $11, %eax
    cmpl eleven(%rip), %eax
    setz %al
    movzbl %al, %eax
    ret
begin f_sign
    orl $0, minus(%rip)
    sets %al
    movzbl %al, %eax
    ret
begin f_imul3
    imull $30, ten_thousand(%rip), %eax
    ret
begin f_div
    movq %rdi, %rax
    xorl %edx, %edx
    divq three(%rip)
    ret
begin f_rem
    movq %rdi, %rax
    cqo
    idivq three(%rip)
    movq %rdx, %rax
    ret
begin f_xchg
    xchgq %rdi, five(%rip)
    movq %rdi, %rax
    ret
begin f_xadd
    lock xaddq %rdi, nine(%rip)
    movq nine(%rip), %rax
    ret
begin f_cmpxchg
    movq five(%rip), %rax
    movl $1, %edx
    lock cmpxchgq %rdx, five(%rip)
    sete %al
    movzbl %al, %eax
    ret
begin f_cx16
    pushq %rbx
    movl $20, %eax
    movl $3, %edx
    movl $20, %ebx
    movl $30, %ecx
    lock cmpxchg16b pair(%rip)
    sete %al
    movzbl %al, %eax
    popq %rbx
    ret
begin f_cx16_value
    pushq %rbx
    xorl %eax, %eax
    xorl %edx, %edx
    movl $20, %ebx
    movl $30, %ecx
    lock cmpxchg16b pair(%rip)
    movq pair(%rip), %r11
    movq $20, pair(%rip)
    popq %rbx
    ret
begin f_paddd
    pxor %xmm0, %xmm0
    paddd ints(%rip), %xmm0
    pshufd $0x4e, %xmm0, %xmm1
    paddd %xmm1, %xmm0
    pshufd $0xb1, %xmm0, %xmm1
    paddd %xmm1, %xmm0
    movd %xmm0, %eax
    ret
begin f_vaddps
    movups floats(%rip), %xmm0
    movhlps %xmm0, %xmm1
    addps %xmm1, %xmm0
    movaps %xmm0, %xmm2
    shufps $1, %xmm2, %xmm2
    addss %xmm2, %xmm0
    cvttss2si %xmm0, %eax
    ret
begin f_movss
    movss single(%rip), %xmm9
    cvttss2si %xmm9, %eax
    ret
begin f_fpu
    fldl real(%rip)
    faddl real(%rip)
    fistpll room+32(%rip)
    movq room+32(%rip), %rax
    ret

double_it:
    leaq (%rdi,%rdi), %rax
    ret
triple_it:
    leaq (%rdi,%rdi,2), %rax
    addq %r11, %rax
    ret
begin f_call
    subq $8, %rsp
    call *pointer(%rip)
    addq $8, %rsp
    ret
begin f_jmp
    xorl %r11d, %r11d
    jmp *tail_pointer(%rip)
begin f_push
    pushq pushed(%rip)
    popq %rax
    ret
// What lies below the stack pointer survives a detour.
begin f_red_zone
    movq $100, -8(%rsp)
    movq $20, -120(%rsp)
    movq $3, -128(%rsp)
    addl $1, room+40(%rip)
    movq -8(%rsp), %rax
    addq -120(%rsp), %rax
    addq -128(%rsp), %rax
    ret
begin f_keep_flags
    stc
    movq $1, room+48(%rip)
    setc %al
    movzbl %al, %eax
    ret
begin f_bt
    btq $12, mask(%rip)
    setc %al
    movzbl %al, %eax
    ret
begin f_bt0
    btq $11, mask(%rip)
    setc %al
    movzbl %al, %eax
    ret
begin f_bsf
    bsfq mask(%rip), %rax
    ret
begin f_setmem
    cmpl %eax, %eax
    sete room+56(%rip)
    movzbl room+56(%rip), %eax
    leaq room+56(%rip), %rcx
    addb $2, (%rcx)
    movzbl room+56(%rip), %eax
    ret
    .section .note.GNU-stack,"",@progbits
