//# variants: -O0 | -O2
//# archive: archive_first.c archive_second.c archive_unused.c
//# prints: archive 3
//# map-has: libparts.a(archive_first.o):.text.first
//# map-has: libparts.a(archive_second.o):.text.second
//# map-lacks: archive_unused.o
//# map-lacks: .text.dead
//# boards
// Members join when something needs them, and what nothing reaches does not stay.
#include "prelude.h"

int first(void);

void test(void) {
    PRINT("archive %d\n", first());
}

void dead(void) {
    extern void does_not_exist(void);
    does_not_exist();
}
