//! Text out of what a board prints at its prompt, which may be cut in the middle of a character.

/// Decodes UTF-8 piece by piece; what is none becomes U+FFFD, and `\r\n` becomes `\n`.
#[derive(Default)]
pub struct Decoder {
    pending: Vec<u8>,
}

impl Decoder {
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut keep = match std::str::from_utf8(&self.pending) {
            // No length: more bytes may complete the character.
            Err(error) if error.error_len().is_none() => self.pending.len() - error.valid_up_to(),
            _ => 0,
        };
        if keep == 0 && self.pending.last() == Some(&b'\r') {
            keep = 1;
        }
        let rest = self.pending.split_off(self.pending.len() - keep);
        let whole = std::mem::replace(&mut self.pending, rest);
        String::from_utf8_lossy(&whole).replace("\r\n", "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_line_ends_survive_every_cut() {
        let text = "año €\r\n😀\r\n>>> ";
        for cut in 0..=text.len() {
            let mut decoder = Decoder::default();
            let mut out = decoder.feed(&text.as_bytes()[..cut]);
            out += &decoder.feed(&text.as_bytes()[cut..]);
            assert_eq!(out, text.replace("\r\n", "\n"), "cut at {cut}");
        }
        assert_eq!(Decoder::default().feed(b"\xff\xfe a"), "\u{fffd}\u{fffd} a");
    }
}
