//! The simulated board: which MicroPython runs on this computer, and how it is made to look like an
//! ESP32 on a serial port.

#[cfg(unix)]
pub mod micropython;

#[cfg(unix)]
pub use micropython::{FindError, FindOptions, MicroPython, Progress};
