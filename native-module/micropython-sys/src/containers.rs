//! Decides how dict, tuple, list, str, bytes, array and exception objects and instances of classes are laid out (`py/obj.h` and the `py/obj*.h`
//! that declares each).

use core::ffi::c_void;

use crate::layout::abi_struct;
use crate::map::MpMap;
use crate::obj::{MpObj, ObjBase};

abi_struct! {
    /// `mp_obj_dict_t`.
    ["_mp_obj_dict_t" in "py/obj.h", size 4]
    pub struct ObjDict {
        /// The type.
        [0] pub base: ObjBase,
        /// The entries.
        [1] pub map: MpMap,
    }
}

abi_struct! {
    /// `mp_obj_tuple_t`, without the items that follow it in memory.
    ["_mp_obj_tuple_t" in "py/objtuple.h", size 2]
    pub struct ObjTuple {
        /// The type.
        [0] pub base: ObjBase,
        /// The number of items.
        [1] pub len: usize,
        /// Where the items begin.
        [2] pub items: [MpObj; 0],
    }
}

abi_struct! {
    /// `mp_obj_list_t`.
    ["_mp_obj_list_t" in "py/objlist.h", size 4]
    pub struct ObjList {
        /// The type.
        [0] pub base: ObjBase,
        /// The number of items there is room for.
        [1] pub alloc: usize,
        /// The number of items.
        [2] pub len: usize,
        /// The items.
        [3] pub items: *mut MpObj,
    }
}

abi_struct! {
    /// `mp_obj_str_t`: a str or bytes object that is not a qstr.
    ["_mp_obj_str_t" in "py/objstr.h", size 4]
    pub struct ObjStr {
        /// The type.
        [0] pub base: ObjBase,
        /// The hash of the data; 0 where it was not computed yet.
        [1] pub hash: usize,
        /// The length in bytes (UTF-8 for a str).
        [2] pub len: usize,
        /// The bytes; one NUL follows them.
        [3] pub data: *const u8,
    }
}

abi_struct! {
    /// `mp_obj_exception_t`: an instance of a built-in exception. An instance of a Python subclass holds one.
    ["_mp_obj_exception_t" in "py/objexcept.h", size 4]
    pub struct ObjException {
        /// The type.
        [0] pub base: ObjBase,
        /// Bit-fields: `traceback_alloc` in the lower half, `traceback_len` in the upper.
        [1, "_bitfield_1"] pub traceback_alloc_and_len: usize,
        /// Triples of file, line and block name, as qstrs and a number.
        [2] pub traceback_data: *mut usize,
        /// The exception's arguments.
        [3] pub args: *mut ObjTuple,
    }
    bits {
        traceback_alloc: 0 + 0,
        traceback_len: 1 + 0,
    }
}

abi_struct! {
    /// `mp_obj_array_t`: an array, bytearray or memoryview.
    ["_mp_obj_array_t" in "py/objarray.h", size 4]
    pub struct ObjArray {
        /// The type.
        [0] pub base: ObjBase,
        /// Bit-fields: `typecode` in the lowest eight bits, `free` above; of a memoryview `free` is its offset in elements.
        [1, "_bitfield_1"] pub typecode_and_free: usize,
        /// The number of elements.
        [2] pub len: usize,
        /// The elements; of a memoryview those of the whole buffer.
        [3] pub items: *mut c_void,
    }
    bits {
        typecode: 0 + 0,
        free: 0 + 8,
    }
}

abi_struct! {
    /// `mp_obj_instance_t`, without the native parts that follow it in memory.
    ["_mp_obj_instance_t" in "py/objtype.h", size 4]
    pub struct ObjInstance {
        /// The type.
        [0] pub base: ObjBase,
        /// The instance's own attributes.
        [1] pub members: MpMap,
    }
}
