//! The simulated board: which MicroPython runs on this computer, and how it is made to look like an
//! ESP32 on a serial port.
//!
//! ```text
//! client --- pseudo-terminal --- supervisor thread --- MicroPython process
//!            (console)           (supervisor, repl,     (python/sim/_start.py and
//!                                 requests, peripherals)  the board's modules)
//! ```
//!
//! The supervisor speaks both REPLs itself, as the unix port has no raw REPL; the process compiles and
//! runs the code, and starts anew at every soft reset. Nothing here simulates Python.

#[cfg(unix)]
mod board;
#[cfg(unix)]
mod child;
#[cfg(unix)]
mod config;
#[cfg(unix)]
mod console;
mod error;
#[cfg(unix)]
mod hosts;
#[cfg(unix)]
pub mod micropython;
#[cfg(unix)]
mod modules;
#[cfg(unix)]
mod page;
#[cfg(unix)]
mod peripherals;
#[cfg(unix)]
mod repl;
#[cfg(unix)]
mod requests;
#[cfg(unix)]
mod supervisor;
#[cfg(unix)]
mod walls;

#[cfg(unix)]
pub use board::SimBoard;
#[cfg(unix)]
pub(crate) use board::Waker;
#[cfg(unix)]
pub use config::{BrokerHosts, HostMap, SimConfig, WifiNetwork};
pub use error::SimError;
#[cfg(unix)]
pub use micropython::{FindError, FindOptions, MicroPython, Progress};
#[cfg(unix)]
pub use page::PinMode;
#[cfg(unix)]
pub use peripherals::{
    Climate, PeripheralEvent, PeripheralSnapshot, PeripheralView, PinState, Pwm, WifiState,
};
#[cfg(unix)]
pub use walls::Walls;
