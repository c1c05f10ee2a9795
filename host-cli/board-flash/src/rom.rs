//! Decides how the bootloader in a chip's ROM is spoken to: packets in frames, and one answer to each command. What it
//! knows is in esptool's documentation, "Serial Protocol", for the ESP8266.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use board_data::Step;
use serialport::SerialPort;

use crate::reason::Reason;

/// Commands, by their numbers in the packet.
const FLASH_BEGIN: u8 = 0x02;
const FLASH_DATA: u8 = 0x03;
const SYNC: u8 = 0x08;
const WRITE_REG: u8 = 0x09;
const READ_REG: u8 = 0x0a;

/// Bytes of a flash memory that one packet carries: the ROM takes no more.
pub const BLOCK: usize = 1024;

/// Most of what the ROM does is done at once.
const SHORT: Duration = Duration::from_secs(3);
/// Erasing 64 KiB takes a second or two, of a worn memory more.
const ERASING: Duration = Duration::from_secs(15);
/// A chip that is there answers a greeting within milliseconds; greetings are repeated.
const GREETING: Duration = Duration::from_millis(150);

/// A block whose checksum came out wrong is sent again this often.
const TRIES: usize = 3;

/// What went wrong between two sides of one line.
#[derive(Debug)]
pub enum RomError {
    Line(io::Error),
    /// No answer in time.
    Silent,
    /// The ROM's own number for why it does not do it.
    Refused {
        command: u8,
        code: u8,
    },
}

impl RomError {
    /// The same for people.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Line(error) => Reason::theirs(error),
            Self::Silent => Reason::ours("it does not answer", "no contesta"),
            Self::Refused { command, code } => Reason::ours(
                &format!("it refuses command {command:#04x} with error {code:#04x}"),
                &format!("rechaza la orden {command:#04x} con el error {code:#04x}"),
            ),
        }
    }
}

impl From<io::Error> for RomError {
    fn from(error: io::Error) -> Self {
        Self::Line(error)
    }
}

/// A chip whose ROM listens, or may do so.
pub struct Rom {
    port: Box<dyn SerialPort>,
    frames: Frames,
    /// Read and not looked at yet.
    pending: VecDeque<u8>,
}

impl Rom {
    pub fn new(port: Box<dyn SerialPort>) -> Self {
        Self {
            port,
            frames: Frames::default(),
            pending: VecDeque::new(),
        }
    }

    /// Moves the reset lines.
    ///
    /// # Errors
    /// Where the port has none.
    pub fn lines(&mut self, steps: &[Step]) -> io::Result<()> {
        for step in steps {
            match step {
                Step::Dtr(level) => self.port.write_data_terminal_ready(*level)?,
                Step::Rts(level) => self.port.write_request_to_send(*level)?,
                Step::Wait(time) => std::thread::sleep(*time),
                // There is no Python in a ROM.
                Step::Run(_) => {}
            }
        }
        Ok(())
    }

    /// Greets it; the ROM takes the line's speed from the greeting.
    pub fn greet(&mut self) -> Result<(), RomError> {
        let mut greeting = vec![0x07, 0x07, 0x12, 0x20];
        greeting.resize(36, 0x55);
        self.command(SYNC, &greeting, 0, GREETING).map(drop)
    }

    /// Reads a word of the chip's memory.
    pub fn read_word(&mut self, address: u32) -> Result<u32, RomError> {
        self.command(READ_REG, &address.to_le_bytes(), 0, SHORT)
    }

    /// Writes a word of the chip's memory.
    pub fn write_word(&mut self, address: u32, value: u32) -> Result<(), RomError> {
        // Address, value, the bits that count, microseconds to wait.
        let data = words(&[address, value, u32::MAX, 0]);
        self.command(WRITE_REG, &data, 0, SHORT).map(drop)
    }

    /// Attaches the flash memory to the ROM's own functions.
    pub fn attach(&mut self) -> Result<(), RomError> {
        let data = words(&[0, 0, BLOCK as u32, 0]);
        self.command(FLASH_BEGIN, &data, 0, SHORT).map(drop)
    }

    /// Erases `erase` bytes in the ROM's own reckoning, and has it expect so many blocks from this address on.
    pub fn begin(&mut self, erase: u32, blocks: u32, at: u32) -> Result<(), RomError> {
        let data = words(&[erase, blocks, BLOCK as u32, at]);
        self.command(FLASH_BEGIN, &data, 0, ERASING).map(drop)
    }

