//! Xtensa: literals of LLVM's and of GNU's making, what becomes shorter, and what is refused. That linked
//! modules run is shown by `host-cli/xtensa-run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mpy_link::{Arch, Destination, Input, LinkOptions, Linked};

use crate::robustness::hammer_for;
use crate::support::{cases, scratch, skip};

/// A compiler or assembler: its program, its arguments and the Debian package.
struct Tool {
    program: &'static str,
    arguments: &'static [&'static str],
    package: &'static str,
}

const LLVM_MC: Tool = Tool {
    program: "llvm-mc-22",
    arguments: &["--arch=xtensa", "--mcpu=esp32", "-filetype=obj"],
    package: "llvm-22",
};
const CLANG: Tool = Tool {
    program: "clang-22",
    arguments: &[
        "--target=xtensa-none-elf",
        "-Xclang",
        "-target-feature",
        "-Xclang",
        "+windowed",
        "-Xclang",
        "-target-feature",
        "-Xclang",
        "+density",
        "-ffunction-sections",
        "-fdata-sections",
        "-ffreestanding",
        "-w",
        "-Os",
        "-c",
    ],
    package: "clang-22",
};
const GCC: Tool = Tool {
    program: "xtensa-lx106-elf-gcc",
    arguments: &[
        "-ffunction-sections",
        "-fdata-sections",
        "-ffreestanding",
        "-w",
        "-Os",
        "-c",
    ],
    package: "gcc-xtensa-lx106",
};

impl Tool {
    /// The object of a file, or `None` (and said so) where the tool is not installed.
    fn object(&self, test: &str, source: &Path, more: &[&str]) -> Option<Vec<u8>> {
        let output = source.with_extension(format!("{}.o", self.package));
        let made = Command::new(self.program)
            .args(self.arguments)
            .args(more)
            .arg(source)
            .arg("-o")
            .arg(&output)
            .stdin(Stdio::null())
            .output();
        match made {
            Ok(made) => {
                let text = String::from_utf8_lossy(&made.stderr);
                assert!(made.status.success(), "{test}: {text}");
                Some(fs::read(output).expect("the object"))
            }
            Err(error) => {
                skip(
                    test,
                    &format!("{}: {error}; apt install {}", self.program, self.package),
                );
                None
            }
        }
    }

    fn object_of(&self, test: &str, text: &str, more: &[&str]) -> Option<Vec<u8>> {
        let extension = if self.program == LLVM_MC.program {
            "s"
        } else {
            "S"
        };
        self.object(test, &source(test, text, extension), more)
    }

    fn object_of_c(&self, test: &str, text: &str, more: &[&str]) -> Option<Vec<u8>> {
        self.object(test, &source(test, text, "c"), more)
    }
}

fn source(test: &str, text: &str, extension: &str) -> PathBuf {
    let file = scratch(&format!("xtensa-{test}-{extension}"))
        .join("input")
        .with_extension(extension);
    fs::write(&file, text).expect("the test folder can be written");
    file
}

fn link(arch: Arch, object: Vec<u8>) -> Result<Linked, String> {
    let input = [Input {
        name: "input.o".to_owned(),
        bytes: object,
    }];
    mpy_link::link(&LinkOptions::new(arch, "input.py"), &input).map_err(|error| error.to_string())
}

/// Text of the linked file.
fn text(linked: &Linked) -> Vec<u8> {
    let dump = mpy_link::dump(&linked.mpy).expect("a file that can be read");
    let at = dump.raw_code.offset;
    linked.mpy[at..at + linked.sizes.text as usize].to_vec()
}

#[test]
fn equal_literals_share_one_word_ahead_of_the_code() {
    let test = "equal-literals";
    let two = ".section .text.mpy_init,\"ax\",@progbits
        .global mpy_init
        .p2align 2
        mpy_init:
        entry a1, 32
        .literal .La, 0x12345678
        l32r a3, .La
        l32r a4, .Lb
        retw
        .size mpy_init, .-mpy_init
        .section .text.other,\"ax\",@progbits
        .literal .Lb, 0x12345678
        ";
    let Some(object) = LLVM_MC.object_of(test, two, &[]) else {
        return;
    };
    let linked = link(Arch::Xtensawin, object).expect("it links");
    let text = text(&linked);
    // The jump, one word, entry and what follows; both loads reach back to the word at 4.
    assert_eq!(text.len(), 8 + 12, "{text:x?}");
    assert_eq!(text[..4], [0x06, 0x01, 0, 0], "j 8");
    assert_eq!(text[4..8], 0x1234_5678u32.to_le_bytes());
    // From 11 rounded up to 12, two words back; from 14 rounded up to 16, three.
    assert_eq!(text[11..17], [0x31, 0xfe, 0xff, 0x41, 0xfd, 0xff]);
    assert_eq!(linked.sizes.relocations, 0);
}

