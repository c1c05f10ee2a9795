//! A module of one's own on boards of other processors: what `umqtt new` makes, built by `umqtt build`, passes its own
//! test on MicroPython in QEMU.
#![cfg(target_os = "linux")]

mod common;

use common::{Home, repository};
use native_build::Target;
use testkit::{Machine, need};

fn new_project_on(test: &str, arch: &str) {
    let target = Target::named(arch).expect("a target");
    need!(
        test,
        native_build::find_toolchain(target, &repository(), None)
    );
    let mut machine = need!(test, Machine::start(target.arch));
    let home = Home::new();
    home.run(["new", "mi-modulo"]).expect_status(0);
    let folder = home.path().join("mi-modulo");
    // Without the limit of other runs: `core` is compiled along.
    let built = home
        .umqtt(["build", "--arch", arch])
        .current_dir(&folder)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("umqtt starts");
    assert!(built.status.success(), "{built:?}");
    let module = std::fs::read(folder.join("release").join(arch).join("mi_modulo.mpy"));
    let program = std::fs::read_to_string(folder.join("tests/test_mi_modulo.py"));
    // The emulated board's file system has one file, of this name.
    let program = program.expect("a test").replace("mi_modulo", "case");
    let printed = machine.run(&module.expect("the module"), &program);
    assert_eq!(printed.trim(), "case: ok");
}

#[test]
fn a_new_project_on_armv7m() {
    new_project_on("a_new_project_on_armv7m", "armv7m");
}

#[test]
fn a_new_project_on_rv32imc() {
    new_project_on("a_new_project_on_rv32imc", "rv32imc");
}
