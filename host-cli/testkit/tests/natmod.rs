//! Upstream's example modules, linked by ours: they pass upstream's tests wherever the architecture runs here. Those for
//! the ESP8266 are built as upstream says; made to run without its ROM, they pass the tests in `host-cli/xtensa-run`. What comes out is what
//! `mpy_ld.py` makes.

use std::path::Path;

use mpy_link::Arch;
use testkit::mpy_ld::Linker;
use testkit::natmod::{COMPILERS, Natmods, linker};
use testkit::qemu::micropython_source;
use testkit::{Machine, need};

fn check(test: &str, arch: Arch, compiler: &str) {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let natmods = need!(test, Natmods::build(arch, compiler, scratch));
    let mut machine = need!(test, Machine::start(arch));
    natmods.check(|mpy, program| machine.run(mpy, program));
}

/// The same objects linked by `mpy_ld.py` pass the same tests.
#[test]
fn natmods_on_x64() {
    let test = "natmods_on_x64";
    check(test, Arch::X64, "gcc");

    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("natmod-upstream");
    let mut natmods = need!(test, Natmods::build(Arch::X64, "gcc", &scratch));
    let source = natmods.source().to_owned();
    let upstream = need!(test, Linker::upstream(&source));
    for natmod in &mut natmods.modules {
        let linked = natmod.link(&upstream, "upstream");
        let finished = linked.and_then(|_| natmod.finish(&source, "upstream"));
        natmod.mpy = finished.expect("upstream's linker links it");
    }
    let mut machine = need!(test, Machine::start(Arch::X64));
    natmods.check(|mpy, program| machine.run(mpy, program));
}

#[test]
fn natmods_on_armv6m() {
    check("natmods_on_armv6m", Arch::Armv6m, "arm-none-eabi-gcc");
}

#[test]
fn natmods_on_armv7m() {
    check("natmods_on_armv7m", Arch::Armv7m, "arm-none-eabi-gcc");
}

#[test]
fn natmods_on_rv32imc() {
    check(
        "natmods_on_rv32imc",
        Arch::Rv32imc,
        "riscv64-unknown-elf-gcc",
    );
}

#[test]
fn natmods_for_xtensa() {
    let test = "natmods_for_xtensa";
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    need!(
        test,
        Natmods::build(Arch::Xtensa, "xtensa-lx106-elf-gcc", scratch)
    );
}

/// Both linkers make the same of the same objects: header, strings with their numbers, objects, which parts there are,
/// and the memory that each asks for. Code differs by what [`MORE_TEXT`] says.
#[test]
fn natmods_as_mpy_ld_makes_them() {
    let name = "natmods_as_mpy_ld_makes_them";
    let source = need!(name, micropython_source());
    let upstream = need!(name, Linker::upstream(&source));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("natmod-both");
    let ours = Linker::ours(&linker(&scratch));
    for (arch, compiler) in COMPILERS {
        let natmods = need!(name, Natmods::build(arch, compiler, &scratch));
        for natmod in natmods.modules {
            let example = natmod.name;
            let one = natmod.link(&ours, "ours").expect("our linker links it");
            let other = match natmod.link(&upstream, "upstream") {
                Ok(other) if arch != Arch::Xtensa => other,
                Ok(_) => panic!("{example}: mpy_ld.py links for xtensa after all: compare it"),
                Err(error) => {
                    // mpy_ld.py knows the address of the qstr table in a literal, not one of its slots, which
                    // Debian's gcc 12 puts there.
                    let known = "AssertionError: ('mp_native_qstr_table+0x";
                    assert!(arch == Arch::Xtensa && error.contains(known), "{error}");
                    continue;
                }
            };
            let [one, other] =
                [one, other].map(|file| mpy_link::dump(&file).expect("it can be read"));
            let what = format!("{} {example}", arch.name());
            assert_eq!(one.arch, other.arch, "{what}");
            // The first is the output's name: upstream's linker takes the folders along, which a file that is to be
            // the same wherever it is built must not hold.
            let (name, path) = (&one.qstrs[0].text, &other.qstrs[0].text);
            assert_eq!(path.rsplit('/').next(), Some(name.as_str()), "{what}");
            assert_eq!(one.version, other.version, "{what}");
            assert_eq!(one.sub_version, other.sub_version, "{what}");
            assert_eq!(one.arch_flags, other.arch_flags, "{what}");
            assert_eq!(one.small_int_bits, other.small_int_bits, "{what}");
            assert_eq!(one.qstrs[1..], other.qstrs[1..], "{what}");
            assert_eq!(one.objects, other.objects, "{what}");
            let (one, other) = (one.raw_code, other.raw_code);
            assert_eq!(one.kind, other.kind, "{what}");
            assert_eq!(one.scope_flags, other.scope_flags, "{what}");
            assert_eq!(one.rodata_size, other.rodata_size, "{what}");
            assert_eq!(one.bss_size, other.bss_size, "{what}");
            assert!(
                one.text_size <= other.text_size + MORE_TEXT,
                "{what}: {} bytes of text, {} by mpy_ld.py",
                one.text_size,
                other.text_size
            );
        }
    }
}

/// In bytes: our linker goes to the entry by a jump that reaches everywhere and keeps the instruction set (12 bytes on
/// ARM, where upstream's has 4), keeps a word with the address of the statics for the garbage collector, and aligns.
/// Where ours is smaller, that is because unused functions of libraries and unused slots are left out.
const MORE_TEXT: usize = 24;
