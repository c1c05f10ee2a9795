//! Holds the dump against files that MicroPython's own compiler made and against malformed ones.

use std::fs;
use std::path::{Path, PathBuf};

use mpy_link::dump::{Kind, Object};
use mpy_link::{Destination, DumpError, dump};

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mpy");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mpy"))
        .collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

/// The texts beside the fixtures were held against `tools/mpy-tool.py -d` of MicroPython 1.26.1.
/// `UMQTT_REFRESH=1` writes them anew.
#[test]
fn files_of_mpy_cross_are_shown() {
    for file in fixtures() {
        let text = dump(&fs::read(&file).expect("the fixture"))
            .expect("a whole file")
            .to_string();
        let expected = file.with_extension("txt");
        if std::env::var_os("UMQTT_REFRESH").is_some() {
            fs::write(&expected, &text).expect("the text can be written");
        }
        assert_eq!(
            text,
            fs::read_to_string(&expected).expect("the text"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn files_cut_off_anywhere_are_errors() {
    for file in fixtures() {
        let bytes = fs::read(&file).expect("the fixture");
        for length in 0..bytes.len() {
            assert!(
                dump(&bytes[..length]).is_err(),
                "{} cut to {length} bytes",
                file.display()
            );
        }
    }
}

/// A viper module written by hand from the loader's source.
fn by_hand(relocations: &[u8]) -> Vec<u8> {
    let mut file = vec![b'M', 6, 2 << 2 | 3, 31, 2, 1];
    file.extend([8, b'a', b'.', b'p', b'y', 0]); // qstr 0
    file.extend([17 << 1 | 1]); // qstr 1: static 17, __init__
    file.extend([10, 2, 3, 6, 1, 0xff, 0]); // object: (True, b"\xff")
    file.extend([0x81, 0x02]); // 16 bytes of text, kind viper
    file.extend((0..16).map(|byte| if byte == 8 { 2 } else { 0 }));
    file.extend([0x70, 8, 24]); // relocations, 8 bytes of rodata, 24 bytes of bss
    file.extend([5, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(relocations);
    file
}

#[test]
fn a_module_by_hand_is_read_as_the_loader_does() {
    let relocations = [
        3,
        0,
        2, // text, repeated, at text word 0: two words
        4 << 1 | 1,
        1, // bss at rodata word 0
        6 << 1 | 1,
        1 << 1, // qstr table at text word 1
        (9 + 51) << 1 | 1,
        0, // table entry 51 at text word 0
        0xff,
    ];
    let dump = dump(&by_hand(&relocations)).expect("a whole file");
    assert_eq!(dump.arch, Some("x64"));
    assert_eq!(dump.qstrs[1].text, "__init__");
    assert_eq!(
        dump.objects,
        [Object::Tuple(vec![Object::True, Object::Bytes(vec![0xff])])]
    );
    let code = &dump.raw_code;
    assert_eq!(
        (code.kind, code.text_size, code.rodata_size, code.bss_size),
        (Kind::Viper, 16, 8, 24)
    );
    let shown: Vec<_> = code
        .relocations
        .iter()
        .map(|r| {
            (
                r.in_rodata,
                r.offset,
                r.count,
                r.destination,
                r.addends.clone(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (false, 0, 2, Destination::Text, vec![0, 2]),
            (true, 0, 1, Destination::Bss, vec![5]),
            (false, 8, 1, Destination::QstrTable, vec![2]),
            (false, 0, 1, Destination::TableEntry(51), vec![0]),
        ]
    );
    let text = dump.to_string();
    for line in [
        "  scope flags 0x70 (relocations, rodata, bss)",
        "    text+0x0000 x2  text +0x0, +0x2",
        "    rodata+0x0000  bss +0x5",
        "    text+0x0008  qstr_table \"__init__\"",
        "    text+0x0000  mp_fun_table.memmove_",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "{line:?} is not in\n{text}"
        );
    }
}

#[test]
fn what_the_loader_could_not_take_is_an_error() {
    let malformed = |bytes: &[u8], expected: &str| match dump(bytes) {
        Ok(dump) => panic!("{dump}"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
    };
    assert_eq!(dump(b""), Err(DumpError::NotMpy));
    assert_eq!(dump(b"import x"), Err(DumpError::NotMpy));
    assert_eq!(dump(b"M\x05\x00\x1f"), Err(DumpError::Version { found: 5 }));
    assert_eq!(
        dump(b"M\x06\x3f\x1f"),
        Err(DumpError::UnknownArchitecture { number: 15 })
    );
    malformed(&by_hand(&[0, 0xff]), "the first relocation has no address");
    malformed(
        &by_hand(&[1, 2 << 1, 0xff]),
        "1 words at word 2 of text lies outside",
    );
    malformed(
        &by_hand(&[3, 1, 2, 0xff]),
        "2 words at word 0 of rodata lies outside",
    );
    malformed(
        &by_hand(&[3, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        "lies outside",
    );
    malformed(
        &by_hand(&[(9 + 100) << 1 | 1, 0, 0xff]),
        "the function table has no entry",
    );
    malformed(
        b"M\x06\x00\x1f\x8f\xff\xff\xff\x7f\x00",
        "more than the rest of the file can hold",
    );
    malformed(
        b"M\x06\x00\x1f\x01\x00\x01",
        "no static qstr has the number 0",
    );
    malformed(
        b"M\x06\x00\x1f\x01\x00\x02ab",
        "0x62 at a qstr's end instead of 0",
    );
    let deep: Vec<u8> = b"M\x06\x00\x1f\x00\x01"
        .iter()
        .copied()
        .chain([10, 1].repeat(5000))
        .collect();
    malformed(&deep, "tuples nested more than 64 deep");
    malformed(
        b"M\x06\x00\x1f\x00\x00\x02\x10",
        "native code in a file that names no architecture",
    );
    let functions: Vec<u8> = b"M\x06\x0b\x1f\x00\x00"
        .iter()
        .copied()
        .chain([6, 0, 1].repeat(5000))
        .collect();
    malformed(&functions, "functions nested more than 64 deep");
}

#[test]
fn architecture_flags_are_read() {
    // 1.28 and later: bit 0x40 of the third byte announces them.
    let file = [b'M', 6, 0x40 | 11 << 2 | 3, 31, 3, 0, 0, 2, 0];
    let dump = dump(&file).expect("a whole file");
    assert_eq!((dump.arch, dump.arch_flags), (Some("rv32imc"), Some(3)));
}
