//! Decides how far the command's code is checked for systems that are not here: the compiler and its lints go through
//! all of it for Windows and macOS. Nothing is linked and nothing runs.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, output};

/// What is checked, and for whom.
const PACKAGE: &str = "umqtt-cli";
pub const TARGETS: [(&str, &str); 2] = [
    ("x86_64-pc-windows-gnu", "Windows"),
    ("aarch64-apple-darwin", "macOS"),
];

/// A C compiler and an archiver that make what they are asked for, empty. rustls' ring has C and assembly in it, which a
/// check of Rust code compiles and then never looks at; the real compilers for these systems are large, or not to be had.
const STAND_IN: &str = r#"#!/bin/sh
for word; do
    case "$word" in *.a) printf '!<arch>\n' >"$word" ;; esac
    if [ "$last" = -o ]; then : >"$word"; fi
    last=$word
done
"#;

/// The standard library for this target, where the compiler at hand has one.
///
/// # Errors
/// Where it has none, or there is no compiler.
pub fn library(target: &str) -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args(["--print", "target-libdir", "--target", target])
        .current_dir(testkit::repository());
    let folder = PathBuf::from(output(&mut command)?);
    let full = std::fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some());
    if !full {
        bail!("this compiler has no standard library for {target}; rustup target add {target}");
    }
    Ok(folder)
}

/// Fetches what is missing, where rustup manages the compiler.
pub fn set_up() -> Result<()> {
    for (target, _) in TARGETS {
        if library(target).is_err() {
            println!("set-up: fetching Rust's standard library for {target}");
            output(Command::new("rustup").args(["target", "add", target]))?;
        }
    }
    Ok(())
}

/// Checks the command for one target. False where the compiler or a lint complains.
pub fn check(target: &str) -> Result<bool> {
    let tool = stand_in()?;
    let variable = target.replace('-', "_");
    let status = cargo()
        .args(["clippy", "--quiet", "--package", PACKAGE])
        .args(["--target", target, "--", "-D", "warnings"])
        .env(format!("CC_{variable}"), &tool)
        .env(format!("AR_{variable}"), &tool)
        .status()
        .context("cannot run cargo clippy")?;
    Ok(status.success())
}

fn stand_in() -> Result<PathBuf> {
    let folder = testkit::repository().join("target/xtask");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("no-c-compiler");
    std::fs::write(&path, STAND_IN).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))?;
    Ok(path)
}
