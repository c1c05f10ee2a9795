// For the second and later files of a case: the print function without another mpy_init.
#include <stddef.h>
#include <stdint.h>

extern void *const mp_fun_table[];
typedef int (*printf_fn)(const void *print, const char *format, ...);
#define PRINT(...) (((printf_fn)mp_fun_table[53])(mp_fun_table[72], __VA_ARGS__))
