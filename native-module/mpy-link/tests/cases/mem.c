//# variants: -O0 -fno-builtin | -O2 -fno-builtin | -O2 -fno-builtin -fno-plt
//# prints: mem aaab aaaa same 1
//# dump-has: mp_fun_table.memmove_
//# dump-has: mp_fun_table.memset_
//# boards
// memcpy, memmove and memset are MicroPython's, called directly and by pointer.
#include "prelude.h"

void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
static void *(*volatile pointer)(void *, const void *, size_t) = memcpy;

void test(void) {
    char a[5] = {0}, b[5] = {0};
    memset(a, 'a', 4);
    memcpy(b, a, 5);
    a[3] = 'b';
    memmove(a, a, 4);
    char c[5];
    pointer(c, b, 5);
    PRINT("mem %s %s same %d\n", a, c, pointer == memmove);
}
