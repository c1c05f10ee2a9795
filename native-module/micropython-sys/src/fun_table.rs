//! Decides the order and the signatures of the function table, `mp_fun_table_t` of `py/nativeglue.h`, in .mpy 6.3.
//!
//! The names are upstream's own, two apart: `raise_` for `raise` and `type_exception` for `type_Exception`. The
//! documentation of an entry says whether it can raise: raising is a jump out of the caller, past every Rust frame
//! between.

use core::ffi::{c_char, c_int, c_uint, c_void};

use crate::arg::{MpArg, MpArgVal};
use crate::buffer::BufferInfo;
use crate::containers::ObjDict;
use crate::fun::ObjFunBuiltinVar;
use crate::map::MpMap;
use crate::module::ModuleContext;
use crate::obj::{MpObj, ObjIterBuf, Qstr};
use crate::print::MpPrint;
use crate::stream::StreamP;
use crate::types::ObjType;

/// `nlr_buf_t` of `py/nlr.h`: a jump target, as large as the architecture and the port make it.
#[repr(C)]
pub struct NlrBuf {
    _opaque: [usize; 0],
}

/// `mp_code_state_native_t` of `py/bc.h`: the frame of `@micropython.native` code.
#[repr(C)]
pub struct CodeStateNative {
    _opaque: [usize; 0],
}

