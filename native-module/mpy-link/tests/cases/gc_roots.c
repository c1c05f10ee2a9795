//# variants: -O0 | -O2
//# python: import gc
//# python: case.hold()
//# python: gc.collect()
//# python: junk = []
//# python: try:
//# python:  while True: junk.append(bytearray(b'\xff' * 64))
//# python: except MemoryError: junk = None
//# python: gc.collect()
//# python: case.check()
//# prints: bss 256 data 256
//# boards
// What only a static points to must survive a collection: statics lie on the heap that the
// collector scans. The function objects are statics too, with a type from the function table.
#include "prelude.h"

extern const char mp_type_fun_builtin_0[];
extern uint16_t MP_QSTR_hold, MP_QSTR_check;

static unsigned char *in_bss;
static unsigned char *in_data = (unsigned char *)&in_bss;

static obj hold(void) {
    in_bss = GC_REALLOC(NULL, 256, 1);
    in_data = GC_REALLOC(NULL, 256, 1);
    for (int i = 0; i < 256; i++) {
        in_bss[i] = i;
        in_data[i] = 255 - i;
    }
    return NONE;
}

static obj check(void) {
    int bss = 0, data = 0;
    for (int i = 0; i < 256; i++) {
        bss += in_bss[i] == i;
        data += in_data[i] == 255 - i;
    }
    PRINT("bss %d data %d\n", bss, data);
    return NONE;
}

static struct { const void *type; obj (*fun)(void); } hold_obj = {mp_type_fun_builtin_0, hold},
    check_obj = {mp_type_fun_builtin_0, check};

void test(void) {
    STORE_GLOBAL(MP_QSTR_hold, &hold_obj);
    STORE_GLOBAL(MP_QSTR_check, &check_obj);
}
