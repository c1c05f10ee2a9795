//# error: packed.o: .data.rel
//# error: R_X86_64_64 for
//# error: an address at an offset that is not a multiple of 8
#include "prelude.h"

struct __attribute__((packed)) { char c; void *p; } packed = {1, &packed};

void test(void) {
    PRINT("%p\n", packed.p);
}
