//# variants: -O0 | -O2 -mavx
//# prints: aligned 0 0 0 0 55
// Data asks for as much alignment as there is: 32 bytes on the heap, a page in text.
#include "prelude.h"

static volatile char shift_bss = 1;
static __attribute__((aligned(32))) volatile long in_bss[4];
static __attribute__((aligned(32))) volatile long in_data[4] = {1, 2, 3, 4};
static char odd[3] = {1, 2, 3};
static const __attribute__((aligned(1024))) long constant[2] = {55, 66};
static volatile char odd_bss[5];

void test(void) {
    odd_bss[(int)shift_bss] = odd[(int)shift_bss];
    in_bss[1] = 1;
    PRINT("aligned %d %d %d %d %d\n", (int)((uintptr_t)in_bss % 32), (int)((uintptr_t)in_data % 32),
          (int)((uintptr_t)constant % 1024), (int)((uintptr_t)&in_data[2] % 16), (int)constant[shift_bss - 1]);
}
