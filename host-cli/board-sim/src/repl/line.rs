//! Editing one line at the friendly prompt, and when a statement wants another one.

use super::{CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E};
use crate::supervisor::{Halt, Supervisor};

/// How many lines the arrow keys bring back.
const HISTORY: usize = 50;

/// How the editing of a line ended.
pub(crate) enum LineEnd {
    Entered,
    /// One of the control characters that mean something to the REPL.
    Control(u8),
}

/// The line being edited: its bytes (UTF-8) and the cursor, a position in them.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    cursor: usize,
}

impl Line {
    fn previous(&self) -> usize {
        let mut at = self.cursor.saturating_sub(1);
        while at > 0 && is_continuation(self.bytes[at]) {
            at -= 1;
        }
        at
    }

    fn next(&self) -> usize {
        let mut at = (self.cursor + 1).min(self.bytes.len());
        while at < self.bytes.len() && is_continuation(self.bytes[at]) {
            at += 1;
        }
        at
    }

    /// Columns from the cursor to the end, one for each character.
    fn columns_after(&self) -> usize {
        columns(&self.bytes[self.cursor..])
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn columns(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| !is_continuation(**b)).count()
}

/// A key after its escape sequence has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Byte(u8),
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    Delete,
    Unknown,
}

impl Supervisor {
    pub(crate) fn read_line(
        &mut self,
        prompt: &[u8],
        first: bool,
    ) -> Result<(Vec<u8>, LineEnd), Halt> {
        self.read_line_from(prompt, first, Vec::new())
    }

    /// Reads a line that starts with `start`. Only on a `first` line do Ctrl-A, B and E leave it.
    pub(crate) fn read_line_from(
        &mut self,
        prompt: &[u8],
        first: bool,
        start: Vec<u8>,
    ) -> Result<(Vec<u8>, LineEnd), Halt> {
        self.console.put(prompt);
        self.console.put(&start);
        let mut line = Line {
            cursor: start.len(),
            bytes: start,
        };
        let mut recalled = self.history.len();
        loop {
            let key = self.read_key()?;
            let empty = line.bytes.is_empty();
            match key {
                Key::Byte(c @ (CTRL_A | CTRL_B | CTRL_E)) if empty && first => {
                    return Ok((line.bytes, LineEnd::Control(c)));
                }
                Key::Byte(CTRL_C) => return Ok((Vec::new(), LineEnd::Control(CTRL_C))),
                Key::Byte(CTRL_D) if empty || !first => {
                    return Ok((line.bytes, LineEnd::Control(CTRL_D)));
                }
                Key::Byte(b'\r' | b'\n') => {
                    self.console.put(b"\r\n");
                    if !empty && self.history.last() != Some(&line.bytes) {
                        self.history.push(line.bytes.clone());
                        let surplus = self.history.len().saturating_sub(HISTORY);
                        self.history.drain(..surplus);
                    }
                    return Ok((line.bytes, LineEnd::Entered));
                }
                Key::Byte(CTRL_A) | Key::Home => self.move_to(&mut line, 0),
                Key::Byte(CTRL_E) | Key::End => {
                    let end = line.bytes.len();
                    self.move_to(&mut line, end);
                }
                Key::Byte(CTRL_B) | Key::Left => {
                    let to = line.previous();
                    self.move_to(&mut line, to);
                }
                Key::Byte(6) | Key::Right => {
                    let to = line.next();
                    self.move_to(&mut line, to);
                }
                Key::Byte(8 | 127) if line.cursor > 0 => {
                    // In the indentation, one key takes back one step of four.
                    let blank = line.bytes[..line.cursor].iter().all(|b| *b == b' ');
                    let step = if blank { (line.cursor - 1) % 4 + 1 } else { 0 };
                    let from = if step > 0 {
                        line.cursor - step
                    } else {
                        line.previous()
                    };
                    self.remove(&mut line, from);
                }
                Key::Byte(CTRL_D) | Key::Delete if line.cursor < line.bytes.len() => {
                    let to = line.next();
                    let from = line.cursor;
                    self.move_to(&mut line, to);
                    self.remove(&mut line, from);
                }
                // Ctrl-K, Ctrl-U: delete to the end, to the start.
                Key::Byte(11) => {
                    line.bytes.truncate(line.cursor);
                    self.console.put(b"\x1b[K");
                }
                Key::Byte(21) => self.remove(&mut line, 0),
                Key::Byte(b'\t') => self.insert(&mut line, b"    "),
                Key::Up | Key::Byte(16) if recalled > 0 => {
                    recalled -= 1;
                    self.recall(&mut line, recalled);
                }
                Key::Down | Key::Byte(14) if recalled < self.history.len() => {
                    recalled += 1;
                    self.recall(&mut line, recalled);
                }
                Key::Byte(byte) if byte >= b' ' && byte != 127 => self.insert(&mut line, &[byte]),
                _ => {}
            }
        }
    }

    fn read_key(&mut self) -> Result<Key, Halt> {
        let byte = self.read_byte()?;
        if byte != 0x1b {
            return Ok(Key::Byte(byte));
        }
        let kind = self.read_byte()?;
        if kind != b'[' && kind != b'O' {
            return Ok(Key::Unknown);
        }
        Ok(match self.read_byte()? {
            b'A' => Key::Up,
            b'B' => Key::Down,
            b'C' => Key::Right,
            b'D' => Key::Left,
            b'H' => Key::Home,
            b'F' => Key::End,
            digit @ b'0'..=b'9' => {
                let mut last = digit;
                while last.is_ascii_digit() || last == b';' {
                    last = self.read_byte()?;
                }
                match (digit, last) {
                    (b'1' | b'7', b'~') => Key::Home,
                    (b'4' | b'8', b'~') => Key::End,
                    (b'3', b'~') => Key::Delete,
                    _ => Key::Unknown,
                }
            }
            _ => Key::Unknown,
        })
    }

