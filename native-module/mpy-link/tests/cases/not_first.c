//# variants: -O2 -fno-function-sections -fno-toplevel-reorder | -O2
//# prints: in test
//# map-has: text
// The entry is wherever the compiler put it; the file's first byte leads there.
#include "prelude.h"

__attribute__((noinline)) static void before(void) {
    PRINT("in test\n");
}

void test(void) {
    before();
}
