// The start of MicroPython on QEMU's 64-bit `virt` board, and its end.
#include <stdint.h>
#include <stdio.h>

#include "py/mpprint.h"
#include "uart.h"

// QEMU's test device: this word ends it, with the status above (hw/misc/sifive_test.c).
#define TEST_DEVICE (*(volatile uint32_t *)0x100000)
#define FAIL 0x3333
#define PASS 0x5555

int main(int argc, char **argv);

void exit(int status) {
    TEST_DEVICE = status == 0 ? PASS : (uint32_t)status << 16 | FAIL;
    for (;;) {
    }
}

void run(void) {
    uart_init();
    exit(main(0, 0));
}

void complain(uintptr_t cause, uintptr_t at, uintptr_t value) {
    mp_printf(&mp_plat_print, "exception %u at %p, value %p\n", (unsigned)cause, (void *)at, (void *)value);
    exit(1);
}

// Picolibc leaves this to the program; nothing is written to it.
#ifdef _PICOLIBC__
FILE *const stdout;
#endif
