//! The page of memory that the supervisor shares with the board's process, and who writes what in it.
//!
//! ```text
//! 0      KICK          supervisor: counts the signals that something waits to be handled
//! 1      KICK_SEEN     board: the last KICK whose work is done
//! 2      CTRL_C        supervisor: counts Ctrl-C
//! 3      CTRL_C_SEEN   board: the last CTRL_C that was raised or dropped
//! 4      RUNNING       board: 1 while a script runs
//! 5      KBD_INTR      board: 0 while the script reads Ctrl-C itself (micropython.kbd_intr)
//! 6      IRQ_OFF       board: 1 between machine.disable_irq and enable_irq
//! 7      DISPATCHING   board: 1 while it hands out events; a Ctrl-C then waits
//! 64…    pins          8 bytes for each of 48 pins: mode, pull, output, input, irq, resistor, 2 unused
//! 512…   ADC           4 bytes for each of 48 pins: microvolts, little-endian
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU8, Ordering};

/// Size of the page in bytes.
pub(crate) const SIZE: usize = 4096;
pub(crate) const KICK: usize = 0;
pub(crate) const KICK_SEEN: usize = 1;
pub(crate) const CTRL_C: usize = 2;
pub(crate) const CTRL_C_SEEN: usize = 3;
const RUNNING: usize = 4;
pub(crate) const KBD_INTR: usize = 5;
const IRQ_OFF: usize = 6;
const DISPATCHING: usize = 7;
/// Number of pins an ESP32 can have, and one more than the highest GPIO number of its relatives.
pub(crate) const PINS: usize = 48;
const PIN_BASE: usize = 64;
const ADC_BASE: usize = 512;
/// The two of a pin's bytes that say what is connected to it.
const INPUT: usize = 3;
const RESISTOR: usize = 5;

/// A mapping of the page into this process.
pub(crate) struct Page {
    file: std::fs::File,
    map: memmap2::MmapRaw,
}

impl Page {
    pub(crate) fn new() -> io::Result<Page> {
        let file = tempfile::tempfile()?;
        file.set_len(SIZE as u64)?;
        let map = memmap2::MmapOptions::new().len(SIZE).map_raw(&file)?;
        Ok(Page { file, map })
    }

    /// The file behind the page, for the board's process.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn byte(&self, at: usize) -> &AtomicU8 {
        assert!(at < SIZE);
        // SAFETY: `at` lies in the mapping, which lives as long as `self` and is only ever touched as
        // atomic bytes here; the other process is out of the language's sight, as a device would be.
        unsafe { AtomicU8::from_ptr(self.map.as_mut_ptr().add(at)) }
    }

    pub(crate) fn get(&self, at: usize) -> u8 {
        self.byte(at).load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, at: usize, value: u8) {
        self.byte(at).store(value, Ordering::SeqCst);
    }

    /// Adds one, around 256.
    pub(crate) fn count(&self, at: usize) {
        self.byte(at).fetch_add(1, Ordering::SeqCst);
    }

    /// Leaves nothing for a new process that was meant for the one before.
    pub(crate) fn begin_session(&self) {
        self.set(KICK_SEEN, self.get(KICK));
        self.set(CTRL_C_SEEN, self.get(CTRL_C));
        for at in [RUNNING, KBD_INTR, IRQ_OFF, DISPATCHING] {
            self.set(at, 0);
        }
    }

    pub(crate) fn pin(&self, pin: usize) -> PinBytes<'_> {
        PinBytes {
            page: self,
            at: PIN_BASE + 8 * pin,
        }
    }

    /// Sets what an ADC on this pin measures, in microvolts.
    pub(crate) fn set_microvolts(&self, pin: usize, microvolts: u32) {
        for (i, byte) in microvolts.to_le_bytes().into_iter().enumerate() {
            self.set(ADC_BASE + 4 * pin + i, byte);
        }
    }
}

/// One pin's bytes. The board writes all but `input` and `resistor`.
pub(crate) struct PinBytes<'a> {
    page: &'a Page,
    at: usize,
}

/// How a pin is used; the numbers stand in the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PinMode {
    /// Not set up since the power came on.
    #[default]
    Unused,
    Input,
    Output,
    OpenDrain,
}

impl PinBytes<'_> {
    pub(crate) fn mode(&self) -> PinMode {
        match self.page.get(self.at) {
            1 => PinMode::Input,
            2 => PinMode::Output,
            3 => PinMode::OpenDrain,
            _ => PinMode::Unused,
        }
    }

    /// 0 none, 1 down, 2 up.
    pub(crate) fn pull(&self) -> u8 {
        self.page.get(self.at + 1)
    }

    pub(crate) fn output(&self) -> bool {
        self.page.get(self.at + 2) != 0
    }

    /// 0: nothing is connected; 1: driven low; 2: driven high.
    pub(crate) fn input(&self) -> u8 {
        self.page.get(self.at + INPUT)
    }

    pub(crate) fn set_input(&self, value: u8) {
        self.page.set(self.at + INPUT, value);
    }

    /// A resistor outside the chip: 0 none, 1 to ground, 2 to 3.3 V.
    pub(crate) fn set_resistor(&self, value: u8) {
        self.page.set(self.at + RESISTOR, value);
    }

    /// What holds the pin where nothing drives it: 0 nothing, 1 low, 2 high. A resistor outside is stronger than the
    /// chip's own, and GPIO 0 has one on every board with a BOOT button.
    fn held(&self) -> u8 {
        match (self.page.get(self.at + RESISTOR), self.pull()) {
            (0, 0) if self.at == PIN_BASE => 2,
            (0, own) => own,
            (outside, _) => outside,
        }
    }

    /// An input that nothing drives and nothing holds: it reads now this, now that.
    pub(crate) fn floats(&self) -> bool {
        self.mode() == PinMode::Input && self.input() == 0 && self.held() == 0
    }

    /// Edges that the script wants to hear of: 1 rising, 2 falling.
    pub(crate) fn irq(&self) -> u8 {
        self.page.get(self.at + 4)
    }

    /// What a meter on the pin would show.
    pub(crate) fn level(&self) -> bool {
        let outside = match self.input() {
            0 => self.held() == 2,
            driven => driven == 2,
        };
        match self.mode() {
            PinMode::Output => self.output(),
            PinMode::OpenDrain => self.output() && (self.input() == 0 || outside),
            _ => outside,
        }
    }

    /// Forgets what the script set; what is connected from outside stays.
    pub(crate) fn clear(&self) {
        for i in 0..8 {
            if i != INPUT && i != RESISTOR {
                self.page.set(self.at + i, 0);
            }
        }
    }

    pub(crate) fn clear_irq(&self) {
        self.page.set(self.at + 4, 0);
    }
}
