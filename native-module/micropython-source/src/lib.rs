//! Decides what the Rust source of a native module declares to Python: its functions and classes, the names that its
//! qstr table needs, and the stub file that describes it to editors.
//!
//! The macros (`micropython-macros`) and the stub writer read the same source through the same types here, so that
//! they cannot disagree about a name, a default or an order.
//!
//! | file | question |
//! |---|---|
//! | [`signature`] | what does `#[signature(...)]` say? |
//! | [`function`] | what is a function to Python: parameters, receiver, role? |
//! | [`class`] | what is a class made of? |
//! | [`tree`] | which files is a crate made of, and what do they declare? |
//! | [`names`] | which strings must the module's qstr table hold? |
//! | [`stub`] | how is it written as `.pyi`? |

pub mod attributes;
pub mod class;
pub mod function;
pub mod names;
pub mod signature;
pub mod stub;
pub mod tree;

pub use class::{Base, Class, Methods};
pub use function::{Function, Parameter, Place, Receiver, Role};
pub use tree::{ModuleSource, Tree};
