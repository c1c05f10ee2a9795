//! The crate against boards: a model of one with faults on demand, and real MicroPython in QEMU.

mod faults;
mod qemu_files;
mod qemu_repl;
mod remote;
mod support;
