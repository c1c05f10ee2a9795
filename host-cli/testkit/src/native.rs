//! Decides how a native module of this workspace is built, so that the same sources and toolchain give the same bytes in
//! any folder.

use std::path::PathBuf;
use std::process::Command;

use mpy_link::{Arch, Input, LinkOptions, Linked};

/// The target that x64's modules are compiled for: the stable toolchain's own.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Compiles a crate of `native-module` to an archive and links it to a module for x64.
///
/// # Errors
/// Where it does not compile or link; the text carries what the compiler or linker said.
pub fn build(package: &str, source_name: &str) -> Result<Linked, String> {
    let root = crate::repository();
    // A target folder of its own: the flags differ from those of every other build.
    let target = root.join("target/native");
    let remap = |from: &str, to: &str| format!("--remap-path-prefix={from}={to}");
    // Where the build happens must not show in panic messages.
    let mut flags = vec![
        "-C".to_string(),
        "relocation-model=pic".to_string(),
        remap(&root.display().to_string(), "umqtt-rs"),
    ];
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    if let Some(home) = cargo_home {
        flags.push(remap(&home.display().to_string(), "cargo"));
    }
    let run = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(&root)
        .args([
            "rustc",
            "--quiet",
            "--locked",
            "--package",
            package,
            "--profile",
            "native",
        ])
        .args([
            "--features",
            "module",
            "--target",
            TARGET,
            "--crate-type",
            "staticlib",
        ])
        .arg("--target-dir")
        .arg(&target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env_remove("RUSTFLAGS")
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !run.status.success() {
        return Err(format!(
            "{package} does not compile:\n{}",
            String::from_utf8_lossy(&run.stderr)
        ));
    }
    let name = format!("lib{package}.a");
    let archive = target.join(TARGET).join("native").join(&name);
    let bytes = std::fs::read(&archive)
        .map_err(|error| format!("cannot read {}: {error}", archive.display()))?;
    mpy_link::link(
        &LinkOptions::new(Arch::X64, source_name),
        &[Input { name, bytes }],
    )
    .map_err(|error| format!("{package} does not link: {error}"))
}