/// Declares the table and its list of names from one list, and refuses to compile where an entry does not stand at
/// the index written beside it.
macro_rules! fun_table {
    ($($(#[$meta:meta])* [$index:literal] $field:ident = $name:literal: $ty:ty,)*) => {
        /// `mp_fun_table_t`: one word per entry.
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub struct FunTable {
            $($(#[$meta])* pub $field: $ty,)*
        }

        /// The entries' names in `py/nativeglue.h`, by index.
        pub const FUN_TABLE_NAMES: [&str; size_of::<FunTable>() / size_of::<usize>()] = [$($name),*];

        $(const _: () = assert!(core::mem::offset_of!(FunTable, $field) == $index * size_of::<usize>());)*
    };
}

fun_table! {
    /// None.
    [0] const_none = "const_none": MpObj,
    /// False.
    [1] const_false = "const_false": MpObj,
    /// True.
    [2] const_true = "const_true": MpObj,
    /// An object as a native value of an `MP_NATIVE_TYPE_…`. Raises where the object has no such value.
    [3] native_from_obj = "native_from_obj": unsafe extern "C" fn(obj: MpObj, type_: usize) -> usize,
    /// A native value of an `MP_NATIVE_TYPE_…` as an object. May allocate, so may raise MemoryError.
    [4] native_to_obj = "native_to_obj": unsafe extern "C" fn(val: usize, type_: usize) -> MpObj,
    /// Makes a dict the current globals and returns the former ones; NULL returns NULL and changes nothing. Does not raise.
    [5] swap_globals = "swap_globals": unsafe extern "C" fn(new_globals: *mut ObjDict) -> *mut ObjDict,
    /// A name from locals, globals or builtins. Raises NameError.
    [6] load_name = "load_name": unsafe extern "C" fn(qst: Qstr) -> MpObj,
    /// A name from globals or builtins. Raises NameError.
    [7] load_global = "load_global": unsafe extern "C" fn(qst: Qstr) -> MpObj,
    /// `__build_class__`.
    [8] load_build_class = "load_build_class": unsafe extern "C" fn() -> MpObj,
    /// `base.attr`. Raises AttributeError, or what a property raises.
    [9] load_attr = "load_attr": unsafe extern "C" fn(base: MpObj, attr: Qstr) -> MpObj,
    /// A method and its self into `dest[0..2]`; `dest[1]` is NULL where nothing is bound. Raises AttributeError.
    [10] load_method = "load_method": unsafe extern "C" fn(base: MpObj, attr: Qstr, dest: *mut MpObj),
    /// The same through `super()`: `dest[1]` holds the class and `dest[2]` self on entry.
    [11] load_super_method = "load_super_method": unsafe extern "C" fn(attr: Qstr, dest: *mut MpObj),
    /// Assigns a local name.
    [12] store_name = "store_name": unsafe extern "C" fn(qst: Qstr, obj: MpObj),
    /// Assigns a global name.
    [13] store_global = "store_global": unsafe extern "C" fn(qst: Qstr, obj: MpObj),
    /// `base.attr = val`; `val` NULL deletes. Raises AttributeError.
    [14] store_attr = "store_attr": unsafe extern "C" fn(base: MpObj, attr: Qstr, val: MpObj),
    /// `base[index]`; `val` is SENTINEL to load, NULL to delete, else stored. Raises.
    [15] obj_subscr = "obj_subscr": unsafe extern "C" fn(base: MpObj, index: MpObj, val: MpObj) -> MpObj,
    /// Truth value. Raises what `__bool__` raises.
    [16] obj_is_true = "obj_is_true": unsafe extern "C" fn(arg: MpObj) -> bool,
    /// An `MP_UNARY_OP_…`. Raises TypeError.
    [17] unary_op = "unary_op": unsafe extern "C" fn(op: c_uint, arg: MpObj) -> MpObj,
    /// An `MP_BINARY_OP_…`. Raises TypeError.
    [18] binary_op = "binary_op": unsafe extern "C" fn(op: c_uint, lhs: MpObj, rhs: MpObj) -> MpObj,
    /// A tuple of `n` items. May raise MemoryError.
    [19] new_tuple = "new_tuple": unsafe extern "C" fn(n: usize, items: *const MpObj) -> MpObj,
    /// A list of `n` items. May raise MemoryError.
    [20] new_list = "new_list": unsafe extern "C" fn(n: usize, items: *mut MpObj) -> MpObj,
    /// An empty dict with room for `n_args`. May raise MemoryError.
    [21] new_dict = "new_dict": unsafe extern "C" fn(n_args: usize) -> MpObj,
    /// A set of `n_args` items. May raise.
    [22] new_set = "new_set": unsafe extern "C" fn(n_args: usize, items: *mut MpObj) -> MpObj,
    /// Adds to a set. May raise.
    [23] set_store = "set_store": unsafe extern "C" fn(self_in: MpObj, item: MpObj),
    /// Appends to a list. May raise MemoryError.
    [24] list_append = "list_append": unsafe extern "C" fn(self_in: MpObj, arg: MpObj) -> MpObj,
    /// `dict[key] = value`. May raise.
    [25] dict_store = "dict_store": unsafe extern "C" fn(self_in: MpObj, key: MpObj, value: MpObj) -> MpObj,
    /// A function object from a raw-code record; `def_args` NULL for none. May raise MemoryError.
    [26] make_function_from_proto_fun = "make_function_from_proto_fun": unsafe extern "C" fn(proto_fun: *const c_void, cm: *const ModuleContext, def_args: *const MpObj) -> MpObj,
    /// Calls; `n_args_kw` is `n_args | n_kw << 8`. Raises what the callee raises.
    [27] call_function_n_kw = "call_function_n_kw": unsafe extern "C" fn(fun_in: MpObj, n_args_kw: usize, args: *const MpObj) -> MpObj,
    /// Calls a method as entry 10 left it: `args[0..2]` the method and self. Raises what the callee raises.
    [28] call_method_n_kw = "call_method_n_kw": unsafe extern "C" fn(n_args: usize, n_kw: usize, args: *const MpObj) -> MpObj,
    /// The same with `*args` and `**kwargs`. Raises what the callee raises.
    [29] call_method_n_kw_var = "call_method_n_kw_var": unsafe extern "C" fn(have_self: bool, n_args_n_kw: usize, args: *const MpObj) -> MpObj,
    /// An iterator, in `iter` where it fits. Raises TypeError.
    [30] getiter = "getiter": unsafe extern "C" fn(obj: MpObj, iter: *mut ObjIterBuf) -> MpObj,
    /// The iterator's next item or STOP_ITERATION. Raises what the iterator raises.
    [31] iternext = "iternext": unsafe extern "C" fn(iter: *mut ObjIterBuf) -> MpObj,
    /// Returns twice, which Rust has no sound way to call; listed for its place in the table.
    [32] nlr_push = "nlr_push": unsafe extern "C" fn(_: *mut NlrBuf) -> c_uint,
    /// Undoes entry 32.
    [33] nlr_pop = "nlr_pop": unsafe extern "C" fn(),
    /// Raises an exception instance or class; returns where it is given NULL or None.
    [34] raise_ = "raise": unsafe extern "C" fn(o: MpObj),
    /// `import`. Raises ImportError.
    [35] import_name = "import_name": unsafe extern "C" fn(name: Qstr, fromlist: MpObj, level: MpObj) -> MpObj,
    /// `from module import name`. Raises ImportError.
    [36] import_from = "import_from": unsafe extern "C" fn(module: MpObj, name: Qstr) -> MpObj,
    /// `from module import *`.
    [37] import_all = "import_all": unsafe extern "C" fn(module: MpObj),
    /// A slice. May raise MemoryError.
    [38] new_slice = "new_slice": unsafe extern "C" fn(start: MpObj, stop: MpObj, step: MpObj) -> MpObj,
    /// `a, b = seq`. Raises ValueError.
    [39] unpack_sequence = "unpack_sequence": unsafe extern "C" fn(seq: MpObj, num: usize, items: *mut MpObj),
    /// `a, *b = seq`. Raises ValueError.
    [40] unpack_ex = "unpack_ex": unsafe extern "C" fn(seq: MpObj, num: usize, items: *mut MpObj),
    /// `del` of a local. Raises NameError.
    [41] delete_name = "delete_name": unsafe extern "C" fn(qst: Qstr),
    /// `del` of a global. Raises NameError.
    [42] delete_global = "delete_global": unsafe extern "C" fn(qst: Qstr),
    /// A closure. May raise MemoryError.
    [43] new_closure = "new_closure": unsafe extern "C" fn(fun: MpObj, n_closed_over: usize, closed: *const MpObj) -> MpObj,
    /// Raises TypeError unless the numbers of arguments fit the signature word ([`crate::fun::make_sig`]).
    [44] arg_check_num_sig = "arg_check_num_sig": unsafe extern "C" fn(n_args: usize, n_kw: usize, sig: u32),
    /// Sets up `@micropython.native` code's state.
    [45] setup_code_state_native = "setup_code_state_native": unsafe extern "C" fn(code_state: *mut CodeStateNative, n_args: usize, n_kw: usize, args: *const MpObj),
    /// `//` of small ints; the caller excludes a zero denominator.
    [46] small_int_floor_divide = "small_int_floor_divide": unsafe extern "C" fn(num: isize, denom: isize) -> isize,
    /// `%` of small ints; the caller excludes a zero divisor.
    [47] small_int_modulo = "small_int_modulo": unsafe extern "C" fn(dividend: isize, divisor: isize) -> isize,
    /// `yield from`.
    [48] yield_from = "yield_from": unsafe extern "C" fn(generator: MpObj, send_value: MpObj, ret_value: *mut MpObj) -> bool,
    /// C's setjmp where the port needs it, else NULL.
    [49] setjmp_ = "setjmp_": *const c_void,
    /// C's memset.
    [50] memset_ = "memset_": unsafe extern "C" fn(s: *mut c_void, c: c_int, n: usize) -> *mut c_void,
    /// C's memmove.
    [51] memmove_ = "memmove_": unsafe extern "C" fn(dest: *mut c_void, src: *const c_void, n: usize) -> *mut c_void,
    /// Resizes, allocates (`ptr` NULL) or frees (`n_bytes` 0) on the collected heap; NULL where that fails. Does not raise. No finaliser.
    [52] realloc_ = "realloc_": unsafe extern "C" fn(ptr: *mut c_void, n_bytes: usize, allow_move: bool) -> *mut c_void,
    /// MicroPython's printf.
    [53] printf_ = "printf_": unsafe extern "C" fn(print: *const MpPrint, fmt: *const c_char, ...) -> c_int,
    /// MicroPython's vprintf. Untyped: how a `va_list` travels differs by architecture and no native module in Rust has one.
    [54] vprintf_ = "vprintf_": *const c_void,
    /// Raises a new exception with a NUL-terminated message; the text is copied or kept by pointer, so it must stay.
    [55] raise_msg = "raise_msg": unsafe extern "C" fn(exc_type: *const ObjType, msg: *const c_char) -> !,
    /// An object's type. Does not raise.
    [56] obj_get_type = "obj_get_type": unsafe extern "C" fn(o_in: MpObj) -> *const ObjType,
    /// A str from UTF-8. May raise MemoryError, UnicodeError.
    [57] obj_new_str = "obj_new_str": unsafe extern "C" fn(data: *const c_char, len: usize) -> MpObj,
    /// A bytes object. May raise MemoryError.
    [58] obj_new_bytes = "obj_new_bytes": unsafe extern "C" fn(data: *const u8, len: usize) -> MpObj,
    /// A bytearray over memory that must outlive it. May raise MemoryError.
    [59] obj_new_bytearray_by_ref = "obj_new_bytearray_by_ref": unsafe extern "C" fn(n: usize, items: *mut c_void) -> MpObj,
    /// A float. Not on boards built soft-float for a hard-float architecture value: the argument travels in the wrong register.
    [60] obj_new_float_from_f = "obj_new_float_from_f": unsafe extern "C" fn(f: f32) -> MpObj,
    /// A float; the same warning.
    [61] obj_new_float_from_d = "obj_new_float_from_d": unsafe extern "C" fn(d: f64) -> MpObj,
    /// A float's value; the same warning. Raises TypeError.
    [62] obj_get_float_to_f = "obj_get_float_to_f": unsafe extern "C" fn(o: MpObj) -> f32,
    /// A float's value; the same warning. Raises TypeError.
    [63] obj_get_float_to_d = "obj_get_float_to_d": unsafe extern "C" fn(o: MpObj) -> f64,
    /// As entry 10, but `dest[0]` is NULL where there is no such attribute.
    [64] load_method_maybe = "load_method_maybe": unsafe extern "C" fn(base: MpObj, attr: Qstr, dest: *mut MpObj),
    /// The bytes of an object; false where it has none, unless `MP_BUFFER_RAISE_IF_UNSUPPORTED`.
    [65] get_buffer = "get_buffer": unsafe extern "C" fn(obj: MpObj, bufinfo: *mut BufferInfo, flags: usize) -> bool,
    /// A stream's functions. Raises OSError unless it has those that `flags` (`MP_STREAM_OP_…`) ask for.
    [66] get_stream_raise = "get_stream_raise": unsafe extern "C" fn(self_in: MpObj, flags: c_int) -> *const StreamP,
    /// Arguments by declaration, keywords in a map. Raises TypeError.
    [67] arg_parse_all = "arg_parse_all": unsafe extern "C" fn(n_pos: usize, pos: *const MpObj, kws: *mut MpMap, n_allowed: usize, allowed: *const MpArg, out_vals: *mut MpArgVal),
    /// Arguments by declaration, keywords as pairs after the values. Raises TypeError.
    [68] arg_parse_all_kw_array = "arg_parse_all_kw_array": unsafe extern "C" fn(n_pos: usize, n_kw: usize, args: *const MpObj, n_allowed: usize, allowed: *const MpArg, out_vals: *mut MpArgVal),
    /// Size and alignment of a typecode of `struct` or `array`. Raises ValueError.
    [69] binary_get_size = "binary_get_size": unsafe extern "C" fn(struct_type: c_char, val_type: c_char, palign: *mut usize) -> usize,
    /// Element `index` of an array of a typecode, as an object. Safe for floats everywhere.
    [70] binary_get_val_array = "binary_get_val_array": unsafe extern "C" fn(typecode: c_char, p: *mut c_void, index: usize) -> MpObj,
    /// Stores an object as element `index`. Raises TypeError, OverflowError. Safe for floats everywhere.
    [71] binary_set_val_array = "binary_set_val_array": unsafe extern "C" fn(typecode: c_char, p: *mut c_void, index: usize, val_in: MpObj),
    /// Where print goes.
    [72] plat_print = "plat_print": *const MpPrint,
    /// `mp_type_type`.
    [73] type_type = "type_type": *const ObjType,
    /// `mp_type_str`.
    [74] type_str = "type_str": *const ObjType,
    /// `mp_type_list`.
    [75] type_list = "type_list": *const ObjType,
    /// `mp_type_dict`.
    [76] type_dict = "type_dict": *const ObjType,
    /// `mp_type_fun_builtin_0`.
    [77] type_fun_builtin_0 = "type_fun_builtin_0": *const ObjType,
    /// `mp_type_fun_builtin_1`.
    [78] type_fun_builtin_1 = "type_fun_builtin_1": *const ObjType,
    /// `mp_type_fun_builtin_2`.
    [79] type_fun_builtin_2 = "type_fun_builtin_2": *const ObjType,
    /// `mp_type_fun_builtin_3`.
    [80] type_fun_builtin_3 = "type_fun_builtin_3": *const ObjType,
    /// `mp_type_fun_builtin_var`.
    [81] type_fun_builtin_var = "type_fun_builtin_var": *const ObjType,
    /// `Exception`.
    [82] type_exception = "type_Exception": *const ObjType,
    /// `mp_stream_read_obj`.
    [83] stream_read_obj = "stream_read_obj": *const ObjFunBuiltinVar,
    /// `mp_stream_readinto_obj`.
    [84] stream_readinto_obj = "stream_readinto_obj": *const ObjFunBuiltinVar,
    /// `mp_stream_unbuffered_readline_obj`.
    [85] stream_unbuffered_readline_obj = "stream_unbuffered_readline_obj": *const ObjFunBuiltinVar,
    /// `mp_stream_write_obj`.
    [86] stream_write_obj = "stream_write_obj": *const ObjFunBuiltinVar,
}

/// Index of `memset_`, for code that calls C's memset by its own name.
pub const FUN_TABLE_MEMSET: usize = core::mem::offset_of!(FunTable, memset_) / size_of::<usize>();
/// Index of `memmove_`, for code that calls C's memmove or memcpy by its own name.
pub const FUN_TABLE_MEMMOVE: usize = core::mem::offset_of!(FunTable, memmove_) / size_of::<usize>();
/// Index of `type_type`, the first of the data entries that `tools/mpy_ld.py` resolves by name
/// (`MP_FUN_TABLE_MP_TYPE_TYPE_OFFSET`).
pub const FUN_TABLE_TYPE_TYPE: usize =
    core::mem::offset_of!(FunTable, type_type) / size_of::<usize>();
