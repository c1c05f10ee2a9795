//# with: comdat_one.S comdat_inside.S
//# error: comdat_inside.o: .text+
//# error: left out: another object's copy of the same COMDAT group was taken
// A reference past the group's symbols into the copy that was not taken.
#include "prelude.h"

int use_one(void);
int use_inside(void);

void test(void) {
    PRINT("%d %d\n", use_one(), use_inside());
}
