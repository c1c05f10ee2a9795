//! Decides how a printer is laid out (`py/mpprint.h`).

use core::ffi::{c_char, c_void};

use crate::layout::abi_struct;

abi_struct! {
    /// `mp_print_t`: where printed text goes.
    ["_mp_print_t" in "py/mpprint.h", size 2]
    pub struct MpPrint {
        /// Handed to `print_strn`.
        [0] pub data: *mut c_void,
        /// Takes `len` bytes of text.
        [1] pub print_strn: Option<unsafe extern "C" fn(data: *mut c_void, str: *const c_char, len: usize)>,
    }
}
