//! Puts a firmware on a board.
//!
//! | file | question it answers |
//! |---|---|
//! | `image` | what a firmware file is for, and whether it suits a board |
//! | `esp` | how Espressif's chips get theirs, over the serial line, by the espflash library |
//! | `esp8266` | how the ESP8266 gets its, which espflash does not know, by its ROM alone |
//! | `rom` | how that ROM is spoken to |
//! | `uf2` | how Raspberry Pi's get theirs, as a file copied to the drive that their bootloader shows |
//! | `store` | which firmware files this computer has kept |
//! | `error`, `reason` | what can go wrong, and how it is worded |
//!
//! Nothing is downloaded: a firmware is a file that somebody names, or one kept from before.

mod error;
mod esp;
mod esp8266;
mod image;
mod reason;
mod rom;
mod store;
mod uf2;

pub use error::FlashError;
pub use esp::{EspOptions, flash_esp};
pub use esp8266::{Esp8266Options, flash_esp8266};
pub use image::Image;
pub use reason::Reason;
pub use store::{keep, kept};
pub use uf2::{drives, flash_uf2};

/// How far the work is; a caller shows it as a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The board's bootloader is called.
    Connecting,
    /// All of the flash memory is being erased.
    Erasing,
    /// So many bytes are dealt with: written and verified, or there already.
    Written { done: u64, total: u64 },
    /// So many bytes of samples of what was written have been compared, where that comes last.
    Compared { done: u64, total: u64 },
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes that were written.
    pub written: u64,
    /// Of these, bytes that were compared with what is in the memory now, by a hash or one by one.
    pub compared: u64,
    /// Bytes that were there already.
    pub skipped: u64,
    /// Whether the board restarted by itself; else somebody has to press reset.
    pub restarted: bool,
}
