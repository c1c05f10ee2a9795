// What a test module needs of MicroPython's function table, by index (py/nativeglue.c).
#include <stddef.h>
#include <stdint.h>

typedef void *obj;
extern void *const mp_fun_table[];

typedef int (*printf_fn)(const void *print, const char *format, ...);
#define PRINT(...) (((printf_fn)mp_fun_table[53])(mp_fun_table[72], __VA_ARGS__))
#define NONE (mp_fun_table[0])
#define GC_REALLOC ((void *(*)(void *, size_t, int))mp_fun_table[52])
#define STORE_GLOBAL ((void (*)(size_t, obj))mp_fun_table[13])
#define SWAP_GLOBALS ((void *(*)(void *))mp_fun_table[5])

// What a module does at import; the cases define it.
void test(void);

obj mpy_init(obj *self, size_t n, size_t k, obj *args) {
    // self->context->module.globals
    void *globals = ((void **)self[1])[1];
    void *old = SWAP_GLOBALS(globals);
    test();
    SWAP_GLOBALS(old);
    return NONE;
}