#[test]
fn a_function_does_not_keep_its_neighbour_for_its_literals() {
    let test = "neighbours";
    let c = "extern void *const mp_fun_table[];
        int dead_data[100] = {1};
        int dead(int n) { return dead_data[n]; }
        __attribute__((noinline)) int alive(int n) { return n ^ 0x1234567; }
        void *mpy_init(void *self, int n) { return mp_fun_table[alive(n)]; }
        int dead_too(int n) { return dead_data[n + 1]; }";
    let Some(object) = CLANG.object_of_c(test, c, &[]) else {
        return;
    };
    let linked = link(Arch::Xtensawin, object).expect("it links");
    let names: Vec<&str> = linked.map.iter().map(|entry| entry.name.as_str()).collect();
    let names = names.join(" ");
    assert!(!names.contains("dead"), "{names}");
    assert!(names.contains("alive"), "{names}");
    assert_eq!(linked.sizes.rodata, 0, "{names}");
    // The table's address is left to the loader; the call is direct and the constant a constant.
    assert_eq!(linked.sizes.relocations, 1);
    let dump = mpy_link::dump(&linked.mpy)
        .expect("a file that can be read")
        .to_string();
    assert!(dump.contains("text+0x0"), "{dump}");
}

#[test]
fn data_never_stands_in_text() {
    let test = "data";
    let c = "extern void *const mp_fun_table[];
        static const char *const words[] = {\"one\", \"two\"};
        static int counter; static int start = 5;
        void *mpy_init(void *self, int n) {
            counter += start++;
            return mp_fun_table[words[n & 1][counter & 1]]; }";
    for (tool, arch) in [(&CLANG, Arch::Xtensawin), (&GCC, Arch::Xtensa)] {
        let Some(object) = tool.object_of_c(test, c, &[]) else {
            continue;
        };
        let linked = link(arch, object).expect("it links");
        for entry in &linked.map {
            let data = entry.name.contains("data") || entry.name.contains("bss");
            assert_eq!(data, entry.block != "text", "{entry:?}");
        }
        assert_eq!(linked.sizes.bss, 4);
    }
}

#[test]
fn gnus_ways_with_literals_come_to_the_same() {
    let test = "gnu-literals";
    let c = "extern void *const mp_fun_table[];
        __attribute__((noinline)) int far(int n) { return n ^ 0x1234567; }
        void *mpy_init(void *self, int n) { return mp_fun_table[far(n) + 0x7654321]; }";
    let mut sizes = Vec::new();
    for flags in [
        &[][..],
        &["-mtext-section-literals"],
        &["-mlongcalls"],
        &["-fPIC"],
    ] {
        let Some(object) = GCC.object_of_c(test, c, flags) else {
            return;
        };
        let linked = link(Arch::Xtensa, object).expect("it links");
        let table = linked
            .map
            .iter()
            .find(|entry| entry.name.contains("addresses"));
        sizes.push(table.expect("a table of addresses").size);
    }
    // Constants and addresses are the same; a far call adds the function's address.
    assert_eq!(sizes[0], sizes[1]);
    assert_eq!(sizes[2], sizes[0] + 4);
    assert_eq!(sizes[3], sizes[2]);
}

#[test]
fn calls_of_the_table_go_through_a_stub() {
    let test = "stub";
    let asm = ".section .text.mpy_init,\"ax\",@progbits
        .global mpy_init
        .type mpy_init,@function
        .p2align 2
        mpy_init:
        entry a1, 32
        call8 memset
        call8 memset
        retw
        .size mpy_init, .-mpy_init
        ";
    let Some(object) = LLVM_MC.object_of(test, asm, &[]) else {
        return;
    };
    let linked = link(Arch::Xtensawin, object).expect("it links");
    let stubs = linked
        .map
        .iter()
        .filter(|entry| entry.name.contains("stub"));
    assert_eq!(stubs.count(), 1, "{:?}", linked.map);
    let dump = mpy_link::dump(&linked.mpy).expect("a file that can be read");
    let destinations: Vec<Destination> = dump
        .raw_code
        .relocations
        .iter()
        .map(|relocation| relocation.destination)
        .collect();
    assert_eq!(destinations.len(), 1);
    assert_eq!(destinations[0].entry_name(), Some("memset_"));
}

#[test]
fn what_cannot_be_is_refused() {
    const HEAD: &str = ".section .text.mpy_init,\"ax\",@progbits\n.global mpy_init\n.type mpy_init,@function\n.p2align 2\nmpy_init:\nentry a1, 32\n";
    const TAIL: &str = "retw\n.size mpy_init, .-mpy_init\n";
    for (test, code, expected) in [
        (
            "branch-away",
            "beqz a2, memset\n",
            "goes to what is only known after loading; call it, or take its address with l32r",
        ),
        (
            "jump-away",
            "j memset\n",
            "in a way that leaves no register free",
        ),
        (
            "call4-away",
            "call4 memset\n",
            "use -mlongcalls, or l32r and callx8",
        ),
        (
            "foreign-literal",
            "l32r a2, memset\n",
            "an l32r whose literal is not in code or read-only data of its own object",
        ),
        (
            "writable-literal",
            "l32r a2, changes\n.data\n.p2align 2\nchanges: .long 1\n.section .text.mpy_init,\"ax\",@progbits\n",
            "an l32r whose literal is not in code or read-only data",
        ),
        (
            "far-branch",
            "beq a2, a3, away\n.section .text.away,\"ax\",@progbits\n.space 200\naway: retw\n.section .text.mpy_init,\"ax\",@progbits\n",
            "does not fit a conditional branch, which reaches 128 bytes; branch around a jump",
        ),
        (
            "odd-call",
            "call8 odd\n.section .text.odd,\"ax\",@progbits\n.p2align 2\n.space 3\nodd: entry a1, 32\nretw\n.section .text.mpy_init,\"ax\",@progbits\n",
            "calls what is not at a multiple of 4 bytes; put .align 4 before it",
        ),
        (
            "odd-address",
            "retw\n.long mpy_init\n",
            "an address at an offset that is not a multiple of 4",
        ),
    ] {
        let text = format!("{HEAD}{code}{TAIL}");
        let Some(object) = LLVM_MC.object_of(test, &text, &[]) else {
            return;
        };
        match link(Arch::Xtensawin, object) {
            Ok(_) => panic!("{test} links"),
            Err(error) => assert!(error.contains(expected), "{test}: {error}"),
        }
    }
}

#[test]
fn the_other_calling_convention_is_refused() {
    let c = "void *mpy_init(void) { return 0; }";
    if let Some(object) = CLANG.object_of_c("windowed", c, &[]) {
        let error = link(Arch::Xtensa, object).expect_err("windowed code for the ESP8266");
        assert!(
            error.contains("input.o: made for calls with register windows"),
            "{error}"
        );
    }
    if let Some(object) = GCC.object_of_c("call0", c, &[]) {
        let error = link(Arch::Xtensawin, object).expect_err("call0 code for the ESP32");
        assert!(
            error.contains("input.o: made for calls without register windows"),
            "{error}"
        );
    }
}

#[test]
fn text_that_literals_cannot_reach_is_refused() {
    let test = "too-far";
    let c = "extern void *const mp_fun_table[];
        __attribute__((noinline, aligned(4))) int far(int n) { return n * 0x1234567; }
        int space(void) { asm volatile(\".space 300000\"); return 0; }
        int last(int n) { return n * 0x7654321; }
        void *mpy_init(void *self, int n) { return mp_fun_table[far(n) + last(n) + space()]; }";
    let Some(object) = GCC.object_of_c(test, c, &["-mlongcalls", "-fno-toplevel-reorder"]) else {
        return;
    };
    let error = link(Arch::Xtensa, object).expect_err("text of 300 KB");
    assert!(
        error.contains("does not fit l32r, which reaches from 4 bytes to 256 KiB back"),
        "{error}"
    );
}

#[test]
fn damaged_objects() {
    for (tool, arch) in [(&CLANG, Arch::Xtensawin), (&GCC, Arch::Xtensa)] {
        for source in [
            "statics_plain.c",
            "pointers.c",
            "jump_table.c",
            "init_array.c",
        ] {
            let test = format!("damaged {source} for {}", arch.name());
            let folder = scratch(&format!("xtensa-damaged-{}-{source}", arch.name()));
            let copy = folder.join(source);
            for file in [source, "prelude.h"] {
                fs::copy(cases().join(file), folder.join(file)).expect("a copy");
            }
            if let Some(object) = tool.object(&test, &copy, &[]) {
                hammer_for(arch, &test, &object, 1000);
            }
        }
    }
}
