//# with: relocations_code.S
//# prints: got base 1 1 1 1
//# prints: slots 8 8 -1 5
//# prints: through 6 6
//# prints: distances 3 3 3
//# prints: sizes 24 24 28
//# prints: absolute 4660 4660 52 18
//# prints: address 21
//# dump-has: mp_fun_table.memset_
// Relocations that compilers emit under other models or that only assembly asks for.
#include "prelude.h"

typedef long fn(long);
extern fn got_base, got_base64, got_offset, got_slot64, got_slot32, relaxed_mov, kept_add, kept_cmp, relaxed_call,
    relaxed_jmp, distance32, distance64, distance8, size32, size64, size_plus, abs64, abs32, abs8, abs_high, table_address;
long called(long n) { return n + 1; }
long shown[3] = {8, 9, 10};
static const long ahead = 3;

void test(void) {
    PRINT("got base %ld %ld %ld %ld\n", got_base(0), got_base64(0), got_offset(0), got_slot64(0));
    PRINT("slots %ld %ld %ld %ld\n", got_slot32(0), relaxed_mov(0), kept_cmp(0), kept_add(0));
    PRINT("through %ld %ld\n", relaxed_call(5), relaxed_jmp(5));
    PRINT("distances %ld %ld %ld\n", distance32(0), distance64(0), distance8(0));
    PRINT("sizes %ld %ld %ld\n", size32(0), size64(0), size_plus(0));
    PRINT("absolute %ld %ld %ld %ld\n", abs64(0), abs32(0), abs8(0), abs_high(0));
    PRINT("address %ld\n", table_address(0));
}
