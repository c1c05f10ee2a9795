//! Gives a linked module fixed addresses and a minimal ELF header, so that Linux starts it: what
//! MicroPython's loader does (`load_raw_code`, `mp_native_relocate` in `py/persistentcode.c`), done ahead.

use std::fmt;

use micropython_sys::mpy::reloc;

/// Why a module cannot be a program.
#[derive(Debug)]
pub struct ImageError(String);

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the module cannot be made a program: {}", self.0)
    }
}

impl std::error::Error for ImageError {}

/// Where the program is loaded.
const BASE: u32 = 0x0040_0000;
/// The ELF header and one program header.
const HEADERS: u32 = 52 + 32;

/// The ELF program of a 32-bit module for ELF machine `machine`. It starts at the module's entry.
///
/// # Errors
/// A module that is malformed, has several functions, or needs something of MicroPython's.
pub fn image(mpy: &[u8], machine: u16) -> Result<Vec<u8>, ImageError> {
    let mut reader = Reader { rest: mpy };
    reader.take(4)?;
    let qstrs = reader.number()?;
    let objects = reader.number()?;
    if objects != 0 {
        return Err(ImageError("it has constant objects".to_owned()));
    }
    for _ in 0..qstrs {
        // A static one is only a number; any other is followed by its bytes and a NUL.
        let length = reader.number()?;
        if length & 1 == 0 {
            reader.take(length as usize / 2 + 1)?;
        }
    }
    let kind = reader.number()?;
    let mut text = reader.take(kind as usize >> 3)?.to_vec();
    let flags = reader.number()?;
    let flag = |mask| flags & mask != 0;
    let rodata_size = if flag(0x20) { reader.number()? } else { 0 };
    let bss_size = if flag(0x40) { reader.number()? } else { 0 };
    let mut rodata = reader.take(rodata_size as usize)?.to_vec();

    let text_at = BASE + HEADERS;
    let rodata_at = (text_at + text.len() as u32).next_multiple_of(16);
    let bss_at = (rodata_at + rodata_size).next_multiple_of(16);
    if flag(0x10) {
        relocate(
            &mut reader,
            [text_at, rodata_at, bss_at],
            &mut text,
            &mut rodata,
        )?;
    }

    let in_file = rodata_at + rodata_size - BASE;
    let in_memory = bss_at + bss_size - BASE;
    let mut file = Vec::with_capacity(in_file as usize);
    let words = |file: &mut Vec<u8>, words: &[u32]| {
        words
            .iter()
            .for_each(|word| file.extend(word.to_le_bytes()));
    };
    // Elf32_Ehdr: a 32-bit little-endian executable with one program header right behind it.
    file.extend(*b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0");
    words(
        &mut file,
        &[2 | u32::from(machine) << 16, 1, text_at, 52, 0, 0],
    );
    words(&mut file, &[52 | 32 << 16, 1, 0]);
    // Elf32_Phdr: PT_LOAD, everything, readable, writable and executable.
    words(&mut file, &[1, 0, BASE, BASE, in_file, in_memory, 7, 4096]);
    file.extend(text);
    file.resize((rodata_at - BASE) as usize, 0);
    file.extend(rodata);
    Ok(file)
}

fn relocate(
    reader: &mut Reader<'_>,
    [text_at, rodata_at, bss_at]: [u32; 3],
    text: &mut [u8],
    rodata: &mut [u8],
) -> Result<(), ImageError> {
    let (mut in_rodata, mut word) = (false, 0usize);
    loop {
        let op = reader.byte()?;
        if op == 0xff {
            return Ok(());
        }
        if op & 1 != 0 {
            let address = reader.number()?;
            in_rodata = address & 1 != 0;
            word = address as usize >> 1;
        }
        let (add, repeated) = match op >> 1 {
            reloc::TEXT => (text_at, false),
            reloc::TEXT_REPEATED => (text_at, true),
            reloc::RODATA => (rodata_at, false),
            reloc::RODATA_REPEATED => (rodata_at, true),
            reloc::BSS => (bss_at, false),
            reloc::BSS_REPEATED => (bss_at, true),
            other => {
                return Err(ImageError(format!(
                    "it asks for something of MicroPython's (relocation destination {other}); it must define everything itself"
                )));
            }
        };
        let count = if repeated { reader.number()? } else { 1 };
        for _ in 0..count {
            let block = if in_rodata { &mut *rodata } else { &mut *text };
            let bytes = block
                .get_mut(word * 4..)
                .and_then(|rest| rest.first_chunk_mut())
                .ok_or_else(|| ImageError("a relocation outside of it".to_owned()))?;
            *bytes = u32::from_le_bytes(*bytes).wrapping_add(add).to_le_bytes();
            word += 1;
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], ImageError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or_else(|| ImageError("the file is cut off".to_owned()))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ImageError> {
        Ok(self.take(1)?[0])
    }

    /// Base 128, most significant part first.
    fn number(&mut self) -> Result<u32, ImageError> {
        let mut number = 0u32;
        loop {
            let byte = self.byte()?;
            if number >> 25 != 0 {
                return Err(ImageError("a number that is too large".to_owned()));
            }
            number = number << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_gets_addresses() {
        // One qstr (static 1), text of 8 bytes, rodata of 4, bss of 4. Text word 1 holds an offset in rodata,
        // rodata word 0 one in bss.
        let mut mpy = b"M\x06\x2b\x1f\x01\x00\x03".to_vec();
        mpy.extend([8 << 3 | 2, 0x06, 0, 0, 0, 2, 0, 0, 0]);
        mpy.extend([0x70, 4, 4, 3, 0, 0, 0]);
        mpy.extend([reloc::RODATA << 1 | 1, 1 << 1, reloc::BSS << 1 | 1, 1, 0xff]);
        let file = image(&mpy, 94).expect("a program");
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(word(18) as u16, 94, "machine");
        assert_eq!(word(24), BASE + 84, "entry");
        // Text at 84 to 92, rodata at 96, bss at 112.
        assert_eq!(word(88), BASE + 96 + 2);
        assert_eq!(word(96), BASE + 112 + 3);
        assert_eq!((word(52 + 16), word(52 + 20)), (100, 116), "sizes");
        assert_eq!(file.len(), 100);
    }

    #[test]
    fn what_needs_micropython_is_no_program() {
        let mut mpy = b"M\x06\x2b\x1f\x01\x00\x03".to_vec();
        mpy.extend([4 << 3 | 2, 0, 0, 0, 0, 0x10]);
        mpy.extend([reloc::FUN_TABLE << 1 | 1, 0, 0xff]);
        let error = image(&mpy, 94).expect_err("it asks for the function table");
        assert!(error.to_string().contains("destination 8"), "{error}");
        assert!(image(&mpy[..9], 94).is_err(), "cut off");
    }
}
