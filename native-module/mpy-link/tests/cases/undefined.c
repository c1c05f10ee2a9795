//# variants: -O0 | -O2
//# error: undefined.o: .text.test+
//# error: (in test): undefined symbol strange_function; add the object or archive that defines it
//# error: undefined symbol memcmp; add an archive with it
#include "prelude.h"

int strange_function(void);
int memcmp(const void *, const void *, size_t);

void test(void) {
    volatile size_t n = 4;
    PRINT("%d %d\n", strange_function(), memcmp("abcd", "abce", n));
}
