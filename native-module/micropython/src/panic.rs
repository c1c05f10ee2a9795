//! A Rust panic becomes a Python RuntimeError with file and line.

use core::panic::PanicInfo;

use crate::text::Text;
use crate::{Error, Obj};

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let mut text = Text::new();
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
