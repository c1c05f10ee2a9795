//! The bytes inside str, bytes, bytearray, memoryview and array objects.

use micropython_sys::BufferInfo;
use micropython_sys::buffer::{MP_BUFFER_RAISE_IF_UNSUPPORTED, MP_BUFFER_READ, MP_BUFFER_WRITE};

use crate::Obj;
use crate::slot::Span;
use crate::table::table;

/// A view of an object's bytes: an address and a length in bytes.
///
/// Python code may resize a bytearray, so a view is valid only until MicroPython runs other code; that is why
/// the bytes are copied out, or lent for the length of a closure-free expression by an `unsafe` function.
#[derive(Clone, Copy)]
pub struct Buffer {
    start: *mut u8,
    len: usize,
}

impl Obj {
    /// The object's bytes for reading; a str's are its UTF-8. Raises TypeError if it has none.
    #[inline(never)]
    pub fn buffer(self) -> Buffer {
        Buffer::new(self, MP_BUFFER_READ | MP_BUFFER_RAISE_IF_UNSUPPORTED).unwrap_or(Buffer::EMPTY)
    }

    /// The object's bytes for reading, if it has any. Does not raise.
    #[inline]
    pub fn buffer_maybe(self) -> Option<Buffer> {
        Buffer::new(self, MP_BUFFER_READ)
    }

    /// The object's bytes for writing. Raises TypeError if they cannot be written.
    #[inline]
    pub fn buffer_mut(self) -> Buffer {
        Buffer::new(self, MP_BUFFER_WRITE | MP_BUFFER_RAISE_IF_UNSUPPORTED).unwrap_or(Buffer::EMPTY)
    }
}

impl Buffer {
    const EMPTY: Buffer = Buffer {
        start: core::ptr::NonNull::dangling().as_ptr(),
        len: 0,
    };

    /// Memory that the interpreter hands over for the length of a call.
    pub(crate) fn new_at(start: *mut u8, len: usize) -> Self {
        if len == 0 {
            return Buffer::EMPTY;
        }
        Buffer { start, len }
    }

    pub(crate) fn from_span(span: Span) -> Self {
        Buffer {
            start: span.start,
            len: span.len,
        }
    }

    #[inline]
    fn new(obj: Obj, flags: usize) -> Option<Self> {
        let mut info = BufferInfo {
            buf: core::ptr::null_mut(),
            len: 0,
            typecode: 0,
        };
        // SAFETY: the entry fills the record if it returns true.
        // EXCEPTION: TypeError, only with MP_BUFFER_RAISE_IF_UNSUPPORTED.
        let supported = unsafe { (table().get_buffer)(obj.0, &raw mut info, flags) };
        if !supported {
            return None;
        }
        if info.buf.is_null() {
            return Some(Self::EMPTY);
        }
        Some(Buffer {
            start: info.buf.cast(),
            len: info.len,
        })
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of the first byte; for an empty buffer not to be read.
    #[inline]
    pub fn as_ptr(&self) -> *mut u8 {
        self.start
    }

    /// The bytes.
    ///
    /// # Safety
    /// While the slice lives, no Python code may run that could change or resize the object, and nobody may
    /// write to it.
    #[inline]
    pub unsafe fn as_slice<'a>(&self) -> &'a [u8] {
        // SAFETY: address and length come from the object, which the caller keeps unchanged.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }

    /// Copies bytes out from offset `at` on and returns how many: as many as there are, at most `into.len()`.
    pub fn read_at(&self, at: usize, into: &mut [u8]) -> usize {
        let n = into.len().min(self.len.saturating_sub(at));
        // SAFETY: within the object's bytes; `into` may lie in them, as Python code may have lent them twice.
        unsafe { core::ptr::copy(self.start.wrapping_add(at), into.as_mut_ptr(), n) };
        n
    }

    /// Copies bytes in from offset `at` on and returns how many: as many as fit. For a buffer that was asked for
    /// writing.
    pub fn write_at(&self, at: usize, from: &[u8]) -> usize {
        let n = from.len().min(self.len.saturating_sub(at));
        // SAFETY: as for `read_at`.
        unsafe { core::ptr::copy(from.as_ptr(), self.start.wrapping_add(at), n) };
        n
    }

    /// Sets one byte. False if the index is out of range.
    pub fn set(&self, index: usize, byte: u8) -> bool {
        if index >= self.len {
            return false;
        }
        // SAFETY: within the object's bytes, which were asked for writing.
        unsafe { self.start.add(index).write(byte) };
        true
    }
}
