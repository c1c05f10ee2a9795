//# error: too_aligned.o: section .bss.cache_line: alignment 64, but bss is only aligned to 32 bytes
#include "prelude.h"

static __attribute__((aligned(64))) volatile long cache_line[8];

void test(void) {
    cache_line[1] = 1;
}
