//# error: indirect function (ifunc)
#include "prelude.h"

static int one(void) { return 1; }
static int (*resolve(void))(void) { return one; }
int picked(void) __attribute__((ifunc("resolve")));

void test(void) {
    PRINT("%d\n", picked());
}
