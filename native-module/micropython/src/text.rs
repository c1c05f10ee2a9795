//! Short texts for error messages, put together without a heap.

/// The most bytes of a text.
const SIZE: usize = 160;

/// Text in a fixed buffer, cut where it is full. `core::fmt` would cost more than the rest of a module.
pub(crate) struct Text {
    bytes: [u8; SIZE],
    len: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Text {
            bytes: [0; SIZE],
            len: 0,
        }
    }

    pub(crate) fn push(&mut self, more: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.len).zip(more) {
            *place = *byte;
            self.len += 1;
        }
    }

    /// What was written, less a character at the end that was cut.
    pub(crate) fn whole_characters(&self) -> &[u8] {
        let mut text = self.bytes.get(..self.len).unwrap_or(&[]);
        if self.len == self.bytes.len() {
            // Every byte of a character but its first is 0b10xx_xxxx.
            while let [rest @ .., last] = text
                && *last >= 0x80
            {
                text = rest;
                if *last >= 0xc0 {
                    break;
                }
            }
        }
        text
    }

    #[cfg(feature = "module")]
    pub(crate) fn push_number(&mut self, mut number: u32) {
        let mut digits = [b'0'; 10];
        let mut at = digits.len();
        for digit in digits.iter_mut().rev() {
            at -= 1;
            *digit += (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(digits.get(at..).unwrap_or(&[]));
    }
}
