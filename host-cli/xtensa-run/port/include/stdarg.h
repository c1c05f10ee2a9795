// Variable arguments as the Xtensa ABI and gcc have them. LLVM 22 has them wrong in three places:
// va_start takes the first register that it saved for the first register of all, so that every argument
// is the one after the next; va_arg adds 40 for every argument on the stack, where it should once; and
// a wide argument may begin at an odd register. The list is one that va_start of LLVM fills: what is on
// the stack, the registers, and how many bytes of both have been read.
#pragma once
#include_next <stdarg.h>
#if defined(__clang__)
_Static_assert(__clang_major__ == 22, "see whether this compiler has them right");

static inline void *port_va_arg(va_list *list, int size, int align) {
    // Six registers; the bytes of the stack begin at 32.
    int start = (list->__va_ndx + align - 1) & -align;
    int end = start + ((size + 3) & ~3);
    char *from = (char *)list->__va_reg;
    if (end > 24) {
        if (start <= 24) {
            end = 32 + ((size + 3) & ~3);
        }
        from = (char *)list->__va_stk;
    }
    list->__va_ndx = end;
    return from + end - ((size + 3) & ~3);
}

#undef va_start
#define va_start(list, last) \
    do { \
        __builtin_va_start(list, last); \
        (list).__va_reg = (int *)((char *)(list).__va_reg - (list).__va_ndx); \
    } while (0)
#undef va_arg
#define va_arg(list, type) \
    (*(type *)port_va_arg(&(list), sizeof(type), _Alignof(type) > 4 ? _Alignof(type) : 4))
#endif
