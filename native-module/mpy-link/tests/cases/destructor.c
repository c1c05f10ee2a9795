//# error: destructor.o: section .fini_array
//# error: a module never exits: remove the destructor
#include "prelude.h"

__attribute__((destructor)) static void end(void) {
    PRINT("never\n");
}

void test(void) {
}
