//! Streams: sockets, TLS sockets, files, and objects written in Python that have `read` and `write`.

use core::ffi::{c_int, c_void};

use micropython_sys::stream::{MP_STREAM_ERROR, MP_STREAM_POLL, ReadFn, WriteFn};
use micropython_sys::types::MP_TYPE_FLAG_INSTANCE_TYPE;
use micropython_sys::{MpObj, StreamP};

use crate::{Obj, Result};

/// An error number of the operating system or network stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    /// Nothing can be read or written now (`MP_EAGAIN` of `py/mperrno.h`; the same number on Linux).
    pub const AGAIN: Errno = Errno(11);
    /// The stream does not answer this request (`MP_EINVAL`).
    pub const INVALID: Errno = Errno(22);
}

/// A stream to read from and write to.
#[derive(Clone, Copy)]
pub struct Stream {
    object: Obj,
    /// The functions of a stream that is implemented natively; [`PYTHON`] for any other object, and for an instance of a
    /// Python class, whose methods may be overridden and are called by name.
    functions: &'static StreamP,
}

/// How many bytes were moved, or what the stream reports instead.
type Moved = Result<core::result::Result<usize, Errno>>;

impl Stream {
    /// Takes an object as a stream. Does not raise: what the object cannot do shows itself when it is used.
    #[inline]
    pub fn new(object: Obj) -> Self {
        Stream {
            object,
            functions: functions(object),
        }
    }

    pub fn object(&self) -> Obj {
        self.object
    }

    /// Reads up to `len` bytes to `into` and returns how many; 0 at the end of the stream.
    ///
    /// [`Errno::AGAIN`] if nothing is there now and the stream does not block. May raise: a native stream runs
    /// pending callbacks while it waits, a Python one runs its own code, and ValueError if that returns more than was
    /// asked for.
    ///
    /// # Safety
    /// `into` must be writable for `len` bytes, in memory that stays where it is while other code runs.
    #[inline]
    pub unsafe fn read(&self, into: *mut u8, len: usize) -> Moved {
        // SAFETY: as the caller promises.
        unsafe { self.move_bytes(self.functions.read, into.cast(), len) }
    }

    /// Writes up to `len` bytes from `from` and returns how many were taken.
    ///
    /// May raise, as [`Stream::read`] may.
    ///
    /// # Safety
    /// `from` must be readable for `len` bytes, in memory that stays where it is while other code runs.
    #[inline]
    pub unsafe fn write(&self, from: *const u8, len: usize) -> Moved {
        // SAFETY: the two kinds of functions differ in what they do to the memory only.
        let write = unsafe {
            core::mem::transmute::<Option<WriteFn>, Option<ReadFn>>(self.functions.write)
        };
        // SAFETY: as the caller promises.
        unsafe { self.move_bytes(write, from.cast_mut().cast(), len) }
    }

    /// # Safety
    /// The memory must be as `function` needs it.
    unsafe fn move_bytes(
        &self,
        function: Option<ReadFn>,
        memory: *mut c_void,
        len: usize,
    ) -> Moved {
        let Some(function) = function else {
            return Err(error!("OSError", "stream operation not supported"));
        };
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to; the caller vouches for the memory.
        // EXCEPTION: what pending callbacks raise, KeyboardInterrupt among them.
        let n = unsafe { function(self.object.0, memory, len, &raw mut errno) };
        Ok(if n == MP_STREAM_ERROR {
            Err(Errno(errno))
        } else {
            // A stream that has moved more than it was asked to is not believed.
            Ok(n.min(len))
        })
    }

    /// Which of `events` (`MP_STREAM_POLL_…`) hold now. `None` if the stream cannot tell.
    pub fn poll(&self, events: usize) -> Option<usize> {
        let ioctl = self.functions.ioctl?;
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to.
        // EXCEPTION: none for the sockets of MicroPython's ports.
        let n = unsafe { ioctl(self.object.0, MP_STREAM_POLL, events, &raw mut errno) };
        (n != MP_STREAM_ERROR).then_some(n)
    }
}

/// A stream that is written in Python.
static PYTHON: StreamP = StreamP {
    read: Some(read_python),
    write: Some(write_python),
    ioctl: None,
    is_text: 0,
};

#[cold]
unsafe extern "C" fn read_python(
    object: MpObj,
    into: *mut c_void,
    len: usize,
    errno: *mut c_int,
) -> usize {
    let answer = Obj(object).call_method(qstr!("read"), &[Obj::from_int(len as isize)]);
    if answer.is_none() {
        // SAFETY: `move_bytes` hands over a place for it.
        unsafe { *errno = Errno::AGAIN.0 };
        return MP_STREAM_ERROR;
    }
    let bytes = answer.buffer();
    if bytes.len() > len {
        error!("ValueError", "read() returned more than was asked for").raise();
    }
    // SAFETY: no longer than `len`, and the answer is another object's memory or the same place.
    unsafe { core::ptr::copy(bytes.as_ptr(), into.cast(), bytes.len()) };
    bytes.len()
}

#[cold]
unsafe extern "C" fn write_python(
    object: MpObj,
    from: *const c_void,
    len: usize,
    _errno: *mut c_int,
) -> usize {
    // SAFETY: as the caller of `Stream::write` promises; the bytes are copied before other code runs.
    let bytes = Obj::from_bytes(unsafe { core::slice::from_raw_parts(from.cast(), len) });
    let answer = Obj(object).call_method(qstr!("write"), &[bytes]);
    // A number says how much was taken. Anything else (None from a recorder, say) says nothing, and all
    // of it counts as taken, as with umqtt.simple.
    let taken = if answer.is_int() {
        answer.to_int_truncated()
    } else {
        len
    };
    if (1..len).contains(&taken) {
        taken
    } else {
        len
    }
}

/// The stream functions of an object's type.
#[inline]
fn functions(object: Obj) -> &'static StreamP {
    let type_ = object.raw_type();
    // SAFETY: every object has a type, and types are never freed while an instance lives. A type is followed by its
    // slots; an index of n names the n-th of them. A protocol's table is constant. A module like `socket` has types
    // whose protocol is another one (network interfaces), but those are not handed to a client as its socket:
    // `get_stream_raise` makes the same assumption.
    unsafe {
        let index = usize::from((*type_).slot_index_protocol);
        if index == 0 || (*type_).flags & MP_TYPE_FLAG_INSTANCE_TYPE != 0 {
            return &PYTHON;
        }
        let slots = (&raw const (*type_).slots).cast::<*const StreamP>();
        (*slots.add(index - 1)).as_ref().unwrap_or(&PYTHON)
    }
}
