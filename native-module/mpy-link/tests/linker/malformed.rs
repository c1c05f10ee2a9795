//! Malformed objects and archives, each damaged in one known way: the error names object, section, symbol and offset
//! as far as there are any, and the way out; and no file makes the linker take more memory than a multiple of itself.

use crate::elf::{
    ALLOC, EXEC, Elf, GLOBAL, GROUP, PROGBITS, Section, Symbol, WRITE, archive, indexed_archive,
    symbol,
};
use crate::peak::{bound, peak};
use mpy_link::{Arch, Input, LinkError, LinkOptions, Linked, dump, link};

/// R_X86_64_64 and R_X86_64_PC32 (System V ABI for AMD64).
const R_64: u32 = 1;
const R_PC32: u32 = 2;

fn link_as(arch: Arch, files: &[(&str, Vec<u8>)]) -> Result<Linked, LinkError> {
    let inputs: Vec<Input> = files
        .iter()
        .map(|(name, bytes)| Input {
            name: (*name).to_owned(),
            bytes: bytes.clone(),
        })
        .collect();
    let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let options = LinkOptions::new(arch, "m.py");
    let (result, most) = peak(|| link(&options, &inputs));
    assert!(
        most <= bound(size),
        "{most} bytes for {size} bytes of files"
    );
    result
}

#[track_caller]
fn assert_error(files: &[(&str, Vec<u8>)], expected: &str) {
    match link_as(Arch::X64, files) {
        Ok(_) => panic!("it links instead of: {expected}"),
        Err(error) => assert_eq!(error.to_string(), expected),
    }
}

/// One change to an object that links, and what it leads to.
#[track_caller]
fn changed(change: impl FnOnce(&mut Elf), expected: &str) {
    let mut elf = Elf::new();
    change(&mut elf);
    assert_error(&[("m.o", elf.bytes())], expected);
}

#[test]
fn the_unchanged_object_links() {
    let linked = link_as(Arch::X64, &[("m.o", Elf::new().bytes())]).expect("it links");
    assert_eq!(linked.sizes.text, 16);
    let library = archive(&[("m.o", &Elf::new().bytes())]);
    link_as(Arch::X64, &[("libm.a", library)]).expect("it links from an archive");
}

#[test]
fn sections_out_of_bounds() {
    changed(
        |elf| elf.sections[0].claimed = (Some(1 << 20), None),
        "m.o: malformed: section .text: its bytes lie outside the file; compile it again",
    );
    changed(
        |elf| elf.sections[0].claimed = (Some(u64::MAX), Some(2)),
        "m.o: malformed: section .text: its bytes lie outside the file; compile it again",
    );
    changed(
        |elf| elf.sections[0].claimed = (None, Some(1 << 40)),
        "m.o: malformed: section .text: larger than 1 GiB; compile it again",
    );
    changed(
        |elf| elf.sections[0].align = 24,
        "m.o: malformed: section .text: alignment 24 is not a power of two; compile it again",
    );
    changed(
        |elf| elf.sections[0].align = 8192,
        "m.o: section .text: alignment 8192, but text is only aligned to 4096 bytes; lower the alignment, or compile with -malign-data=abi if it was the compiler's own choice",
    );
    changed(
        |elf| elf.sections[0].name_at = Some(9999),
        "m.o: malformed: section  (number 1): Invalid ELF section name offset; compile it again",
    );
    changed(
        |elf| elf.sections[0].name = b".te\xff".to_vec(),
        "m.o: malformed: the name of section 1 is not UTF-8; compile it again",
    );
    changed(
        |elf| elf.sections[0].kind = 0x6000_1234,
        "m.o: section .text: unknown section type 0x60001234; compile without special section attributes",
    );
    changed(
        |elf| elf.sections[0].flags |= 1 << 20,
        "m.o: section .text: unknown section flags 0x100000; compile with the small code model and no special section attributes",
    );
    changed(
        |elf| elf.sections[0].flags |= WRITE,
        "m.o: section .text: code that is also writable; keep data in sections of its own",
    );
}

