//! Decides whether the safe layer does in a real interpreter what it promises: builds `native-module/testmodule` as any
//! module is built and runs the Python programs that look at it from outside.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use mpy_link::{Arch, Input, LinkOptions};
use testkit::{Interpreter, Module, Program, Version, need};

/// What the module is compiled for: the interpreters that tests run are Debian's of this machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The linked module, made once for all tests here.
static MODULE: LazyLock<Result<Vec<u8>, String>> = LazyLock::new(build);

/// Compiles and links the module. Only a missing target is an error to skip by; what fails to compile or link panics.
fn build() -> Result<Vec<u8>, String> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err(format!("the module is built for {TARGET} only"));
    }
    let root = testkit::repository();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    let output = Command::new(env!("CARGO"))
        .current_dir(&root)
        .args(["rustc", "--quiet", "--package", "testmodule"])
        .args(["--profile", "native", "--features", "module"])
        .args(["--target", TARGET, "--crate-type", "staticlib"])
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", "-C\x1frelocation-model=pic")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "the module does not compile:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let archive: PathBuf = folder.join(TARGET).join("native/libtestmodule.a");
    let bytes = std::fs::read(&archive)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", archive.display()));
    let options = LinkOptions::new(Arch::X64, "testmodule.mpy");
    let input = Input {
        name: "libtestmodule.a".into(),
        bytes,
    };
    match mpy_link::link(&options, &[input]) {
        Ok(linked) => Ok(linked.mpy),
        Err(error) => panic!("the module does not link: {error}"),
    }
}

/// Runs `python/tests/PROGRAM.py`, which prints a line per check that fails and `N passed, N failed` at the end.
fn all_checks_hold(test: &str, program: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let bytes = need!(test, MODULE.as_ref());
    let module = need!(test, Module::alone("testmodule.mpy", bytes));
    let printed = Program::new(&interpreter, &module, program)
        .run()
        .expect_success(program);
    let last = printed.lines().last().unwrap_or_default();
    let passed: Option<usize> = last
        .strip_suffix(" passed, 0 failed")
        .and_then(|n| n.parse().ok());
    assert!(passed.is_some_and(|n| n > 50), "{program}.py:\n{printed}");
}

#[test]
fn layer_on_1_25() {
    all_checks_hold("layer_on_1_25", "layer", Version::V1_25);
}

#[test]
fn layer_on_1_26() {
    all_checks_hold("layer_on_1_26", "layer", Version::V1_26);
}

#[test]
fn macros_on_1_25() {
    all_checks_hold("macros_on_1_25", "macros", Version::V1_25);
}

#[test]
fn macros_on_1_26() {
    all_checks_hold("macros_on_1_26", "macros", Version::V1_26);
}
