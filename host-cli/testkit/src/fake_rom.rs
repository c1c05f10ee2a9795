//! A fake of an ESP32's ROM bootloader and of espflash's stub, and of an ESP8266's ROM: the commands that flashing takes,
//! by the published serial protocol (esptool's documentation, "Serial Protocol"), over a flash memory of 4 MiB in this
//! process. As in a real one, writing only clears bits, so what was not erased before shows.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::FakePort;
use flate2::write::ZlibDecoder;
use md5::{Digest, Md5};

const FLASH: usize = 4 << 20;
const SECTOR: usize = 4096;

/// What is wrong with this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The byte at this address keeps another value than it is given.
    BadCell(usize),
    /// It says nothing more once it has taken this many blocks.
    SilentAfter(usize),
    /// Of the blocks, every third comes over the line damaged.
    Damaged,
    /// There is no flash memory, or none that answers.
    NoFlash,
}

/// Whose ROM it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chip {
    Esp32,
    Esp8266,
}

/// A chip that waits for a firmware at a serial port; nothing of it is real.
pub struct FakeRom {
    /// None once it is unplugged.
    port: Mutex<Option<FakePort>>,
    device: String,
    state: Arc<Mutex<State>>,
}

struct State {
    chip: Chip,
    flash: Vec<u8>,
    fault: Fault,
    /// The stub runs: answers are shorter, and it knows compression.
    stub: bool,
    registers: HashMap<u32, u32>,
    /// The bytes of a packet that is not whole yet.
    packet: Option<Vec<u8>>,
    escaped: bool,
    /// Where the data of the running write go.
    at: usize,
    inflate: Option<ZlibDecoder<Vec<u8>>>,
    /// Where the running write began, and packets of plain data so far, the damaged ones too.
    begun: usize,
    received: usize,
    blocks: usize,
    /// Whole packets so far, and after how many it says nothing more.
    packets: usize,
    limit: usize,
}

impl FakeRom {
    /// Plugs one in, its flash memory erased.
    ///
    /// # Panics
    /// Where the system has no pseudo-terminals.
    pub fn start(chip: Chip, fault: Fault) -> Self {
        let state = Arc::new(Mutex::new(State {
            chip,
            flash: vec![0xff; FLASH],
            fault,
            stub: false,
            registers: HashMap::new(),
            packet: None,
            escaped: false,
            at: 0,
            inflate: None,
            begun: 0,
            received: 0,
            blocks: 0,
            packets: 0,
            limit: usize::MAX,
        }));
        let playing = Arc::clone(&state);
        let port =
            FakePort::start(move |bytes| lock(&playing).take(bytes)).expect("a pseudo-terminal");
        Self {
            device: port.device().display().to_string(),
            port: Mutex::new(Some(port)),
            state,
        }
    }

    /// What `--port` takes.
    pub fn device(&self) -> String {
        self.device.clone()
    }

    /// Packets that came so far.
    pub fn packets(&self) -> usize {
        lock(&self.state).packets
    }

    /// From now on it says nothing more once it has heard so many packets in all.
    pub fn mute_after(&self, packets: usize) {
        lock(&self.state).limit = packets;
    }

    /// Pulls the plug: the port is gone.
    pub fn unplug(&self) {
        drop(self.port.lock().expect("no panic").take());
    }

    /// What is in its flash memory.
    pub fn flash(&self) -> Vec<u8> {
        lock(&self.state).flash.clone()
    }

    /// Blocks of data taken so far.
    pub fn blocks(&self) -> usize {
        lock(&self.state).blocks
    }

    /// Changes a byte, as a broken write would.
    pub fn spoil(&self, at: usize) {
        lock(&self.state).flash[at] ^= 0x10;
    }

    /// Fills the memory with what was there before.
    pub fn fill(&self, byte: u8) {
        lock(&self.state).flash.fill(byte);
    }

    /// Plugged in again, and well.
    pub fn heal(&self) {
        let mut state = lock(&self.state);
        state.fault = Fault::None;
        state.packet = None;
    }
}

fn lock(state: &Arc<Mutex<State>>) -> MutexGuard<'_, State> {
    state.lock().expect("no panic")
}

/// A little-endian word of a packet's data.
fn word(data: &[u8], index: usize) -> usize {
    u32::from_le_bytes(
        data[4 * index..4 * index + 4]
            .try_into()
            .expect("four bytes"),
    ) as usize
}

