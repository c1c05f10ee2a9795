//! Holds the linker against files that are not what it expects, and against archives as rustc makes them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{
    NO_MICROPYTHON, archive, cases, gcc, link, micropython, run_micropython, rustc, scratch, skip,
};
use mpy_link::{Arch, Input, LinkError, LinkOptions};

fn options() -> LinkOptions {
    LinkOptions::new(Arch::X64, "inputs.py")
}

fn error(files: &[PathBuf]) -> String {
    match link("inputs", files, &[]) {
        Ok(_) => panic!("{files:?} link although they should not"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn assert_error(bytes: &[u8], expected: &str) {
    let input = Input {
        name: "input".to_owned(),
        bytes: bytes.to_vec(),
    };
    match mpy_link::link(&options(), &[input]) {
        Ok(_) => panic!("links"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
    }
}

#[test]
fn files_of_other_kinds_are_named() {
    assert!(matches!(
        mpy_link::link::<Vec<u8>>(&options(), &[]),
        Err(LinkError::NoInput)
    ));
    assert_error(
        b"",
        "input: neither an ELF object nor an archive; give ELF objects (.o) or archives",
    );
    assert_error(b"int main;", "neither an ELF object nor an archive");
    assert_error(b"\x7fELF\x02\x01\x01", "input: malformed");
    assert_error(b"!<arch>\n", "undefined symbol mpy_init");
    assert_error(b"!<arch>\nrubbish", "input: malformed");
    assert_error(
        b"!<thin>\n",
        "a thin archive, which holds only the names of its members",
    );
    assert_error(b"BC\xc0\xde", "LLVM link-time bytecode, not machine code");
}

#[test]
fn link_time_bytecode_and_linked_files_are_named() {
    let folder = scratch("inputs-lto");
    let object = gcc(
        &folder,
        "archive_second.c",
        &["-flto", "-fno-fat-lto-objects"],
    );
    assert!(error(&[object]).contains(
        "archive_second.o: holds GCC link-time bytecode, not machine code; compile without -flto"
    ));

    let shared = folder.join("shared.so");
    let status = Command::new("gcc")
        .args(["-shared", "-fPIC", "-nostdlib", "-o"])
        .args([&shared, &cases().join("plain_c.c")])
        .status()
        .expect("gcc");
    assert!(status.success());
    assert!(
        error(&[shared])
            .contains("shared.so: already linked; give the object that the compiler made")
    );

    let bitcode = rustc(&folder, "plain_rust.rs", "llvm-bc", &["-O"]);
    assert!(error(&[bitcode]).contains("holds LLVM link-time bytecode, not machine code"));

    let other = gcc(&folder, "archive_second.c", &["-m32"]);
    let message = error(&[other]);
    assert!(
        message.contains(
            "made for ELF machine 3 with 32 bits, little-endian, but the module is for x64; compile it for x64"
        ),
        "{message}"
    );
}

#[test]
fn unknown_relocations_are_named() {
    let folder = scratch("inputs-relocation");
    let object = gcc(&folder, "bad_not_provided.S", &[]);
    let mut bytes = fs::read(&object).expect("the object");
    // R_X86_64_REX_GOTPCRELX is 42; an entry is offset, type, symbol, addend -4.
    let entry = bytes
        .windows(24)
        .position(|entry| {
            entry[8..12] == 42u32.to_le_bytes() && entry[16..24] == (-4i64).to_le_bytes()
        })
        .expect("a relocation of that type");
    bytes[entry + 8..entry + 12].copy_from_slice(&200u32.to_le_bytes());
    // The symbols it leaves undefined are reported first, so they are kept out of the way.
    bytes[entry + 12..entry + 16].copy_from_slice(&0u32.to_le_bytes());
    let second = entry + 24;
    bytes[second + 8..second + 16].fill(0);
    assert_error(
        &bytes,
        "relocation number 200 is not known for x64; compile with relocation-model=pic",
    );
}

/// An rlib carries rustc's metadata beside its objects, and a member may be bitcode.
#[test]
fn rlibs_are_archives() {
    let name = "rlibs_are_archives";
    let folder = scratch("inputs-rlib");
    let main = gcc(&folder, "calls_rust.c", &["-fPIC", "-O2"]);
    let rlib = rustc(&folder, "plain_rust.rs", "rlib", &["-O"]);
    let bitcode = rustc(&folder, "plain_rust.rs", "llvm-bc", &["-O"]);
    archive(&rlib, "q", &[bitcode]);
    let linked = match link("case", &[main, rlib], &[]) {
        Ok(linked) => linked,
        Err(error) => panic!("{error}"),
    };
    assert!(
        linked
            .skipped
            .iter()
            .any(|line| line.contains("metadata of rustc")),
        "{:?}",
        linked.skipped
    );
    assert!(
        linked
            .skipped
            .iter()
            .any(|line| line.contains("LLVM bitcode")),
        "{:?}",
        linked.skipped
    );
    fs::write(folder.join("case.mpy"), &linked.mpy).expect("the module can be written");
    match micropython() {
        Some(program) => assert_eq!(
            run_micropython(&program, &[], &folder, "import case"),
            "rust 42\n"
        ),
        None => skip(name, NO_MICROPYTHON),
    }
}

#[test]
fn thin_archives_of_ar_are_named() {
    let folder = scratch("inputs-thin");
    let object = gcc(&folder, "archive_second.c", &[]);
    let thin = folder.join("libthin.a");
    archive(&thin, "rcT", &[object]);
    assert!(error(&[thin]).contains("libthin.a: a thin archive"));
}

/// The order of the inputs decides nothing but the order in the output.
#[test]
fn archives_may_come_first_and_links_repeat() {
    let folder = scratch("inputs-order");
    let flags = ["-fPIC", "-ffunction-sections"];
    let main = gcc(&folder, "archive.c", &flags);
    let parts: Vec<PathBuf> = ["archive_first.c", "archive_second.c"]
        .iter()
        .map(|part| gcc(&folder, part, &flags))
        .collect();
    let library = folder.join("libparts.a");
    archive(&library, "rcs", &parts);
    let bytes = |files: &[PathBuf]| match link("case", files, &[]) {
        Ok(linked) => linked.mpy,
        Err(error) => panic!("{error}"),
    };
    let first = bytes(&[library.clone(), main.clone()]);
    assert_eq!(first, bytes(&[main.clone(), library.clone()]));
    assert_eq!(first, bytes(&[main, library]));
}

#[test]
fn strings_that_cannot_be_interned_are_refused() {
    let folder = scratch("inputs-qstr");
    let object = gcc(&folder, "qstrs.c", &["-fPIC"]);
    let input = Input {
        name: "qstrs.o".to_owned(),
        bytes: fs::read(object).expect("the object"),
    };
    let link = |name: String| {
        mpy_link::link(
            &LinkOptions::new(Arch::X64, name),
            std::slice::from_ref(&input),
        )
    };
    assert!(link("x".repeat(255)).is_ok());
    let error = link("x".repeat(256)).expect_err("too long").to_string();
    assert_eq!(
        error,
        "the module's longest qstr would be 256 bytes; the limit is 255"
    );
}
