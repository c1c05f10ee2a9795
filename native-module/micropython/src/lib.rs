//! Safe Rust for MicroPython native modules: objects, arguments, buffers, streams, exceptions, classes.
//!
//! One file per concept of MicroPython. A module built on this crate is a `no_std` crate that describes itself with
//! the attributes below and is linked by `mpy-link`.
//!
//! # Describing a module
//!
//! ```text
//! #![no_std]
//! use micropython::prelude::*;
//!
//! #[module]
//! mod greeting {
//!     use super::*;
//!
//!     #[constant]
//!     const LANGUAGES: u8 = 2;
//!
//!     /// Greets. Python: `def greet(name, *names, spanish=False, **options)`.
//!     #[function]
//!     #[signature(name, *names, spanish = false, **options)]
//!     fn greet(name: &str, names: &[Obj], spanish: bool, options: Dict) -> Result<Obj> { … }
//!
//!     /// Functions and classes of other files: a name that begins with a capital is a class.
//!     #[export]
//!     use crate::counters::{count, Counter};
//!
//!     #[init]
//!     fn init(module: &Module) -> Result<()> { … }
//! }
//! ```
//!
//! In `counters.rs`:
//!
//! ```text
//! #[class]                                    // or #[class(name = "…", base = "ValueError" or "io.IOBase")]
//! pub struct Counter { n: u32, on_change: Obj }
//!
//! #[class]
//! impl Counter {
//!     pub const UNIT: &'static str = "pulses";                    // class constant
//!     #[new] #[signature(n = 0, on_change = None)]
//!     fn new(n: u32, on_change: Obj) -> Result<Self> { … }        // Counter(n=0, on_change=None)
//!     fn add(&mut self, step: u32) -> u32 { … }                   // state lent for the call
//!     fn later(this: This<Self>, f: Obj) -> Result<()> { … }      // nothing lent; this.with(|state| …)
//!     #[getter] fn n(&self) -> u32 { … }
//!     #[setter] fn set_n(&mut self, n: u32) { … }
//!     #[staticmethod] fn zero() -> u32 { … }
//!     #[classmethod] fn of(class: Obj, n: u32) -> Obj { … }
//!     fn __add__(&self, other: This<Counter>) -> Result<Counter> { … }
//!     fn __iter__(this: This<Self>) -> This<Self> { this }
//!     fn __next__(&mut self) -> Option<u32> { … }                 // None ends the iteration
//!     fn __enter__(this: This<Self>) -> This<Self> { … }
//!     fn __exit__(&mut self, kind: Obj, value: Obj, traceback: Obj) -> bool { … }
//!     #[buffer] fn memory(&self) -> Block { … }
//!     #[stream_read] fn read(&mut self, into: Buffer) -> Result<usize, Errno> { … }
//!     #[skip] fn rusts_own(&self) { … }
//! }
//! ```
//!
//! Such a class is a Python class: it can be subclassed in Python, its methods overridden and reached by `super()`.
//! How its state is kept and lent is explained in `instance.rs`.
//!
//! ## The list of strings
//!
//! A name costs one small constant where it is used, because its place in the module's qstr table is known at compile
//! time; for that somebody must know all names of the crate. `#[module]` does: it reads the crate's files from its
//! root on and collects what the macros and `qstr!("…")` name, so the list is never written by hand. The other way
//! would be a section per name and a number that the linker fills in; then a name in a table or a call would each
//! need a relocation that no architecture has for 16 bits or an immediate operand, or a load of its address first,
//! which is 8 to 12 bytes of code per use on RISC-V instead of 2. The price: macros that make `qstr!` calls from
//! tokens that are not in the source (`qstr!(concat!(…))`, names put together by `macro_rules!`) are not seen, and the
//! compiler then says which name is missing.
//!
//! # Exceptions
//!
//! A Python exception raised inside a function of MicroPython's table does not return: it jumps past every Rust
//! frame to the Python code that handles it, or to the nearest [`catch()`]. So:
//!
//! * the documentation of every function here says whether it can raise, and beside each foreign call stand two
//!   labels, `SAFETY` and `EXCEPTION`;
//! * Rust code reports its own errors as [`Result`], and only the outermost function turns an [`Error`] into a raise;
//! * no value whose `Drop` matters may be alive across a call that can raise. This crate has no such type, and
//!   nothing in it allocates on any heap but MicroPython's, which is collected.
//!
//! ## What the ABI allows and what not
//!
//! * Catching: [`catch()`] catches everything, by a few instructions of assembly per architecture around the table's
//!   `nlr_push`. Of the table's other entries only `yield_from` catches anything, and that only StopIteration; there
//!   is no entry that compiles Python, and none that finds the exception being handled, so `sys.exc_info()` and
//!   `raise … from` have no counterpart here. Where MicroPython aborts its VM (`MICROPY_ENABLE_VM_ABORT`, in no
//!   port's standard build) there is no exception to catch; such builds are not supported.
//! * A raise is a jump, which the compiler does not know of: writes through a `&mut` that a skipped function had as
//!   its parameter may be lost. [`catch()`] says what is exempt.
//! * No destructors: the table allocates without finalisers, so the state of a class must not need `Drop`; the
//!   compiler checks it. What must be released is released by a method, or by `with`.
//! * Buffers and stream functions are found in native types only, and an instance has room for one native part: a
//!   class with `#[buffer]` or `#[stream_…]` has no other base, and its constructor is reached as `Class(…)` and
//!   `super().__init__(…)`, not as `Class.__init__(self, …)`.
//! * A class over a native base (`dict`, an exception): MicroPython hands the base's constructor the same arguments.
//! * Descriptors, metaclasses and `__slots__` are as far there as MicroPython has them for Python classes, which these
//!   are; so are reflected operators and the less common ones (`MICROPY_PY_ALL_SPECIAL_METHODS`, in all ports but the
//!   smallest boards').
//! * Borrows are counted without locks: as safe as everything else in MicroPython where threads share an interpreter
//!   lock, not where a port has threads without it (RP2's second core).
//!
//! # Memory
//!
//! MicroPython's collector looks for references on the stack, in registers, on its own heap and in a module's
//! statics, and never moves anything. An [`Obj`] in a local variable, in a [`Static`] or in the state of a class is
//! safe; one that is hidden elsewhere (in compressed form, say) is not.
#![no_std]

