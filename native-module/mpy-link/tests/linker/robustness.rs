//! Thousands of damaged objects, archives and .mpy files: an error or a result, never a panic.
//!
//! The damage comes from a generator with fixed seeds, so a failure repeats.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::damage::Random;
use crate::peak::{bound, peak};
use crate::support::{BOARDS, archive, gcc, rustc, scratch, skip};
use mpy_link::{Arch, Input, LinkOptions, dump, link};

/// A damaged copy, by one to five changes of either kind.
fn damaged(random: &mut Random, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(4) {
        if random.below(2) == 0 || !random.damage_elf(&mut bytes) {
            damage_anywhere(random, &mut bytes);
        }
    }
    bytes
}

fn damage_anywhere(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(6) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => bytes[at] = [0, 0x7f, 0x80, 0xff][random.below(4)],
        // Whole fields: sizes, offsets and indices of a file's tables.
        3 => {
            let value = [0, 1, u64::MAX, i64::MIN as u64, 1 << 31, random.next()][random.below(6)];
            let width = [2, 4, 8][random.below(3)];
            let at = at & !(width - 1);
            if let Some(field) = bytes.get_mut(at..at + width) {
                field.copy_from_slice(&value.to_le_bytes()[..width]);
            }
        }
        4 => bytes.truncate(at),
        _ => {
            let from = random.below(bytes.len());
            let length = random
                .below(32)
                .min(bytes.len() - at)
                .min(bytes.len() - from);
            bytes.copy_within(from..from + length, at);
        }
    }
}

fn survives<T>(what: &str, round: u64, bytes: &[u8], work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("panicked.bin");
        fs::write(&file, bytes).expect("the culprit can be kept");
        panic!(
            "{what}, round {round}, panics; the bytes are in {}",
            file.display()
        );
    })
}

fn hammer(name: &str, original: &[u8], rounds: u64) {
    hammer_for(Arch::X64, name, original, rounds);
}

/// Damages an object at random and links it, again and again: an error or a file, never a panic.
pub fn hammer_for(arch: Arch, name: &str, original: &[u8], rounds: u64) {
    let options = LinkOptions::new(arch, "damaged.py");
    let mut linked = 0;
    for round in 0..rounds {
        let bytes = damaged(&mut Random::new(round), original);
        let input = [Input {
            name: name.to_owned(),
            bytes,
        }];
        let (result, most) = survives(name, round, &input[0].bytes, || {
            peak(|| link(&options, &input))
        });
        let size = input[0].bytes.len();
        assert!(
            most <= bound(size),
            "{name}, round {round}: {most} bytes for a file of {size}"
        );
        match result {
            // What links has to be a file that the dump can read.
            Ok(result) => {
                linked += 1;
                let read = survives(name, round, &result.mpy, || dump(&result.mpy));
                assert!(read.is_ok(), "{name}, round {round}: {read:?}");
            }
            Err(error) => {
                let text = survives(name, round, &[], || error.to_string());
                assert!(!text.is_empty());
            }
        }
    }
    assert!(
        linked > 0 && linked < rounds,
        "{name}: {linked} of {rounds} linked: the damage is none or total"
    );
}

#[test]
fn damaged_objects() {
    let folder = scratch("robustness-objects");
    let flags = [
        "-fPIC",
        "-O2",
        "-ffunction-sections",
        "-fdata-sections",
        "-fcommon",
    ];
    for source in [
        "statics.c",
        "pointers.c",
        "weak.c",
        "init_array.c",
        "qstrs.c",
    ] {
        let object = gcc(&folder, source, &flags);
        hammer(source, &fs::read(object).expect("the object"), 1000);
    }
    let object = gcc(&folder, "bad_range.S", &[]);
    let mut bytes = fs::read(object).expect("the object");
    // Make the constant fit, so that the undamaged file links.
    let wide = 0x1_2345_6789u64.to_le_bytes();
    let at = bytes
        .windows(8)
        .position(|window| window == wide)
        .expect("the constant");
    bytes[at..at + 8].copy_from_slice(&5u64.to_le_bytes());
    hammer("bad_range.S", &bytes, 1000);
}

#[test]
fn damaged_objects_for_boards() {
    for board in BOARDS {
        let folder = scratch(&format!("robustness-{}", board.name));
        for source in [
            "statics_plain.c",
            "pointers.c",
            "jump_table.c",
            "init_array.c",
        ] {
            match board.compile(&folder, source, &["-O2", "-fpic"]) {
                Ok(object) => {
                    let bytes = fs::read(object).expect("the object");
                    let name = format!("{} {source}", board.name);
                    hammer_for(board.arch, &name, &bytes, 1000);
                }
                Err(reason) => skip(&format!("damaged {source} for {}", board.name), &reason),
            }
        }
    }
}

#[test]
fn damaged_archives() {
    let folder = scratch("robustness-archives");
    let flags = ["-fPIC", "-O2"];
    let members: Vec<_> = ["archive.c", "archive_first.c", "archive_second.c"]
        .iter()
        .map(|part| gcc(&folder, part, &flags))
        .collect();
    let file = folder.join("libparts.a");
    archive(&file, "rcs", &members);
    hammer("libparts.a", &fs::read(&file).expect("the archive"), 1000);
}

#[test]
fn damaged_rust_objects() {
    let folder = scratch("robustness-rust");
    let object = rustc(&folder, "rust_static_only.rs", "obj", &["-O"]);
    hammer(
        "rust_static_only.rs",
        &fs::read(object).expect("the object"),
        1000,
    );
}

#[test]
fn damaged_mpy_files() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mpy");
    let mut originals = Vec::new();
    for entry in fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "mpy") {
            originals.push(fs::read(path).expect("the fixture"));
        }
    }
    let folder = scratch("robustness-mpy");
    let object = gcc(&folder, "pointers.c", &["-fPIC", "-O2"]);
    let input = Input {
        name: "pointers.o".to_owned(),
        bytes: fs::read(object).expect("the object"),
    };
    originals.push(
        link(&LinkOptions::new(Arch::X64, "x.py"), &[input])
            .expect("it links")
            .mpy,
    );
    let (mut good, mut bad) = (0, 0);
    for (index, original) in originals.iter().enumerate() {
        for round in 0..4000 {
            let bytes = damaged(&mut Random::new(round), original);
            let result = survives("a .mpy", round + index as u64 * 10_000, &bytes, || {
                dump(&bytes).map(|dump| dump.to_string().len() + format!("{dump:?}").len())
            });
            if result.is_ok() { good += 1 } else { bad += 1 }
        }
    }
    assert!(good > 100 && bad > 100, "{good} read, {bad} refused");
}
