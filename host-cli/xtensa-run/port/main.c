// MicroPython as a Linux program: runs the script that it is given. The memory of modules' code is
// apart from the heap, as on boards.
#include <string.h>
#include <sys/types.h>

#include "linux.h"
#include "py/builtin.h"
#include "py/compile.h"
#include "py/gc.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/mpprint.h"
#include "py/persistentcode.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "py/lexer.h"

#ifndef HEAP_SIZE
#define HEAP_SIZE (2 * 1024 * 1024)
#endif

static char heap[HEAP_SIZE] __attribute__((aligned(16)));
static char exec_memory[128 * 1024] __attribute__((aligned(4)));
static size_t exec_used;
static char *stack_top;

// In the assembly file: what callers keep in registers stands on the stack while `then` runs.
void with_registers_on_stack(void (*then)(void));

static void collect(void) {
    gc_collect_start();
    char here;
    char *bottom = (char *)((uintptr_t)&here & ~(uintptr_t)15);
    gc_collect_root((void **)bottom, (stack_top - bottom) / sizeof(void *));
    gc_collect_end();
}

void gc_collect(void) {
    with_registers_on_stack(collect);
}

void *port_commit_exec(void *text, size_t len, void *relocations) {
    len = (len + 3) & ~(size_t)3;
    if (len + 4 > sizeof(exec_memory) - exec_used) {
        m_malloc_fail(len);
    }
    char *node = &exec_memory[exec_used];
    char *code = node + 4;
    exec_used += len + 4;
    if (relocations) {
        mp_native_relocate(relocations, text, (uintptr_t)code);
    }
    memcpy(code, text, len);
    return code;
}

mp_import_stat_t mp_import_stat(const char *path) {
    // A directory can be opened but not read.
    long file = linux_call(SYS_OPEN, (long)path, 0, 0, 0, 0);
    if (file < 0) {
        return MP_IMPORT_STAT_NO_EXIST;
    }
    char byte;
    long n = linux_call(SYS_READ, file, (long)&byte, 1, 0, 0);
    linux_call(SYS_CLOSE, file, 0, 0, 0, 0);
    return n == -MP_EISDIR ? MP_IMPORT_STAT_DIR : MP_IMPORT_STAT_FILE;
}

// What MicroPython's reader of files calls.
static int errno_value;
int *port_errno(void) {
    return &errno_value;
}

static long with_errno(long result) {
    if (result < 0) {
        errno_value = -result;
        return -1;
    }
    return result;
}

int open(const char *path, int flags, ...) {
    return with_errno(linux_call(SYS_OPEN, (long)path, flags, 0, 0, 0));
}
int close(int file) {
    return with_errno(linux_call(SYS_CLOSE, file, 0, 0, 0, 0));
}
ssize_t read(int file, void *bytes, size_t n) {
    return with_errno(linux_call(SYS_READ, file, (long)bytes, n, 0, 0));
}
off_t lseek(int file, off_t offset, int whence) {
    return with_errno(linux_call(SYS_LSEEK, file, (long)offset, whence, 0, 0));
}

mp_uint_t mp_hal_stdout_tx_strn(const char *text, size_t n) {
    size_t done = 0;
    while (done < n) {
        long written = linux_call(SYS_WRITE, 1, (long)(text + done), n - done, 0, 0);
        if (written <= 0) {
            break;
        }
        done += written;
    }
    return done;
}
void mp_hal_stdout_tx_strn_cooked(const char *text, size_t n) {
    mp_hal_stdout_tx_strn(text, n);
}
void mp_hal_stdout_tx_str(const char *text) {
    mp_hal_stdout_tx_strn(text, strlen(text));
}

uint64_t mp_hal_time_ns(void) {
    int32_t now[2];
    linux_call(SYS_CLOCK_GETTIME, 1, (long)now, 0, 0, 0);
    return (uint64_t)now[0] * 1000000000 + now[1];
}
mp_uint_t mp_hal_ticks_us(void) {
    return mp_hal_time_ns() / 1000;
}
mp_uint_t mp_hal_ticks_ms(void) {
    return mp_hal_time_ns() / 1000000;
}
mp_uint_t mp_hal_ticks_cpu(void) {
    return mp_hal_ticks_us();
}
void mp_hal_delay_us(mp_uint_t us) {
    int32_t time[2] = {us / 1000000, us % 1000000 * 1000};
    linux_call(SYS_NANOSLEEP, (long)time, 0, 0, 0, 0);
}
void mp_hal_delay_ms(mp_uint_t ms) {
    mp_hal_delay_us(ms * 1000);
}

// Scripts open nothing; modules are read otherwise.
static mp_obj_t port_open(size_t n_args, const mp_obj_t *args, mp_map_t *kwargs) {
    (void)n_args;
    (void)args;
    (void)kwargs;
    mp_raise_OSError(MP_EOPNOTSUPP);
}
MP_DEFINE_CONST_FUN_OBJ_KW(mp_builtin_open_obj, 1, port_open);

// What MicroPython's mathematics needs of a C library.
float nanf(const char *tag) {
    (void)tag;
    return __builtin_nanf("");
}
int __finitef(float value) {
    return __builtin_isfinite(value);
}

static void leave(int status) __attribute__((noreturn));
static void leave(int status) {
    for (;;) {
        linux_call(SYS_EXIT, status, 0, 0, 0, 0);
    }
}
void abort(void) {
    mp_hal_stdout_tx_str("abort\n");
    leave(134);
}
void nlr_jump_fail(void *val) {
    (void)val;
    mp_hal_stdout_tx_str("an exception that nothing catches\n");
    leave(3);
}
unsigned int port_random_seed(void) {
    return mp_hal_ticks_us();
}

// Where Linux puts argc and, behind it, the arguments.
void port_main(long *stack) {
    long argc = stack[0];
    char **argv = (char **)&stack[1];
    stack_top = (char *)stack;
    mp_stack_ctrl_init();
    mp_stack_set_limit(256 * 1024);
    gc_init(heap, heap + sizeof(heap));
    mp_init();
    int status = 2;
    if (argc < 2) {
        mp_hal_stdout_tx_str("usage: micropython SCRIPT [ARGUMENT...]\n");
        leave(status);
    }
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        for (long i = 1; i < argc; i++) {
            mp_obj_list_append(mp_sys_argv, mp_obj_new_str(argv[i], strlen(argv[i])));
        }
        mp_lexer_t *lexer = mp_lexer_new_from_file(qstr_from_str(argv[1]));
        mp_parse_tree_t tree = mp_parse(lexer, MP_PARSE_FILE_INPUT);
        mp_obj_t script = mp_compile(&tree, lexer->source_name, false);
        mp_call_function_0(script);
        nlr_pop();
        status = 0;
    } else {
        mp_obj_t exception = MP_OBJ_FROM_PTR(nlr.ret_val);
        if (mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(mp_obj_get_type(exception)), MP_OBJ_FROM_PTR(&mp_type_SystemExit))) {
            mp_obj_t value = mp_obj_exception_get_value(exception);
            mp_int_t number = 0;
            status = value == mp_const_none ? 0 : mp_obj_get_int_maybe(value, &number) ? number : 1;
        } else {
            mp_obj_print_exception(&mp_plat_print, exception);
            status = 1;
        }
    }
    leave(status);
}
