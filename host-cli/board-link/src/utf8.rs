//! Text out of a byte stream that may be cut anywhere, line ends as the program wrote them.

/// Decodes UTF-8 piece by piece. What is no UTF-8 becomes U+FFFD. MicroPython sends `\r\n` for
/// the `\n` that a program prints; here it is `\n` again.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The beginning of a character, or a `\r` whose `\n` may follow; at most three bytes.
    pending: Vec<u8>,
}

impl Decoder {
    /// The text that is complete after `bytes`.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let keep = incomplete_tail(&all);
        self.pending = all.split_off(all.len() - keep);
        String::from_utf8_lossy(&all).replace("\r\n", "\n")
    }

    /// The rest, when no more will come.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// How many bytes at the end may still become a character (or `\r\n`).
fn incomplete_tail(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return 1;
    }
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::Decoder;

    #[test]
    fn any_cut_gives_the_same_text() {
        let text = "año €5 😀\r\nfin\r";
        let expected = text.replace("\r\n", "\n");
        let bytes = text.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let mut decoder = Decoder::default();
                let mut out = decoder.feed(&bytes[..first]);
                out += &decoder.feed(&bytes[first..second]);
                out += &decoder.feed(&bytes[second..]);
                out += &decoder.finish();
                assert_eq!(out, expected, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn what_is_no_utf8_is_replaced_and_nothing_after_it_lost() {
        let mut decoder = Decoder::default();
        let mut out = decoder.feed(b"a\xff\xc3");
        out += &decoder.feed(b"(b\xe2\x82");
        out += &decoder.finish();
        assert_eq!(out, "a\u{fffd}\u{fffd}(b\u{fffd}");
    }
}
