//! Decides how a firmware gets into an ESP8266's flash memory, by nothing but the bootloader in its ROM: that neither
//! hashes what it wrote nor reads it out, so every block goes with its checksum, and afterwards a sample of every sector
//! is fetched through the registers of the chip's SPI controller and compared.

use std::time::Duration;

use board_data::Board;

use crate::error::FlashError;
use crate::image::Image;
use crate::reason::Reason;
use crate::rom::{BLOCK, Rom, RomError};
use crate::{Progress, Report};

/// How to go about it.
#[derive(Debug, Clone, Copy)]
pub struct Esp8266Options {
    /// Erase all of the flash memory first, the board's files included.
    pub erase: bool,
    /// The line's speed, in bits per second, from the first greeting on: this ROM takes it from there.
    pub baud: u32,
}

impl Default for Esp8266Options {
    fn default() -> Self {
        Self {
            erase: false,
            baud: 115_200,
        }
    }
}

/// Greetings after one reset, and resets: a chip takes a moment to start, and its first words are noise.
const GREETINGS: usize = 6;
const RESETS: usize = 4;

/// A word in every chip's ROM that tells one kind from the others, and what it is (esptool's documentation, "Chip type
/// detection").
const MAGIC: u32 = 0x4000_1000;
const MAGICS: [(u32, &str); 3] = [
    (0xfff0_c101, "esp8266"),
    (0x00f0_1d83, "esp32"),
    (0x0000_07c6, "esp32s2"),
];

/// Bytes that are erased together, and those that the ROM erases at once where it can.
const SECTOR: u32 = 4096;
const PIECE: u32 = 16 * SECTOR;

