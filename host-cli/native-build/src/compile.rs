//! Decides how one module is made for one architecture: the profile, the flags, the linking.

use std::path::{Path, PathBuf};
use std::process::Command;

use mpy_link::{Arch, Input, LinkOptions, Linked};

use crate::error::BuildError;
use crate::project::Project;
use crate::targets::Target;
use crate::toolchain::{self, Toolchain};

/// What ends up in a .mpy: no unwinding, one unit so that the linker sees everything. The target adds its `opt-level`.
const PROFILE: [&str; 6] = [
    "profile.native.inherits=\"release\"",
    "profile.native.lto=\"fat\"",
    "profile.native.codegen-units=1",
    "profile.native.panic=\"abort\"",
    "profile.native.debug=false",
    "profile.native.strip=\"none\"",
];

/// What rustc is told besides where code shall be small, for the module's own crate, whose code generation sees all
/// others. `opt-level = "z"` inlines nearly nothing, so that functions of a few instructions are called; the threshold lets
/// small ones in, once all is known of them, which it is not yet where rustc itself inlines. The values are those that made
/// the umqtt module smallest.
const SMALL: [&str; 2] = ["-Zinline-mir=no", "-Cllvm-args=-inline-threshold=15"];

/// How to build.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Refuse to change Cargo.lock.
    pub locked: bool,
    /// The compiler to take if it is there: the first line of `rustc --version`.
    pub toolchain: Option<&'a str>,
    /// What rustc is told besides, `core` included: for processors that lack something.
    pub rustflags: &'a [&'a str],
    /// Where cargo keeps what it makes, instead of in the project's own target folder.
    pub target_folder: Option<&'a Path>,
}

/// A module and what made it.
#[derive(Debug, Clone)]
pub struct Built {
    pub linked: Linked,
    pub target: &'static Target,
    pub toolchain: Toolchain,
}

/// Compiles a project to an archive and links it to a module.
///
/// # Errors
/// Where there is no compiler for the architecture, or the project does not compile or link; the text carries what the
/// compiler or linker said.
pub fn build(project: &Project, arch: Arch, options: Options<'_>) -> Result<Built, BuildError> {
    let archive = compile(project, arch, options)?;
    let Archive {
        path: archive,
        target,
        toolchain,
    } = archive;
    let bytes = std::fs::read(&archive).map_err(|error| BuildError::File {
        path: archive.clone(),
        error,
    })?;
    let name = archive
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let linked = mpy_link::link(
        &LinkOptions::new(arch, project.source_name()),
        &[Input { name, bytes }],
    );
    match linked {
        Ok(linked) => Ok(Built {
            linked,
            target,
            toolchain,
        }),
        Err(error) => Err(BuildError::DoesNotLink {
            package: project.package.clone(),
            arch,
            error: Box::new(error),
        }),
    }
}

/// A compiled project before it is linked, and what made it.
#[derive(Debug, Clone)]
pub struct Archive {
    pub path: PathBuf,
    pub target: &'static Target,
    pub toolchain: Toolchain,
}

/// Compiles a project to an archive.
///
/// # Errors
/// As [`build`], but for linking.
pub fn compile(project: &Project, arch: Arch, options: Options<'_>) -> Result<Archive, BuildError> {
    let target = Target::of(arch).ok_or(BuildError::NoTarget { arch })?;
    let toolchain = toolchain::find(target, &project.root, options.toolchain)?;
    // A target folder of its own: the flags differ from those of every other build.
    let folder = options
        .target_folder
        .map_or_else(|| project.target_folder.join("native"), Path::to_owned);
    let specs = folder.join("targets");
    let mut command = Command::new(&toolchain.cargo);
    command
        .current_dir(&project.root)
        .args(["rustc", "--quiet", "--package", &project.package])
        .args([
            "--profile",
            "native",
            "--crate-type",
            "staticlib",
            "--target",
            &target.rustc,
        ])
        .arg("--target-dir")
        .arg(&folder)
        .args(PROFILE.iter().flat_map(|setting| ["--config", setting]))
        .args([
            "--config",
            &format!("profile.native.opt-level={}", opt_level(target)),
        ])
        .env("RUSTC", &toolchain.rustc)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            flags(project, target, &toolchain, options)?.join("\x1f"),
        )
        .env_remove("RUSTFLAGS");
    if project.has_module_feature {
        command.args(["--features", "module"]);
    }
    if options.locked {
        command.arg("--locked");
    }
    if target.build_std {
        // A stable toolchain takes the unstable flags, for cargo and rustc alike, only with this.
        command.arg("-Zbuild-std=core").env("RUSTC_BOOTSTRAP", "1");
    }
    if let Some(spec) = target.spec {
        // By name in a folder that rustc is told of, not by path: cargo would mix the path into symbols.
        write(&specs, &target.rustc, spec)?;
        command.env("RUST_TARGET_PATH", &specs);
    }
    // Unstable flags, which `-Zbuild-std` has opened the door for.
    if target.build_std && target.opt_level == "z" {
        command.arg("--").args(SMALL);
    }
    let run = command.output().map_err(|error| BuildError::NotStarted {
        program: toolchain.cargo.clone(),
        error,
    })?;
    if !run.status.success() {
        return Err(BuildError::DoesNotCompile {
            package: project.package.clone(),
            arch: target.arch,
            output: String::from_utf8_lossy(&run.stderr).into_owned(),
        });
    }
    let name = format!("lib{}.a", project.library);
    let path = folder.join(&target.rustc).join("native").join(name);
    Ok(Archive {
        path,
        target,
        toolchain,
    })
}

/// As cargo reads it: letters in quotes, numbers without.
fn opt_level(target: &Target) -> String {
    match target.opt_level.parse::<u8>() {
        Ok(number) => number.to_string(),
        Err(_) => format!("\"{}\"", target.opt_level),
    }
}

fn flags(
    project: &Project,
    target: &Target,
    toolchain: &Toolchain,
    options: Options<'_>,
) -> Result<Vec<String>, BuildError> {
    let mut flags = target.rustflags.clone();
    flags.extend(options.rustflags.iter().map(|flag| (*flag).to_owned()));
    if target.spec.is_some() {
        flags.push("-Zunstable-options".to_owned());
    }
    // Where the build happens must not show in panic messages.
    let mut remaps = project.remaps(options.locked)?;
    remaps.push((toolchain.library(), "rust".to_owned()));
    for (folder, name) in remaps {
        flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
    }
    Ok(flags)
}

/// Writes a target's description unless it is there: its time of change would make cargo start anew.
fn write(folder: &Path, name: &str, spec: &str) -> Result<(), BuildError> {
    let path = folder.join(name).with_extension("json");
    if std::fs::read(&path).is_ok_and(|content| content == spec.as_bytes()) {
        return Ok(());
    }
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, spec))
        .map_err(|error| BuildError::File { path, error })
}
