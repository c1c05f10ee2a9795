//# variants: -O2 -mcmodel=large
//# error: large_model.o: .text
//# error: small code model
#include "prelude.h"

static volatile int counter;

void test(void) {
    PRINT("%d\n", counter++);
}
