// What MicroPython's QEMU port lacks to stand in for a board: Ctrl-C, a disk, boot.py and main.py.
//
// Ctrl-C: the port looks at its UART only when a program reads. Real boards do it in the receive
// interrupt: the interrupt character stops the running program, everything else goes into a ring
// buffer, here of the ESP32's size. The port's own reading function is wrapped by the linker
// (--wrap=uart_rx_chr) so that it takes from the ring.
//
// Disk: the module `ramdisk` is a block device in memory, in C as a board's flash driver is, so
// that a KeyboardInterrupt cannot fall into the middle of a filesystem operation. Littlefs on it is
// the root from the start, and lives through a soft reset as flash does.
//
// boot.py and main.py run at the start and after a soft reset, main.py only if the ordinary REPL
// follows, as on real boards.

#include <stdint.h>
#include <string.h>

#include "extmod/vfs.h"
#include "lib/oofatfs/ff.h"
#include "py/compile.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/runtime/interrupt_char.h"
#include "shared/runtime/pyexec.h"

#define RING_BYTES (260)

int __real_uart_rx_chr(void);

static uint8_t ring[RING_BYTES];
static uint16_t ring_in, ring_out;
static uint8_t countdown;

int __wrap_uart_rx_chr(void) {
    if (ring_in == ring_out) {
        int c = __real_uart_rx_chr();
        if (c >= 0 && c == mp_interrupt_char) {
            // A program that waits for input ends here, as it does on real boards.
            mp_sched_keyboard_interrupt();
            mp_handle_pending(true);
        }
        return c;
    }
    int c = ring[ring_out];
    ring_out = (ring_out + 1) % RING_BYTES;
    return c;
}

// Called by the virtual machine at every backward jump (MICROPY_VM_HOOK_LOOP).
void umqtt_test_poll_uart(void) {
    if (++countdown % 64 != 0) {
        return;
    }
    int c;
    while ((c = __real_uart_rx_chr()) >= 0) {
        uint16_t next = (ring_in + 1) % RING_BYTES;
        if (c == mp_interrupt_char) {
            ring_in = ring_out;
            mp_sched_keyboard_interrupt();
        } else if (next != ring_out) {
            ring[ring_in] = c;
            ring_in = next;
        }
    }
}

#define BLOCK_BYTES (512)
#define MAX_BLOCKS (2400)

static uint8_t disk[MAX_BLOCKS * BLOCK_BYTES];
static mp_int_t blocks = MAX_BLOCKS;

// resize(blocks): an erased disk of that many blocks.
static mp_obj_t disk_resize(mp_obj_t count) {
    blocks = mp_obj_get_int(count);
    if (blocks < 1 || blocks > MAX_BLOCKS) {
        mp_raise_ValueError(NULL);
    }
    memset(disk, 0xff, sizeof(disk));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(disk_resize_obj, disk_resize);

// Arguments of readblocks and writeblocks: block, buffer[, offset].
static uint8_t *disk_part(size_t n_args, const mp_obj_t *args, mp_buffer_info_t *info, int flags) {
    mp_get_buffer_raise(args[1], info, flags);
    size_t start = mp_obj_get_int(args[0]) * BLOCK_BYTES;
    if (n_args == 3) {
        start += mp_obj_get_int(args[2]);
    }
    if (start + info->len > (size_t)blocks * BLOCK_BYTES) {
        mp_raise_OSError(5);
    }
    return disk + start;
}

static mp_obj_t disk_readblocks(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t info;
    uint8_t *part = disk_part(n_args, args, &info, MP_BUFFER_WRITE);
    memcpy(info.buf, part, info.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_readblocks_obj, 2, 3, disk_readblocks);

static mp_obj_t disk_writeblocks(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t info;
    uint8_t *part = disk_part(n_args, args, &info, MP_BUFFER_READ);
    memcpy(part, info.buf, info.len);
    return MP_OBJ_NEW_SMALL_INT(0);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(disk_writeblocks_obj, 2, 3, disk_writeblocks);

static mp_obj_t disk_ioctl(mp_obj_t operation, mp_obj_t argument) {
    switch (mp_obj_get_int(operation)) {
        case MP_BLOCKDEV_IOCTL_BLOCK_COUNT:
            return MP_OBJ_NEW_SMALL_INT(blocks);
        case MP_BLOCKDEV_IOCTL_BLOCK_SIZE:
            return MP_OBJ_NEW_SMALL_INT(BLOCK_BYTES);
        default:
            return MP_OBJ_NEW_SMALL_INT(0);
    }
}
static MP_DEFINE_CONST_FUN_OBJ_2(disk_ioctl_obj, disk_ioctl);

static const mp_rom_map_elem_t disk_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_ramdisk) },
    { MP_ROM_QSTR(MP_QSTR_resize), MP_ROM_PTR(&disk_resize_obj) },
    { MP_ROM_QSTR(MP_QSTR_readblocks), MP_ROM_PTR(&disk_readblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_writeblocks), MP_ROM_PTR(&disk_writeblocks_obj) },
    { MP_ROM_QSTR(MP_QSTR_ioctl), MP_ROM_PTR(&disk_ioctl_obj) },
};
static MP_DEFINE_CONST_DICT(disk_globals, disk_globals_table);

const mp_obj_module_t umqtt_test_ramdisk = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&disk_globals,
};
MP_REGISTER_MODULE(MP_QSTR_ramdisk, umqtt_test_ramdisk);

static void run_text(const char *text) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_lexer_t *lexer = mp_lexer_new_from_str_len(MP_QSTR_, text, strlen(text), 0);
        mp_parse_tree_t tree = mp_parse(lexer, MP_PARSE_FILE_INPUT);
        mp_call_function_0(mp_compile(&tree, MP_QSTR_, false));
        nlr_pop();
    } else {
        mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    }
}

// Called at the end of mp_init (MICROPY_PORT_INIT_FUNC).
void umqtt_test_start(void) {
    run_text(
        "def _m():\n"
        " import vfs,ramdisk\n"
        " try:vfs.mount(vfs.VfsLfs2(ramdisk),'/')\n"
        " except OSError:\n"
        "  vfs.VfsLfs2.mkfs(ramdisk)\n"
        "  vfs.mount(vfs.VfsLfs2(ramdisk),'/')\n"
        "_m()\n"
        "del _m\n");
    int done = pyexec_file_if_exists("boot.py");
    if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL && !(done & PYEXEC_FORCED_EXIT)) {
        pyexec_file_if_exists("main.py");
    }
}

// The port has no clock; the filesystems ask for the time.
uint64_t mp_hal_time_ns(void) {
    return 0;
}

DWORD get_fattime(void) {
    return (DWORD)(2026 - 1980) << 25 | 1u << 21 | 1u << 16;
}
