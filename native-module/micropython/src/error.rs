//! Errors of Rust code, and how the outermost function raises them.

use micropython_sys::MpObj;

use crate::import::enter_module;
use crate::table::table;
use crate::{Obj, Qstr};

/// What a native function returns.
pub type Result<T> = core::result::Result<T, Error>;

/// A Python exception to be raised: a class and at most one argument.
#[derive(Clone, Copy)]
pub struct Error {
    class: Class,
    argument: Argument,
}

#[derive(Clone, Copy)]
enum Class {
    /// A name among the module's globals, else among the builtins.
    Named(Qstr),
    /// A ready instance.
    Instance(Obj),
}

#[derive(Clone, Copy)]
enum Argument {
    None,
    Text(&'static str),
    Int(isize),
}

impl Error {
    /// An exception without an argument. `class` is the name of a builtin exception or of one among the
    /// module's globals.
    pub fn new(class: Qstr) -> Self {
        Error {
            class: Class::Named(class),
            argument: Argument::None,
        }
    }

    /// An exception with a message.
    pub fn text(class: Qstr, message: &'static str) -> Self {
        Error {
            class: Class::Named(class),
            argument: Argument::Text(message),
        }
    }

    /// An exception with a number, as `OSError(errno)`.
    pub fn int(class: Qstr, number: isize) -> Self {
        Error {
            class: Class::Named(class),
            argument: Argument::Int(number),
        }
    }

    /// An exception that exists already.
    pub fn instance(exception: Obj) -> Self {
        Error {
            class: Class::Instance(exception),
            argument: Argument::None,
        }
    }

    /// The exception object, made if need be. May raise MemoryError, or what the class itself raises.
    fn into_object(self) -> Obj {
        let class = match self.class {
            Class::Instance(exception) => return exception,
            Class::Named(name) => enter_module(|| {
                // SAFETY: the number is an interned string's.
                // EXCEPTION: NameError, if the name is neither a global of the module nor a builtin.
                Obj(unsafe { (table().load_global)(name.number()) })
            }),
        };
        match self.argument {
            Argument::None => class.call(&[]),
            Argument::Text(message) => class.call(&[Obj::from_text(message)]),
            Argument::Int(number) => class.call(&[Obj::from_int(number)]),
        }
    }

    /// Raises. Only the outermost native function may do so, with nothing left to drop.
    pub(crate) fn raise(self) -> ! {
        let exception = self.into_object();
        raise_object(exception.0)
    }
}

pub(crate) fn raise_object(exception: MpObj) -> ! {
    loop {
        // SAFETY: the reference is valid. EXCEPTION: always, that is its purpose; the entry returns only
        // for None and NULL, which no caller passes.
        unsafe { (table().raise_)(exception) };
    }
}