    fn move_to(&mut self, line: &mut Line, to: usize) {
        let (low, high) = (to.min(line.cursor), to.max(line.cursor));
        let steps = columns(&line.bytes[low..high]);
        if steps > 0 {
            let direction = if to < line.cursor { 'D' } else { 'C' };
            self.console
                .put(format!("\x1b[{steps}{direction}").as_bytes());
        }
        line.cursor = to;
    }

    /// Shows what stands from the cursor on, and puts the cursor back.
    fn redraw_rest(&mut self, line: &Line) {
        let rest = line.bytes[line.cursor..].to_vec();
        self.console.put(&rest);
        self.console.put(b"\x1b[K");
        let back = line.columns_after();
        if back > 0 {
            self.console.put(format!("\x1b[{back}D").as_bytes());
        }
    }

    fn insert(&mut self, line: &mut Line, text: &[u8]) {
        let at = line.cursor;
        line.bytes.splice(at..at, text.iter().copied());
        line.cursor += text.len();
        self.console.put(text);
        if line.cursor < line.bytes.len() && !is_continuation(line.bytes[line.cursor]) {
            self.redraw_rest(line);
        }
    }

    /// Removes from `from` to the cursor.
    fn remove(&mut self, line: &mut Line, from: usize) {
        let to = line.cursor;
        self.move_to(line, from);
        line.bytes.drain(from..to);
        self.redraw_rest(line);
    }

    fn recall(&mut self, line: &mut Line, index: usize) {
        self.move_to(line, 0);
        line.bytes = self.history.get(index).cloned().unwrap_or_default();
        self.redraw_rest(line);
        let end = line.bytes.len();
        self.move_to(line, end);
    }
}

/// The indentation the line after `code` starts with: that of the last line, one step more after a colon.
pub(crate) fn indent_after(code: &[u8]) -> Vec<u8> {
    let last = code.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let mut spaces = last.iter().take_while(|b| **b == b' ').count();
    if last.trim_ascii_end().last() == Some(&b':') {
        spaces += 4;
    }
    vec![b' '; spaces]
}

/// True if a statement is not complete: an open bracket or long string, a backslash at the end, or a
/// block that no empty line has closed yet (`mp_repl_continue_with_input` in py/repl.c).
pub(crate) fn wants_more(code: &[u8]) -> bool {
    const BLOCKS: [&str; 10] = [
        "if", "while", "for", "try", "with", "def", "class", "async", "@", "match",
    ];
    let first = code.trim_ascii_start();
    let starts_block = BLOCKS.iter().any(|word| {
        first.strip_prefix(word.as_bytes()).is_some_and(|rest| {
            *word == "@"
                || rest
                    .first()
                    .is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_')
        })
    });
    let mut depth = 0i32;
    let mut quote: Option<(u8, bool)> = None;
    let mut at = 0;
    while at < code.len() {
        let byte = code[at];
        let tripled = code[at..].starts_with(&[byte; 3]);
        match quote {
            Some((open, long)) => match byte {
                b'\\' => at += 1,
                b'\n' if !long => quote = None,
                _ if byte == open && long && tripled => {
                    quote = None;
                    at += 2;
                }
                _ if byte == open && !long => quote = None,
                _ => {}
            },
            None => match byte {
                b'\'' | b'"' => {
                    quote = Some((byte, tripled));
                    at += if tripled { 2 } else { 0 };
                }
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth -= 1,
                b'#' => {
                    while at + 1 < code.len() && code[at + 1] != b'\n' {
                        at += 1;
                    }
                }
                _ => {}
            },
        }
        at += 1;
    }
    let last_line = code.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    if matches!(quote, Some((_, true))) || depth > 0 || code.ends_with(b"\\") {
        return true;
    }
    // A block ends with a line that is empty, or blank under automatic indentation.
    starts_block && !(code.contains(&b'\n') && last_line.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use super::{indent_after, wants_more};

    #[test]
    fn statements_that_want_more() {
        for (code, more) in [
            ("1+1", false),
            ("if x:", true),
            ("if x:\n    y()", true),
            ("if x:\n    y()\n", false),
            ("if x:\n    y()\n    ", false),
            ("iffy = 1", false),
            ("@decorator", true),
            ("f(1,", true),
            ("f(1,\n2)", false),
            ("s = '''a", true),
            ("s = '''a\nb'''", false),
            ("s = 'abc", false),
            ("x = 1 + \\", true),
            ("print('(')", false),
            ("x = 1 # (", false),
            ("async def f():", true),
        ] {
            assert_eq!(wants_more(code.as_bytes()), more, "{code:?}");
        }
    }

    #[test]
    fn indentation_follows() {
        assert_eq!(indent_after(b"for i in x:"), b"    ");
        assert_eq!(indent_after(b"for i in x:\n    if i: "), b"        ");
        assert_eq!(indent_after(b"    y"), b"    ");
        assert_eq!(indent_after(b"y"), b"");
    }
}
