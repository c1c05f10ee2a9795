//! Decides whether the safe layer does inside a real interpreter what it promises: builds the module `testmodule`, links
//! it and has `python/tests/layer.py` use every part of it.

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

fn safe_layer(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Module::empty());
    // That our own module does not build is no reason to skip.
    let built = testmodule().unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(module.path().join("testmodule.mpy"), built).expect("writing the module");
    let printed = Program::new(&interpreter, &module, "layer")
        .run()
        .expect_success("layer.py");
    let last = printed.lines().last().unwrap_or_default();
    let passed = last
        .strip_suffix(" passed, 0 failed")
        .and_then(|number| number.parse::<usize>().ok());
    assert!(passed.is_some_and(|passed| passed > 0), "{printed}");
}

#[test]
fn safe_layer_on_1_25() {
    safe_layer("safe_layer_on_1_25", Version::V1_25);
}

#[test]
fn safe_layer_on_1_26() {
    safe_layer("safe_layer_on_1_26", Version::V1_26);
}
