//! Whether a board started anew while somebody talked to it, and comes to no prompt: its own program runs.

use std::time::{Duration, Instant};

/// A board that started anew and shows no prompt for so long has a program that runs.
const BOOT: Duration = Duration::from_secs(2);

/// Of a line so much is looked at.
const LONGEST: usize = 120;

/// Follows what a board says, from a sign of a restart to the prompt.
#[derive(Debug, Default)]
pub struct Restarts {
    /// The line that the board is saying.
    line: Vec<u8>,
    /// Since when there has been a restart without a prompt.
    since: Option<Instant>,
    reminded: bool,
    interrupted: bool,
}

impl Restarts {
    /// The port was away and is back: boards with a USB of their own take it along when they start anew.
    pub fn after_an_absence() -> Self {
        Self {
            since: Some(Instant::now()),
            ..Self::default()
        }
    }

    /// True if the board says with these bytes that it starts anew.
    pub fn heard(&mut self, bytes: &[u8]) -> bool {
        let mut begins = false;
        for &byte in bytes {
            if byte == b'\n' {
                begins |= is_sign(&self.line);
                self.line.clear();
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            }
        }
        if begins {
            *self = Self {
                line: std::mem::take(&mut self.line),
                ..Self::after_an_absence()
            };
        }
        begins
    }

    /// Ctrl-C went to the board.
    pub fn interrupted(&mut self) {
        self.interrupted = true;
    }

    /// Whether a prompt is that of the new start, though no banner came with it: a board that was away may have said it
    /// to nobody. A program's own `>>> ` is none, so this takes a Ctrl-C.
    pub fn ends_at_a_prompt(&self) -> bool {
        self.since.is_some() && self.interrupted
    }

    /// The prompt is there.
    pub fn ended(&mut self) {
        *self = Self::default();
    }

    /// True once, when it is time to say that a program runs.
    pub fn is_due(&mut self) -> bool {
        let due = !self.reminded && self.since.is_some_and(|since| since.elapsed() > BOOT);
        self.reminded |= due;
        due
    }
}

/// What every port of MicroPython says at a soft reset, and what the ROM of the ESP32 family says at any other.
fn is_sign(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let rom = line.starts_with(b"rst:0x") && line.windows(8).any(|text| text == b",boot:0x");
    rom || line.ends_with(b"MPY: soft reboot")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROM: &[u8] = b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n";

    #[test]
    fn a_restart_is_heard_wherever_the_bytes_are_cut() {
        for text in [ROM, b"\r\nMPY: soft reboot\r\n", b"abcMPY: soft reboot\n"] {
            for cut in 0..text.len() {
                let mut restarts = Restarts::default();
                let heard = [&text[..cut], &text[cut..]].map(|part| restarts.heard(part));
                assert_eq!(heard, [false, true], "{cut}");
            }
        }
        let mut restarts = Restarts::default();
        assert!(!restarts.heard(b"MPY: soft reboot? no\nfirst:0x1,boot:0x\nrst:0x1\n"));
        assert!(!restarts.heard(&[b'x'; 1 << 16]));
        assert!(restarts.line.len() <= LONGEST);
    }

    #[test]
    fn a_prompt_without_a_banner_counts_after_ctrl_c_only() {
        let mut restarts = Restarts::default();
        restarts.interrupted();
        assert!(!restarts.ends_at_a_prompt(), "there was no restart");
        assert!(restarts.heard(ROM));
        assert!(!restarts.ends_at_a_prompt());
        restarts.interrupted();
        assert!(restarts.ends_at_a_prompt());
        restarts.ended();
        assert!(!restarts.ends_at_a_prompt());
    }
}
