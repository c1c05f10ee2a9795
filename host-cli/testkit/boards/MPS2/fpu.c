// Switches the floating-point unit on, which the port does not do: none of its own boards has one.
#include <stdint.h>

// Coprocessor Access Control Register (Armv7-M Architecture Reference Manual, B3.2.20).
#define CPACR (*(volatile uint32_t *)0xe000ed88)

void __real_uart_init(void);

// The first function of another file that runs after a reset; nothing before it uses floats.
void __wrap_uart_init(void) {
    #if defined(__ARM_FP)
    // Full access to coprocessors 10 and 11.
    CPACR |= 0xf << 20;
    __asm volatile ("dsb\n isb");
    #endif
    __real_uart_init();
}
