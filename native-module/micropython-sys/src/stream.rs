//! Decides how a stream's functions are laid out and what its requests are called (`py/stream.h`).

use core::ffi::{c_int, c_void};

use crate::layout::{abi_consts, abi_struct};
use crate::obj::MpObj;

abi_struct! {
    /// `mp_stream_p_t`: what the protocol slot of a stream type points to. On an error a function returns
    /// [`MP_STREAM_ERROR`] and stores an errno; `read` returns 0 at the end of the stream.
    ["_mp_stream_p_t" in "py/stream.h", size 4]
    pub struct StreamP {
        /// Reads up to `size` bytes into `buf`.
        [0] pub read: Option<ReadFn>,
        /// Writes up to `size` bytes from `buf`.
        [1] pub write: Option<WriteFn>,
        /// Answers an `MP_STREAM_…` request.
        [2] pub ioctl: Option<IoctlFn>,
        /// Bit 0: a text stream.
        [3, "_bitfield_1"] pub is_text: usize,
    }
    bits {
        is_text: 0 + 0,
    }
}

/// `mp_stream_p_t.read`.
pub type ReadFn =
    unsafe extern "C" fn(obj: MpObj, buf: *mut c_void, size: usize, errcode: *mut c_int) -> usize;
/// `mp_stream_p_t.write`.
pub type WriteFn =
    unsafe extern "C" fn(obj: MpObj, buf: *const c_void, size: usize, errcode: *mut c_int) -> usize;
/// `mp_stream_p_t.ioctl`.
pub type IoctlFn =
    unsafe extern "C" fn(obj: MpObj, request: usize, arg: usize, errcode: *mut c_int) -> usize;

/// `MP_STREAM_ERROR` of `py/stream.h`: `(mp_uint_t)-1`.
pub const MP_STREAM_ERROR: usize = usize::MAX;

abi_consts! {
    /// The numbers of `py/stream.h`.
    STREAM_CONSTANTS: usize {
        /// Flush.
        MP_STREAM_FLUSH = 1,
        /// Seek.
        MP_STREAM_SEEK = 2,
        /// Poll: the argument is the events asked for, the result those that hold.
        MP_STREAM_POLL = 3,
        /// Close.
        MP_STREAM_CLOSE = 4,
        /// Get and set the timeout.
        MP_STREAM_TIMEOUT = 5,
        /// Get stream options.
        MP_STREAM_GET_OPTS = 6,
        /// Set stream options.
        MP_STREAM_SET_OPTS = 7,
        /// Get message options.
        MP_STREAM_GET_DATA_OPTS = 8,
        /// Set message options.
        MP_STREAM_SET_DATA_OPTS = 9,
        /// The file descriptor under the stream.
        MP_STREAM_GET_FILENO = 10,
        /// The preferred buffer size.
        MP_STREAM_GET_BUFFER_SIZE = 11,
        /// Poll event: readable.
        MP_STREAM_POLL_RD = 0x0001,
        /// Poll event: writable.
        MP_STREAM_POLL_WR = 0x0004,
        /// Poll event: error.
        MP_STREAM_POLL_ERR = 0x0008,
        /// Poll event: the peer hung up.
        MP_STREAM_POLL_HUP = 0x0010,
        /// Poll event: not open.
        MP_STREAM_POLL_NVAL = 0x0020,
        /// Entry 66 of the table raises unless the stream can read.
        MP_STREAM_OP_READ = 1,
        /// Entry 66 of the table raises unless the stream can write.
        MP_STREAM_OP_WRITE = 2,
        /// Entry 66 of the table raises unless the stream has an ioctl.
        MP_STREAM_OP_IOCTL = 4,
    }
}