#[test]
fn sections_that_overlap() {
    let mut elf = Elf::new();
    let whole = elf.bytes().len() as u64;
    for _ in 0..2 {
        let mut section = Section::new(".data", PROGBITS, ALLOC | WRITE, &[]);
        section.claimed = (Some(0), Some(whole));
        elf.sections.push(section);
    }
    let bytes = elf.bytes();
    let expected = format!(
        "m.o: malformed: its sections overlap: together they have {} bytes, and the file has {}; compile it again",
        // Text, the two, symbols, and both tables of names.
        16 + 2 * whole + 48 + 10 + 56,
        bytes.len()
    );
    assert_error(&[("m.o", bytes)], &expected);
}

#[test]
fn symbols_that_lead_nowhere() {
    let one = |change: fn(&mut Symbol)| {
        move |elf: &mut Elf| {
            elf.symbols.push(symbol("odd", 1));
            change(&mut elf.symbols[1]);
        }
    };
    changed(
        one(|symbol| symbol.section = 77),
        "m.o: malformed: symbol odd: no section 77; compile it again",
    );
    changed(
        one(|symbol| symbol.section = 0xff42),
        "m.o: malformed: symbol odd: reserved section number 0xff42; compile it again",
    );
    changed(
        one(|symbol| symbol.info = 7 << 4),
        "m.o: malformed: symbol odd: unknown binding 7; compile it again",
    );
    changed(
        one(|symbol| symbol.name_at = Some(9999)),
        "m.o: malformed: symbol 2: Invalid ELF symbol name offset; compile it again",
    );
    changed(
        one(|symbol| symbol.name = b"\xff".to_vec()),
        "m.o: malformed: the name of symbol 2 is not UTF-8; compile it again",
    );
    changed(
        one(|symbol| (symbol.section, symbol.value) = (0xfff2, 3)),
        "m.o: malformed: common symbol odd: size 0, alignment 3; compile it again",
    );
    changed(
        one(|symbol| (symbol.section, symbol.value, symbol.size) = (0xfff2, 8, 1 << 40)),
        "m.o: malformed: common symbol odd: size 1099511627776, alignment 8; compile it again",
    );
}

#[test]
fn relocations_that_lead_nowhere() {
    changed(
        |elf| elf.relocations.push((4, 99, R_64, 0)),
        "m.o: malformed: section .text+0x4: relocation for symbol 99, which does not exist; compile it again",
    );
    changed(
        |elf| elf.relocations.push((9, 1, R_64, 0)),
        "m.o: malformed: section .text+0x9: relocation outside the section; compile it again",
    );
    changed(
        |elf| elf.relocations.push((u64::MAX, 1, R_64, 0)),
        "m.o: malformed: section .text+0xffffffffffffffff: relocation outside the section; compile it again",
    );
    changed(
        |elf| elf.relocations.push((0, 1, 200, 0)),
        "m.o: .text+0x0 (in mpy_init): an unknown relocation for mpy_init: relocation number 200 is not known for x64; compile with relocation-model=pic (rustc) or -fPIC (gcc) and no special code model",
    );
    changed(
        |elf| {
            elf.symbols.push(symbol("absent", 0));
            elf.relocations.push((4, 2, R_PC32, -4));
        },
        "m.o: .text+0x4 (in mpy_init): undefined symbol absent; add the object or archive that defines it",
    );
    changed(
        |elf| {
            let mut table = Section::new(".rela.more", crate::elf::RELA, 0, &[0; 24]);
            (table.link, table.info, table.entry) = (3, 1, 24);
            table.claimed = (Some(1 << 30), None);
            elf.sections.push(table);
        },
        "m.o: malformed: section .rela.more (number 2): Invalid ELF relocation section offset or size; compile it again",
    );
}

#[test]
fn groups_that_lead_nowhere() {
    let group = |members: [u32; 2], signature: u32| {
        let bytes: Vec<u8> = members.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut section = Section::new(".group", GROUP, 0, &bytes);
        (section.link, section.info, section.entry, section.align) = (3, signature, 4, 4);
        section
    };
    changed(
        |elf| elf.sections.push(group([1, 1], 99)),
        "m.o: malformed: section .group (number 2): Invalid ELF symbol index; compile it again",
    );
    // Members are looked at where a second object has the same group.
    let mut elf = Elf::new();
    elf.sections.push(group([1, 99], 1));
    let mut other = elf.clone();
    other.symbols[0].section = 0;
    assert_error(
        &[("m.o", elf.bytes()), ("n.o", other.bytes())],
        "n.o: malformed: COMDAT group names section 99, which does not exist; compile it again",
    );
}

