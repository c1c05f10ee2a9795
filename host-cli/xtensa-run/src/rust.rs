//! Compiles Rust for Xtensa with Debian's `rustc-web`: first `core`, once, then single files or crates.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Core, Error, io, run};

/// Debian's compiler; the one on PATH may be rustup's, which has no Xtensa.
const RUSTC: &str = "/usr/bin/rustc";

/// rustc and `core` for one of QEMU's cores.
#[derive(Clone, Debug)]
pub struct Rust {
    target: PathBuf,
    sysroot: PathBuf,
    compiler_builtins: PathBuf,
    folder: PathBuf,
}

impl Rust {
    /// Compiles `core` below `folder`, if it is not there yet.
    ///
    /// # Errors
    /// What is missing or fails; the text says what to install.
    pub fn prepare(core: Core, folder: &Path) -> Result<Rust, Error> {
        let version = Command::new(RUSTC).arg("-vV").output().map_err(|error| {
            Error::Missing(format!(
                "{RUSTC}: {error}; apt install rustc-web rust-web-src"
            ))
        })?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        if !version.contains("LLVM version: 22.") {
            return Err(Error::Missing(format!(
                "{RUSTC} is not one with LLVM 22; apt install rustc-web rust-web-src"
            )));
        }
        let folder = folder.join(core.arch().name());
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let specification = root
            .join("../../native-module/targets")
            .join(format!("{}.json", core.arch().name()));
        let text = fs::read_to_string(&specification).map_err(io(&specification))?;
        let target = folder.join(format!("{}.json", core.arch().name()));
        write_if_new(&target, &for_qemu(&text, core)?)?;

        let build = folder.join("core");
        run(Command::new(env!("CARGO"))
            .args([
                "build",
                "--release",
                "-j2",
                "-Zbuild-std=core",
                "-Zjson-target-spec",
            ])
            .arg("--manifest-path")
            .arg(root.join("core/Cargo.toml"))
            .arg("--target-dir")
            .arg(&build)
            .arg("--target")
            .arg(&target)
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            // With bitcode, so that link-time optimisation can be tried too.
            .env("RUSTFLAGS", "-C embed-bitcode=yes")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
        let libraries = build.join(core.arch().name()).join("release/deps");
        let sysroot = folder.join("sysroot");
        let own = sysroot
            .join("lib/rustlib")
            .join(core.arch().name())
            .join("lib");
        fs::create_dir_all(&own).map_err(io(&own))?;
        take_library(&libraries, &own, "libcore")?;
        let compiler_builtins = take_library(&libraries, &own, "libcompiler_builtins")?;
        Ok(Rust {
            target,
            sysroot,
            compiler_builtins,
            folder,
        })
    }

    /// The archive with the functions that compiled code calls.
    pub fn compiler_builtins(&self) -> &Path {
        &self.compiler_builtins
    }

    /// A rustc that compiles for this core.
    pub fn rustc(&self) -> Command {
        let mut command = Command::new(RUSTC);
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .args([
                "--edition",
                "2024",
                "-Zunstable-options",
                "-C",
                "panic=abort",
            ])
            .arg("--sysroot")
            .arg(&self.sysroot)
            .arg("--target")
            .arg(&self.target);
        command
    }

    /// Compiles a package of this workspace as a native module. Returns the archive.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn package(&self, package: &str) -> Result<PathBuf, Error> {
        let build = self.folder.join("packages");
        run(Command::new(env!("CARGO"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .args(["rustc", "-j2", "-p", package, "--profile", "native"])
            .args(["--features", "module", "--crate-type", "staticlib"])
            .args(["-Zbuild-std=core", "-Zjson-target-spec", "--target-dir"])
            .arg(&build)
            .arg("--target")
            .arg(&self.target)
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
        let target = self.target.file_stem().unwrap_or_default();
        Ok(build
            .join(target)
            .join("native")
            .join(format!("lib{package}.a")))
    }
}

/// The target specification, less what QEMU's core lacks.
fn for_qemu(specification: &str, core: Core) -> Result<String, Error> {
    let nothing = || Error::Failed("the target specification has no features".to_owned());
    let (before, rest) = specification
        .split_once("\"features\": \"")
        .ok_or_else(nothing)?;
    let (features, after) = rest.split_once('"').ok_or_else(nothing)?;
    let missing = core.missing_in_qemu();
    Ok(format!(
        "{before}\"features\": \"{features}{missing}\"{after}"
    ))
}

/// Cargo and rustc compile everything again when the specification is newer.
fn write_if_new(file: &Path, text: &str) -> Result<(), Error> {
    let failed = io(file);
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(&failed)?;
    }
    fs::write(file, text).map_err(&failed)
}

/// Copies the newest library of that name, whose file carries a hash, and removes older copies.
fn take_library(from: &Path, to: &Path, name: &str) -> Result<PathBuf, Error> {
    let libraries = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                file.starts_with(&format!("{name}-")) && file.ends_with(".rlib")
            })
            .collect();
        found.sort_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok());
        found
    };
    let newest = libraries(from)
        .pop()
        .ok_or_else(|| Error::Failed(format!("{}: cargo made no {name}", from.display())))?;
    let target = to.join(newest.file_name().unwrap_or_default());
    for old in libraries(to) {
        if old != target {
            fs::remove_file(&old).map_err(io(&old))?;
        }
    }
    let same = |a: &Path, b: &Path| {
        let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
        time(a) <= time(b)
    };
    if !target.is_file() || !same(&newest, &target) {
        fs::copy(&newest, &target).map_err(io(&target))?;
    }
    Ok(target)
}
