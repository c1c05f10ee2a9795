//! A model of a board's REPL, no MicroPython: it keeps to the protocol byte for byte and "runs"
//! code by printing its length and checksum. For faults that a real board cannot produce at will.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use board_link::Transport;

/// What firmware the model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Firmware {
    RawPaste {
        window: u16,
    },
    /// Answers raw-paste with `R 00`.
    RefusesRawPaste,
    /// Knows nothing of raw-paste.
    Old,
}

#[derive(Debug)]
enum Mode {
    Friendly,
    Raw,
    /// Reading code by raw-paste; bytes left of the current window.
    Paste(u16),
    /// Runs without end; only Ctrl-C ends it.
    Busy,
}

pub struct Model {
    firmware: Firmware,
    mode: Mode,
    line: Vec<u8>,
    output: VecDeque<u8>,
    /// Bytes taken beyond the free windows: flow control that does not work.
    overrun: bool,
    unread_windows: i64,
}

/// Code that the model never finishes.
pub const ENDLESS: &str = "while True: pass";

/// Code that restarts the model.
pub const RESTART: &str = "machine.reset()";

/// What the model prints for `code`.
pub fn printed_for(code: &str) -> String {
    format!("{} {:08x}\n", code.len(), crc32fast::hash(code.as_bytes()))
}

impl Model {
    pub fn new(firmware: Firmware) -> Model {
        Model {
            firmware,
            mode: Mode::Friendly,
            line: Vec::new(),
            output: VecDeque::new(),
            overrun: false,
            unread_windows: 0,
        }
    }

    pub fn busy(mut self) -> Model {
        self.mode = Mode::Busy;
        self
    }

    fn print(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
    }

    fn take(&mut self, byte: u8) {
        match (&mut self.mode, byte) {
            (Mode::Busy, 0x03) => {
                self.print(
                    b"\x04Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n\x04>",
                );
                self.mode = Mode::Raw;
            }
            (Mode::Busy, _) => {}
            (Mode::Friendly, 0x01) if self.line.is_empty() => {
                self.mode = Mode::Raw;
                self.print(b"\r\nraw REPL; CTRL-B to exit\r\n>");
            }
            (Mode::Friendly, 0x03 | b'\r') => {
                self.line.clear();
                self.print(b"\r\n>>> ");
            }
            (Mode::Friendly, byte) => {
                self.line.push(byte);
                self.print(&[byte]);
            }
            (Mode::Raw, 0x01) => self.raw_reset(),
            (Mode::Raw, 0x02) => {
                self.mode = Mode::Friendly;
                self.line.clear();
                self.print(b"\r\nMicroPython v1.26.1; model\r\n>>> ");
            }
            (Mode::Raw, 0x03) => self.line.clear(),
            (Mode::Raw, 0x04) => {
                self.print(b"OK");
                if self.line.is_empty() {
                    self.print(b"\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>");
                } else {
                    self.run();
                }
            }
            (Mode::Raw, byte) => self.line.push(byte),
            (Mode::Paste(_), 0x03) => {
                self.print(
                    b"\x04\x04Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n\x04>",
                );
                self.line.clear();
                self.mode = Mode::Raw;
            }
            (Mode::Paste(_), 0x04) => {
                self.print(b"\x04");
                self.mode = Mode::Raw;
                self.run();
            }
            (Mode::Paste(left), byte) => {
                *left -= 1;
                let used_up = *left == 0;
                self.line.push(byte);
                if used_up {
                    self.grant();
                }
            }
        }
    }

    /// Ctrl-A in raw mode: raw-paste if asked for, else the banner.
    fn raw_reset(&mut self) {
        let asked = self.line == b"\x05A";
        self.line.clear();
        match self.firmware {
            Firmware::RawPaste { window } if asked => {
                self.print(b"R\x01");
                self.print(&window.to_le_bytes());
                self.unread_windows = i64::from(window);
                self.mode = Mode::Paste(window);
                self.grant();
            }
            Firmware::RefusesRawPaste if asked => self.print(b"R\x00>"),
            _ => self.print(b"raw REPL; CTRL-B to exit\r\n>"),
        }
    }

    fn grant(&mut self) {
        if let Firmware::RawPaste { window } = self.firmware {
            self.print(b"\x01");
            self.unread_windows += i64::from(window);
            self.mode = Mode::Paste(window);
        }
    }

    fn run(&mut self) {
        let code = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if code == ENDLESS {
            self.mode = Mode::Busy;
            return;
        }
        if code == RESTART {
            self.mode = Mode::Friendly;
            self.print(b"\r\nMicroPython v1.26.1; model\r\nType \"help()\"\r\n>>> ");
            return;
        }
        let text = printed_for(&code).replace('\n', "\r\n");
        self.print(text.as_bytes());
        if code.starts_with("raise") {
            self.print(b"\x04Traceback (most recent call last):\r\n  File \"<stdin>\", line 1, in <module>\r\nValueError: \r\n\x04>");
        } else {
            self.print(b"\x04\x04>");
        }
    }
}

impl Transport for Model {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if self.output.is_empty() {
            std::thread::sleep(timeout.min(Duration::from_millis(1)));
        }
        let count = buffer.len().min(self.output.len());
        for (slot, byte) in buffer.iter_mut().zip(self.output.drain(..count)) {
            *slot = byte;
        }
        Ok(count)
    }

    fn write(&mut self, data: &[u8], _timeout: Duration) -> io::Result<()> {
        for &byte in data {
            if matches!(self.mode, Mode::Paste(_)) && !matches!(byte, 0x03 | 0x04) {
                self.unread_windows -= 1;
                self.overrun |= self.unread_windows < 0;
            }
            self.take(byte);
        }
        assert!(!self.overrun, "more bytes than the free windows hold");
        Ok(())
    }

    fn describe(&self) -> String {
        "model".to_owned()
    }
}
