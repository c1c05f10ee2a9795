//! Decides which characters of a script reach the terminal: those that leave it as it is.

/// Takes escape sequences and control characters out of text that comes in pieces.
#[derive(Debug, Default)]
pub struct Cleaner {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// A carriage return has come; a line feed after it belongs to it.
    Return,
    /// ESC has come.
    Escape,
    /// Inside a control sequence (`ESC [`): it ends with a byte from 0x40 to 0x7e (ECMA-48, 5.4).
    Control,
    /// Inside a string (`ESC ]` and its like): it ends with BEL or `ESC \`.
    String,
}

impl Cleaner {
    /// The printable part of `text`; line ends are `\n`, a tab is four blanks.
    pub fn clean(&mut self, text: &str) -> String {
        let mut cleaned = String::with_capacity(text.len());
        for letter in text.chars() {
            self.state = match (self.state, letter) {
                (State::Return, '\n') => {
                    cleaned.push('\n');
                    State::Text
                }
                (State::Return, _) => {
                    // A lone carriage return would write over what stands there.
                    cleaned.push('\n');
                    plain(letter, &mut cleaned)
                }
                (State::Text, _) => plain(letter, &mut cleaned),
                (State::Escape, '[') => State::Control,
                (State::Escape, ']' | 'P' | '_' | '^' | 'X') => State::String,
                (State::Escape, _) => State::Text,
                (State::Control, '\x40'..='\x7e') => State::Text,
                (State::Control, _) => State::Control,
                (State::String, '\x07') => State::Text,
                (State::String, '\x1b') => State::Escape,
                (State::String, _) => State::String,
            };
        }
        cleaned
    }
}

fn plain(letter: char, cleaned: &mut String) -> State {
    match letter {
        '\r' => return State::Return,
        '\x1b' => return State::Escape,
        '\n' => cleaned.push('\n'),
        '\t' => cleaned.push_str("    "),
        letter if letter.is_control() => {}
        letter => cleaned.push(letter),
    }
    State::Text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_left_however_it_is_cut() {
        let text = "a\x1b[31;1mb\x1b[0m\tc\r\nd\re\x1b]0;title\x07f\x1b]0;x\x1b\\g\x00\x08ñ\n";
        let expected = "ab    c\nd\nefgñ\n";
        assert_eq!(Cleaner::default().clean(text), expected);
        let mut cleaner = Cleaner::default();
        let pieces: String = text
            .chars()
            .map(|letter| cleaner.clean(&letter.to_string()))
            .collect();
        assert_eq!(pieces, expected);
    }
}
