//! Errors of Rust code, and how the outermost function raises them.

use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use micropython_sys::MpObj;

use crate::table::table;
use crate::{Obj, Qstr};

/// What a native function returns.
pub type Result<T> = core::result::Result<T, Error>;

/// A Python exception to be raised. One word that is never 0, so that a [`Result`] travels in registers.
///
/// The exception object is made at once, by a call that may itself raise (MemoryError, or what the class raises); but
/// not that of a MemoryError, so that code may go on where memory is short.
#[derive(Clone, Copy)]
pub struct Error(NonNull<c_void>);

/// Stands for a MemoryError that is not made yet. No object is there.
const NO_MEMORY: NonNull<c_void> = NonNull::<u8>::dangling().cast();

impl Error {
    /// An exception without an argument. `class` is the name of a builtin exception or of one among the
    /// module's globals.
    #[cold]
    #[inline(never)]
    pub fn new(class: Qstr) -> Self {
        Error::instance(Obj::global(class).call(&[]))
    }

    /// An exception with a message.
    #[cold]
    #[inline(never)]
    pub fn text(class: Qstr, message: &'static CStr) -> Self {
        if class.number() == qstr!("MemoryError").number() {
            return Error(NO_MEMORY);
        }
        Error::with(class, Obj::from_c_text(message))
    }

    /// An exception with a number, as `OSError(errno)`.
    #[cold]
    #[inline(never)]
    pub fn int(class: Qstr, number: isize) -> Self {
        Error::with(class, Obj::from_int(number))
    }

    /// An exception with an object as its argument.
    #[cold]
    #[inline(never)]
    pub fn with(class: Qstr, argument: Obj) -> Self {
        Error::instance(Obj::global(class).call(&[argument]))
    }

    /// An exception that exists already. NULL, which no [`Obj`] is, would be taken for a MemoryError.
    #[inline]
    pub fn instance(exception: Obj) -> Self {
        Error(NonNull::new(exception.0.0).unwrap_or(NO_MEMORY))
    }

    /// True if it is an instance of the class of this name, a builtin or a global of the module, or of a subclass; never
    /// of MemoryError.
    pub fn is(self, class: Qstr) -> bool {
        self.exception()
            .is_some_and(|exception| exception.matches(Obj::global(class)))
    }

    /// The exception object; none for a MemoryError, which is not made yet.
    pub fn exception(self) -> Option<Obj> {
        (self.0 != NO_MEMORY).then_some(Obj(MpObj(self.0.as_ptr())))
    }

    /// Raises. Only the outermost native function may do so, with nothing left to drop.
    #[cold]
    #[inline(never)]
    pub(crate) fn raise(self) -> ! {
        let mut exception = Obj(MpObj(self.0.as_ptr()));
        if self.0 == NO_MEMORY {
            let message = Obj::from_text("memory allocation failed");
            exception = Obj::global(qstr!("MemoryError")).call(&[message]);
        }
        loop {
            // SAFETY: the reference is valid. EXCEPTION: always, that is its purpose; the entry returns only
            // for None and NULL, which no caller passes.
            unsafe { (table().raise_)(exception.0) };
        }
    }
}
