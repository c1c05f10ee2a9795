//! Streams: sockets, TLS sockets, files, and objects written in Python that have `read` and `write`.

use core::ffi::c_int;

use micropython_sys::StreamP;
use micropython_sys::stream::{MP_STREAM_ERROR, MP_STREAM_POLL, ReadFn, WriteFn};
use micropython_sys::types::MP_TYPE_FLAG_INSTANCE_TYPE;

use crate::{Obj, Result, catch};

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
    /// The functions of a stream that is implemented natively; `None` for any other object, and for an instance of a
    /// Python class, whose methods may be overridden and are called by name.
    functions: Option<&'static StreamP>,
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
    /// [`Errno::AGAIN`] if nothing is there now and the stream does not block. What a stream written in Python raises is
    /// an error, and so is a ValueError if it returns more than was asked for. A native stream may raise: it runs pending
    /// callbacks while it waits.
    ///
    /// # Safety
    /// `into` must be writable for `len` bytes, in memory that stays where it is while other code runs.
    #[inline]
    pub unsafe fn read(&self, into: *mut u8, len: usize) -> Moved {
        // SAFETY: as the caller promises.
        unsafe { self.move_bytes(true, into, len) }
    }

    /// Writes up to `len` bytes from `from` and returns how many were taken.
    ///
    /// Errors and exceptions as of [`Stream::read`].
    ///
    /// # Safety
    /// `from` must be readable for `len` bytes, in memory that stays where it is while other code runs.
    #[inline]
    pub unsafe fn write(&self, from: *const u8, len: usize) -> Moved {
        // SAFETY: as the caller promises.
        unsafe { self.move_bytes(false, from.cast_mut(), len) }
    }

    /// # Safety
    /// As for [`Stream::read`] if it `reads`, else as for [`Stream::write`].
    unsafe fn move_bytes(&self, reads: bool, memory: *mut u8, len: usize) -> Moved {
        let Some(functions) = self.functions else {
            // SAFETY: as the caller promises.
            return unsafe { move_in_python(self.object, reads, memory, len) };
        };
        let function = if reads {
            functions.read
        } else {
            // SAFETY: the two kinds of functions differ in what they do to the memory only.
            unsafe { core::mem::transmute::<Option<WriteFn>, Option<ReadFn>>(functions.write) }
        };
        let Some(function) = function else {
            return Err(error!("OSError", "stream operation not supported"));
        };
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to; the caller vouches for the memory.
        // EXCEPTION: what pending callbacks raise, KeyboardInterrupt among them.
        let n = unsafe { function(self.object.0, memory.cast(), len, &raw mut errno) };
        Ok(if n == MP_STREAM_ERROR {
            Err(Errno(errno))
        } else {
            // A stream that has moved more than it was asked to is not believed.
            Ok(n.min(len))
        })
    }

    /// Which of `events` (`MP_STREAM_POLL_…`) hold now. `None` if the stream cannot tell.
    pub fn poll(&self, events: usize) -> Option<usize> {
        let ioctl = self.functions?.ioctl?;
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to.
        // EXCEPTION: none for the sockets of MicroPython's ports.
        let n = unsafe { ioctl(self.object.0, MP_STREAM_POLL, events, &raw mut errno) };
        (n != MP_STREAM_ERROR).then_some(n)
    }
}

/// Reads or writes through the methods of an object written in Python.
///
/// # Safety
/// As for [`Stream::read`] if it `reads`, else as for [`Stream::write`].
#[cold]
#[inline(never)]
unsafe fn move_in_python(object: Obj, reads: bool, memory: *mut u8, len: usize) -> Moved {
    let (name, argument) = if reads {
        (qstr!("read"), Obj::from_int(len as isize))
    } else {
        // SAFETY: as the caller promises; the bytes are copied before other code runs.
        let bytes = unsafe { core::slice::from_raw_parts(memory, len) };
        (qstr!("write"), Obj::from_bytes(bytes))
    };
    let answer = catch(|| object.call_method(name, &[argument]))?;
    if reads {
        if answer.is_none() {
            return Ok(Err(Errno::AGAIN));
        }
        let bytes = answer.buffer();
        if bytes.len() > len {
            return Err(error!("ValueError", "read() returned too much"));
        }
        // SAFETY: no longer than `len`, and the answer is another object's memory or the same place.
        unsafe { core::ptr::copy(bytes.as_ptr(), memory, bytes.len()) };
        return Ok(Ok(bytes.len()));
    }
    // A number says how much was taken. Anything else (None from a recorder, say) says nothing, and all
    // of it counts as taken, as with umqtt.simple.
    let taken = if answer.is_int() {
        answer.to_int_truncated()
    } else {
        len
    };
    Ok(Ok(if (1..len).contains(&taken) {
        taken
    } else {
        len
    }))
}

/// The stream functions of an object's type, where it is one of a native stream.
#[inline]
fn functions(object: Obj) -> Option<&'static StreamP> {
    let type_ = object.type_in_memory()?;
    // SAFETY: a type is followed by its slots; an index of n names the n-th of them. A protocol's table is constant. A
    // module like `socket` has types whose protocol is another one (network interfaces), but those are not handed to a
    // client as its socket: `get_stream_raise` makes the same assumption.
    unsafe {
        let index = usize::from(type_.slot_index_protocol);
        if index == 0 || type_.flags & MP_TYPE_FLAG_INSTANCE_TYPE != 0 {
            return None;
        }
        let slots = (&raw const type_.slots).cast::<*const StreamP>();
        (*slots.add(index - 1)).as_ref()
    }
}
