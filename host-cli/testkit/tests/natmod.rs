//! Upstream's example modules, linked by ours: they pass upstream's tests wherever the architecture runs here. Those for
//! the ESP8266 are built as upstream says; made to run without its ROM, they pass the tests in `host-cli/xtensa-run`.

use std::path::Path;

use mpy_link::Arch;
use testkit::natmod::Natmods;
use testkit::{Machine, need};

fn check(test: &str, arch: Arch, compiler: &str) {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let natmods = need!(test, Natmods::build(arch, compiler, scratch));
    let mut machine = need!(test, Machine::start(arch));
    natmods.check(|mpy, program| machine.run(mpy, program));
}

#[test]
fn natmods_on_x64() {
    check("natmods_on_x64", Arch::X64, "gcc");
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
