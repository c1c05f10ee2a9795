// The module socket over Linux system calls: TCP over IPv4 to numeric addresses, with timeouts, as much
// as a client of a broker on this computer needs.
#include <string.h>

#include "linux.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "py/stream.h"

typedef struct {
    mp_obj_base_t base;
    long file;
    // In milliseconds; -1 waits for ever, 0 not at all.
    long timeout;
} socket_t;

extern const mp_obj_type_t socket_type;

// Waits until the socket is ready for `events`. 0, or an error's number.
static int wait_for(socket_t *self, int events) {
    if (self->file < 0) {
        return MP_EBADF;
    }
    if (self->timeout < 0) {
        return 0;
    }
    struct { int file; short events; short returned; } poll = { self->file, events, 0 };
    long n = linux_call(SYS_POLL, (long)&poll, 1, self->timeout, 0, 0);
    if (n < 0) {
        return -n;
    }
    return n > 0 ? 0 : self->timeout == 0 ? MP_EAGAIN : MP_ETIMEDOUT;
}

static mp_uint_t answer(long result, int *error) {
    if (result < 0) {
        *error = -result;
        return MP_STREAM_ERROR;
    }
    return result;
}

static mp_uint_t socket_read(mp_obj_t self_in, void *bytes, mp_uint_t n, int *error) {
    socket_t *self = MP_OBJ_TO_PTR(self_in);
    int failed = wait_for(self, 1);
    return answer(failed ? -failed : linux_call(SYS_RECV, self->file, (long)bytes, n, 0, 0), error);
}

static mp_uint_t socket_write(mp_obj_t self_in, const void *bytes, mp_uint_t n, int *error) {
    socket_t *self = MP_OBJ_TO_PTR(self_in);
    int failed = wait_for(self, 4);
    // MSG_NOSIGNAL: a closed connection is an error, not the end of the program.
    return answer(failed ? -failed : linux_call(SYS_SEND, self->file, (long)bytes, n, 0x4000, 0), error);
}

static mp_uint_t socket_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t arg, int *error) {
    socket_t *self = MP_OBJ_TO_PTR(self_in);
    if (request == MP_STREAM_CLOSE) {
        if (self->file >= 0) {
            linux_call(SYS_CLOSE, self->file, 0, 0, 0, 0);
            self->file = -1;
        }
        return 0;
    }
    if (request == MP_STREAM_POLL) {
        // Linux has the same numbers as MP_STREAM_POLL_RD, WR, ERR, HUP.
        struct { int file; short events; short returned; } poll = { self->file, arg, 0 };
        long n = linux_call(SYS_POLL, (long)&poll, 1, 0, 0, 0);
        return n < 0 ? answer(n, error) : poll.returned;
    }
    *error = MP_EINVAL;
    return MP_STREAM_ERROR;
}

static mp_obj_t socket_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 3, false);
    socket_t *self = mp_obj_malloc(socket_t, type);
    self->timeout = -1;
    // AF_INET, SOCK_STREAM.
    self->file = linux_call(SYS_SOCKET, 2, 1, 0, 0, 0);
    if (self->file < 0) {
        mp_raise_OSError(-self->file);
    }
    return MP_OBJ_FROM_PTR(self);
}

