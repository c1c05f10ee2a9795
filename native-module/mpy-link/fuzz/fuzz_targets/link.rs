//! Links damaged objects and archives for every architecture: an error or a file that `dump` can read, never a
//! panic, and never more memory than a multiple of the input.
//!
//! ```text
//! architecture (1)  options (1)  size of the first input (4, little-endian)  first input  second input
//! ```
#![no_main]

#[path = "../../tests/linker/damage.rs"]
mod damage;
#[path = "../../tests/linker/peak.rs"]
mod peak;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use mpy_link::{Arch, Input, LinkOptions};

use damage::Random;

const HEAD: usize = 6;

fuzz_target!(|bytes: &[u8]| {
    let Some((head, files)) = bytes.split_at_checked(HEAD) else {
        return;
    };
    let arch = Arch::ALL[usize::from(head[0]) % Arch::ALL.len()];
    let mut options = LinkOptions::new(arch, "fuzzed.py");
    if head[1] & 1 != 0 {
        options.keep = vec!["kept".to_owned()];
    }
    if head[1] & 2 != 0 {
        options.qstrs = vec!["eins".to_owned(), "zwei".to_owned()];
    }
    if head[1] & 4 != 0 {
        options.externs = vec![("rom_function".to_owned(), 0x4000_1234)];
    }
    if head[1] & 8 != 0 {
        options.arch_flags = 1;
    }
    let first = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
    let (first, second) = files.split_at(first.min(files.len()));
    let inputs: Vec<Input> = [first, second]
        .into_iter()
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| Input {
            name: "fuzzed.o".to_owned(),
            bytes: bytes.to_vec(),
        })
        .collect();
    let (result, most) = peak::peak(|| mpy_link::link(&options, &inputs));
    assert!(
        most <= peak::bound(files.len()),
        "{most} bytes for a file of {}",
        files.len()
    );
    match result {
        Ok(linked) => {
            if let Err(error) = mpy_link::dump(&linked.mpy) {
                panic!("what was linked cannot be read: {error}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

// Half of the changes go to the tables of an ELF file, which changes anywhere rarely hit to any effect.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(seed.into());
    if size > HEAD && random.below(2) == 0 && random.damage_elf(&mut data[HEAD..size]) {
        return size;
    }
    fuzzer_mutate(data, size, max_size)
});
