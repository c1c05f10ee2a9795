//# variants: -O0 | -O2 | -Os
//# prints: counter 1 2 3
//# prints: atomic 5 12
//# prints: initialised 42 -70000 1000000000001
//# prints: words alpha beta gamma 14
//# prints: match 0x68d1fa0f
//# prints: objects 24 49
//# prints: u64 1317624576 4999 0x0000000002d58978
//# prints: f32 0x3f1d41d3 0x41a80000 -7
//# prints: f64 0x3fe3a83a83a83a83 0x4035000000000000 -7
//# prints: table 0xc67b3b4a
//# prints: panic: on purpose 5
//# prints: Exception panic
//# boards
// What a module must be able to rely on, on every architecture; `must_hold.rs` prints the same from Rust.
#include "prelude.h"

static uint32_t counter;
static uint32_t atomic = 5;
static signed char small = 41;
static int32_t middle = -69999;
static int64_t wide = 1000000000000;
static const char *const words[] = {"alpha", "beta", "gamma"};

#define ENTRY(i) (((i) * 0x9e3779b9u) ^ 3)
#define ENTRIES4(i) ENTRY(i), ENTRY(i + 1), ENTRY(i + 2), ENTRY(i + 3)
#define ENTRIES16(i) ENTRIES4(i), ENTRIES4(i + 4), ENTRIES4(i + 8), ENTRIES4(i + 12)
#define ENTRIES64(i) ENTRIES16(i), ENTRIES16(i + 16), ENTRIES16(i + 32), ENTRIES16(i + 48)
#define ENTRIES256(i) ENTRIES64(i), ENTRIES64(i + 64), ENTRIES64(i + 128), ENTRIES64(i + 192)
static const uint32_t table[1024] = {ENTRIES256(0u), ENTRIES256(256u), ENTRIES256(512u), ENTRIES256(768u)};

struct shape {
    uint32_t (*area)(const struct shape *);
    uint32_t a, b;
};

static uint32_t rectangle(const struct shape *shape) {
    return shape->a * shape->b;
}
static uint32_t square(const struct shape *shape) {
    return shape->a * shape->a;
}
static const struct shape shapes[] = {{rectangle, 4, 6}, {square, 7}};

__attribute__((noinline)) static uint32_t count(void) {
    return ++counter;
}

static uint32_t rotate(uint32_t value, int by) {
    return value << by | value >> (32 - by);
}

__attribute__((noinline)) static uint32_t choose(uint32_t n) {
    switch (n) {
        case 0: return 17;
        case 1: return rotate(n, 9);
        case 2: return 0x12345678;
        case 3: return n * 11;
        case 4: return count();
        case 5: return n ^ 0xff00;
        case 6: return 99 / n;
        case 7: return 1u << n;
        case 8: return 0xdeadbeef;
        case 9: return n + 1000;
        case 10: return ~n;
        case 11: return 7;
        case 12: case 13: case 14: case 15: case 16: case 17: case 18: case 19: return n;
        default: return 0;
    }
}

static uint32_t hash(uint32_t hash, uint32_t value) {
    return (rotate(hash, 5) ^ value) * 0x01000193;
}

static uint32_t bits32(float value) {
    union { float value; uint32_t bits; } both = {value};
    return both.bits;
}
static uint64_t bits64(double value) {
    union { double value; uint64_t bits; } both = {value};
    return both.bits;
}

// MicroPython's printf has no numbers of 64 bits on every board.
#define HALVES(value) (unsigned)((value) >> 32), (unsigned)(value)

static volatile uint64_t large = 6588122884999, by = 5000, other = 138555;
// Each operation rounds on its own, also where the processor computes with more digits than a double has.
static volatile float f = 0.1f, f2 = 4.2f, f7 = 7.0f, f3 = 3.5f, f6 = 6.0f, fn = -7.9f;
static volatile double d = 0.1, d2 = 4.2, d7 = 7.0, d3 = 3.5, d6 = 6.0, dn = -7.9;

void test(void) {
    uint32_t one = count(), two = count(), three = count();
    PRINT("counter %d %d %d\n", (int)one, (int)two, (int)three);
    uint32_t before = __atomic_load_n(&atomic, __ATOMIC_RELAXED);
    __atomic_store_n(&atomic, before + 7, __ATOMIC_RELAXED);
    PRINT("atomic %d %d\n", (int)before, (int)__atomic_load_n(&atomic, __ATOMIC_RELAXED));
    small++;
    middle--;
    wide++;
    PRINT("initialised %d %d %d%09d\n", small, (int)middle, (int)(wide / 1000000000), (int)(wide % 1000000000));
    const char *const *volatile list = words;
    int length = 0;
    for (int i = 0; i < 3; i++) {
        for (const char *at = list[i]; *at; at++) {
            length++;
        }
    }
    PRINT("words %s %s %s %d\n", list[0], list[1], list[2], length);
    uint32_t sum = 0;
    for (uint32_t n = 0; n < 24; n++) {
        sum = hash(sum, choose(n));
    }
    PRINT("match 0x%08x\n", (unsigned)sum);
    const struct shape *volatile some = shapes;
    PRINT("objects %d %d\n", (int)some[0].area(&some[0]), (int)some[1].area(&some[1]));
    PRINT("u64 %d %d 0x%08x%08x\n", (int)(large / by), (int)(large % by), HALVES(large / other));
    f += f2;
    f /= f7;
    f3 *= f6;
    PRINT("f32 0x%08x 0x%08x %d\n", (unsigned)bits32(f), (unsigned)bits32(f3), (int)fn);
    d += d2;
    d /= d7;
    d3 *= d6;
    PRINT("f64 0x%08x%08x 0x%08x%08x %d\n", HALVES(bits64(d)), HALVES(bits64(d3)), (int)dn);
    sum = 0;
    const uint32_t *volatile entries = table;
    for (int i = 0; i < 1024; i++) {
        sum = hash(sum, entries[i]);
    }
    PRINT("table 0x%08x\n", (unsigned)sum);
    PRINT("panic: on purpose %d\n", 5);
    ((void (*)(const void *, const char *))mp_fun_table[55])(mp_fun_table[82], "panic");
}
