//# variants: -O0 | -O2 | -O2 -fno-plt
//# python: print(case.alpha, case.beta, getattr(case, 'dot.and$sign'))
//# prints: 1 2 3
//# dump-has: 0  "case.py"
//# dump-has: 1  "alpha"
//# dump-has: 2  "dot.and$sign"
//# dump-has: 3  "beta"
// Interned strings by number, from lists that the objects bring themselves: ordered by the sections' names.
#include "prelude.h"

extern const uint16_t mp_native_qstr_table[];

__attribute__((section(".mpy_qstrs.1"), used)) static const char second[] = "beta";
__attribute__((section(".mpy_qstrs.0"), used)) static const char first[] = "alpha\0dot.and$sign";

static obj small(long n) { return (obj)(n << 1 | 1); }

void test(void) {
    STORE_GLOBAL(mp_native_qstr_table[1], small(1));
    STORE_GLOBAL(mp_native_qstr_table[2], small(3));
    STORE_GLOBAL(mp_native_qstr_table[3], small(2));
}
