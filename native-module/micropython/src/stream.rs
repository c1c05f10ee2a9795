//! Streams: sockets, TLS sockets, files, and objects written in Python that have `read` and `write`.

use core::ffi::c_int;

use micropython_sys::StreamP;
use micropython_sys::stream::{MP_STREAM_ERROR, MP_STREAM_POLL};

use crate::{Error, Obj, Result};

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
    /// The functions of a stream that is implemented natively; `None` for an instance of a Python class,
    /// whose methods may be overridden and are called by name.
    native: Option<&'static StreamP>,
}

impl Stream {
    /// Takes an object as a stream. Does not raise: what the object cannot do shows itself when it is used.
    #[inline]
    pub fn new(object: Obj) -> Self {
        let native = if object.is_instance_of_python_class() {
            None
        } else {
            protocol(object)
        };
        Stream { object, native }
    }

    /// True if the stream is implemented natively.
    #[inline]
    pub fn is_native(&self) -> bool {
        self.native.is_some()
    }

    pub fn object(&self) -> Obj {
        self.object
    }

    /// Reads up to `len` bytes to `into` and returns how many; 0 at the end of the stream.
    ///
    /// [`Errno::AGAIN`] if nothing is there now and the stream does not block. May raise: a native stream runs
    /// pending callbacks while it waits, a Python one runs its own code.
    ///
    /// # Safety
    /// `into` must be writable for `len` bytes, in memory that stays where it is while other code runs.
    #[inline]
    pub unsafe fn read(
        &self,
        into: *mut u8,
        len: usize,
    ) -> Result<core::result::Result<usize, Errno>> {
        let Some(functions) = self.native else {
            // SAFETY: as the caller promises.
            return unsafe { self.read_python(into, len) };
        };
        let read = functions.read.ok_or_else(unsupported)?;
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to; the caller vouches for the memory.
        // EXCEPTION: what pending callbacks raise, KeyboardInterrupt among them.
        let n = unsafe { read(self.object.0, into.cast(), len, &raw mut errno) };
        Ok(if n == MP_STREAM_ERROR {
            Err(Errno(errno))
        } else {
            Ok(n.min(len))
        })
    }

    /// Writes up to `len` bytes from `from` and returns how many were taken.
    ///
    /// Errors as with [`Stream::read`].
    ///
    /// # Safety
    /// `from` must be readable for `len` bytes, in memory that stays where it is while other code runs.
    #[inline]
    pub unsafe fn write(
        &self,
        from: *const u8,
        len: usize,
    ) -> Result<core::result::Result<usize, Errno>> {
        let Some(functions) = self.native else {
            // SAFETY: as the caller promises.
            return unsafe { self.write_python(from, len) };
        };
        let write = functions.write.ok_or_else(unsupported)?;
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to; the caller vouches for the memory.
        // EXCEPTION: what pending callbacks raise, KeyboardInterrupt among them.
        let n = unsafe { write(self.object.0, from.cast(), len, &raw mut errno) };
        Ok(if n == MP_STREAM_ERROR {
            Err(Errno(errno))
        } else {
            Ok(n.min(len))
        })
    }

    /// Which of `events` (`MP_STREAM_POLL_…`) hold now. `None` if the stream cannot tell.
    pub fn poll(&self, events: usize) -> Option<usize> {
        let ioctl = self.native?.ioctl?;
        let mut errno: c_int = 0;
        // SAFETY: the object is of the type that the functions belong to.
        // EXCEPTION: none for the sockets of MicroPython's ports.
        let n = unsafe { ioctl(self.object.0, MP_STREAM_POLL, events, &raw mut errno) };
        (n != MP_STREAM_ERROR).then_some(n)
    }

    #[cold]
    unsafe fn read_python(
        &self,
        into: *mut u8,
        len: usize,
    ) -> Result<core::result::Result<usize, Errno>> {
        let answer = self
            .object
            .call_method(qstr!("read"), &[Obj::from_int(len as isize)]);
        if answer.is_none() {
            return Ok(Err(Errno::AGAIN));
        }
        let bytes = answer.buffer();
        if bytes.len() > len {
            return Err(error!(
                "ValueError",
                "read() returned more than was asked for"
            ));
        }
        // SAFETY: no longer than `len`, and the answer is another object's memory or the same place.
        unsafe { core::ptr::copy(bytes.as_ptr(), into, bytes.len()) };
        Ok(Ok(bytes.len()))
    }

    #[cold]
    unsafe fn write_python(
        &self,
        from: *const u8,
        len: usize,
    ) -> Result<core::result::Result<usize, Errno>> {
        // SAFETY: as the caller promises; the bytes are copied before other code runs.
        let bytes = Obj::from_bytes(unsafe { core::slice::from_raw_parts(from, len) });
        let answer = self.object.call_method(qstr!("write"), &[bytes]);
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
}

fn unsupported() -> Error {
    error!("OSError", "stream operation not supported")
}

/// The stream functions of an object's type, if it has any.
#[inline]
fn protocol(object: Obj) -> Option<&'static StreamP> {
    let type_ = object.raw_type();
    // SAFETY: a type is followed by its slots; an index of n names the n-th of them. A protocol's table is
    // constant. A module like `socket` has types whose protocol is another one (network interfaces), but
    // those are not handed to a client as its socket: `get_stream_raise` makes the same assumption.
    unsafe {
        let index = usize::from((*type_).slot_index_protocol);
        if index == 0 {
            return None;
        }
        let slots = (&raw const (*type_).slots).cast::<*const StreamP>();
        (*slots.add(index - 1)).as_ref()
    }
}
