//! Decides how a screen gets onto the terminal and keys from it, and that the terminal is afterwards as it was.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Receiver};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};

/// What a person may want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    End,
    Pause,
    /// The arrows are for the next panel.
    Next,
    Up,
    Down,
}

/// A terminal that shows a screen; dropping it gives it back.
pub struct Terminal {
    keys: Receiver<Key>,
    shown: Vec<String>,
    size: (u16, u16),
}

impl Terminal {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// Where it cannot be put into raw mode.
    pub fn begin() -> io::Result<Self> {
        enable_raw_mode()?;
        let (sender, keys) = mpsc::channel();
        let terminal = Self {
            keys,
            shown: Vec::new(),
            size: (0, 0),
        };
        let mut out = io::stdout();
        queue!(out, EnterAlternateScreen, Hide)?;
        out.flush()?;
        // It waits for keys until the program ends.
        std::thread::spawn(move || {
            let mut bytes = [0; 64];
            while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
                for key in keys_in(&bytes[..count]) {
                    if sender.send(key).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(terminal)
    }

    /// The keys since the last time.
    pub fn keys(&self) -> Vec<Key> {
        self.keys.try_iter().collect()
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        let (columns, rows) = size().unwrap_or((80, 24));
        (usize::from(columns), usize::from(rows))
    }

    /// Shows these lines, writing those that changed.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub fn show(&mut self, lines: Vec<String>) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let size = size().unwrap_or(self.size);
        if size != self.size {
            self.size = size;
            self.shown.clear();
            queue!(out, Clear(ClearType::All))?;
        }
        for (row, line) in lines.iter().enumerate() {
            if self.shown.get(row) != Some(line) {
                let row = u16::try_from(row).unwrap_or(u16::MAX);
                queue!(
                    out,
                    MoveTo(0, row),
                    Print(line),
                    Clear(ClearType::UntilNewLine)
                )?;
            }
        }
        self.shown = lines;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut out = io::stdout();
        // A terminal that is gone needs nothing back.
        let _ = queue!(out, Show, LeaveAlternateScreen);
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// The keys that terminals send as these bytes.
fn keys_in(bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes;
    while let Some((&first, more)) = rest.split_first() {
        let (key, after) = match (first, more) {
            (b'q' | b'Q' | 3, _) => (Some(Key::End), more),
            (b'p' | b'P' | b' ', _) => (Some(Key::Pause), more),
            (b'\t', _) => (Some(Key::Next), more),
            (27, [b'[' | b'O', b'A', after @ ..]) => (Some(Key::Up), after),
            (27, [b'[' | b'O', b'B', after @ ..]) => (Some(Key::Down), after),
            _ => (None, more),
        };
        keys.extend(key);
        rest = after;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        assert_eq!(
            keys_in(b"x\x1b[A\x1bOBp\x1b[C\t\x03"),
            [Key::Up, Key::Down, Key::Pause, Key::Next, Key::End]
        );
    }
}
