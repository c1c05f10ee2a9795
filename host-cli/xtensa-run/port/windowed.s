# Start, system calls and jumps for calls that move a window over the registers.
    .text

    .section .text._start,"ax",@progbits
    .global _start
    .p2align 2
_start:
    movi a0, 0
    or a6, a1, a1
    movi a8, -16
    and a1, a1, a8
    # Not callx8: pushing out a frame that called so asks for its own caller's stack pointer.
    l32r a4, .Lmain
    callx4 a4
    .literal .Lmain, port_main

# long linux_call(number, a, b, c, d, e): number in a2, arguments in a6, a3, a4, a5, a8.
    .section .text.linux_call,"ax",@progbits
    .global linux_call
    .type linux_call,@function
    .p2align 2
linux_call:
    entry a1, 32
    or a8, a7, a7
    or a9, a6, a6
    or a6, a3, a3
    or a3, a4, a4
    or a4, a5, a5
    or a5, a9, a9
    syscall
    retw
.Lend1:
    .size linux_call, .Lend1-linux_call

# void with_registers_on_stack(void (*then)(void)): pushes every window out to the stack, then calls.
    .section .text.with_registers_on_stack,"ax",@progbits
    .global with_registers_on_stack
    .type with_registers_on_stack,@function
    .p2align 2
with_registers_on_stack:
    entry a1, 32
    l32r a8, .Lspill3
    callx8 a8
    callx8 a2
    retw
    .literal .Lspill3, spill_windows
.Lend6:
    .size with_registers_on_stack, .Lend6-with_registers_on_stack

# Calls itself until every other window has been pushed out: each call takes 8 of up to 64 registers.
    .section .text.spill_windows,"ax",@progbits
    .type spill_windows,@function
    .p2align 2
spill_windows:
    entry a1, 32
    movi a10, 9
    l32r a8, .Ldeeper
    callx8 a8
    retw
    .literal .Ldeeper, deeper
.Lend2:
    .size spill_windows, .Lend2-spill_windows

    .section .text.deeper,"ax",@progbits
    .type deeper,@function
    .p2align 2
deeper:
    entry a1, 32
    beqz a2, .Lbottom
    addi a10, a2, -1
    l32r a8, .Lagain
    callx8 a8
.Lbottom:
    retw
    .literal .Lagain, deeper
.Lend3:
    .size deeper, .Lend3-deeper

# The caller's a0 to a3 are then 16 bytes below this frame, its a4 to a7 32 bytes below the stack
# pointer of its own caller, which stands 12 bytes below its own. The words below this frame are used
# again by the next call, so that they go to the buffer, and back when the jump is made.
    .section .text.setjmp,"ax",@progbits
    .global setjmp
    .type setjmp,@function
    .p2align 2
setjmp:
    entry a1, 32
    l32r a8, .Lspill1
    callx8 a8
    s32i a0, a2, 0
    s32i a1, a2, 4
    addi a3, a1, -16
    l32i a4, a3, 0
    s32i a4, a2, 8
    l32i a5, a3, 4
    s32i a5, a2, 12
    l32i a4, a3, 8
    s32i a4, a2, 16
    l32i a4, a3, 12
    s32i a4, a2, 20
    addi a5, a5, -12
    l32i a5, a5, 0
    addi a5, a5, -32
    l32i a4, a5, 0
    s32i a4, a2, 24
    l32i a4, a5, 4
    s32i a4, a2, 28
    l32i a4, a5, 8
    s32i a4, a2, 32
    l32i a4, a5, 12
    s32i a4, a2, 36
    movi a2, 0
    retw
    .literal .Lspill1, spill_windows
.Lend4:
    .size setjmp, .Lend4-setjmp

    .section .text.longjmp,"ax",@progbits
    .global longjmp
    .type longjmp,@function
    .p2align 2
longjmp:
    entry a1, 32
    l32r a8, .Lspill2
    callx8 a8
    l32i a0, a2, 0
    l32i a1, a2, 4
    addi a6, a1, -16
    l32i a4, a2, 8
    s32i a4, a6, 0
    l32i a5, a2, 12
    s32i a5, a6, 4
    l32i a4, a2, 16
    s32i a4, a6, 8
    l32i a4, a2, 20
    s32i a4, a6, 12
    addi a5, a5, -12
    l32i a5, a5, 0
    addi a5, a5, -32
    l32i a4, a2, 24
    s32i a4, a5, 0
    l32i a4, a2, 28
    s32i a4, a5, 4
    l32i a4, a2, 32
    s32i a4, a5, 8
    l32i a4, a2, 36
    s32i a4, a5, 12
    movi a4, 1
    movnez a4, a3, a3
    or a2, a4, a4
    retw
    .literal .Lspill2, spill_windows
.Lend5:
    .size longjmp, .Lend5-longjmp
