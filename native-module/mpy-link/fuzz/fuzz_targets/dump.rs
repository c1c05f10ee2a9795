//! Shows damaged .mpy files: an error or text, never a panic, and never more memory than a multiple of the file.
#![no_main]

#[path = "../../tests/linker/peak.rs"]
mod peak;

use std::fmt::Write;

use libfuzzer_sys::fuzz_target;

/// Counts text and keeps none.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (result, most) = peak::peak(|| mpy_link::dump(bytes));
    assert!(
        most <= peak::bound(bytes.len()),
        "{most} bytes for a file of {}",
        bytes.len()
    );
    match result {
        Ok(dump) => {
            let mut length = Length(0);
            let (written, most) = peak::peak(|| write!(length, "{dump}"));
            assert!(written.is_ok() && length.0 > 0);
            assert!(
                most <= peak::bound(bytes.len()),
                "{most} bytes to write the text"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
