//# variants: -O0 | -O2 | -Os | -O2 -fno-function-sections -fno-data-sections
//# prints: bss 1 2 3
//# prints: data 42 -7 65535 255
//# prints: ops 14 6 28 -29 9
//# prints: wide 1000000000 -5 250000000000
//# prints: double 3750 float 250
//# prints: copy 1 2 3 4 99 8
//# prints: again 4 43
//# boards
// Every way in which code touches a static, without what only large processors have.
#include "prelude.h"

static int counter;
static int value = 41;
static short narrow = -8;
static unsigned short word = 65534;
static unsigned char byte = 254;
static int64_t wide = 999999999;
static int64_t negative;
static volatile int a = 7, b = 3;
static volatile double x = 1.25;
static volatile float y = 0.5f;
static struct { int64_t v[8]; } one = {{1, 2, 3, 4, 5, 6, 7, 8}}, two;

__attribute__((noinline)) static int next(void) {
    return ++counter;
}

void test(void) {
    int r1 = next(), r2 = next(), r3 = next();
    PRINT("bss %d %d %d\n", r1, r2, r3);
    value++;
    narrow++;
    word |= 1;
    byte += 1;
    PRINT("data %d %d %d %d\n", value, narrow, word, byte);
    a *= 2;
    int doubled = a;
    b <<= 1;
    a += a;
    int twice = a;
    a = ~a;
    int inverted = a;
    a = 9;
    PRINT("ops %d %d %d %d %d\n", doubled, b, twice, inverted, a);
    wide += 1;
    negative -= 5;
    int64_t product = wide * 1000;
    PRINT("wide %d %d %d000000000\n", (int)wide, (int)negative, (int)(product / 4 / 1000000000));
    x *= 3.0;
    y *= y;
    PRINT("double %d float %d\n", (int)(x * 1000), (int)(y * 1000));
    two = one;
    two.v[4] = 99;
    PRINT("copy %d %d %d %d %d %d\n", (int)two.v[0], (int)two.v[1], (int)two.v[2], (int)two.v[3], (int)two.v[4], (int)two.v[7]);
    PRINT("again %d %d\n", next(), ++value);
}
