//# options: -X heapsize=64k
//# variants: -O2
//# prints: small heap 3 43
// A heap this small comes from the C library's own heap, terabytes away from the code's mapping.
#include "prelude.h"

static volatile int counter;
static volatile int value = 42;

void test(void) {
    counter += 3;
    value++;
    PRINT("small heap %d %d\n", counter, value);
}
