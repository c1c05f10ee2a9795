//! Decides how a type is laid out and what its flags mean (`py/obj.h`, `mp_obj_type_t`).
//!
//! A type's functions stand in a variable-length array; for each kind of function an index says where, one-based,
//! 0 for none.

use core::ffi::c_void;

use crate::layout::{abi_consts, abi_struct};
use crate::obj::{MpObj, ObjBase, ObjIterBuf, Qstr};

abi_struct! {
    /// `mp_obj_type_t`, without the array of slots that follows it in memory.
    ["_mp_obj_type_t" in "py/obj.h", size 1 + 16]
    pub struct ObjType {
        /// Points to `mp_type_type`.
        [0] pub base: ObjBase,
        /// `MP_TYPE_FLAG_…`.
        [1 + 0] pub flags: u16,
        /// The type's name, a qstr.
        [1 + 2] pub name: u16,
        /// `T(...)`: [`MakeNewFn`].
        [1 + 4] pub slot_index_make_new: u8,
        /// `repr` and `str`: [`PrintFn`].
        [1 + 5] pub slot_index_print: u8,
        /// Calling an instance: [`CallFn`].
        [1 + 6] pub slot_index_call: u8,
        /// [`UnaryOpFn`].
        [1 + 7] pub slot_index_unary_op: u8,
        /// [`BinaryOpFn`].
        [1 + 8] pub slot_index_binary_op: u8,
        /// [`AttrFn`].
        [1 + 9] pub slot_index_attr: u8,
        /// [`SubscrFn`].
        [1 + 10] pub slot_index_subscr: u8,
        /// [`GetiterFn`], [`IternextFn`] or a [`GetiterIternextCustom`], as the flags say.
        [1 + 11] pub slot_index_iter: u8,
        /// [`BufferFn`].
        [1 + 12] pub slot_index_buffer: u8,
        /// A protocol's table, for streams [`crate::stream::StreamP`].
        [1 + 13] pub slot_index_protocol: u8,
        /// The base type, or a tuple of them.
        [1 + 14] pub slot_index_parent: u8,
        /// The dict of the type's methods and constants.
        [1 + 15] pub slot_index_locals_dict: u8,
        /// Where the slots begin; as long as the indexes say.
        [1 + 16] pub slots: [*const c_void; 0],
    }
}

abi_struct! {
    /// `mp_obj_full_type_t`: the same with room for every slot, to be made in a module's own memory.
    ["_mp_obj_full_type_t" in "py/obj.h", size 12 + 16]
    pub struct ObjFullType {
        /// Points to `mp_type_type`.
        [0] pub base: ObjBase,
        /// `MP_TYPE_FLAG_…`.
        [1 + 0] pub flags: u16,
        /// The type's name, a qstr.
        [1 + 2] pub name: u16,
        /// As in [`ObjType`].
        [1 + 4] pub slot_index_make_new: u8,
        /// As in [`ObjType`].
        [1 + 5] pub slot_index_print: u8,
        /// As in [`ObjType`].
        [1 + 6] pub slot_index_call: u8,
        /// As in [`ObjType`].
        [1 + 7] pub slot_index_unary_op: u8,
        /// As in [`ObjType`].
        [1 + 8] pub slot_index_binary_op: u8,
        /// As in [`ObjType`].
        [1 + 9] pub slot_index_attr: u8,
        /// As in [`ObjType`].
        [1 + 10] pub slot_index_subscr: u8,
        /// As in [`ObjType`].
        [1 + 11] pub slot_index_iter: u8,
        /// As in [`ObjType`].
        [1 + 12] pub slot_index_buffer: u8,
        /// As in [`ObjType`].
        [1 + 13] pub slot_index_protocol: u8,
        /// As in [`ObjType`].
        [1 + 14] pub slot_index_parent: u8,
        /// As in [`ObjType`].
        [1 + 15] pub slot_index_locals_dict: u8,
        /// The slots; an index of n names `slots[n - 1]`.
        [1 + 16] pub slots: [*const c_void; 11],
    }
}

