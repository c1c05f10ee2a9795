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
    /// Printable noise stands before one byte from the board in so many, however they are read; 0: none.
    pub noise_by_bytes: usize,
    /// One byte from the board in so many is lost; 0: none.
    pub losses: usize,
    /// One byte to the board in so many is lost; 0: none.
    pub losses_to_board: usize,
    /// One byte in so many, either way, comes twice; 0: none.
    pub doubles: usize,
    /// Of what is written at once, what an input buffer of so many bytes has no room for is lost.
    pub overruns: Option<usize>,
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
    /// Bytes that come before the next noise by bytes.
    until_noise: usize,
}

const NOISE: &[u8] = b"I (31) wifi: \xc3\xb1\r\n";

impl Faulty {
    pub fn new(inner: Box<dyn Transport>, faults: Faults, seed: u64) -> Box<Faulty> {
        let mut faulty = Box::new(Faulty {
            inner,
            faults,
            random: Random(seed),
            read: 0,
            written: 0,
            until_noise: usize::MAX,
        });
        faulty.plan_noise();
        faulty
    }

    fn plan_noise(&mut self) {
        if self.faults.noise_by_bytes > 0 {
            self.until_noise = 1 + self.random.below(2 * self.faults.noise_by_bytes);
        }
    }

    fn happens(&mut self, one_in: usize) -> bool {
        one_in > 0 && self.random.one_in(one_in)
    }
}

fn noise(buffer: &mut [u8]) -> usize {
    let count = NOISE.len().min(buffer.len());
    buffer[..count].copy_from_slice(&NOISE[..count]);
    count
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
            return Ok(noise(buffer));
        }
        if self.until_noise == 0 {
            self.plan_noise();
            return Ok(noise(buffer));
        }
        let mut most = buffer.len().min(left).min(self.until_noise);
        if self.faults.crumbs > 0 {
            most = most.min(1 + self.random.below(self.faults.crumbs));
        }
        let count = self.inner.read(&mut buffer[..most], timeout)?;
        self.read += count;
        self.until_noise = self.until_noise.saturating_sub(count);
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
        let room = self.faults.overruns.unwrap_or(usize::MAX);
        for &byte in &data[..count.min(room)] {
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
