//# variants: -O0 | -O2 | -Os | -O2 -fno-pic -fpie
//# prints: jump 10 21 32 43 54 65 76 -1 computed 3
//# boards
// A jump table in read-only data holds distances; labels as values hold addresses.
#include "prelude.h"

static volatile int step = 1;

__attribute__((noinline)) static int choose(int n) {
    switch (n) {
        case 0: return 10 * step;
        case 1: step += 0; return 21;
        case 2: return 31 + step;
        case 3: PRINT(""); return 43;
        case 4: return 54 / step;
        case 5: step = 1; return 65;
        case 6: return 76 % (99 + step);
        default: return -step;
    }
}

__attribute__((noinline)) static int computed(int n) {
    static void *const labels[] = {&&one, &&two, &&three};
    static void *volatile changing;
    changing = labels[n];
    goto *changing;
one:
    return 1;
two:
    return 2;
three:
    return 3;
}

void test(void) {
    PRINT("jump");
    for (int i = 0; i < 8; i++) {
        PRINT(" %d", choose(i));
    }
    PRINT(" computed %d\n", computed(2));
}