impl State {
    /// Takes bytes from the line and gives the answers (SLIP, RFC 1055).
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
            match (byte, &mut self.packet) {
                (0xc0, Some(packet)) if !packet.is_empty() => {
                    let packet = self.packet.take().unwrap_or_default();
                    let silent = match self.fault {
                        Fault::SilentAfter(blocks) => self.blocks >= blocks,
                        _ => self.packets >= self.limit,
                    };
                    if silent {
                        continue;
                    }
                    self.packets += 1;
                    out.extend(self.answer(&packet));
                }
                (0xc0, _) => self.packet = Some(Vec::new()),
                (0xdb, Some(_)) => self.escaped = true,
                (byte, Some(packet)) => {
                    let plain = match (self.escaped, byte) {
                        (true, 0xdc) => 0xc0,
                        (true, 0xdd) => 0xdb,
                        (_, byte) => byte,
                    };
                    self.escaped = false;
                    packet.push(plain);
                }
                (_, None) => {}
            }
        }
        out
    }

    /// One packet: direction, command, size, checksum, data.
    fn answer(&mut self, packet: &[u8]) -> Vec<u8> {
        let [0, command, _, _, _, _, _, _, data @ ..] = packet else {
            return Vec::new();
        };
        let (command, mut value, mut extra) = (*command, 0, Vec::new());
        let mut status = Vec::new();
        match command {
            0x08 => {
                // SYNC, answered eight times. A chip that is called anew has no stub.
                self.stub = false;
                let one = self.respond(command, 0x2012_0707, &[]);
                return one.repeat(8);
            }
            0x09 => {
                // WRITE_REG. A command to the flash chip is done at once, and leaves its number: 4 MiB.
                let (address, written) = (word(data, 0) as u32, word(data, 1) as u32);
                self.registers.insert(address, written);
                if address == SPI_CMD {
                    self.registers.insert(SPI_CMD, 0);
                    self.registers.insert(SPI_W0, 0x0016_4020);
                }
                if address == ESP8266_SPI && self.chip == Chip::Esp8266 {
                    self.transact(written);
                }
            }
            0x0a => {
                let address = word(data, 0) as u32;
                // The word by which a chip is known.
                value = match (address, self.chip) {
                    (0x4000_1000, Chip::Esp32) => 0x00f0_1d83,
                    (0x4000_1000, Chip::Esp8266) => 0xfff0_c101,
                    (other, _) => self.registers.get(&other).copied().unwrap_or(0),
                };
            }
            // What an ESP8266's ROM does not know: compression, hashes, the speed, erasing everything, the stub's commands.
            0x0b.. if self.chip == Chip::Esp8266 => status = vec![1, 5],
            0x06 => {
                // MEM_END: the stub starts, and says so.
                let mut out = self.respond(command, 0, &[]);
                self.stub = true;
                out.extend(slip(b"OHAI"));
                return out;
            }
            0x10 => {
                let (size, at) = (word(data, 0), word(data, 3));
                self.erase(at, size);
                self.at = at;
                self.inflate = Some(ZlibDecoder::new(Vec::new()));
            }
            0x02 => {
                let (size, at) = (word(data, 0), word(data, 3));
                // An ESP8266's ROM goes on behind the sectors up to the next 64 KiB as if they had not counted.
                let head = (16 - at / SECTOR % 16).min(size / SECTOR) * SECTOR;
                let more = if self.chip == Chip::Esp8266 { head } else { 0 };
                self.erase(at, size + more);
                (self.at, self.begun) = (at, at);
                self.inflate = None;
            }
            0x11 => {
                let block = &data[16..16 + word(data, 0)];
                let inflate = self.inflate.as_mut().expect("FLASH_DEFL_BEGIN came first");
                inflate
                    .write_all(block)
                    .and_then(|()| inflate.flush())
                    .expect("deflate");
                let plain = std::mem::take(inflate.get_mut());
                self.store(&plain);
            }
            0x03 => {
                let block = data[16..16 + word(data, 0)].to_vec();
                let sum = block.iter().fold(0xef, |sum, byte| sum ^ byte);
                self.received += 1;
                let damaged = self.fault == Fault::Damaged && self.received.is_multiple_of(3);
                if damaged || packet[4] != sum {
                    status = vec![1, 7];
                } else {
                    if self.chip == Chip::Esp8266 {
                        // The block's number says where it goes; a ROM that got one twice writes it once.
                        self.at = self.begun + word(data, 1) * block.len();
                    }
                    self.store(&block);
                }
            }
            0x13 => {
                let (at, size) = (word(data, 0), word(data, 1));
                extra = Md5::digest(&self.flash[at..at + size]).to_vec();
            }
            0xd0 => self.erase(0, FLASH),
            // Those that change nothing here: MEM_BEGIN, MEM_DATA, SPI_SET_PARAMS, SPI_ATTACH, the speed, the ends.
            0x05 | 0x07 | 0x0b | 0x0d | 0x0f | 0x04 | 0x12 => {}
            // An ESP32 does not know GET_SECURITY_INFO (0x14) and says so.
            _ => status = vec![1, 5],
        }
        self.respond_with(command, value, &extra, &status)
    }

    fn respond(&self, command: u8, value: u32, extra: &[u8]) -> Vec<u8> {
        self.respond_with(command, value, extra, &[])
    }

    /// `status`: nothing for success, else the two bytes. An ESP32's ROM sends four, the stub and an ESP8266 two.
    fn respond_with(&self, command: u8, value: u32, extra: &[u8], status: &[u8]) -> Vec<u8> {
        let mut body = extra.to_vec();
        body.extend(if status.is_empty() { &[0, 0] } else { status });
        if !self.stub && self.chip == Chip::Esp32 {
            body.extend([0, 0]);
        }
        let mut packet = vec![1, command];
        packet.extend((body.len() as u16).to_le_bytes());
        packet.extend(value.to_le_bytes());
        packet.extend(body);
        slip(&packet)
    }

    fn erase(&mut self, at: usize, size: usize) {
        let end = (at + size).next_multiple_of(SECTOR).min(FLASH);
        self.flash[at / SECTOR * SECTOR..end].fill(0xff);
    }

    fn store(&mut self, bytes: &[u8]) {
        self.blocks += 1;
        for (cell, byte) in self.flash[self.at..].iter_mut().zip(bytes) {
            *cell &= byte;
        }
        self.at += bytes.len();
        if let Fault::BadCell(cell) = self.fault {
            self.flash[cell] = 0x55;
        }
    }
}

