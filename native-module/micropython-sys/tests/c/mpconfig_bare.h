// The configuration of a board without a C library: what a firmware needs to load native modules, else defaults.
#include <stdint.h>
#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#define MICROPY_PERSISTENT_CODE_LOAD (1)
#define MICROPY_EMIT_THUMB (1)
#define MICROPY_NLR_SETJMP (0)
#define MICROPY_ENABLE_GC (1)
#define MICROPY_HAL_HAS_VT100 (0)
#define MP_SSIZE_MAX (INTPTR_MAX)
typedef intptr_t mp_int_t;
typedef uintptr_t mp_uint_t;
typedef long mp_off_t;
#define MICROPY_MPHALPORT_H "bare_hal.h"
