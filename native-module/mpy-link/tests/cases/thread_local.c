//# variants: -O2 | -O2 -ftls-model=local-exec
//# error: thread_local.o: .text.test+
//# error: thread-local data
//# error: use a plain static
#include "prelude.h"

static __thread int own;

void test(void) {
    PRINT("%d\n", ++own);
}
