//! Decides what goes wrong between the computer and a board: a transport around another one that reads in crumbs,
//! delays, adds noise, loses and repeats bytes, breaks.

use std::io;
use std::time::Duration;

use board_link::Transport;

use crate::Random;

/// What goes wrong. Nothing, by default.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Longest read; 0: as long as they come.
    pub crumbs: usize,
    /// One read in so many finds nothing although something is there; 0: none.
    pub delays: usize,
    /// One read in so many brings printable noise first; 0: none.
    pub noise: usize,
    /// One byte from the board in so many is lost; 0: none.
    pub losses: usize,
    /// One byte to the board in so many is lost; 0: none.
    pub losses_to_board: usize,
    /// One byte in so many, either way, comes twice; 0: none.
    pub doubles: usize,
    /// The connection breaks after so many bytes from the board.
    pub break_after_read: Option<usize>,
    /// The connection breaks after so many bytes to the board; those before still arrive.
    pub break_after_written: Option<usize>,
    /// The bytes that ask for raw-paste are replaced, so that a real board answers as firmware
    /// that does not have it.
    pub raw_paste_becomes: Option<&'static [u8]>,
}

pub struct Faulty {
    inner: Box<dyn Transport>,
    faults: Faults,
    random: Random,
    read: usize,
    written: usize,
}

impl Faulty {
    pub fn new(inner: Box<dyn Transport>, faults: Faults, seed: u64) -> Box<Faulty> {
        Box::new(Faulty {
            inner,
            faults,
            random: Random(seed),
            read: 0,
            written: 0,
        })
    }

    fn happens(&mut self, one_in: usize) -> bool {
        one_in > 0 && self.random.one_in(one_in)
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the cable was pulled")
}

impl Transport for Faulty {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let left = (self.faults.break_after_read).map_or(usize::MAX, |at| at - self.read);
        if left == 0 {
            return Err(broken());
        }
        if self.happens(self.faults.delays) {
            std::thread::sleep(timeout.min(Duration::from_micros(300)));
            return Ok(0);
        }
        if self.happens(self.faults.noise) {
            let noise = b"I (31) wifi: \xc3\xb1\r\n";
            let count = noise.len().min(buffer.len());
            buffer[..count].copy_from_slice(&noise[..count]);
            return Ok(count);
        }
        let mut most = buffer.len().min(left);
        if self.faults.crumbs > 0 {
            most = most.min(1 + self.random.below(self.faults.crumbs));
        }
        let count = self.inner.read(&mut buffer[..most], timeout)?;
        self.read += count;
        let mut kept = 0;
        for index in 0..count {
            if !self.happens(self.faults.losses) {
                buffer[kept] = buffer[index];
                kept += 1;
            }
        }
        if kept > 0 && kept < buffer.len() && self.happens(self.faults.doubles) {
            // The last byte of a piece, since the next one cannot be put in between.
            buffer[kept] = buffer[kept - 1];
            kept += 1;
        }
        Ok(kept)
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()> {
        let data = match self.faults.raw_paste_becomes {
            Some(other) if data == b"\x05A\x01" => other,
            _ => data,
        };
        let left = (self.faults.break_after_written).map_or(usize::MAX, |at| at - self.written);
        let count = data.len().min(left);
        let mut sent = Vec::with_capacity(count);
        for &byte in &data[..count] {
            if !self.happens(self.faults.losses_to_board) {
                sent.push(byte);
                if self.happens(self.faults.doubles) {
                    sent.push(byte);
                }
            }
        }
        self.inner.write(&sent, timeout)?;
        self.written += count;
        if count < data.len() {
            return Err(broken());
        }
        Ok(())
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}
