# Start, system calls and registers for calls without windows (the ESP8266's).
    .section .text._start,"ax",@progbits
    .global _start
    .align 4
_start:
    movi a0, 0
    mov a2, a1
    movi a3, -16
    and a1, a1, a3
    call0 port_main

# long linux_call(number, a, b, c, d, e): number in a2, arguments in a6, a3, a4, a5, a8.
    .section .text.linux_call,"ax",@progbits
    .global linux_call
    .type linux_call,@function
    .align 4
linux_call:
    mov a8, a7
    mov a9, a6
    mov a6, a3
    mov a3, a4
    mov a4, a5
    mov a5, a9
    syscall
    ret
    .size linux_call, .-linux_call

# void with_registers_on_stack(void (*then)(void)): the callee's part of the registers.
    .section .text.with_registers_on_stack,"ax",@progbits
    .global with_registers_on_stack
    .type with_registers_on_stack,@function
    .align 4
with_registers_on_stack:
    addi a1, a1, -32
    s32i a0, a1, 0
    s32i a12, a1, 4
    s32i a13, a1, 8
    s32i a14, a1, 12
    s32i a15, a1, 16
    callx0 a2
    l32i a0, a1, 0
    addi a1, a1, 32
    ret
    .size with_registers_on_stack, .-with_registers_on_stack
