//# with: comdat_one.S comdat_two.S
//# prints: comdat 1 1 11
//# map-has: comdat_one.o:.text.shared
//# map-lacks: comdat_two.o:.text.shared
// Two objects bring the same COMDAT group; only the first is taken, and both use it.
#include "prelude.h"

int use_one(void);
int use_two(void);
int shared_table(void);

void test(void) {
    PRINT("comdat %d %d %d\n", use_one(), use_two(), shared_table());
}