    /// Writes the block with this number, counted from where it began.
    pub fn block(&mut self, number: u32, block: &[u8; BLOCK]) -> Result<(), RomError> {
        let mut data = words(&[BLOCK as u32, number, 0, 0]);
        data.extend(block);
        let checksum = block.iter().fold(0xef, |sum, byte| sum ^ byte);
        let mut last = RomError::Silent;
        for _ in 0..TRIES {
            match self.command(FLASH_DATA, &data, checksum.into(), SHORT) {
                // A block that was damaged on the way was not written.
                Err(error @ RomError::Refused { .. }) => last = error,
                done => return done.map(drop),
            }
        }
        Err(last)
    }

    /// Sends a command and waits for its answer: the word that it has a place for.
    fn command(
        &mut self,
        command: u8,
        data: &[u8],
        checksum: u32,
        limit: Duration,
    ) -> Result<u32, RomError> {
        let mut packet = vec![0, command];
        packet.extend((data.len() as u16).to_le_bytes());
        packet.extend(checksum.to_le_bytes());
        packet.extend(data);
        self.port.set_timeout(SHORT).map_err(io::Error::from)?;
        self.port.write_all(&framed(&packet))?;
        let deadline = Instant::now() + limit;
        loop {
            while let Some(byte) = self.pending.pop_front() {
                let Some(packet) = self.frames.take(byte) else {
                    continue;
                };
                // What a chip prints at its start, and the other seven answers to a greeting, are nobody's answer.
                let [1, of, _, _, a, b, c, d, .., status, code] = packet[..] else {
                    continue;
                };
                match (of == command, status) {
                    (false, _) => {}
                    (true, 0) => return Ok(u32::from_le_bytes([a, b, c, d])),
                    (true, _) => return Err(RomError::Refused { command, code }),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(RomError::Silent);
            }
            self.port
                .set_timeout(left.max(Duration::from_millis(1)))
                .map_err(io::Error::from)?;
            let mut buffer = [0; 512];
            match self.port.read(&mut buffer) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => self.pending.extend(&buffer[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// SLIP (RFC 1055): the byte between frames, the one that escapes, and what they become.
const END: u8 = 0xc0;
const ESCAPE: u8 = 0xdb;
const ESCAPED_END: u8 = 0xdc;
const ESCAPED_ESCAPE: u8 = 0xdd;

/// No answer that is waited for is longer, so noise without an end takes no more memory.
const LONGEST: usize = 256;

fn framed(packet: &[u8]) -> Vec<u8> {
    let mut out = vec![END];
    for byte in packet {
        match *byte {
            END => out.extend([ESCAPE, ESCAPED_END]),
            ESCAPE => out.extend([ESCAPE, ESCAPED_ESCAPE]),
            byte => out.push(byte),
        }
    }
    out.push(END);
    out
}

/// Cuts packets out of what comes over the line.
#[derive(Default)]
struct Frames {
    packet: Vec<u8>,
    escaped: bool,
}

impl Frames {
    /// A whole packet, where this byte ends one. Whatever stands between two ends counts as one: noise has to be told
    /// from an answer anyway, and an end too many shifts nothing.
    fn take(&mut self, byte: u8) -> Option<Vec<u8>> {
        let escaped = std::mem::take(&mut self.escaped);
        match (escaped, byte) {
            (_, END) => {
                let packet = std::mem::take(&mut self.packet);
                return (!packet.is_empty()).then_some(packet);
            }
            (false, ESCAPE) => self.escaped = true,
            (true, ESCAPED_END) => self.push(END),
            (true, ESCAPED_ESCAPE) => self.push(ESCAPE),
            (_, byte) => self.push(byte),
        }
        None
    }

    fn push(&mut self, byte: u8) {
        if self.packet.len() < LONGEST {
            self.packet.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut frames = Frames::default();
        bytes.iter().filter_map(|byte| frames.take(*byte)).collect()
    }

    #[test]
    fn packets_survive_their_frames_and_the_noise_around() {
        let every: Vec<u8> = (0..=255).collect();
        let mut line = b"ets Jan  8 2013\r\n".to_vec();
        line.extend(framed(&every));
        line.extend(framed(b"\xdb\xc0\xdb\xdc"));
        let got = packets(&line);
        assert_eq!(got[1..], [every, b"\xdb\xc0\xdb\xdc".to_vec()]);
    }

    #[test]
    fn an_end_too_many_or_too_few_shifts_nothing() {
        assert_eq!(packets(b"\xc0\xc0\xc0abc\xc0de\xc0"), [&b"abc"[..], b"de"]);
    }

    #[test]
    fn noise_without_an_end_takes_bounded_memory() {
        let mut frames = Frames::default();
        for _ in 0..1_000_000 {
            assert_eq!(frames.take(b'x'), None);
        }
        assert_eq!(frames.take(END).map(|packet| packet.len()), Some(LONGEST));
    }
}
