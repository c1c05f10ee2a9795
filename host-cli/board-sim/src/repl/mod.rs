//! The two REPLs of a board, spoken as `shared/runtime/pyexec.c` of MicroPython 1.26 speaks them.

mod friendly;
mod line;
mod raw;

use crate::supervisor::ReplMode;

/// How a REPL is left.
pub(crate) enum Left {
    SoftReset,
    To(ReplMode),
}

pub(crate) const CTRL_A: u8 = 1;
pub(crate) const CTRL_B: u8 = 2;
pub(crate) const CTRL_C: u8 = 3;
pub(crate) const CTRL_D: u8 = 4;
pub(crate) const CTRL_E: u8 = 5;
