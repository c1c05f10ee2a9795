//# with: forms_code.S
//# prints: mov 11 -2 65534 200 4000000000
//# prints: high 77 300
//# prints: extended 600 700 7
//# prints: arithmetic 35 1 1 24 -6
//# prints: flags 1 1 1
//# prints: multiply 300000 3 1
//# prints: exchange 5 9 1 2 1
//# prints: vector 10 26 3
//# prints: fpu 7
//# prints: call 14 tail 21 pushed 99 red zone 123 flags kept 1
//# prints: bits 1 0 12 3
//# map-has: (detour for Cmpxchg16b)
//# map-has: (detour for Push)
//# map-lacks: (detour for Lea)
//# map-lacks: (detour for Nop)
// Instruction forms that compilers use now and then, written out, each on a static that is far away.
#include "prelude.h"

typedef long fn(long, long);
extern fn f_mov32, f_movsx, f_movzx16, f_movzx8, f_mov_unsigned, f_high, f_high_word, f_r12, f_r13, f_r15, f_imm, f_test,
    f_cmp, f_sub, f_neg, f_carry, f_zero, f_sign, f_imul3, f_div, f_rem, f_xchg, f_xadd, f_cmpxchg, f_cx16, f_cx16_value, f_paddd,
    f_vaddps, f_movss, f_fpu, f_call, f_jmp, f_push, f_red_zone, f_keep_flags, f_bt, f_bt0, f_bsf, f_setmem;

void test(void) {
    PRINT("mov %ld %ld %ld %ld %ld\n", f_mov32(0, 0), f_movsx(0, 0), f_movzx16(0, 0), f_movzx8(0, 0), f_mov_unsigned(0, 0));
    PRINT("high %ld %ld\n", f_high(77, 0), f_high_word(0, 0));
    PRINT("extended %ld %ld %ld\n", f_r12(600, 0), f_r13(700, 0), f_r15(7, 0));
    PRINT("arithmetic %ld %ld %ld %ld %ld\n", f_imm(0, 0), f_test(0, 0), f_cmp(0, 0), f_sub(10, 0), f_neg(6, 0));
    PRINT("flags %ld %ld %ld\n", f_carry(0, 0), f_zero(0, 0), f_sign(0, 0));
    PRINT("multiply %ld %ld %ld\n", f_imul3(0, 0), f_div(10, 0), f_rem(10, 0));
    long xchg = f_xchg(9, 0), xadd = f_xadd(1, 0), cmpxchg = f_cmpxchg(0, 0), value = f_cx16_value(0, 0), cx16 = f_cx16(0, 0);
    PRINT("exchange %ld %ld %ld %ld %ld\n", xchg, xadd, cmpxchg, value, cx16);
    PRINT("vector %ld %ld %ld\n", f_paddd(0, 0), f_vaddps(0, 0), f_movss(0, 0));
    PRINT("fpu %ld\n", f_fpu(0, 0));
    PRINT("call %ld tail %ld pushed %ld red zone %ld flags kept %ld\n", f_call(7, 0), f_jmp(7, 3), f_push(0, 0),
          f_red_zone(0, 0), f_keep_flags(0, 0));
    PRINT("bits %ld %ld %ld %ld\n", f_bt(0, 0), f_bt0(0, 0), f_bsf(0, 0), f_setmem(0, 0));
}
