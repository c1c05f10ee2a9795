//! Errors of Rust code, and how the outermost function raises them.

use core::ffi::{CStr, c_void};
use core::ptr::NonNull;

use micropython_sys::MpObj;

use crate::table::table;
use crate::{Errno, Obj, Qstr};

/// What a native function returns.
pub type Result<T> = core::result::Result<T, Error>;

/// A Python exception to be raised. One word that is never 0, so that a [`Result`] travels in registers.
///
/// The word is the address of an exception object, whose two lowest bits are clear. Or it says what object to make when
/// the error is raised: the address of an [`ErrorText`] with bit 0 set, or an error number for OSError, shifted, with bit
/// 1 set. So an error of these kinds costs an instruction or two where it is made and nothing where it is dropped, and
/// needs no memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(NonNull<c_void>);

/// The bit of an [`ErrorText`]'s address.
const TEXT: usize = 1;
/// The bit of an error number.
const ERRNO: usize = 2;

/// An exception's class and message, as a constant: what [`error!`](crate::error!) writes.
#[doc(hidden)]
#[repr(C)]
pub struct ErrorText<const N: usize = 0> {
    class: Qstr,
    len: u16,
    text: [u8; N],
}

impl<const N: usize> ErrorText<N> {
    pub const fn new(class: Qstr, text: &str) -> Self {
        let mut bytes = [0; N];
        bytes.copy_from_slice(text.as_bytes());
        ErrorText {
            class,
            len: N as u16,
            text: bytes,
        }
    }
}

/// An [`Error`] with a message: `error!("ValueError", "qos must be 0 or 1")`. The class is named as for
/// [`Error::new`]. Nothing is called and nothing allocated before it is raised.
#[macro_export]
macro_rules! error {
    ($class:literal, $text:literal) => {
        const {
            $crate::Error::constant(
                const {
                    &$crate::table_of::ErrorText::<{ $text.len() }>::new(
                        $crate::qstr!($class),
                        $text,
                    )
                },
            )
        }
    };
}

impl Error {
    /// MemoryError.
    pub const NO_MEMORY: Error = error!("MemoryError", "memory allocation failed");

    #[doc(hidden)]
    pub const fn constant<const N: usize>(text: &'static ErrorText<N>) -> Self {
        let address = (&raw const *text).cast::<u8>();
        // SAFETY: one byte into a text, which begins with two bytes of a class, is no NULL. The address is even, as a
        // `Qstr` is.
        Error(unsafe { NonNull::new_unchecked(address.add(TEXT).cast_mut().cast()) })
    }

    /// An exception without an argument. `class` is the name of a builtin exception or of one among the
    /// module's globals. The exception object is made at once, by a call that may itself raise (MemoryError, or what the
    /// class raises).
    #[cold]
    #[inline(never)]
    pub fn new(class: Qstr) -> Self {
        Error::instance(Obj::global(class).call(&[]))
    }

    /// An exception with a number, as `MQTTException(code)`. Made at once, as by [`Error::new`].
    #[cold]
    #[inline(never)]
    pub fn int(class: Qstr, number: isize) -> Self {
        Error::with(class, Obj::from_int(number))
    }

    /// An exception with an object as its argument. Made at once, as by [`Error::new`].
    #[cold]
    #[inline(never)]
    pub fn with(class: Qstr, argument: Obj) -> Self {
        Error::instance(Obj::global(class).call(&[argument]))
    }

    /// An exception with a message in words that are not known before. Made at once, as by [`Error::new`].
    #[cold]
    #[inline(never)]
    pub fn text(class: Qstr, message: &CStr) -> Self {
        Error::with(class, Obj::from_c_text(message))
    }

    /// An exception that exists already. NULL, which no [`Obj`] is, would be taken for a MemoryError.
    #[inline]
    pub fn instance(exception: Obj) -> Self {
        NonNull::new(exception.0.0).map_or(Error::NO_MEMORY, Error)
    }

    /// True if it is an instance of the class of this name, a builtin or a global of the module, or of a subclass. May
    /// raise, as [`Error::exception`].
    pub fn is(self, class: Qstr) -> bool {
        self.exception().matches(Obj::global(class))
    }

    /// The exception object, which is made if it was not before. May raise MemoryError, or what the class raises.
    #[cold]
    #[inline(never)]
    pub fn exception(self) -> Obj {
        let word = self.0.as_ptr();
        if word.addr() & TEXT != 0 {
            // SAFETY: `constant` made the word of a text, which has as many bytes as it says.
            unsafe {
                let text = word.cast::<u8>().sub(TEXT).cast::<ErrorText>();
                let bytes = (&raw const (*text).text).cast();
                let bytes = core::slice::from_raw_parts(bytes, usize::from((*text).len));
                Obj::global((*text).class).call(&[Obj::from_raw_text(bytes)])
            }
        } else if word.addr() & ERRNO != 0 {
            let number = Obj::from_int(word.addr() as isize >> 2);
            Obj::global(qstr!("OSError")).call(&[number])
        } else {
            Obj(MpObj(word))
        }
    }

    /// Raises. Only the outermost native function may do so, with nothing left to drop.
    #[cold]
    #[inline(never)]
    pub(crate) fn raise(self) -> ! {
        let exception = self.exception();
        loop {
            // SAFETY: the reference is valid. EXCEPTION: always, that is its purpose; the entry returns only
            // for None and NULL, which no caller passes.
            unsafe { (table().raise_)(exception.0) };
        }
    }
}

/// `OSError(errno)`. Error numbers of more than 29 bits are cut.
impl From<Errno> for Error {
    #[inline]
    fn from(errno: Errno) -> Error {
        let word = (errno.0 as usize) << 2 | ERRNO;
        // SAFETY: a bit of it is set.
        Error(unsafe { NonNull::new_unchecked(core::ptr::without_provenance_mut(word)) })
    }
}
