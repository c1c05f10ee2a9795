//# variants: -O0 -fcommon | -O2 -fcommon
//# with: common_other.c
//# prints: common 5 6 0 64
//# map-has: COMMON.shared
//# map-lacks: COMMON.initialised
//# map-lacks: COMMON.unused
// Tentative definitions in two objects are one variable: the larger size, or the initialised one.
#include "prelude.h"

int shared;
int initialised;
long grown[1];
int unused;
int other(void);
void set_grown(void);
extern const unsigned long grown_size;

void test(void) {
    shared = 4;
    int seen = other();
    set_grown();
    PRINT("common %d %d %d %d\n", seen, initialised, (int)grown[0], (int)grown_size);
}
