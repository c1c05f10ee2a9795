//! Decides how a firmware gets into the flash memory of Espressif's chips, by the espflash library: in pieces, of which
//! those that are there already are passed over, and each of the others is verified before the next.

use std::time::Duration;

use board_data::Board;
use espflash::Error;
use espflash::connection::{Connection, ResetAfterOperation, ResetBeforeOperation};
use espflash::flasher::Flasher;
use espflash::image_format::Segment;
use espflash::target::{Chip, ProgressCallbacks};
use serialport::{SerialPortType, UsbPortInfo};

use crate::error::FlashError;
use crate::image::Image;
use crate::reason::Reason;
use crate::{Progress, Report};

/// The bootloader's speed when it is called, in bits per second.
const FIRST_BAUD: u32 = 115_200;

/// The word in an ESP8266's ROM that no other chip has there, as espflash prints it.
const ESP8266: &str = "0xfff0c101";

/// Bytes that are compared and written at once: whole sectors, so that erasing one piece leaves the next alone, and
/// enough that comparing costs little.
const PIECE: usize = 64 * 1024;

/// How to go about it.
#[derive(Debug, Clone, Copy)]
pub struct EspOptions {
    /// Erase all of the flash memory first, the board's files included.
    pub erase: bool,
    /// The speed after the first words, in bits per second.
    pub baud: u32,
}

impl Default for EspOptions {
    fn default() -> Self {
        Self {
            erase: false,
            baud: 460_800,
        }
    }
}

/// Writes the image to the board at this serial device, checks the chip against it, verifies, and restarts the board.
///
/// espflash 4.7 panics on an answer that says it is longer than it is. That is an error here; the message of such a panic
/// is the caller's to keep quiet.
///
/// # Errors
/// The image is checked before the port is opened, the chip before anything is erased or written.
pub fn flash_esp(
    port: &str,
    board: &Board,
    image: &Image,
    options: EspOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, FlashError> {
    let work = || flash(port, board, image, options, progress);
    // What a panic leaves is dropped with the connection; the caller's progress is a number on a screen.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(FlashError::Broke {
            port: port.to_owned(),
            reason: Reason::ours(
                "what comes back makes no sense",
                "lo que contesta no tiene sentido",
            ),
        })
    })
}

fn flash(
    port: &str,
    board: &Board,
    image: &Image,
    options: EspOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, FlashError> {
    image.suits(board)?;
    let chip: Chip = board.chip.parse().map_err(|_| FlashError::WrongChip {
        image: image.chip(),
        board: board.chip.clone(),
    })?;
    progress(Progress::Connecting);
    let mut flasher = connect(port, chip, options.baud)?;
    let broke = |error: Error| match error {
        Error::VerifyFailed => FlashError::Differs {
            port: port.to_owned(),
        },
        error => FlashError::Broke {
            port: port.to_owned(),
            reason: Reason::theirs(error),
        },
    };
    if options.erase {
        progress(Progress::Erasing);
        flasher.erase_flash().map_err(broke)?;
    }
    // The flasher pads to whole words with erased flash's value, as here, so that a piece's hash stays that of the file.
    let mut bytes = image.bytes.clone();
    bytes.resize(bytes.len().next_multiple_of(4), 0xff);
    let pieces: Vec<Segment> = bytes
        .chunks(PIECE)
        .zip((board.flash.offset..).step_by(PIECE))
        .map(|(piece, at)| Segment::new(at, piece))
        .collect();
    let mut watch = Watch {
        sizes: pieces.iter().map(|piece| piece.data.len() as u64).collect(),
        total: bytes.len() as u64,
        piece: 0,
        blocks: 1,
        report: Report::default(),
        progress,
    };
    flasher
        .write_bins_to_flash(&pieces, &mut watch)
        .map_err(broke)?;
    let mut report = watch.report;
    // Lines that this port does not have cannot restart the board; everything is written by now.
    report.restarted = flasher.into_connection().reset().is_ok();
    Ok(report)
}

/// Calls the bootloader by the reset lines; where they do not lead there, perhaps somebody holds BOOT, so without them.
fn connect(port: &str, chip: Chip, baud: u32) -> Result<Flasher, FlashError> {
    let usb = usb(port);
    let mut last = None;
    for before in [
        ResetBeforeOperation::DefaultReset,
        ResetBeforeOperation::NoReset,
    ] {
        let open = serialport::new(port, FIRST_BAUD)
            .timeout(Duration::from_secs(3))
            .open_native()
            .map_err(|error| FlashError::Port {
                port: port.to_owned(),
                reason: Reason::theirs(error),
            })?;
        let connection = Connection::new(
            open,
            usb.clone(),
            ResetAfterOperation::NoResetNoStub,
            before,
            FIRST_BAUD,
        );
        match Flasher::connect(connection, true, true, true, Some(chip), Some(baud)) {
            Ok(flasher) => return Ok(flasher),
            Err(Error::ChipMismatch(_, found)) => {
                return Err(FlashError::WrongChip {
                    image: chip.to_string(),
                    board: found,
                });
            }
            // espflash names the word by which an ESP8266 is known, and not the chip.
            Err(Error::ChipDetectError(found)) if found.contains(ESP8266) => {
                return Err(FlashError::WrongChip {
                    image: chip.to_string(),
                    board: "esp8266".to_owned(),
                });
            }
            Err(error) => last = Some(error),
        }
    }
    Err(FlashError::NoBootloader {
        port: port.to_owned(),
        reason: Reason::theirs(last.map(|error| error.to_string()).unwrap_or_default()),
    })
}

/// What USB says about the port: its product number tells espflash which lines do what.
fn usb(port: &str) -> UsbPortInfo {
    // The serialport crate panics where Linux has no terminals at all, as in some containers.
    let listed = if cfg!(target_os = "linux") && !std::path::Path::new("/sys/class/tty").is_dir() {
        Vec::new()
    } else {
        serialport::available_ports().unwrap_or_default()
    };
    listed
        .into_iter()
        .find(|known| known.port_name == port)
        .and_then(|known| match known.port_type {
            SerialPortType::UsbPort(usb) => Some(usb),
            _ => None,
        })
        .unwrap_or(UsbPortInfo {
            vid: 0,
            pid: 0,
            serial_number: None,
            manufacturer: None,
            product: None,
        })
}

/// Adds espflash's progress within one piece up to that of the whole.
struct Watch<'a> {
    sizes: Vec<u64>,
    total: u64,
    /// The piece that is dealt with.
    piece: usize,
    /// Of the piece.
    blocks: usize,
    report: Report,
    progress: &'a mut dyn FnMut(Progress),
}

impl Watch<'_> {
    fn tell(&mut self, within: u64) {
        let done = self.report.written + self.report.skipped + within;
        (self.progress)(Progress::Written {
            done,
            total: self.total,
        });
    }

    fn size(&self) -> u64 {
        self.sizes.get(self.piece).copied().unwrap_or(0)
    }
}

impl ProgressCallbacks for Watch<'_> {
    fn init(&mut self, _: u32, total: usize) {
        self.blocks = total.max(1);
        self.tell(0);
    }

    fn update(&mut self, current: usize) {
        self.tell(self.size() * current.min(self.blocks) as u64 / self.blocks as u64);
    }

    fn verifying(&mut self) {}

    fn finish(&mut self, skipped: bool) {
        let size = self.size();
        if skipped {
            self.report.skipped += size;
        } else {
            self.report.written += size;
            self.report.compared += size;
        }
        self.piece += 1;
        self.tell(0);
    }
}
