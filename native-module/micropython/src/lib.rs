//! Safe Rust for MicroPython native modules: objects, arguments, buffers, streams, exceptions, classes.
//!
//! One file per concept of MicroPython. A module built on this crate is a `no_std` crate that names its entry
//! with [`module!`], makes functions with [`function!`] and is linked by `mpy-link`.
//!
//! # Exceptions
//!
//! A Python exception raised inside a function of MicroPython's table does not return: it jumps past every Rust
//! frame to the Python code that handles it. MicroPython offers native modules no sound way to catch it. So:
//!
//! * the documentation of every function here says whether it can raise, and beside each foreign call stand two
//!   labels, `SAFETY` and `EXCEPTION`;
//! * Rust code reports its own errors as [`Result`], and only the outermost function, made by [`function!`],
//!   turns an [`Error`] into a raise;
//! * no value whose `Drop` matters may be alive across a call that can raise. This crate has no such type, and
//!   nothing in it allocates on any heap but MicroPython's, which is collected.
//!
//! # Memory
//!
//! MicroPython's collector looks for references on the stack, in registers, on its own heap and in a module's
//! statics, and never moves anything. An [`Obj`] in a local variable or in a [`Static`] is safe; one that is hidden
//! elsewhere (in compressed form, say) is not.
#![no_std]

// First, so that the others see its macros.
#[macro_use]
mod qstr;

mod args;
mod attr;
mod buffer;
mod catch;
#[cfg(target_arch = "xtensa")]
mod catch_xtensa;
mod class;
mod collections;
mod convert;
mod define;
mod error;
mod function;
mod gc;
mod import;
mod instance;
#[cfg(feature = "module")]
mod memory;
mod number;
mod obj;
#[cfg(feature = "module")]
mod panic;
mod slot;
mod stream;
mod table;
mod text;

qstr_list! {
    ".mpy_qstrs.0",
    1,
    "MemoryError",
    "NotImplemented",
    "OSError",
    "OverflowError",
    "RuntimeError",
    "StopIteration",
    "TypeError",
    "ValueError",
    "__init__",
    "_state",
    "classmethod",
    "object",
    "property",
    "read",
    "readinto",
    "readline",
    "staticmethod",
    "write"
}

pub use args::Args;
pub use attr::Method;
pub use buffer::Buffer;
pub use catch::{Exception, catch};
pub use class::Class;
pub use collections::{Dict, Iter, List, Tuple};
pub use convert::{IntoObj, NextReturn, Return};
pub use error::{Error, Result};
pub use function::{Function, NativeFunction, finish};
pub use gc::{Block, BytesBuilder, Static, alloc, free};
pub use import::{Module, ModuleDef, enter_module, import};
pub use instance::{ClassType, NewReturn, This, instance};
pub use obj::Obj;
pub use qstr::Qstr;
pub use slot::{Argument, BufferMut, MAX_PARAMETERS};
pub use stream::{Errno, Stream};

/// What the macros write; not for people.
#[doc(hidden)]
pub mod table_of {
    pub use crate::define::{FunctionDef, Parameter, Role, flag};
    pub use crate::import::InitReturn;
    pub use crate::instance::{ClassDef, ClassState, Members, NoMembers, Pinned, Protocol};
    pub use crate::slot::{Frame, kind};
}

#[doc(hidden)]
pub use micropython_sys as sys;

/// The attributes that describe a module to Python.
///
/// In a module of their own because `function!` and `module!`, which make single functions and an entry by hand, have
/// names that they would take.
pub mod macros {
    pub use micropython_macros::{class, constant, export, function, init, module};
}

/// What a module's source begins with: `use micropython::prelude::*;`.
pub mod prelude {
    pub use crate::macros::{class, constant, export, function, init, module};
    pub use crate::{
        Block, Buffer, BufferMut, Dict, Errno, Error, List, Module, Obj, Result, Static, This,
        Tuple, catch, qstr,
    };
}