// struct sockaddr_in, as a bytes object.
static mp_obj_t socket_connect(mp_obj_t self_in, mp_obj_t address_in) {
    socket_t *self = MP_OBJ_TO_PTR(self_in);
    mp_buffer_info_t address;
    mp_get_buffer_raise(address_in, &address, MP_BUFFER_READ);
    long result = linux_call(SYS_CONNECT, self->file, (long)address.buf, address.len, 0, 0);
    if (result < 0) {
        mp_raise_OSError(-result);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_connect_obj, socket_connect);

static mp_obj_t socket_setblocking(mp_obj_t self_in, mp_obj_t blocking) {
    socket_t *self = MP_OBJ_TO_PTR(self_in);
    self->timeout = mp_obj_is_true(blocking) ? -1 : 0;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_setblocking_obj, socket_setblocking);

static mp_obj_t socket_settimeout(mp_obj_t self_in, mp_obj_t seconds) {
    socket_t *self = MP_OBJ_TO_PTR(self_in);
    self->timeout = seconds == mp_const_none ? -1 : (long)(mp_obj_get_float(seconds) * 1000);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_settimeout_obj, socket_settimeout);

static mp_obj_t socket_setsockopt(size_t n_args, const mp_obj_t *args) {
    socket_t *self = MP_OBJ_TO_PTR(args[0]);
    int value = mp_obj_get_int(args[3]);
    long result = linux_call(SYS_SETSOCKOPT, self->file, mp_obj_get_int(args[1]), mp_obj_get_int(args[2]), (long)&value, sizeof value);
    if (result < 0) {
        mp_raise_OSError(-result);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(socket_setsockopt_obj, 4, 4, socket_setsockopt);

static const mp_rom_map_elem_t socket_members[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_recv), MP_ROM_PTR(&mp_stream_read1_obj) },
    { MP_ROM_QSTR(MP_QSTR_send), MP_ROM_PTR(&mp_stream_write1_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&mp_stream_close_obj) },
    { MP_ROM_QSTR(MP_QSTR_connect), MP_ROM_PTR(&socket_connect_obj) },
    { MP_ROM_QSTR(MP_QSTR_setblocking), MP_ROM_PTR(&socket_setblocking_obj) },
    { MP_ROM_QSTR(MP_QSTR_settimeout), MP_ROM_PTR(&socket_settimeout_obj) },
    { MP_ROM_QSTR(MP_QSTR_setsockopt), MP_ROM_PTR(&socket_setsockopt_obj) },
};
static MP_DEFINE_CONST_DICT(socket_members_dict, socket_members);

static const mp_stream_p_t socket_stream = {
    .read = socket_read,
    .write = socket_write,
    .ioctl = socket_ioctl,
};

MP_DEFINE_CONST_OBJ_TYPE(
    socket_type, MP_QSTR_socket, MP_TYPE_FLAG_NONE,
    make_new, socket_make_new,
    protocol, &socket_stream,
    locals_dict, &socket_members_dict
    );

// (family, type, protocol, name, address), the address ready for connect.
static mp_obj_t socket_getaddrinfo(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    const char *host = mp_obj_str_get_str(args[0]);
    unsigned port = mp_obj_get_int(args[1]);
    byte address[16] = { 2, 0, port >> 8, port };
    for (int part = 0; part < 4; part++) {
        unsigned number = 0;
        if (*host < '0' || *host > '9') {
            mp_raise_OSError(-2);
        }
        while (*host >= '0' && *host <= '9') {
            number = number * 10 + *host++ - '0';
        }
        if (number > 255 || *host != (part < 3 ? '.' : 0)) {
            // EAI_NONAME: this port knows no names.
            mp_raise_OSError(-2);
        }
        address[4 + part] = number;
        host += part < 3;
    }
    mp_obj_t items[5] = {
        MP_OBJ_NEW_SMALL_INT(2), MP_OBJ_NEW_SMALL_INT(1), MP_OBJ_NEW_SMALL_INT(0),
        MP_OBJ_NEW_QSTR(MP_QSTR_), mp_obj_new_bytes(address, sizeof address),
    };
    mp_obj_t tuple = mp_obj_new_tuple(5, items);
    return mp_obj_new_list(1, &tuple);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(socket_getaddrinfo_obj, 2, 6, socket_getaddrinfo);

static const mp_rom_map_elem_t socket_module_members[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_socket) },
    { MP_ROM_QSTR(MP_QSTR_socket), MP_ROM_PTR(&socket_type) },
    { MP_ROM_QSTR(MP_QSTR_getaddrinfo), MP_ROM_PTR(&socket_getaddrinfo_obj) },
    { MP_ROM_QSTR(MP_QSTR_AF_INET), MP_ROM_INT(2) },
    { MP_ROM_QSTR(MP_QSTR_SOCK_STREAM), MP_ROM_INT(1) },
};
static MP_DEFINE_CONST_DICT(socket_module_dict, socket_module_members);

const mp_obj_module_t socket_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&socket_module_dict,
};
MP_REGISTER_EXTENSIBLE_MODULE(MP_QSTR_socket, socket_module);
