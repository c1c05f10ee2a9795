//! Puts a firmware on a board.
//!
//! | file | question it answers |
//! |---|---|
//! | `image` | what a firmware file is for, and whether it suits a board |
//! | `esp` | how Espressif's chips get theirs, over the serial line, by the espflash library |
//! | `uf2` | how Raspberry Pi's get theirs, as a file copied to the drive that their bootloader shows |
//! | `store` | which firmware files this computer has kept |
//! | `error` | what can go wrong |
//!
//! Nothing is downloaded: a firmware is a file that somebody names, or one kept from before.

mod error;
mod esp;
mod image;
mod store;
mod uf2;

pub use error::FlashError;
pub use esp::{EspOptions, flash_esp};
pub use image::Image;
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
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes that were written and verified.
    pub written: u64,
    /// Bytes that were there already.
    pub skipped: u64,
    /// Whether the board restarted by itself; else somebody has to press reset.
    pub restarted: bool,
}
