//! The raw REPL: code in, `OK`, output, 0x04, traceback, 0x04, `>`; with raw-paste and its window.

use super::{CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E, Left};
use crate::supervisor::{Halt, Outcome, ReplMode, Supervisor};

/// Half of the input buffer (`MICROPY_REPL_STDIN_BUFFER_MAX`, 256).
const WINDOW: u16 = 128;

impl Supervisor {
    /// Speaks the raw REPL until it is left.
    pub(crate) fn raw_repl(&mut self) -> Result<Left, Halt> {
        self.console.put(b"raw REPL; CTRL-B to exit\r\n>");
        let mut code = Vec::new();
        loop {
            match self.read_byte()? {
                CTRL_A if matches!(code[..], [CTRL_E, _]) => {
                    let command = code[1];
                    code.clear();
                    if command == b'A' {
                        if let Some(left) = self.raw_paste()? {
                            return Ok(left);
                        }
                    } else {
                        self.console.put(b"R\x00");
                    }
                    self.console.put(b">");
                }
                CTRL_A => {
                    code.clear();
                    self.console.put(b"raw REPL; CTRL-B to exit\r\n>");
                }
                CTRL_B => {
                    self.console.put(b"\r\n");
                    return Ok(Left::To(ReplMode::Friendly));
                }
                CTRL_C => code.clear(),
                CTRL_D => {
                    self.console.put(b"OK");
                    if code.is_empty() {
                        self.console.put(b"\r\n");
                        return Ok(Left::SoftReset);
                    }
                    let code = std::mem::take(&mut code);
                    if let Some(left) = self.run_raw(&code)? {
                        return Ok(left);
                    }
                    self.console.put(b">");
                }
                other => code.push(other),
            }
        }
    }

    /// Receives code with flow control, then runs it.
    fn raw_paste(&mut self) -> Result<Option<Left>, Halt> {
        self.console.put(b"R\x01");
        let [low, high] = WINDOW.to_le_bytes();
        self.console.put(&[low, high, 1]);
        let mut code = Vec::new();
        let mut left = WINDOW;
        loop {
            match self.read_byte()? {
                CTRL_C => {
                    // The end of the input, the end of no output, and an exception without a traceback.
                    self.console.put(b"\x04\x04KeyboardInterrupt: \r\n\x04");
                    return Ok(None);
                }
                CTRL_D => {
                    self.console.put(b"\x04");
                    return self.run_raw(&code);
                }
                byte => code.push(byte),
            }
            left -= 1;
            if left == 0 {
                self.console.put(b"\x01");
                left = WINDOW;
            }
        }
    }

    /// Runs code and marks the ends of its output and of its traceback.
    fn run_raw(&mut self, code: &[u8]) -> Result<Option<Left>, Halt> {
        let outcome = self.execute(code, false)?;
        self.console.put(b"\x04");
        match outcome {
            Outcome::SystemExit => {
                self.console.put(b"\x04");
                return Ok(Some(Left::SoftReset));
            }
            outcome => drop(self.show_raised(outcome)),
        }
        self.console.put(b"\x04");
        Ok(None)
    }
}
