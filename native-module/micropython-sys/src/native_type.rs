//! Decides the numbers by which entries 3 and 4 of the table name a native type (`py/runtime0.h`).

use crate::layout::abi_consts;

abi_consts! {
    /// `MP_NATIVE_TYPE_…`.
    NATIVE_TYPES: usize {
        /// The object itself.
        MP_NATIVE_TYPE_OBJ = 0,
        /// A truth value.
        MP_NATIVE_TYPE_BOOL = 1,
        /// A signed word.
        MP_NATIVE_TYPE_INT = 2,
        /// An unsigned word, truncated.
        MP_NATIVE_TYPE_UINT = 3,
        /// A pointer.
        MP_NATIVE_TYPE_PTR = 4,
        /// A pointer to bytes.
        MP_NATIVE_TYPE_PTR8 = 5,
        /// A pointer to 16-bit values.
        MP_NATIVE_TYPE_PTR16 = 6,
        /// A pointer to 32-bit values.
        MP_NATIVE_TYPE_PTR32 = 7,
        /// A qstr; only entry 4 takes it.
        MP_NATIVE_TYPE_QSTR = 8,
    }
}
