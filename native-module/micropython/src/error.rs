//! Errors of Rust code, and how the outermost function raises them.

use core::ffi::{CStr, c_char};

use micropython_sys::MpObj;

use crate::table::table;
use crate::{Obj, Qstr};

/// What a native function returns.
pub type Result<T> = core::result::Result<T, Error>;

/// A Python exception to be raised: a class and at most one argument. Two words, so that it is cheap to pass on.
#[derive(Clone, Copy)]
pub struct Error {
    argument: Argument,
    /// A name among the module's globals, else among the builtins. Not used for an instance.
    class: Qstr,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The exception is `argument.object` itself.
    Instance,
    /// No argument.
    Plain,
    /// `argument.text`.
    Text,
    /// `argument.int`.
    Int,
}

#[derive(Clone, Copy)]
union Argument {
    object: Obj,
    /// A constant C string; a thin pointer keeps the error small.
    text: *const c_char,
    int: isize,
}

impl Error {
    /// An exception without an argument. `class` is the name of a builtin exception or of one among the
    /// module's globals.
    pub const fn new(class: Qstr) -> Self {
        Error {
            argument: Argument { int: 0 },
            class,
            kind: Kind::Plain,
        }
    }

    /// An exception with a message.
    pub const fn text(class: Qstr, message: &'static CStr) -> Self {
        Error {
            argument: Argument {
                text: message.as_ptr(),
            },
            class,
            kind: Kind::Text,
        }
    }

    /// An exception with a number, as `OSError(errno)`.
    pub const fn int(class: Qstr, number: isize) -> Self {
        Error {
            argument: Argument { int: number },
            class,
            kind: Kind::Int,
        }
    }

    /// An exception that exists already.
    pub const fn instance(exception: Obj) -> Self {
        Error {
            argument: Argument { object: exception },
            class: Qstr::UNUSED,
            kind: Kind::Instance,
        }
    }

    /// The exception object, made if need be. May raise MemoryError, or what the class itself raises.
    fn into_object(self) -> Obj {
        // SAFETY: `kind` says which field was written; a text is a constant that ends in NUL.
        let argument = unsafe {
            match self.kind {
                Kind::Instance => return self.argument.object,
                Kind::Plain => return Obj::global(self.class).call(&[]),
                Kind::Text => Obj::from_c_text(CStr::from_ptr(self.argument.text)),
                Kind::Int => Obj::from_int(self.argument.int),
            }
        };
        Obj::global(self.class).call(&[argument])
    }

    /// Raises. Only the outermost native function may do so, with nothing left to drop.
    #[cold]
    pub(crate) fn raise(self) -> ! {
        let exception = self.into_object();
        raise_object(exception.0)
    }
}

fn raise_object(exception: MpObj) -> ! {
    loop {
        // SAFETY: the reference is valid. EXCEPTION: always, that is its purpose; the entry returns only
        // for None and NULL, which no caller passes.
        unsafe { (table().raise_)(exception) };
    }
}
