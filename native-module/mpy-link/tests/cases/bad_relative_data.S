//# error: bad_relative_data.o: .rodata+0x4 (in table): R_X86_64_PC32 for (section .bss): the distance is only known after loading; store the address in a pointer instead
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    leaq table(%rip), %rax
    ret
    .section .rodata
table: .long 1
    .long room - .
    .bss
room: .quad 0
    .section .note.GNU-stack,"",@progbits
