//! A Rust panic becomes a Python RuntimeError with file and line.

use core::panic::PanicInfo;

use crate::{Error, Obj};

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let mut text = Text {
        bytes: [0; 160],
        len: 0,
    };
    text.push(b"Rust panic");
    if let Some(place) = info.location() {
        text.push(b" at ");
        text.push(place.file().as_bytes());
        text.push(b":");
        text.push_number(place.line());
    }
    if let Some(message) = info.message().as_str() {
        text.push(b": ");
        text.push(message.as_bytes());
    }
    let class = Obj::global(qstr!("RuntimeError"));
    let text = Obj::from_raw_text(text.whole_characters());
    Error::instance(class.call(&[text])).raise()
}

/// Text in a fixed buffer, cut where it is full. `core::fmt` would cost more than the rest of a module.
struct Text {
    bytes: [u8; 160],
    len: usize,
}

impl Text {
    fn push(&mut self, more: &[u8]) {
        for (place, byte) in self.bytes.iter_mut().skip(self.len).zip(more) {
            *place = *byte;
            self.len += 1;
        }
    }

    /// What was written, less a character at the end that was cut.
    fn whole_characters(&self) -> &[u8] {
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

    fn push_number(&mut self, mut number: u32) {
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
