//# with: duplicate_other.c
//# error: duplicate_other.o: symbol number is defined twice, first in duplicate.o
#include "prelude.h"

int number = 1;

void test(void) {
    PRINT("%d\n", number);
}