/// Cut off anywhere, an object does not link: its section headers come last.
#[test]
fn truncated_objects() {
    let whole = Elf::new().bytes();
    for length in 0..whole.len() {
        let error = link_as(Arch::X64, &[("m.o", whole[..length].to_vec())]).expect_err("cut off");
        let text = error.to_string();
        let expected = match length {
            0..5 => {
                "m.o: neither an ELF object nor an archive; give ELF objects (.o) or archives (.a, .rlib)"
            }
            5..64 => "m.o: malformed: Invalid ELF header size or alignment; compile it again",
            _ => {
                "m.o: malformed: Invalid ELF section header offset/size/alignment; compile it again"
            }
        };
        assert_eq!(text, expected, "{length} bytes");
    }
}

/// Cut off at every byte. Where only whole members are left it is an archive still, and something is undefined.
#[test]
fn truncated_archives() {
    let part = |name: &str| {
        let mut elf = Elf::new();
        elf.symbols[0] = symbol(name, 1);
        elf.bytes()
    };
    let mut main = Elf::new();
    main.symbols.extend([symbol("one", 0), symbol("two", 0)]);
    main.relocations
        .extend([(1, 2, R_PC32, -4), (8, 3, R_PC32, -4)]);
    let (one, two) = (part("one"), part("two"));
    let library = archive(&[("one.o", &one), ("a_longer_name_than_16.o", &two)]);
    let all = |library: &[u8]| {
        link_as(
            Arch::X64,
            &[("m.o", main.bytes()), ("lib.a", library.to_vec())],
        )
    };
    all(&library).expect("the whole archive links");
    // The magic, the table of names, the first member.
    let names = 8 + 60 + 26;
    let first = names + 60 + one.len();
    assert_eq!(first + 60 + two.len(), library.len());
    for length in 0..library.len() {
        let text = all(&library[..length]).expect_err("cut off").to_string();
        let undefined = |name, at| {
            format!(
                "m.o: .text+{at} (in mpy_init): undefined symbol {name}; add the object or archive that defines it"
            )
        };
        let expected = match length {
            0..8 => "lib.a: neither an ELF object nor an archive; give ELF objects (.o) or archives (.a, .rlib)".to_owned(),
            // The table of names has an odd size and so a byte of padding.
            _ if [8, names - 1, names].contains(&length) => {
                undefined("one", "0x1") + "\n" + &undefined("two", "0x8")
            }
            _ if length == first => undefined("two", "0x8"),
            _ => {
                let what = if length < 8 + 60 {
                    "Invalid archive member header"
                } else if length < names {
                    "Archive member size is too large"
                } else if length < names + 60 {
                    "Invalid archive member header"
                } else if length < first {
                    "one.o: Archive member size is too large"
                } else if length < first + 60 {
                    "behind one.o: Invalid archive member header"
                } else {
                    "a_longer_name_than_16.o: Archive member size is too large"
                };
                format!("lib.a: malformed archive: {what}; it may be cut off: make it again with ar, or copy it again")
            }
        };
        assert_eq!(text, expected, "{length} bytes");
    }
}

#[test]
fn malformed_members_are_named() {
    let mut elf = Elf::new();
    elf.symbols.push(symbol("odd", 77));
    assert_error(
        &[("lib.a", archive(&[("m.o", &elf.bytes())]))],
        "lib.a(m.o): malformed: symbol odd: no section 77; compile it again",
    );
    elf.symbols[1].name_at = Some(9999);
    assert_error(
        &[("lib.a", archive(&[("m.o", &elf.bytes())]))],
        "lib.a(m.o): malformed: symbol 2: Invalid ELF symbol name offset; compile it again",
    );
    assert_error(
        &[("lib.a", archive(&[("m.txt", b"text")]))],
        "lib.a(m.txt): neither an ELF object nor an archive; give ELF objects (.o) or archives (.a, .rlib)",
    );
    assert_error(
        &[(
            "lib.a",
            archive(&[(&"m".repeat(1025), &Elf::new().bytes())]),
        )],
        "lib.a: malformed archive: a member's name has 1025 bytes; the limit is 1024; it may be cut off: make it again with ar, or copy it again",
    );
}

