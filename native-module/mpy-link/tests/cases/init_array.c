//# variants: -O0 | -O2
//# prints: early, then late, then test 110
//# boards
// Functions that run before the entry, by priority; the entry's arguments survive them.
#include "prelude.h"

static int order;

__attribute__((constructor)) static void late(void) {
    PRINT("late, then ");
    order = order * 10 + 10;
}

__attribute__((constructor(200))) static void early(void) {
    PRINT("early, then ");
    order = order + 1 + 9;
}

void test(void) {
    PRINT("test %d\n", order);
}
