// MicroPython's QEMU port with words of 64 bits, and with the architecture number that MicroPython gave 64-bit RISC-V
// after 1.26: MP_NATIVE_ARCH_RV64IMC, 12. In 1.26 that is the number of an emitter for debugging, which only prints;
// with it come the loader of native code and the function table, which are what is wanted here.

// The port's own types have 32 bits.
#define mp_int_t port_mp_int_t
#define mp_uint_t port_mp_uint_t
#include "ports/qemu/mpconfigport.h"
#undef mp_int_t
#undef mp_uint_t
#undef MP_SSIZE_MAX
// It would emit 32-bit instructions.
#undef MICROPY_EMIT_RV32
#undef MICROPY_EMIT_INLINE_RV32

typedef int64_t mp_int_t;
typedef uint64_t mp_uint_t;
#define MP_SSIZE_MAX (0x7fffffffffffffff)

#define MICROPY_EMIT_NATIVE_DEBUG (1)
#define MICROPY_EMIT_NATIVE_DEBUG_PRINTER (&mp_plat_print)
#define MPY_FEATURE_ARCH_TEST(arch) ((arch) == 12)
