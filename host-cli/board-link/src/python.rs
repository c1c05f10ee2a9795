//! Python literals: the only way in which names and data get into code for the board.

use std::fmt::Write;

/// `text` as a Python string literal, quotes included. Any text is safe: quotes, backslashes
/// and control characters are escaped, all else stays as it is (UTF-8).
pub fn str_literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if c.is_ascii_control() => push_hex(&mut out, c as u8),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// `data` as a Python bytes literal of printable ASCII characters.
pub fn bytes_literal(data: &[u8]) -> String {
    let mut out = String::with_capacity(data.len() + 3);
    out.push_str("b'");
    for &byte in data {
        match byte {
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(byte as char),
            byte => push_hex(&mut out, byte),
        }
    }
    out.push('\'');
    out
}

fn push_hex(out: &mut String, byte: u8) {
    write!(out, "\\x{byte:02x}").expect("writing to a String succeeds");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(
            str_literal("año 'x' \"y\" \\ \n\0"),
            r#"'año \'x\' "y" \\ \n\x00'"#
        );
        assert_eq!(bytes_literal(b"a'\\\n\x00\xff~"), r"b'a\'\\\n\x00\xff~'");
    }
}
