//! The friendly REPL: banner, prompt, line by line; paste mode.

use super::{CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E, Left};
use crate::repl::line::{self, LineEnd};
use crate::supervisor::{Halt, Outcome, ReplMode, Supervisor};

impl Supervisor {
    /// Speaks the friendly REPL until it is left.
    pub(crate) fn friendly_repl(&mut self) -> Result<Left, Halt> {
        self.banner();
        loop {
            let (mut code, end) = self.read_line(b">>> ", true)?;
            let mut whole = false;
            match end {
                LineEnd::Control(CTRL_A) => {
                    self.console.put(b"\r\n");
                    return Ok(Left::To(ReplMode::Raw));
                }
                LineEnd::Control(CTRL_B) => {
                    self.console.put(b"\r\n");
                    self.banner();
                    continue;
                }
                LineEnd::Control(CTRL_D) => {
                    self.console.put(b"\r\n");
                    return Ok(Left::SoftReset);
                }
                LineEnd::Control(CTRL_E) => {
                    match self.paste()? {
                        Some(pasted) => code = pasted,
                        None => continue,
                    }
                    whole = true;
                }
                LineEnd::Control(_) => {
                    self.console.put(b"\r\n");
                    continue;
                }
                LineEnd::Entered if code.is_empty() => continue,
                LineEnd::Entered => {
                    if !self.complete_statement(&mut code)? {
                        continue;
                    }
                }
            }
            match self.execute(&code, !whole)? {
                Outcome::SystemExit => return Ok(Left::SoftReset),
                outcome => drop(self.show_raised(outcome)),
            }
        }
    }

    fn banner(&mut self) {
        let text = format!(
            "MicroPython v{} on this computer; Simulated ESP32 module with ESP32\r\nType \"help()\" for more information.\r\n",
            self.config.micropython.implementation().version
        );
        self.console.put(text.as_bytes());
    }

    /// Reads on while the statement is not complete; false if Ctrl-C gave it up.
    fn complete_statement(&mut self, code: &mut Vec<u8>) -> Result<bool, Halt> {
        while line::wants_more(code) {
            let indent = line::indent_after(code);
            code.push(b'\n');
            let (more, end) = self.read_line_from(b"... ", false, indent)?;
            code.extend_from_slice(&more);
            match end {
                LineEnd::Control(CTRL_C) => {
                    self.console.put(b"\r\n");
                    return Ok(false);
                }
                LineEnd::Control(CTRL_D) => break,
                _ => {}
            }
        }
        Ok(true)
    }

    /// Paste mode: everything up to Ctrl-D, echoed; None after Ctrl-C.
    fn paste(&mut self) -> Result<Option<Vec<u8>>, Halt> {
        self.console
            .put(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ");
        let mut code = Vec::new();
        loop {
            match self.read_byte()? {
                CTRL_C => {
                    self.console.put(b"\r\n");
                    return Ok(None);
                }
                CTRL_D => {
                    self.console.put(b"\r\n");
                    return Ok(Some(code));
                }
                b'\r' => {
                    code.push(b'\r');
                    self.console.put(b"\r\n=== ");
                }
                byte => {
                    code.push(byte);
                    self.console.put(&[byte]);
                }
            }
        }
    }
}
