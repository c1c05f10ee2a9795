//! Decides whether the safe layer does inside a real interpreter what it promises: builds the module `testmodule`, links
//! it and has the programs `layer.py` and `macros.py` of `python/tests` use every part of it.

use std::sync::OnceLock;

use testkit::native::Arch;
use testkit::{Interpreter, Module, Program, Version, need};

/// The built module, one for both versions.
fn testmodule() -> Result<&'static [u8], String> {
    static MODULE: OnceLock<Result<Vec<u8>, String>> = OnceLock::new();
    let built = MODULE
        .get_or_init(|| testkit::native::build("testmodule", Arch::X64).map(|linked| linked.mpy));
    built.as_deref().map_err(String::clone)
}

fn all_checks_hold(test: &str, version: Version, program: &str) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Module::empty());
    // That our own module does not build is no reason to skip.
    let built = testmodule().unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(module.path().join("testmodule.mpy"), built).expect("writing the module");
    let printed = Program::new(&interpreter, &module, program)
        .run()
        .expect_success(program);
    let last = printed.lines().last().unwrap_or_default();
    let passed = last
        .strip_suffix(" passed, 0 failed")
        .and_then(|number| number.parse::<usize>().ok());
    assert!(passed.is_some_and(|passed| passed > 0), "{printed}");
}

#[test]
fn safe_layer_on_1_25() {
    all_checks_hold("safe_layer_on_1_25", Version::V1_25, "layer");
}

#[test]
fn safe_layer_on_1_26() {
    all_checks_hold("safe_layer_on_1_26", Version::V1_26, "layer");
}

#[test]
fn macros_on_1_25() {
    all_checks_hold("macros_on_1_25", Version::V1_25, "macros");
}

#[test]
fn macros_on_1_26() {
    all_checks_hold("macros_on_1_26", Version::V1_26, "macros");
}
