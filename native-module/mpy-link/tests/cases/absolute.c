//# variants: -O2 -fno-pic -fno-pie -mcmodel=small
//# error: absolute.o: .text.pick+
//# error: (in pick): R_X86_64_32S for
//# error: a 32-bit absolute address, which no loader can fill in; compile with -C relocation-model=pic (rustc) or -fPIC (gcc)
#include "prelude.h"

static volatile int sum;
static volatile int numbers[4] = {1, 2, 3, 4};

__attribute__((noinline)) int pick(int n) {
    return numbers[n];
}

void test(void) {
    sum = pick(1);
}
