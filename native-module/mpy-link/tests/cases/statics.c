//# variants: -O0 -g | -O1 | -O2 | -Os | -O3 -mavx2 | -O2 -fno-function-sections -fno-data-sections | -O2 -mno-red-zone
//# prints: bss 1 2 3
//# prints: data 42 -7 65535 255
//# prints: wide 1000000000000 -5
//# prints: ops 14 6 28 -29 1 3 9
//# prints: atomic 5 15 15 9 1 9
//# prints: double 3750 float 250
//# prints: copy 1 2 3 4 99 8
//# prints: shift 32 2 -1
//# prints: flags 1 0 1
//# prints: leaf 136
//# prints: again 4 43
// Every way in which code touches a static: all of it lies on MicroPython's heap, at a distance
// from the code that nobody knows at link time.
#include "prelude.h"

static int counter;
static int value = 41;
static short narrow = -8;
static unsigned short word = 65534;
static unsigned char byte = 254;
static int64_t wide = 999999999999;
static int64_t negative;
static volatile int a = 7, b = 3;
static double x = 1.25;
static float y = 0.5f;
static struct { int64_t v[8]; } one = {{1, 2, 3, 4, 5, 6, 7, 8}}, two;
static volatile unsigned shift = 1;
static volatile int count = 5;
static int atomic;
static volatile int64_t limit = 10;
static volatile unsigned char flag;

__attribute__((noinline)) static int next(void) {
    return ++counter;
}

// A leaf function keeps its locals below the stack pointer, where a detour must not write.
__attribute__((noinline)) static int leaf(int n) {
    volatile int local[24];
    for (int i = 0; i < 17; i++) {
        local[i] = i;
    }
    a = 7;
    b = n;
    int sum = 0;
    for (int i = 0; i < 17; i++) {
        sum += local[i];
    }
    return sum + a - b;
}

void test(void) {
    int r1 = next(), r2 = next(), r3 = next();
    PRINT("bss %d %d %d\n", r1, r2, r3);
    value++;
    narrow++;
    word |= 1;
    byte += 1;
    PRINT("data %d %d %d %d\n", value, narrow, word, byte);
    wide += 1;
    negative -= 5;
    PRINT("wide %ld %ld\n", (long)wide, (long)negative);
    a *= 2;
    int doubled = a;
    b <<= 1;
    a += a;
    int twice = a;
    a = ~a;
    int inverted = a;
    b = -b;
    int quotient = -b / 6, rest = 27 % (b + 14);
    a = 9;
    PRINT("ops %d %d %d %d %d %d %d\n", doubled, -b, twice, inverted, quotient, rest, a);
    int before = __atomic_add_fetch(&atomic, 5, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&atomic, 10, __ATOMIC_SEQ_CST);
    int now = atomic;
    int swapped = __atomic_exchange_n(&atomic, 9, __ATOMIC_SEQ_CST), expected = 9;
    int done = __atomic_compare_exchange_n(&atomic, &expected, 77, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    int old = __atomic_exchange_n(&atomic, 1, __ATOMIC_SEQ_CST);
    PRINT("atomic %d %d %d %d %d %d\n", before, now, swapped, expected, done, old == 77 ? 9 : 0);
    x *= 3.0;
    y *= y;
    PRINT("double %d float %d\n", (int)(x * 1000), (int)(y * 1000));
    two = one;
    two.v[4] = 99;
    PRINT("copy %d %d %d %d %d %d\n", (int)two.v[0], (int)two.v[1], (int)two.v[2], (int)two.v[3], (int)two.v[4], (int)two.v[7]);
    shift <<= count;
    count >>= 1;
    int minus = -(count > 1);
    PRINT("shift %d %d %d\n", (int)shift, count, minus);
    flag = limit > 9;
    int first = flag;
    flag = limit < 10;
    int second = flag;
    flag |= (limit == 10);
    PRINT("flags %d %d %d\n", first, second, (int)flag);
    PRINT("leaf %d\n", leaf(7));
    PRINT("again %d %d\n", next(), ++value);
}
