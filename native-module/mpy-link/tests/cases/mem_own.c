//# variants: -O2 -fno-builtin
//# prints: own 1
//# dump-lacks: memmove_
// A module that brings its own memcpy gets its own.
#include "prelude.h"

static int calls;

void *memcpy(void *to, const void *from, size_t n) {
    calls++;
    for (size_t i = 0; i < n; i++) {
        ((volatile char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}

void test(void) {
    char a[4] = "abc", b[4];
    memcpy(b, a, 4);
    PRINT("own %d\n", calls);
}
