//! Decides how the record is laid out that a function object is made from (`py/emitglue.h`).

use core::ffi::c_void;

use crate::layout::{abi_consts, abi_struct};

abi_struct! {
    /// `mp_raw_code_truncated_t`, the argument of entry 26, as builds without `MICROPY_PERSISTENT_CODE_SAVE` have
    /// it. Builds with it append fields that making a function never reads.
    ["_mp_raw_code_truncated_t" in "py/emitglue.h", size 3]
    pub struct RawCodeTruncated {
        /// [`MP_PROTO_FUN_INDICATOR_RAW_CODE_0`] and `_1`: this is a record, not bytecode.
        [0 + 0] pub proto_fun_indicator: [u8; 2],
        /// `MP_CODE_…`; for native modules [`MP_CODE_NATIVE_VIPER`].
        [0 + 2] pub kind: u8,
        /// 1 for a generator; 0 for native modules.
        [0 + 3] pub is_generator: u8,
        /// The code.
        [1] pub fun_data: *const c_void,
        /// The functions inside it; NULL for native modules.
        [2] pub children: *const *mut c_void,
    }
}

abi_consts! {
    /// The numbers of `py/emitglue.h`.
    RAW_CODE_CONSTANTS: u8 {
        /// First byte of a record.
        MP_PROTO_FUN_INDICATOR_RAW_CODE_0 = 0,
        /// Second byte of a record.
        MP_PROTO_FUN_INDICATOR_RAW_CODE_1 = 0,
        /// `mp_raw_code_kind_t`: bytecode; in a file kinds count from here.
        MP_CODE_BYTECODE = 2,
        /// Made by `@micropython.native`.
        MP_CODE_NATIVE_PY = 3,
        /// Made by `@micropython.viper` or a linker; binds self.
        MP_CODE_NATIVE_VIPER = 4,
        /// Made by an inline assembler.
        MP_CODE_NATIVE_ASM = 5,
    }
}
