//! Decides what stands in the line of the terminal that the cursor is in, by following what the board sends.

/// Longer than any line that somebody edits.
const MOST: usize = 4096;

/// MicroPython's prompts, for a statement and for its further lines.
const PROMPTS: [&str; 2] = [">>> ", "... "];

/// The line with the cursor. What MicroPython's line editor sends is followed (shared/readline/readline.c): letters,
/// backspace, carriage return, and the sequences that move the cursor and erase to the end.
#[derive(Debug, Default)]
pub struct Screen {
    line: Vec<char>,
    cursor: usize,
    /// The beginning of a character or of an escape sequence.
    begun: Vec<u8>,
}

/// A line that is being edited.
#[derive(Debug, PartialEq, Eq)]
pub struct Edited {
    /// What stands behind the prompt.
    pub text: String,
    /// Characters behind the cursor.
    pub behind: usize,
}

impl Screen {
    /// Follows bytes from the board; gives what stood behind the prompt of each line that they end.
    pub fn follow(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut ended = Vec::new();
        for byte in bytes {
            self.begun.push(*byte);
            if self.begun[0] == 0x1b {
                self.escape();
                continue;
            }
            match std::str::from_utf8(&self.begun) {
                Ok(text) => {
                    let letter = text.chars().next();
                    self.begun.clear();
                    match letter {
                        Some('\n') => {
                            ended.extend(self.edited().map(|line| line.text));
                            self.line.clear();
                            self.cursor = 0;
                        }
                        Some(letter) => self.letter(letter),
                        None => {}
                    }
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => self.begun.clear(),
            }
        }
        ended
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '\r' => self.cursor = 0,
            '\u{8}' => self.cursor = self.cursor.saturating_sub(1),
            letter if letter.is_control() => {}
            letter if self.cursor < self.line.len() => {
                self.line[self.cursor] = letter;
                self.cursor += 1;
            }
            letter if self.line.len() < MOST => {
                self.line.resize(self.cursor, ' ');
                self.line.push(letter);
                self.cursor += 1;
            }
            _ => {}
        }
    }

    fn escape(&mut self) {
        let [_, kind, rest @ ..] = self.begun.as_slice() else {
            return;
        };
        if *kind != b'[' {
            return self.begun.clear();
        }
        let Some((last @ 0x40..=0x7e, number)) = rest.split_last() else {
            if rest.len() > 16 {
                self.begun.clear();
            }
            return;
        };
        let number = std::str::from_utf8(number).ok();
        let number: usize = number.and_then(|text| text.parse().ok()).unwrap_or(1);
        match last {
            b'K' => self.line.truncate(self.cursor),
            b'D' => self.cursor = self.cursor.saturating_sub(number),
            b'C' => self.cursor = (self.cursor + number).min(MOST),
            _ => {}
        }
        self.begun.clear();
    }

    /// What is being edited; `None` where the cursor is at no prompt.
    pub fn edited(&self) -> Option<Edited> {
        let prompt = PROMPTS.iter().find(|prompt| {
            let prompt: Vec<char> = prompt.chars().collect();
            self.line.starts_with(&prompt)
        })?;
        let text: String = self.line[prompt.len()..].iter().collect();
        Some(Edited {
            text,
            behind: self.line.len().saturating_sub(self.cursor),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, behind: usize) -> Option<Edited> {
        Some(Edited {
            text: text.to_owned(),
            behind,
        })
    }

    #[test]
    fn an_edited_line_is_followed_wherever_the_bytes_are_cut() {
        // Typed "prnt(ñ)", back to behind "pr", "i" put in, then Enter.
        let bytes = ">>> prnt(ñ)\x1b[5Dint(ñ)\x1b[5D".as_bytes();
        for cut in 0..bytes.len() {
            let mut screen = Screen::default();
            assert!(screen.follow(&bytes[..cut]).is_empty());
            assert!(screen.follow(&bytes[cut..]).is_empty());
            assert_eq!(screen.edited(), edited("print(ñ)", 5), "{cut}");
            assert_eq!(screen.follow(b"\r\n"), ["print(ñ)"]);
            assert_eq!(screen.edited(), None);
        }
        let mut screen = Screen::default();
        screen.follow(b">>> abc\x08\x1b[K\x08\x1b[K");
        assert_eq!(screen.edited(), edited("a", 0));
        assert!(screen.follow(b"\r\nx\r\n").contains(&"a".to_owned()));
        screen.follow(b"...     ");
        assert_eq!(screen.edited(), edited("    ", 0));
        screen.follow(b"\r\noutput >>> ");
        assert_eq!(screen.edited(), None);
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut screen = Screen::default();
        screen.follow(&[b'x'; 3 * MOST]);
        screen.follow(b"\x1b[99999999999999999999C\x1b[99999C\x1b[12;");
        screen.follow(&[b'1'; 3 * MOST]);
        assert!(screen.line.len() <= MOST && screen.begun.len() < 64);
    }
}
