//! Writes the .mpy file: header, qstrs, text, rodata and the list of relocations
//! (`py/persistentcode.c`, and the drawing in [`micropython_sys::mpy`]).

use micropython_sys::mpy;
use micropython_sys::qstr::STATIC_QSTRS;

use crate::LinkOptions;
use crate::destination::Destination;
use crate::image::{Image, LoadRelocation};

pub(crate) fn write(options: &LinkOptions, image: &Image<'_>) -> Vec<u8> {
    let mut file = Vec::with_capacity(image.text.len() + image.rodata.len() + 256);
    file.extend([
        mpy::MPY_MAGIC,
        mpy::MPY_VERSION,
        options.arch.number() << mpy::ARCH_SHIFT
            | mpy::MPY_SUB_VERSION
            | if options.arch_flags == 0 {
                0
            } else {
                mpy::ARCH_FLAGS
            },
        mpy::SMALL_INT_BITS,
    ]);
    if options.arch_flags != 0 {
        put_uint(&mut file, options.arch_flags as usize);
    }
    put_uint(&mut file, image.qstrs.len() + 1);
    // No object table: a module makes its objects itself.
    put_uint(&mut file, 0);
    put_qstr(&mut file, &options.source_name);
    for qstr in &image.qstrs {
        put_qstr(&mut file, qstr);
    }

    put_uint(
        &mut file,
        image.text.len() << mpy::RAW_CODE_LEN_SHIFT | mpy::RAW_CODE_KIND_VIPER,
    );
    file.extend(&image.text);
    let mut flags = 0;
    let rodata = !image.rodata.is_empty();
    let bss = image.bss_size > 0;
    if !image.relocations.is_empty() {
        flags |= mpy::MP_SCOPE_FLAG_VIPERRELOC;
    }
    if rodata {
        flags |= mpy::MP_SCOPE_FLAG_VIPERRODATA;
    }
    if bss {
        flags |= mpy::MP_SCOPE_FLAG_VIPERBSS;
    }
    put_uint(&mut file, flags);
    if rodata {
        put_uint(&mut file, image.rodata.len());
    }
    if bss {
        put_uint(&mut file, image.bss_size as usize);
    }
    file.extend(&image.rodata);
    if !image.relocations.is_empty() {
        put_relocations(&mut file, &image.relocations);
    }
    file
}

/// Big-endian base 128, all bytes but the last with the high bit set.
fn put_uint(file: &mut Vec<u8>, value: usize) {
    let digits = (usize::BITS - value.leading_zeros()).div_ceil(7).max(1);
    for digit in (0..digits).rev() {
        let more = if digit > 0 { 0x80 } else { 0 };
        file.push((value >> (7 * digit)) as u8 & 0x7f | more);
    }
}

fn put_qstr(file: &mut Vec<u8>, text: &str) {
    // Index 0 of the list stands for no string at all.
    match STATIC_QSTRS.iter().skip(1).position(|known| *known == text) {
        Some(position) => put_uint(file, (position + 1) << 1 | 1),
        None => {
            put_uint(file, text.len() << 1);
            file.extend(text.as_bytes());
            file.push(0);
        }
    }
}

/// One op for each run of neighbouring words with the same destination.
fn put_relocations(file: &mut Vec<u8>, relocations: &[LoadRelocation]) {
    let mut rest = relocations;
    // Where the loader's pointer stands after the last op.
    let mut next: Option<(bool, u64)> = None;
    while let Some(first) = rest.first() {
        let run = if first.destination.can_repeat() {
            rest.iter()
                .zip(first.word..)
                .take_while(|(relocation, word)| {
                    relocation.word == *word
                        && relocation.in_rodata == first.in_rodata
                        && relocation.destination == first.destination
                })
                .count()
        } else {
            1
        };
        put_run(
            file,
            first.destination,
            run,
            (next != Some((first.in_rodata, first.word))).then_some(first),
        );
        next = Some((first.in_rodata, first.word + run as u64));
        rest = &rest[run..];
    }
    file.push(mpy::reloc::END);
}

fn put_run(
    file: &mut Vec<u8>,
    destination: Destination,
    run: usize,
    address: Option<&LoadRelocation>,
) {
    file.push(
        destination.op(run > 1) << 1
            | if address.is_some() {
                mpy::reloc::HAS_ADDRESS
            } else {
                0
            },
    );
    if let Some(address) = address {
        let in_rodata = if address.in_rodata {
            mpy::reloc::ADDRESS_IN_RODATA
        } else {
            0
        };
        put_uint(file, (address.word as usize) << 1 | in_rodata);
    }
    if run > 1 {
        put_uint(file, run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uints_are_big_endian_base_128() {
        for (value, bytes) in [
            (0, &[0][..]),
            (0x7f, &[0x7f]),
            (0x80, &[0x81, 0x00]),
            (0x3fff, &[0xff, 0x7f]),
            (0x4000, &[0x81, 0x80, 0x00]),
        ] {
            let mut file = Vec::new();
            put_uint(&mut file, value);
            assert_eq!(file, bytes, "{value:#x}");
        }
    }

    #[test]
    fn qstrs_that_every_micropython_has_go_by_number() {
        // `makeqstrdata.py` counts its list from 1: the empty string, then __dir__.
        for (text, bytes) in [
            ("", &[0x03][..]),
            ("__dir__", &[0x05]),
            ("ab", &[0x04, b'a', b'b', 0]),
        ] {
            let mut file = Vec::new();
            put_qstr(&mut file, text);
            assert_eq!(file, bytes, "{text:?}");
        }
    }

    #[test]
    fn relocations_in_a_row_share_an_address_and_a_count() {
        let at = |in_rodata, word, destination| LoadRelocation {
            in_rodata,
            word,
            destination,
        };
        let mut file = Vec::new();
        put_relocations(
            &mut file,
            &[
                at(false, 3, Destination::Text),
                at(false, 4, Destination::Text),
                at(false, 5, Destination::Text),
                at(false, 6, Destination::FunctionTable),
                at(false, 7, Destination::TableEntry(51)),
                at(false, 8, Destination::TableEntry(51)),
                at(true, 9, Destination::Bss),
            ],
        );
        let expected = [
            1 << 1 | 1, // text, repeated, with an address:
            3 << 1,
            3,
            8 << 1,
            60 << 1,
            60 << 1,
            4 << 1 | 1, // bss, with an address in rodata:
            9 << 1 | 1,
            0xff,
        ];
        assert_eq!(file, expected);
    }
}
