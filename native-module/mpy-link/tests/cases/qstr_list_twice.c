//# with: qstr_list_twice_other.c
//# error: has a list of the same name, so that the strings' numbers are not certain
#include "prelude.h"

extern int other(void);
__attribute__((section(".mpy_qstrs.1"), used)) static const char list[] = "alpha";

void test(void) {
    PRINT("%d\n", other());
}
