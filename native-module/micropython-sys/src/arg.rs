//! Decides how the arguments that a function allows are described (`py/runtime.h`, entries 67 and 68).

use crate::layout::{abi_consts, abi_struct};
use crate::obj::MpObj;

/// `mp_arg_val_t`: one word, read by the kind that the argument was declared with.
#[repr(C)]
#[derive(Clone, Copy)]
pub union MpArgVal {
    /// For `MP_ARG_BOOL`.
    pub u_bool: bool,
    /// For `MP_ARG_INT`.
    pub u_int: isize,
    /// For `MP_ARG_OBJ`.
    pub u_obj: MpObj,
}

const _: () = assert!(size_of::<MpArgVal>() == size_of::<usize>());

abi_struct! {
    /// `mp_arg_t`: an argument that a function allows.
    ["_mp_arg_t" in "py/runtime.h", size 2]
    pub struct MpArg {
        /// Its name.
        [0 + 0] pub qst: u16,
        /// `MP_ARG_…`.
        [0 + 2] pub flags: u16,
        /// Its value where the caller gives none.
        [1] pub defval: MpArgVal,
    }
}

abi_consts! {
    /// `mp_arg_flag_t`.
    ARG_FLAGS: u16 {
        /// A truth value.
        MP_ARG_BOOL = 0x001,
        /// An int that fits a word.
        MP_ARG_INT = 0x002,
        /// Any object.
        MP_ARG_OBJ = 0x003,
        /// The bits that hold the kind.
        MP_ARG_KIND_MASK = 0x0ff,
        /// Has no default.
        MP_ARG_REQUIRED = 0x100,
        /// Only by keyword.
        MP_ARG_KW_ONLY = 0x200,
    }
}