#[cfg(target_arch = "xtensa")]
use xtensa_rt as _;

// First, so that the others see its macros.
#[macro_use]
mod qstr;
#[macro_use]
mod error;

mod attr;
mod buffer;
mod catch;
#[cfg(target_arch = "xtensa")]
mod catch_xtensa;
mod class;
mod collections;
mod convert;
mod define;
mod function;
mod gc;
mod import;
mod instance;
#[cfg(feature = "module")]
mod memory;
mod number;
mod obj;
mod own;
#[cfg(feature = "module")]
mod panic;
mod slot;
mod stream;
mod table;
mod text;
mod view;

qstr_list! {
    ".mpy_qstrs.0",
    1 - NAMES.len() as isize,
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

pub use attr::Method;
pub use buffer::Buffer;
pub use catch::{Exception, catch};
pub use collections::{Dict, Iter, List, Tuple};
pub use convert::{IntoObj, NextReturn, Return};
pub use error::{Error, Result};
pub use function::NativeFunction;
pub use gc::{Block, BytesBuilder, KeptBytes, Static, alloc, free};
pub use import::{Module, ModuleDef, enter_module, import};
pub use instance::{ClassType, NewReturn, This, instance};
pub use obj::{MaybeObj, Obj};
pub use own::Attribute;
pub use qstr::Qstr;
pub use slot::{Argument, BufferMut, MAX_PARAMETERS};
pub use stream::{Errno, Stream};
pub use view::View;

/// What the macros write; not for people.
#[doc(hidden)]
pub mod table_of {
    pub use crate::class::{Class, add_special};
    pub use crate::define::{Ended, FunctionDef, Parameter, Role, flag};
    pub use crate::error::ErrorText;
    pub use crate::import::{InitReturn, import_module};
    pub use crate::instance::{
        ClassDef, ClassState, Members, NewDef, NoMembers, Pinned, Protocol, dispatch_new, lend,
        native_cells, plain_cells,
    };
    pub use crate::slot::{Frame, kind};
}

#[doc(hidden)]
pub use micropython_sys as sys;

pub use micropython_macros::{class, constant, export, function, init, module};

/// What a module's source begins with: `use micropython::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Block, Buffer, BufferMut, Dict, Errno, Error, List, Module, Obj, Result, Static, This,
        Tuple, catch, error, qstr,
    };
    pub use crate::{class, constant, export, function, init, module};
}
