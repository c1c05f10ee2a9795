//# part
#include "prelude.h"

uint32_t from_rust(uint32_t n);

void test(void) {
    PRINT("rust %u\n", from_rust(7));
}
