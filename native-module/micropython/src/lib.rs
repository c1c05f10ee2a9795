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

#[cfg(target_arch = "xtensa")]
use xtensa_rt as _;

// First, so that the others see its macros.
#[macro_use]
mod qstr;

mod args;
mod attr;
mod buffer;
mod class;
mod error;
mod function;
mod gc;
mod import;
#[cfg(feature = "module")]
mod memory;
mod obj;
#[cfg(feature = "module")]
mod panic;
mod stream;
mod table;

qstr_list! {
    ".mpy_qstrs.0",
    1,
    "MemoryError",
    "OSError",
    "OverflowError",
    "RuntimeError",
    "TypeError",
    "ValueError",
    "read",
    "write"
}

pub use args::Args;
pub use attr::Method;
pub use buffer::Buffer;
pub use class::Class;
pub use error::{Error, Result};
pub use function::{Function, NativeFunction, finish};
pub use gc::{BytesBuilder, Static, alloc, free};
pub use import::{Module, enter_module, import};
pub use obj::Obj;
pub use qstr::Qstr;
pub use stream::{Errno, Stream};

#[doc(hidden)]
pub use micropython_sys as sys;
