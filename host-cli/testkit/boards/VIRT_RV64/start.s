# Stack, zeroed memory, and what happens when the processor complains.
        .section .start, "ax"
        .global start
start:
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      t0, trap
        csrw    mtvec, t0
        la      sp, _estack
        la      t0, _sbss
        la      t1, _ebss
1:      bgeu    t0, t1, 2f
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       1b
2:      tail    run

# An exception of the processor: no module may cause one, so it is said and the board stops.
        .balign 4
trap:   la      sp, _estack
        csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        tail    complain
