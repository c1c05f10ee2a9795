//! A Rust panic becomes a Python RuntimeError with file and line.

use core::panic::PanicInfo;

use crate::{Error, Obj, qstr};

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
    // Paths and messages are UTF-8; the cut at the end may split a character, which `valid_up_to` drops.
    let bytes = &text.bytes[..text.len];
    let text = match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("Rust panic"),
    };
    let class = Obj::global(qstr!("RuntimeError"));
    Error::instance(class.call(&[Obj::from_text(text)])).raise()
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

    fn push_number(&mut self, mut number: u32) {
        let mut digits = [0; 10];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 || at == 0 {
                break;
            }
        }
        self.push(&digits[at..]);
    }
}
