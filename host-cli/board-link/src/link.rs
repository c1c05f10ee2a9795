//! Bytes with deadlines: waiting for a pattern, draining noise, and never waiting without a limit.

use std::time::Duration;

use crate::error::{Clue, LinkError, Step};
use crate::patience::{Patience, SLICE};
use crate::transport::Transport;

/// How much of what came last is kept for error messages and for recognising a restart; bytes.
const MEMORY: usize = 512;

/// Of what comes in front of a pattern, the end is kept: a board may print without end. Bytes.
const MOST_HEARD: usize = 256 * 1024;

/// Outcome of [`Link::wait_for`].
pub(crate) enum Wait {
    /// Pattern number `which` came; `before` is what stood before it.
    Found { which: usize, before: Vec<u8> },
    /// The patience is over; this came instead.
    Passed(Vec<u8>),
}

/// A transport plus what has been read from it and not used yet.
pub(crate) struct Link {
    transport: Box<dyn Transport>,
    buffer: Vec<u8>,
    position: usize,
    recent: Vec<u8>,
    write_timeout: Duration,
}

impl Link {
    pub(crate) fn new(transport: Box<dyn Transport>, write_timeout: Duration) -> Link {
        Link {
            transport,
            buffer: Vec::new(),
            position: 0,
            recent: Vec::new(),
            write_timeout,
        }
    }

    pub(crate) fn into_transport(self) -> Box<dyn Transport> {
        self.transport
    }

    pub(crate) fn transport_mut(&mut self) -> &mut dyn Transport {
        &mut *self.transport
    }

    pub(crate) fn port(&self) -> String {
        self.transport.describe()
    }

    /// What has arrived and not been used; waits at most `timeout` for it. Empty: nothing came.
    /// [`Link::used`] says how much of it was taken.
    pub(crate) fn peek(&mut self, timeout: Duration, step: Step) -> Result<&[u8], LinkError> {
        if self.position == self.buffer.len() {
            self.buffer.resize(4096, 0);
            let result = self.transport.read(&mut self.buffer, timeout);
            let count = *result.as_ref().unwrap_or(&0);
            self.buffer.truncate(count);
            self.position = 0;
            result.map_err(|source| self.lost(step, source))?;
            self.remember();
        }
        Ok(&self.buffer[self.position..])
    }

    fn remember(&mut self) {
        self.recent.extend_from_slice(&self.buffer);
        let surplus = self.recent.len().saturating_sub(MEMORY);
        self.recent.drain(..surplus);
    }

    pub(crate) fn used(&mut self, count: usize) {
        self.position += count;
    }

    /// The next byte, or `None` when the patience is over.
    pub(crate) fn next(
        &mut self,
        patience: &mut Patience,
        step: Step,
    ) -> Result<Option<u8>, LinkError> {
        loop {
            let left = patience.left();
            // Also for a board that never stops talking: what has been read is still used up.
            if left.is_zero() && self.position == self.buffer.len() {
                return Ok(None);
            }
            if let Some(&byte) = self.peek(left.min(SLICE), step)?.first() {
                self.used(1);
                return Ok(Some(byte));
            }
        }
    }

    /// Reads until one of `patterns` has come or the patience is over.
    pub(crate) fn wait_for(
        &mut self,
        patterns: &[&[u8]],
        patience: &mut Patience,
        step: Step,
    ) -> Result<Wait, LinkError> {
        let mut seen = Vec::new();
        while let Some(byte) = self.next(patience, step)? {
            if seen.len() >= MOST_HEARD {
                seen.drain(..MOST_HEARD / 2);
            }
            seen.push(byte);
            if let Some(which) = (patterns.iter()).position(|pattern| seen.ends_with(pattern)) {
                seen.truncate(seen.len() - patterns[which].len());
                return Ok(Wait::Found {
                    which,
                    before: seen,
                });
            }
        }
        Ok(Wait::Passed(seen))
    }

    /// Throws away what is there already.
    pub(crate) fn discard(&mut self, step: Step) -> Result<(), LinkError> {
        // A board that prints without end must not keep us here.
        for _ in 0..256 {
            let count = self.peek(Duration::ZERO, step)?.len();
            if count == 0 {
                break;
            }
            self.used(count);
        }
        Ok(())
    }

    /// Throws away what comes, until nothing has come for `quiet` or `limit` has passed.
    pub(crate) fn drain(
        &mut self,
        quiet: Duration,
        limit: Duration,
        step: Step,
    ) -> Result<(), LinkError> {
        let mut patience = Patience::new(limit);
        while !patience.is_over() {
            let count = self.peek(quiet, step)?.len();
            if count == 0 {
                break;
            }
            self.used(count);
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, data: &[u8], step: Step) -> Result<(), LinkError> {
        let result = self.transport.write(data, self.write_timeout);
        result.map_err(|source| match source.kind() {
            std::io::ErrorKind::TimedOut => LinkError::TimedOut {
                port: self.port(),
                step,
                after: self.write_timeout,
            },
            _ => self.lost(step, source),
        })
    }

    fn lost(&self, step: Step, source: std::io::Error) -> LinkError {
        LinkError::Lost {
            port: self.port(),
            step,
            source,
        }
    }

    /// The end of what came last, unused bytes included.
    pub(crate) fn recent(&self) -> &[u8] {
        &self.recent
    }

    /// Forgets what has been used; what has only been read belongs to what comes next.
    pub(crate) fn forget_recent(&mut self) {
        self.recent.clear();
        let unused = &self.buffer[self.position..];
        let tail = &unused[unused.len().saturating_sub(MEMORY)..];
        self.recent.extend_from_slice(tail);
    }

    /// What came last, fit for a message: escaped, at most 120 bytes.
    pub(crate) fn heard(&self) -> String {
        excerpt(&self.recent)
    }

    /// What the last bytes give away about a board without a prompt.
    pub(crate) fn clue(&self) -> Clue {
        let text = String::from_utf8_lossy(&self.recent);
        // The texts of the ESP32 family's ROM.
        if text.contains("waiting for download") || text.contains("DOWNLOAD") {
            return Clue::Bootloader;
        }
        if text.contains("invalid header: 0x") || text.contains("Invalid image block") {
            return Clue::NoFirmware;
        }
        let strange = text.chars().filter(|&c| {
            c == char::REPLACEMENT_CHARACTER || (c.is_control() && !"\r\n\t\x1b\x04".contains(c))
        });
        if strange.count() * 4 > text.chars().count() {
            return Clue::Garbage;
        }
        Clue::Text
    }
}

/// The end of `bytes`, escaped for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let tail = &bytes[bytes.len().saturating_sub(120)..];
    let text = String::from_utf8_lossy(tail);
    format!("\"{}\"", text.escape_debug())
}