/// Writes the image to the board at this serial device, checks the chip and its memory against it, compares a sample of
/// each sector, and restarts the board. Nothing is passed over: what is there already cannot be known in less time than
/// it takes to write it.
///
/// # Errors
/// The image is checked before the port is opened, the chip before anything is erased or written.
pub fn flash_esp8266(
    port: &str,
    board: &Board,
    image: &Image,
    options: Esp8266Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, FlashError> {
    image.suits(board)?;
    progress(Progress::Connecting);
    let open = serialport::new(port, options.baud)
        .timeout(Duration::from_secs(3))
        .open()
        .map_err(|error| FlashError::Port {
            port: port.to_owned(),
            reason: Reason::theirs(error),
        })?;
    let mut rom = Rom::new(open);
    call(&mut rom, board).map_err(|error| FlashError::NoBootloader {
        port: port.to_owned(),
        reason: error.reason(),
    })?;
    let broke = |error: RomError| FlashError::Broke {
        port: port.to_owned(),
        reason: error.reason(),
    };
    let magic = rom.read_word(MAGIC).map_err(broke)?;
    let found = MAGICS.iter().find(|(known, _)| *known == magic);
    if found.is_none_or(|(_, chip)| *chip != board.chip) {
        return Err(FlashError::WrongChip {
            image: image.chip(),
            board: found.map_or_else(|| format!("{magic:#010x}"), |(_, chip)| (*chip).to_owned()),
        });
    }
    rom.attach().map_err(broke)?;
    let size = flash_size(&mut rom)
        .map_err(broke)?
        .ok_or_else(|| FlashError::Broke {
            port: port.to_owned(),
            reason: Reason::ours(
                "no flash memory answers the chip",
                "al chip no le contesta ninguna memoria flash",
            ),
        })?;
    let offset = board.flash.offset;
    let room = u64::from(size.saturating_sub(offset));
    if image.bytes.len() as u64 > room {
        return Err(FlashError::TooLarge {
            size: image.bytes.len() as u64,
            room,
        });
    }
    if options.erase {
        progress(Progress::Erasing);
        for at in (0..size).step_by(PIECE as usize) {
            rom.begin(asked(at, PIECE), 0, at).map_err(broke)?;
        }
    }
    let bytes = for_memory(&image.bytes, size);
    write(&mut rom, &bytes, offset, progress).map_err(broke)?;
    let compared = compare(&mut rom, &bytes, offset, progress)
        .map_err(broke)?
        .ok_or_else(|| FlashError::Differs {
            port: port.to_owned(),
        })?;
    Ok(Report {
        written: bytes.len() as u64,
        skipped: 0,
        compared,
        // Lines that this port does not have cannot restart the board; everything is written by now.
        restarted: rom.lines(&board.reset.hard).is_ok(),
    })
}

/// Gets the chip into its bootloader and an answer out of it; without lines, somebody may be holding its button.
fn call(rom: &mut Rom, board: &Board) -> Result<(), RomError> {
    let mut last = RomError::Silent;
    for _ in 0..RESETS {
        let _ = rom.lines(&board.reset.bootloader);
        for _ in 0..GREETINGS {
            match rom.greet() {
                Ok(()) => return Ok(()),
                Err(error @ RomError::Line(_)) => return Err(error),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

/// What to ask for, so that the ROM erases at least so many bytes from there, and of these at most one sector more. It
/// erases the sectors up to the next multiple of 64 KiB, and then once more as many as it was asked for.
fn asked(at: u32, bytes: u32) -> u32 {
    let sectors = bytes.div_ceil(SECTOR);
    let head = (16 - at / SECTOR % 16).min(sectors);
    let ask = if sectors < 2 * head {
        sectors.div_ceil(2)
    } else {
        sectors - head
    };
    ask * SECTOR
}

/// The image as it suits a memory of this size, which the chip's own start-up code reads in the fourth byte (esptool's
/// documentation, "Firmware Image Format", for the ESP8266). What MicroPython keeps its files in depends on it.
fn for_memory(image: &[u8], size: u32) -> Vec<u8> {
    let number = match size >> 10 {
        256 => Some(1),
        512 => Some(0),
        1024 => Some(2),
        2048 => Some(3),
        4096 => Some(4),
        8192 => Some(8),
        16384 => Some(9),
        _ => None,
    };
    let mut bytes = image.to_vec();
    if let (Some(number), Some(byte)) = (number, bytes.get_mut(3)) {
        *byte = *byte & 0x0f | number << 4;
    }
    bytes
}

fn write(
    rom: &mut Rom,
    bytes: &[u8],
    offset: u32,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RomError> {
    let total = bytes.len() as u64;
    let mut done = 0;
    for (piece, at) in bytes
        .chunks(PIECE as usize)
        .zip((offset..).step_by(PIECE as usize))
    {
        let blocks = piece.len().div_ceil(BLOCK) as u32;
        rom.begin(asked(at, piece.len() as u32), blocks, at)?;
        for (block, number) in piece.chunks(BLOCK).zip(0..) {
            let mut full = [0xff; BLOCK];
            full[..block.len()].copy_from_slice(block);
            rom.block(number, &full)?;
            done += block.len() as u64;
            progress(Progress::Written { done, total });
        }
    }
    Ok(())
}

/// Bytes of each sector that are fetched and compared: four words, which take the line seven exchanges. All of a sector
/// would take a thousand, and a whole firmware a quarter of an hour.
const SAMPLE: usize = 16;

/// Compares a sample of every sector, and gives how many bytes that were; `None` where one differs. Which part of a
/// sector is looked at changes from one to the next, so that a memory with a dead address line is found.
fn compare(
    rom: &mut Rom,
    bytes: &[u8],
    offset: u32,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<u64>, RomError> {
    let sectors = bytes.chunks(SECTOR as usize);
    let total = (sectors.len() * SAMPLE) as u64;
    let reader = Reader::new(rom)?;
    let mut compared = 0;
    for (number, sector) in sectors.enumerate() {
        // 89 has no divisor in common with the 256 samples of a sector, so all of them have their turn.
        let within = number * 89 % (SECTOR as usize / SAMPLE) * SAMPLE;
        let within = within.min(sector.len().saturating_sub(1) / SAMPLE * SAMPLE);
        let wanted = &sector[within..(within + SAMPLE).min(sector.len())];
        let at = offset + number as u32 * SECTOR + within as u32;
        if !reader.sample(rom, at)?.starts_with(wanted) {
            return Ok(None);
        }
        compared += wanted.len() as u64;
        progress(Progress::Compared {
            done: ((number + 1) * SAMPLE) as u64,
            total,
        });
    }
    reader.end(rom)?;
    Ok(Some(compared))
}

/// Registers of the SPI controller that the flash memory hangs on (ESP8266 Technical Reference, "SPI Registers").
const SPI_CMD: u32 = 0x6000_0200;
const SPI_ADDR: u32 = SPI_CMD + 0x04;
const SPI_USER: u32 = SPI_CMD + 0x1c;
const SPI_USER1: u32 = SPI_CMD + 0x20;
const SPI_USER2: u32 = SPI_CMD + 0x24;
const SPI_W0: u32 = SPI_CMD + 0x40;

/// A transaction that the other registers describe is to be done; the bit goes when it is.
const CMD_USER: u32 = 1 << 18;
/// Its parts: a command, an address, an answer.
const USER_COMMAND: u32 = 1 << 31;
const USER_ADDRESS: u32 = 1 << 30;
const USER_ANSWER: u32 = 1 << 28;
/// Where their lengths stand, in bits less one.
const USER1_ADDRESS_BITS: u32 = 26;
const USER1_ANSWER_BITS: u32 = 8;
const USER2_COMMAND_BITS: u32 = 28;

/// What every flash memory with an SPI bus understands: who are you, and read.
const JEDEC_ID: u32 = 0x9f;
const READ: u32 = 0x03;

/// Bytes of flash memory, by its JEDEC number, whose third byte is the logarithm of its size. `None` where nothing
/// answers or the number makes no sense.
fn flash_size(rom: &mut Rom) -> Result<Option<u32>, RomError> {
    let before = [rom.read_word(SPI_USER)?, rom.read_word(SPI_USER2)?];
    rom.write_word(SPI_USER1, 23 << USER1_ANSWER_BITS)?;
    rom.write_word(SPI_USER, USER_COMMAND | USER_ANSWER)?;
    rom.write_word(SPI_USER2, 7 << USER2_COMMAND_BITS | JEDEC_ID)?;
    transact(rom)?;
    let [_, _, log, _] = rom.read_word(SPI_W0)?.to_le_bytes();
    rom.write_word(SPI_USER, before[0])?;
    rom.write_word(SPI_USER2, before[1])?;
    // From 256 KB to 16 MB, which is what the chip can address.
    Ok((18..=24).contains(&log).then(|| 1 << log))
}

fn transact(rom: &mut Rom) -> Result<(), RomError> {
    rom.write_word(SPI_CMD, CMD_USER)?;
    // It is done before the next command has come over the line.
    for _ in 0..10 {
        if rom.read_word(SPI_CMD)? & CMD_USER == 0 {
            return Ok(());
        }
    }
    Err(RomError::Silent)
}

/// The SPI controller set up to read samples.
struct Reader {
    /// What its registers held.
    before: [u32; 2],
}

impl Reader {
    fn new(rom: &mut Rom) -> Result<Self, RomError> {
        let before = [rom.read_word(SPI_USER)?, rom.read_word(SPI_USER2)?];
        let bits = SAMPLE as u32 * 8 - 1;
        rom.write_word(
            SPI_USER1,
            23 << USER1_ADDRESS_BITS | bits << USER1_ANSWER_BITS,
        )?;
        rom.write_word(SPI_USER, USER_COMMAND | USER_ADDRESS | USER_ANSWER)?;
        rom.write_word(SPI_USER2, 7 << USER2_COMMAND_BITS | READ)?;
        Ok(Self { before })
    }

    fn sample(&self, rom: &mut Rom, at: u32) -> Result<[u8; SAMPLE], RomError> {
        // 24 bits of address, the highest first.
        rom.write_word(SPI_ADDR, at << 8)?;
        transact(rom)?;
        let mut sample = [0; SAMPLE];
        for (word, register) in sample.chunks_mut(4).zip((SPI_W0..).step_by(4)) {
            word.copy_from_slice(&rom.read_word(register)?.to_le_bytes());
        }
        Ok(sample)
    }

    fn end(self, rom: &mut Rom) -> Result<(), RomError> {
        rom.write_word(SPI_USER, self.before[0])?;
        rom.write_word(SPI_USER2, self.before[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the ROM erases where it is asked for so many bytes: "Too many erased sectors", as others have measured.
    fn erased(at: u32, asked: u32) -> u32 {
        let (start, sectors) = (at / SECTOR, asked / SECTOR);
        let head = (16 - start % 16).min(sectors);
        sectors + head
    }

    #[test]
    fn enough_is_erased_and_hardly_more() {
        for at in 0..40 {
            for sectors in 1..300 {
                let got = erased(at * SECTOR, asked(at * SECTOR, sectors * SECTOR));
                assert!(
                    got == sectors || got == sectors + 1,
                    "{sectors} from {at}: {got}"
                );
            }
        }
    }

    #[test]
    fn the_header_names_the_memory_and_nothing_else_changes() {
        let image = [0xe9, 1, 2, 0x4f, 7, 7];
        assert_eq!(for_memory(&image, 1 << 20), [0xe9, 1, 2, 0x2f, 7, 7]);
        assert_eq!(for_memory(&image, 4 << 20), image);
    }
}
