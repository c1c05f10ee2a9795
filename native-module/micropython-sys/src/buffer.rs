//! Decides how the bytes of str, bytes, bytearray, memoryview and array are handed over (`py/obj.h`).

use core::ffi::{c_int, c_void};

use crate::layout::{abi_consts, abi_struct};

abi_struct! {
    /// `mp_buffer_info_t`, filled by entry 65 of the table.
    ["_mp_buffer_info_t" in "py/obj.h", size 3]
    pub struct BufferInfo {
        /// The bytes; may be NULL where `len` is 0.
        [0] pub buf: *mut c_void,
        /// Their number.
        [1] pub len: usize,
        /// The element type as `py/binary.h` has it.
        [2] pub typecode: c_int,
    }
}

abi_consts! {
    /// The flags of entry 65.
    BUFFER_FLAGS: usize {
        /// For reading.
        MP_BUFFER_READ = 1,
        /// For writing.
        MP_BUFFER_WRITE = 2,
        /// For both.
        MP_BUFFER_RW = 3,
        /// Raise a TypeError rather than return false.
        MP_BUFFER_RAISE_IF_UNSUPPORTED = 4,
    }
}
