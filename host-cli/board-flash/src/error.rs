//! What can go wrong while a firmware is put on a board. The command words it in its user's language.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::reason::Reason;

#[derive(Debug)]
pub enum FlashError {
    /// The firmware file cannot be read.
    Unreadable { path: PathBuf, source: io::Error },
    /// The file is no firmware; says why.
    NoFirmware { path: PathBuf, reason: Reason },
    /// The file is for another chip. Both as `boards/*.toml` spell them.
    WrongChip { image: String, board: String },
    /// The firmware does not fit into the flash memory; both in bytes.
    TooLarge { size: u64, room: u64 },
    /// The port cannot be opened, in the system's words.
    Port { port: String, reason: Reason },
    /// No bootloader answers at the port, in espflash's words or ours.
    NoBootloader { port: String, reason: Reason },
    /// Something broke while the firmware was written, in espflash's words or ours.
    Broke { port: String, reason: Reason },
    /// What is in the flash memory is not what was sent.
    Differs { port: String },
    /// No drive of such a board is mounted.
    NoDrive { drive: String },
    /// Several are.
    SeveralDrives { drives: Vec<PathBuf> },
    /// The folder is no drive of such a board.
    OtherDrive { path: PathBuf, drive: String },
    /// The file could not be copied to the drive.
    Copy { path: PathBuf, source: io::Error },
    /// The board still shows its drive: it did not take the file.
    NotTaken { path: PathBuf },
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "{} cannot be read: {source}", path.display())
            }
            Self::NoFirmware { path, reason } => {
                write!(f, "{} is no firmware: {reason}", path.display())
            }
            Self::WrongChip { image, board } => {
                write!(f, "the firmware is for {image}, the board is {board}")
            }
            Self::TooLarge { size, room } => {
                write!(f, "the firmware has {size} bytes, the flash memory {room}")
            }
            Self::Port { port, reason } => write!(f, "{port} cannot be opened: {reason}"),
            Self::NoBootloader { port, reason } => {
                write!(f, "no bootloader answers on {port}: {reason}")
            }
            Self::Broke { port, reason } => write!(f, "flashing on {port} broke off: {reason}"),
            Self::Differs { port } => write!(
                f,
                "what is in the flash memory on {port} is not what was sent"
            ),
            Self::NoDrive { drive } => write!(f, "no drive {drive} is mounted"),
            Self::SeveralDrives { drives } => {
                let drives: Vec<String> = drives
                    .iter()
                    .map(|drive| drive.display().to_string())
                    .collect();
                write!(f, "several boards show a drive: {}", drives.join(", "))
            }
            Self::OtherDrive { path, drive } => write!(f, "{} is no drive {drive}", path.display()),
            Self::Copy { path, source } => {
                write!(f, "copying to {} failed: {source}", path.display())
            }
            Self::NotTaken { path } => write!(f, "the board still shows {}", path.display()),
        }
    }
}

impl std::error::Error for FlashError {}
