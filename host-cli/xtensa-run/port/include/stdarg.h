// LLVM 22's va_start for Xtensa points at the first register that it saved, where its va_arg expects
// the place of the first register of all: every variable argument would be the one after the next.
// `mp_printf("%c", c)` shows it. This puts it right; a compiler without the mistake must not use it.
#pragma once
#include_next <stdarg.h>
#if defined(__clang__)
_Static_assert(__clang_major__ == 22, "see whether this compiler's va_start is right");
#undef va_start
#define va_start(list, last) \
    do { \
        __builtin_va_start(list, last); \
        (list).__va_reg = (int *)((char *)(list).__va_reg - (list).__va_ndx); \
    } while (0)
#endif
