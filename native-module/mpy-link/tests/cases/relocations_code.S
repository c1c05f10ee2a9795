//# part
    .globl CONSTANT
    .set CONSTANT, 0x1234
    .weak nothing

    .section .rodata.near,"a",@progbits
    .globl near
    .balign 8
    .type near,@object
    .size near, 8
near: .quad 5
near_three: .byte 3
    .balign 4
to_near: .long near_three - .
    .balign 8
to_near64: .quad near_three - .
    .section .rodata.sizes,"a",@progbits
    .balign 8
constant64: .quad CONSTANT
constant16: .short CONSTANT
size_field: .quad shown@SIZE
    .balign 8
    .section .data.rel.ro,"aw",@progbits
    .balign 8
address_of_table: .quad memset

    .text
    .macro begin name
    .globl \name
    .type \name,@function
\name:
    .endm

begin got_base
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %rcx
    leaq near(%rip), %rdx
    movabsq $near@GOTOFF, %rax
    addq %rcx, %rax
    cmpq %rdx, %rax
    sete %al
    movzbl %al, %eax
    ret
begin got_base64
1:  leaq 1b(%rip), %rcx
    movabsq $_GLOBAL_OFFSET_TABLE_-1b, %rdx
    addq %rdx, %rcx
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %rax
    cmpq %rax, %rcx
    sete %al
    movzbl %al, %eax
    ret
begin got_offset
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %rcx
    movabsq $called@PLTOFF, %rax
    addq %rcx, %rax
    cmpq called@GOTPCREL(%rip), %rax
    sete %al
    movzbl %al, %eax
    ret
begin got_slot64
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %rcx
    movabsq $called@GOT, %rax
    movq (%rcx,%rax), %rax
    cmpq called@GOTPCREL(%rip), %rax
    sete %al
    movzbl %al, %eax
    ret
begin got_slot32
    leaq _GLOBAL_OFFSET_TABLE_(%rip), %rcx
    movq shown@GOT(%rcx), %rax
    movq (%rax), %rax
    ret
begin relaxed_mov
    movq shown@GOTPCREL(%rip), %rax
    movq (%rax), %rax
    ret
begin kept_cmp
    movq $-1, %rax
    cmpq $0, nothing@GOTPCREL(%rip)
    je 1f
    xorl %eax, %eax
1:  ret
begin kept_add
    xorl %eax, %eax
    addq near@GOTPCREL(%rip), %rax
    movq (%rax), %rax
    ret
begin relaxed_call
    subq $8, %rsp
    call *called@GOTPCREL(%rip)
    addq $8, %rsp
    ret
begin relaxed_jmp
    jmp *called@GOTPCREL(%rip)
begin distance32
    movslq to_near(%rip), %rax
    leaq to_near(%rip), %rcx
    movzbl (%rcx,%rax), %eax
    ret
begin distance64
    movq to_near64(%rip), %rax
    leaq to_near64(%rip), %rcx
    movzbl (%rcx,%rax), %eax
    ret
begin distance8
    jmp 2f
1:  movl $3, %eax
    ret
2:  .byte 0xeb
    .reloc ., R_X86_64_PC8, 1b-1
    .byte 0
begin size32
    movl $shown@SIZE, %eax
    ret
begin size64
    movabsq $shown@SIZE, %rax
    ret
begin size_plus
    movl $shown@SIZE + 4, %eax
    ret
begin abs64
    movq constant64(%rip), %rax
    ret
begin abs32
    movl $CONSTANT, %eax
    ret
begin abs8
    movzwl constant16(%rip), %eax
    andl $0xff, %eax
    ret
begin abs_high
    movzwl constant16(%rip), %eax
    shrl $8, %eax
    ret
// A table entry's address in read-only data, and by lea, is the same one.
begin table_address
    movq address_of_table(%rip), %rax
    leaq memset(%rip), %rcx
    cmpq %rcx, %rax
    sete %al
    movzbl %al, %eax
    addq $20, %rax
    ret
    .section .note.GNU-stack,"",@progbits