abi_struct! {
    /// What the `iter` slot points to under `MP_TYPE_FLAG_ITER_IS_CUSTOM`.
    ["_mp_getiter_iternext_custom_t" in "py/obj.h", size 2]
    pub struct GetiterIternextCustom {
        /// Makes the iterator.
        [0] pub getiter: GetiterFn,
        /// Gives its next item.
        [1] pub iternext: IternextFn,
    }
}

abi_consts! {
    /// The flags of `mp_obj_type_t.flags`.
    TYPE_FLAGS: u16 {
        /// No flag.
        MP_TYPE_FLAG_NONE = 0x0000,
        /// Some type has this one as its base.
        MP_TYPE_FLAG_IS_SUBCLASSED = 0x0001,
        /// Attribute access may run code (`property`, `__getattr__`).
        MP_TYPE_FLAG_HAS_SPECIAL_ACCESSORS = 0x0002,
        /// `a == a` may be false.
        MP_TYPE_FLAG_EQ_NOT_REFLEXIVE = 0x0004,
        /// Can equal an instance of another type.
        MP_TYPE_FLAG_EQ_CHECKS_OTHER_TYPE = 0x0008,
        /// Has a `!=` of its own.
        MP_TYPE_FLAG_EQ_HAS_NEQ_TEST = 0x0010,
        /// As a method, binds self as its first argument.
        MP_TYPE_FLAG_BINDS_SELF = 0x0020,
        /// A built-in function type.
        MP_TYPE_FLAG_BUILTIN_FUN = 0x0040,
        /// The `iter` slot makes an iterator; the default.
        MP_TYPE_FLAG_ITER_IS_GETITER = 0x0000,
        /// The `iter` slot gives the next item.
        MP_TYPE_FLAG_ITER_IS_ITERNEXT = 0x0080,
        /// The `iter` slot points to a [`GetiterIternextCustom`].
        MP_TYPE_FLAG_ITER_IS_CUSTOM = 0x0100,
        /// Iterates over a stream's lines.
        MP_TYPE_FLAG_ITER_IS_STREAM = 0x0180,
        /// Made in Python.
        MP_TYPE_FLAG_INSTANCE_TYPE = 0x0200,
    }
}

/// `mp_make_new_fun_t`; the arguments are `n_args` values, then `n_kw` pairs of key and value.
pub type MakeNewFn = unsafe extern "C" fn(
    type_: *const ObjType,
    n_args: usize,
    n_kw: usize,
    args: *const MpObj,
) -> MpObj;
/// `mp_print_fun_t`; `kind` is an `mp_print_kind_t`.
pub type PrintFn =
    unsafe extern "C" fn(print: *const crate::print::MpPrint, o: MpObj, kind: core::ffi::c_uint);
/// `mp_call_fun_t`.
pub type CallFn =
    unsafe extern "C" fn(fun: MpObj, n_args: usize, n_kw: usize, args: *const MpObj) -> MpObj;
/// `mp_unary_op_fun_t`; returns NULL where the operation is not supported.
pub type UnaryOpFn = unsafe extern "C" fn(op: core::ffi::c_uint, o: MpObj) -> MpObj;
/// `mp_binary_op_fun_t`; returns NULL where the operation is not supported.
pub type BinaryOpFn = unsafe extern "C" fn(op: core::ffi::c_uint, lhs: MpObj, rhs: MpObj) -> MpObj;
/// `mp_attr_fun_t`; `dest` says whether to load, store or delete, see `py/obj.h`.
pub type AttrFn = unsafe extern "C" fn(self_in: MpObj, attr: Qstr, dest: *mut MpObj);
/// `mp_subscr_fun_t`.
pub type SubscrFn = unsafe extern "C" fn(self_in: MpObj, index: MpObj, value: MpObj) -> MpObj;
/// `mp_getiter_fun_t`.
pub type GetiterFn = unsafe extern "C" fn(self_in: MpObj, iter_buf: *mut ObjIterBuf) -> MpObj;
/// `mp_iternext_fun_t`.
pub type IternextFn = unsafe extern "C" fn(self_in: MpObj) -> MpObj;
/// `mp_buffer_fun_t`; 0 on success.
pub type BufferFn = unsafe extern "C" fn(
    obj: MpObj,
    bufinfo: *mut crate::buffer::BufferInfo,
    flags: usize,
) -> isize;