/// The index says which member defines what. Where it is wrong, a link that needs it says so.
#[test]
fn wrong_indexes() {
    let elf = Elf::new().bytes();
    let library = |index: &[(&[u8], u32)]| indexed_archive(index, &[("m.o", &elf)]);
    // The index has 60 bytes of header, two numbers, and the name.
    let at = 8 + 60 + 8 + 10;
    link_as(Arch::X64, &[("lib.a", library(&[(b"mpy_inits", at)]))])
        .expect_err("it names something else");
    link_as(Arch::X64, &[("lib.a", library(&[(b"mpy_init\0", at)]))]).expect("it links");
    assert_error(
        &[("lib.a", library(&[(b"mpy_init\0", at + 2)]))],
        "lib.a: malformed archive: its index says that mpy_init is at offset 0x58, where no member is; it may be cut off: make it again with ar, or copy it again",
    );
    assert_error(
        &[("lib.a", library(&[(b"mpy_init\xff", at)]))],
        "lib.a: malformed archive: the name of a symbol in its index is not UTF-8; it may be cut off: make it again with ar, or copy it again",
    );
    // A member that the index promises a symbol of, and that has none.
    let promised = [(
        "lib.a",
        indexed_archive(&[(b"absent\0\0\0", at)], &[("m.o", &elf)]),
    )];
    assert_error(
        &promised,
        "undefined symbol mpy_init; add the object or archive that defines it",
    );
    let mut count = library(&[(b"mpy_init\0", at)]);
    count[8 + 60] = 0x7f;
    assert_error(
        &[("lib.a", count)],
        "lib.a: malformed archive: Invalid archive symbol table; it may be cut off: make it again with ar, or copy it again",
    );
}

