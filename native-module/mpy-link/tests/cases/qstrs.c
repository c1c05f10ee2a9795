//# variants: -O0 | -O2 | -O2 -fno-plt
//# python: print(case.alpha, case.publish, getattr(case, 'dot.and$sign'))
//# python: print(case.__name__)
//# prints: 1 2 3
//# prints: changed
//# dump-has: 0  "case.py"
//# dump-has: 1  "__name__"  static 23
//# dump-has: 2  "alpha"
//# dump-has: 3  "dot.and$sign"
//# dump-lacks: "unused"
//# boards
// Interned strings by symbol: sorted, no string that only dead code uses, any characters.
#include "prelude.h"

extern uint16_t MP_QSTR_alpha, MP_QSTR_publish, MP_QSTR_unused, MP_QSTR___name__;
extern uint16_t odd __asm__("MP_QSTR_dot.and$sign");

static obj small(long n) { return (obj)(n << 1 | 1); }

void test(void) {
    obj name = ((obj (*)(const char *, size_t))mp_fun_table[57])("changed", 7);
    STORE_GLOBAL(MP_QSTR_alpha, small(1));
    STORE_GLOBAL(MP_QSTR_publish, small(2));
    STORE_GLOBAL(odd, small(3));
    STORE_GLOBAL(MP_QSTR___name__, name);
}

void dead(void) {
    STORE_GLOBAL(MP_QSTR_unused, small(4));
}
