//# variants: -O0 | -O2 | -Os | -O2 -fno-plt
//# prints: table 3 -1 2
//# prints: pointer 12 35
//# prints: tail 107
//# prints: strings two zwei
//# prints: self 1
//# boards
// Addresses in read-only and in writable data, and calls through pointers that are statics.
#include "prelude.h"

static int add(int a, int b) { return a + b; }
static int sub(int a, int b) { return a - b; }
static int mul(int a, int b) { return a * b; }

static int (*const table[])(int, int) = {add, sub, mul};
static int (*volatile current)(int, int) = mul;
static const char *const numbers[] = {"one", "two", "three"};
static const char *changing[] = {"one", "two", "three"};

__attribute__((noinline)) static int tail(int a, int b) {
    return current(a, b);
}

static struct node { struct node *next; int value; } head = {&head, 1};
static volatile int index1 = 1;

void test(void) {
    PRINT("table %d %d %d\n", table[index1 - 1](1, 2), table[index1](1, 2), table[index1 + 1](1, 2));
    int first = current(3, 4);
    current = add;
    PRINT("pointer %d %d\n", first, current(20, 15));
    PRINT("tail %d\n", tail(100, 7));
    changing[index1] = "zwei";
    PRINT("strings %s %s\n", numbers[index1], changing[index1]);
    PRINT("self %d\n", head.next->next->value);
}
