//! Builds native MicroPython modules: which compiler, which flags, which files, for every architecture.
//!
//! | file | question it answers |
//! |---|---|
//! | `targets` | how is a module compiled for an architecture (from `native-module/targets`) |
//! | `toolchain` | which rustc of this computer can do that, and what to install where none can |
//! | `project` | which crate is the module, what is it called, where do paths come from that must not show |
//! | `compile` | one module for one architecture: compile, link |
//! | `error` | what can go wrong, in English and Spanish |
//!
//! The same sources, compiler and linker give the same bytes in any folder: paths are replaced by names before they
//! reach a panic message, and nothing else of the computer gets into a module.

mod compile;
mod error;
mod project;
mod targets;
mod toolchain;

pub use compile::{Archive, Built, Options, build, compile};
pub use error::BuildError;
pub use mpy_link::{Arch, Linked, Sizes};
pub use project::Project;
pub use targets::Target;
pub use toolchain::{Toolchain, find as find_toolchain};
