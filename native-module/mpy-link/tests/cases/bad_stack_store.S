//# error: bad_stack_store.o: .text+0x3 (in mpy_init): R_X86_64_PC32 for (section .bss)
//# error: the instruction Mov refers directly to data whose distance is only known after loading, and it uses the stack pointer; load the address with lea first
    .text
    .globl mpy_init
    .type mpy_init,@function
mpy_init:
    movq %rsp, room(%rip)
    ret
    .bss
room: .quad 0
    .section .note.GNU-stack,"",@progbits
