//! The command as people type it: arguments, output, exit status.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{gcc, scratch};

fn mpy_link(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mpy-link"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the command starts")
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn links_and_dumps() {
    let folder = scratch("command");
    gcc(&folder, "qstrs.c", &["-fPIC", "-O2", "-ffunction-sections"]);
    assert_eq!(stdout(&mpy_link(&folder, &["-o", "q.mpy", "qstrs.o"])), "");
    let text = stdout(&mpy_link(&folder, &["dump", "q.mpy"]));
    assert!(
        text.starts_with(
            "version 6.3  architecture x64  small int 31 bits\nqstrs: 5\n     0  \"q.mpy\"\n"
        ),
        "{text}"
    );

    let details = stdout(&mpy_link(
        &folder,
        &[
            "link",
            "--verbose",
            "--source-name",
            "lesson.py",
            "-o",
            "q.mpy",
            "qstrs.o",
        ],
    ));
    assert!(details.contains("qstrs.o:.text.mpy_init\n"), "{details}");
    assert!(
        details
            .lines()
            .last()
            .is_some_and(|line| line.starts_with("text ")),
        "{details}"
    );

    let json = stdout(&mpy_link(&folder, &["dump", "--json", "q.mpy"]));
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["qstrs"][0]["text"], "lesson.py");
    assert_eq!(value["raw_code"]["kind"], "viper");
    let destinations = value["raw_code"]["relocations"].as_array().expect("a list");
    assert!(
        destinations
            .iter()
            .any(|relocation| relocation["destination"] == "mp_fun_table"),
        "{json}"
    );
}

#[test]
fn failures_say_why_and_write_nothing() {
    let folder = scratch("command-failures");
    gcc(&folder, "undefined.c", &["-fPIC"]);
    for (arguments, status, expected) in [
        (
            &["-o", "x.mpy", "undefined.o"][..],
            1,
            "mpy-link: undefined.o: .text",
        ),
        (
            &["-o", "x.mpy", "missing.o"],
            1,
            "mpy-link: missing.o: cannot be read",
        ),
        (
            &["-o", "x.mpy", "--arch", "z80", "undefined.o"],
            2,
            "one of x86, x64",
        ),
        (&["-o", "x.mpy"], 2, "INPUTS"),
        (&[], 2, "Usage"),
        (
            &["dump", "undefined.o"],
            1,
            "mpy-link: undefined.o: not a .mpy file",
        ),
    ] {
        let output = mpy_link(&folder, arguments);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{arguments:?}: {message}"
        );
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert!(!folder.join("x.mpy").exists(), "{arguments:?}");
    }
}

/// Objects made with upstream's header name their strings by number.
#[test]
fn upstream_headers_say_which_string_has_which_number() {
    let folder = scratch("command-qstrs");
    gcc(&folder, "numbered_qstrs.c", &["-fPIC", "-O2"]);
    let header = "#define MP_QSTR_zebra (mp_native_qstr_table[1])\n#define MP_QSTR_ant (mp_native_qstr_table[2])\n";
    std::fs::write(folder.join("good.h"), header).expect("the header");
    std::fs::write(folder.join("bad.h"), header.replace("[2]", "[3]")).expect("the header");
    stdout(&mpy_link(
        &folder,
        &["-o", "q.mpy", "--qstrs", "good.h", "numbered_qstrs.o"],
    ));
    let text = stdout(&mpy_link(&folder, &["dump", "q.mpy"]));
    assert!(
        text.contains("1  \"zebra\"\n     2  \"ant\"\n     3  \"bee\"\n"),
        "{text}"
    );
    let output = mpy_link(
        &folder,
        &["-o", "q.mpy", "--qstrs", "bad.h", "numbered_qstrs.o"],
    );
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("bad.h:2: the slot's number is not 2")
    );
}

/// The options of upstream's `mpy_ld.py`, as its makefile gives them.
#[test]
fn options_are_those_of_upstream() {
    let folder = scratch("command-upstream");
    let source = "int rom_function(int);\nint from_library(void);\n\
        void *mpy_init(void) { return (void *)(long)(rom_function(from_library()) + MP_QSTR_eins); }\n";
    std::fs::write(folder.join("m.c"), source).expect("the source");
    std::fs::write(
        folder.join("part.c"),
        "int from_library(void) { return 3; }\n",
    )
    .expect("it");
    std::fs::write(
        folder.join("rom.ld"),
        "PROVIDE ( rom_function = 0x40001234 );\n",
    )
    .expect("it");
    let preprocess = ["--arch", "x64", "--preprocess", "-o", "m.config.h", "m.c"];
    assert_eq!(stdout(&mpy_link(&folder, &preprocess)), "");
    let header = std::fs::read_to_string(folder.join("m.config.h")).expect("the header");
    assert!(header.contains("#define MP_QSTR_eins (mp_native_qstr_table[1])\n"));

    let compile = |file: &str, flags: &[&str]| {
        let status = Command::new("gcc")
            .args(["-c", "-fpic", "-Os", "-fno-stack-protector", file])
            .args(flags)
            .current_dir(&folder)
            .status()
            .expect("gcc");
        assert!(status.success());
    };
    compile("m.c", &["-include", "m.config.h"]);
    compile("part.c", &[]);
    crate::support::archive(&folder.join("libpart.a"), "rcs", &[folder.join("part.o")]);
    let link = [
        "--arch",
        "x64",
        "--qstrs",
        "m.config.h",
        "-vvv",
        "-llibpart.a",
        "--externs",
        "rom.ld",
        "--map",
        "sizes.txt",
        "m.o",
    ];
    let details = stdout(&mpy_link(&folder, &link));
    assert!(details.contains("libpart.a(part.o):.text"), "{details}");
    let dump = stdout(&mpy_link(&folder, &["dump", "m.mpy"]));
    assert!(dump.contains("\"eins\""), "{dump}");
    let map = std::fs::read_to_string(folder.join("sizes.txt")).expect("the map");
    assert!(map.contains(" mpy_init  (m.o:.text"), "{map}");
    assert!(
        map.contains(" from_library  (libpart.a(part.o):.text)"),
        "{map}"
    );

    let flags = |arch: &str, flags: &str| {
        let output = mpy_link(&folder, &["--arch", arch, "--arch-flags", flags, "m.o"]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(
        flags("rv32imc", "zbb")
            .contains("zbb: not an architecture flag of rv32imc; it has: zba, zcmp")
    );
    assert!(flags("x64", "zba").contains("it has: none"));
    // These are flags, so it goes on and finds an object for another machine.
    assert!(flags("rv32imc", "zba,zcmp").contains("m.o: made for ELF machine 62"));
}