impl State {
    /// An ESP8266's SPI controller does what its registers describe.
    fn transact(&mut self, command: u32) {
        assert_eq!(command, 1 << 18, "a transaction of the user's");
        let register = |offset| {
            self.registers
                .get(&(ESP8266_SPI + offset))
                .copied()
                .unwrap_or(0)
        };
        let bits = (register(0x20) >> 8 & 0x1ff) as usize + 1;
        let mut answer = match register(0x24) {
            0x7000_009f if self.fault == Fault::NoFlash => vec![0xff; 3],
            0x7000_009f => vec![0xef, 0x40, 0x16],
            0x7000_0003 => {
                assert_eq!(register(0x20) >> 26, 23, "24 bits of address");
                let at = (register(0x04) >> 8) as usize;
                self.flash[at..at + bits / 8].to_vec()
            }
            other => panic!("the flash memory does not know {other:#x}"),
        };
        assert_eq!(answer.len() * 8, bits);
        answer.resize(64, 0);
        for (number, word) in answer.chunks(4).enumerate() {
            let word = u32::from_le_bytes(word.try_into().expect("four bytes"));
            self.registers
                .insert(ESP8266_SPI + 0x40 + 4 * number as u32, word);
        }
        self.registers.insert(ESP8266_SPI, 0);
    }
}

/// An ESP8266's SPI controller 0 (its technical reference, "SPI Registers").
const ESP8266_SPI: u32 = 0x6000_0200;

/// Registers of an ESP32's SPI controller 1 (its technical reference manual, "SPI Controller").
const SPI_CMD: u32 = 0x3ff4_2000;
const SPI_W0: u32 = 0x3ff4_2080;

fn slip(packet: &[u8]) -> Vec<u8> {
    let mut out = vec![0xc0];
    for &byte in packet {
        match byte {
            0xc0 => out.extend([0xdb, 0xdc]),
            0xdb => out.extend([0xdb, 0xdd]),
            byte => out.push(byte),
        }
    }
    out.push(0xc0);
    out
}
