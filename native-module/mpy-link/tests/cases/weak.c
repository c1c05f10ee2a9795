//# variants: -O0 | -O2 | -O2 -fno-plt
//# with: weak_other.c
//# prints: weak strong, kept weak, absent 0 0
//# prints: data 7
//# boards
#include "prelude.h"

__attribute__((weak)) const char *overridden(void) { return "weak"; }
__attribute__((weak)) const char *kept(void) { return "weak"; }
__attribute__((weak)) extern int absent(void);
__attribute__((weak)) extern int absent_data;
__attribute__((weak)) int number = 1;

void test(void) {
    PRINT("weak %s, kept %s, absent %d %d\n", overridden(), kept(), absent ? absent() : 0, &absent_data != NULL);
    PRINT("data %d\n", number);
}
