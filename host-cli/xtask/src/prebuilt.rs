//! Decides when the committed module is rebuilt or compared, and what is written down about the toolchain that made it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use testkit::native;

use crate::output;

/// `native-module/prebuilt/toolchain.toml`.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Record {
    x64: Module,
}

/// What made a module, and what came out.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Module {
    /// The first line of `rustc --version`.
    rustc: String,
    /// The target's name.
    target: String,
    /// Size of the file in bytes.
    size: u64,
    /// Of which code and read-only data.
    text: u64,
    /// Of which initialised data.
    rodata: u64,
    /// Bytes of zeroed memory that it asks for.
    bss: u64,
    /// SHA-256 of the file.
    sha256: String,
}

fn folder() -> PathBuf {
    testkit::repository().join("native-module/prebuilt")
}

fn module_path() -> PathBuf {
    folder().join("x64/umqtt/simple.mpy")
}

fn record_path() -> PathBuf {
    folder().join("toolchain.toml")
}

fn rustc_version() -> Result<String> {
    output(
        Command::new("rustc")
            .current_dir(testkit::repository())
            .arg("--version"),
    )
}

fn recorded() -> Result<Record> {
    let path = record_path();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}; `cargo xtask prebuilt` writes it",
            path.display()
        )
    })?;
    toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))
}

/// `None` where the toolchain at hand is the recorded one, else the difference in words.
pub fn same_toolchain() -> Result<Option<String>> {
    let (here, there) = (rustc_version()?, recorded()?.x64.rustc);
    Ok((here != there).then(|| format!("it was made by {there}, here is {here}")))
}

/// Builds the module and writes it, or with `check` compares it. False where the committed one differs.
pub fn run(check: bool) -> Result<bool> {
    let linked = native::build("umqtt", "simple.mpy").map_err(anyhow::Error::msg)?;
    let record = Record {
        x64: Module {
            rustc: rustc_version()?,
            target: native::TARGET.into(),
            size: linked.mpy.len() as u64,
            text: linked.sizes.text,
            rodata: linked.sizes.rodata,
            bss: linked.sizes.bss,
            sha256: format!("{:x}", Sha256::digest(&linked.mpy)),
        },
    };
    let path = module_path();
    if check {
        let committed =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let same_record = recorded()? == record;
        if committed != linked.mpy || !same_record {
            eprintln!(
                "{} ({} bytes) is not what the sources make ({} bytes, {}); `cargo xtask prebuilt` rebuilds it",
                path.display(),
                committed.len(),
                linked.mpy.len(),
                if same_record {
                    "as toolchain.toml says"
                } else {
                    "and toolchain.toml says otherwise"
                }
            );
            return Ok(false);
        }
        return Ok(true);
    }
    std::fs::create_dir_all(path.parent().context("the module's folder")?)?;
    std::fs::write(&path, &linked.mpy)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let text = format!(
        "# Written by `cargo xtask prebuilt`.\n{}",
        toml::to_string(&record)?
    );
    std::fs::write(record_path(), text)
        .with_context(|| format!("cannot write {}", record_path().display()))?;
    println!("{}: {} bytes", path.display(), linked.mpy.len());
    Ok(true)
}