/// Every architecture refuses every other one's objects, and those of either wrong width or byte order.
#[test]
fn wrong_machine() {
    // e_machine and bits, by what the architectures of MicroPython have (System V ABI, `elf.h`).
    let own = |arch: Arch| match arch {
        Arch::X86 => (3, 32),
        Arch::X64 => (62, 64),
        Arch::Xtensa | Arch::Xtensawin => (94, 32),
        Arch::Rv32imc => (243, 32),
        Arch::Rv64imc => (243, 64),
        _ => (40, 32),
    };
    let object = |machine: u16, bits: usize, byte_order: u8| {
        let mut file = vec![0; if bits == 64 { 64 } else { 52 }];
        file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', (bits / 32) as u8, byte_order, 1]);
        let half = |value: u16| match byte_order {
            1 => value.to_le_bytes(),
            _ => value.to_be_bytes(),
        };
        file[16..18].copy_from_slice(&half(1));
        file[18..20].copy_from_slice(&half(machine));
        file
    };
    let mut refused = 0;
    for arch in Arch::ALL {
        for (machine, bits) in [
            (3, 32),
            (62, 64),
            (40, 32),
            (94, 32),
            (243, 32),
            (243, 64),
            (183, 64),
            (8, 32),
        ] {
            for byte_order in [1, 2] {
                let result = link_as(arch, &[("m.o", object(machine, bits, byte_order))]);
                let text = result.expect_err("there is nothing in it").to_string();
                if (machine, bits) == own(arch) && byte_order == 1 {
                    assert!(!text.contains("ELF machine"), "{}: {text}", arch.name());
                    continue;
                }
                let order = if byte_order == 2 { "big" } else { "little" };
                let name = arch.name();
                assert_eq!(
                    text,
                    format!(
                        "m.o: made for ELF machine {machine} with {bits} bits, {order}-endian, but the module is for {name}; compile it for {name} or choose another --arch"
                    )
                );
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 12 * 15);
    assert_error(
        &[("lib.a", archive(&[("m.o", &object(40, 32, 1))]))],
        "undefined symbol mpy_init; add the object or archive that defines it",
    );
}

/// Files that name the same bytes again and again. `link_as` measures.
#[test]
fn memory_stays_within_a_multiple_of_the_file() {
    let long = "x".repeat(20_000);

    // Every symbol has the same long name.
    let mut elf = Elf::new();
    elf.symbols.push(symbol(&long, 1));
    for _ in 0..4000 {
        elf.symbols.push(Symbol {
            name_at: Some(10),
            info: 0,
            size: 1,
            ..symbol("", 1)
        });
    }
    let names_overlap = "m.o: malformed: the names of sections and symbols overlap: together they are more than 16 times as long as the file; compile it again";
    assert_error(&[("m.o", elf.bytes())], names_overlap);
    assert_error(
        &[(
            "lib.a",
            archive(&[("m.o", &{
                for symbol in &mut elf.symbols {
                    symbol.info = GLOBAL;
                }
                elf.bytes()
            })]),
        )],
        &names_overlap.replace("m.o", "lib.a(m.o)"),
    );

    // Every section has.
    let mut elf = Elf::new();
    elf.sections
        .push(Section::new(&long, PROGBITS, ALLOC | EXEC, &[]));
    for _ in 0..2000 {
        let mut section = Section::new("", PROGBITS, ALLOC | EXEC, &[]);
        section.name_at = Some(7);
        elf.sections.push(section);
    }
    assert_error(&[("m.o", elf.bytes())], names_overlap);

    // Undefined symbols in a section with a long name: each could be shown with its place.
    let long = long.repeat(2);
    let mut elf = Elf::new();
    elf.sections[0] = Section::new(&long, PROGBITS, ALLOC | EXEC, &[0xc3; 8008]);
    for index in 0..1000 {
        elf.symbols.push(symbol(&format!("absent{index:03}"), 0));
        elf.relocations
            .push((index * 8, index as u32 + 2, R_PC32, -4));
    }
    let text = link_as(Arch::X64, &[("m.o", elf.bytes())])
        .expect_err("undefined")
        .to_string();
    assert_eq!(text.lines().count(), 21);
    assert!(text.ends_with("\nand 980 more undefined symbols"), "{text}");

    // A gigabyte of zeros costs nothing, and two do not fit.
    let mut elf = Elf::new();
    for index in 1..=2 {
        let mut section = Section::new(".bss", crate::elf::NOBITS, ALLOC | WRITE, &[]);
        section.claimed = (None, Some(1 << 30));
        section.flags |= 1 << 21;
        elf.sections.push(section);
        let result = link_as(Arch::X64, &[("m.o", elf.bytes())]);
        match result {
            Ok(linked) => assert_eq!((index, linked.sizes.bss), (1, 1 << 30)),
            Err(error) => {
                assert_eq!(index, 2);
                assert_eq!(
                    error.to_string(),
                    "the module's bss would be 2147483648 bytes; the limit is 1073741824"
                );
            }
        }
    }
}

/// .mpy files that say the same string again and again.
#[test]
fn memory_of_a_dump_stays_within_a_multiple_of_the_file() {
    let uint = |value: usize| {
        let mut bytes = vec![(value & 0x7f) as u8];
        let mut rest = value >> 7;
        while rest > 0 {
            bytes.insert(0, (rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes
    };
    // A file of bytecode whose one qstr names the function and each of its children.
    let file = |name: usize, children: usize| {
        let mut file = b"M\x06\x03\x1f\x01\x00".to_vec();
        file.extend(uint(name << 1));
        file.extend(vec![b'n'; name]);
        file.push(0);
        // Three bytes of code with children; a prelude that names qstr 0.
        file.push(3 << 3 | 4);
        file.extend([0, 0, 0]);
        file.extend(uint(children));
        for _ in 0..children {
            file.extend([3 << 3, 0, 0, 0]);
        }
        file
    };
    for (name, children) in [(255, 0), (255, 20_000)] {
        let file = file(name, children);
        let (dumped, most) = peak(|| dump(&file));
        assert_eq!(
            dumped.expect("it can be read").raw_code.children.len(),
            children
        );
        assert!(
            most <= bound(file.len()),
            "{most} bytes for a file of {}",
            file.len()
        );
    }
    let error = dump(&file(256, 0)).expect_err("too long").to_string();
    assert_eq!(
        error,
        "offset 0x108: malformed: a qstr of 256 bytes; MicroPython takes up to 255"
    );
    let mut many = b"M\x06\x03\x1f".to_vec();
    many.extend(uint(usize::MAX >> 8));
    let (error, most) = peak(|| dump(&many).expect_err("cut off").to_string());
    assert_eq!(
        error,
        "offset 0xc: malformed: the number of qstrs is 72057594037927935, more than the rest of the file can hold"
    );
    assert!(most <= bound(many.len()));
}
