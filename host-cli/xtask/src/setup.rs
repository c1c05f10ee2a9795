//! Decides what the tests need from outside and how it gets here: Debian packages by apt, MicroPython and its sources
//! into the user's cache, PyPI's umqtt by pip. It only fetches what is missing and says what it does.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use board_sim::micropython::{self, FindOptions, MicroPython, Progress};
use testkit::mpy_ld::{AR_VERSION, ar_folder};
use testkit::{Version, paho};

use crate::fuzz;

/// Debian's packages that tests need, and what for.
const PACKAGES: [(&str, &str); 32] = [
    ("mosquitto", "a real broker"),
    ("mosquitto-clients", "its clients"),
    ("libclang-dev", "bindgen, which checks the ABI"),
    ("gcc", "modules written in C for the linker"),
    ("make", "building MicroPython for QEMU"),
    ("gcc-arm-none-eabi", "building MicroPython for QEMU"),
    ("libnewlib-arm-none-eabi", "building MicroPython for QEMU"),
    ("qemu-system-arm", "a board without a board"),
    ("ser2net", "a serial port over the network"),
    ("fish", "completions in a shell"),
    ("gcc-multilib", "modules written in C for x86"),
    ("gcc-riscv64-unknown-elf", "modules written in C for RISC-V"),
    ("gcc-xtensa-lx106", "modules written in C for ESP8266"),
    ("rustc-web", "Rust for boards, Xtensa included"),
    ("rust-web-src", "its core library"),
    ("clang-22", "MicroPython for Xtensa"),
    ("llvm-22", "its assembler"),
    (
        "picolibc-xtensa-lx106-elf",
        "MicroPython for ESP8266's core",
    ),
    ("picolibc-riscv64-unknown-elf", "MicroPython for RISC-V"),
    ("qemu-system-misc", "RISC-V boards"),
    (
        "qemu-user",
        "Xtensa programs, and those of the 32-bit PC where the kernel has none",
    ),
    ("python3-pip", "fetching PyPI's umqtt"),
    ("python3-pyelftools", "MicroPython's own linker"),
    ("python3-venv", "installing mpremote beside the system"),
    ("strace", "counting the client's system calls"),
    ("tcpdump", "counting its TCP segments"),
    ("valgrind", "counting the client's instructions"),
    ("xz-utils", "unpacking Debian's sources"),
    ("zsh", "completions in another shell"),
    ("nodejs", "building the laboratory's page"),
    ("npm", "fetching what that page is made of"),
    ("chromium", "trying the page as a student does"),
];

/// Packages whose program often comes from elsewhere, Node.js above all, and then conflicts with Debian's.
const PROGRAMS: [(&str, &str); 2] = [("nodejs", "node"), ("npm", "npm")];

/// PyPI's packages: name, version, folder in the cache.
const PYPI: [(&str, &str, &str); 2] = [
    (
        "micropython-umqtt.simple",
        "1.3.4",
        "micropython-umqtt.simple-1.3.4",
    ),
    (
        "micropython-umqtt.robust",
        "1.0.*",
        "micropython-umqtt.robust",
    ),
];

/// Sets everything up as far as possible; what could not be is returned and was printed. Tests that need it say so
/// themselves.
pub fn run() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut attempt = |what: String, done: Result<()>| {
        if let Err(error) = done {
            eprintln!("set-up: {what}: {error:#}");
            problems.push(what);
        }
    };
    attempt("Debian packages".into(), packages());
    for version in Version::ALL {
        attempt(
            format!("MicroPython {}", version.name()),
            interpreter(version.find_options()),
        );
        attempt(
            format!("the source of MicroPython {}", version.name()),
            source(version),
        );
    }
    attempt(
        "MicroPython for 32-bit x86".into(),
        interpreter(testkit::x86_options()),
    );
    for (name, version, folder) in PYPI {
        attempt(
            format!("{name} {version} of PyPI"),
            pypi(name, version, folder),
        );
    }
    // With what MicroPython's own linker reads archives.
    attempt(
        format!("ar {AR_VERSION} of PyPI"),
        package("ar", AR_VERSION, ar_folder()),
    );
    for version in paho::VERSIONS {
        attempt(
            format!("paho-mqtt {version} of PyPI"),
            package("paho-mqtt", version, paho::folder(version)),
        );
    }
    attempt("cargo-fuzz".into(), cargo_fuzz());
    attempt(
        "Rust for Windows and macOS".into(),
        crate::portable::set_up(),
    );
    Ok(problems)
}

/// The fuzzers' driver, into a folder of its own.
fn cargo_fuzz() -> Result<()> {
    if fuzz::program().is_ok() {
        return Ok(());
    }
    println!("set-up: building cargo-fuzz {}", fuzz::CARGO_FUZZ);
    let mut command = crate::cargo();
    command
        .args([
            "install",
            "cargo-fuzz",
            "--locked",
            "--version",
            fuzz::CARGO_FUZZ,
            "--root",
        ])
        .arg(fuzz::tools()?);
    crate::output(&mut command).map(drop)
}

fn packages() -> Result<()> {
    let missing: Vec<_> = PACKAGES
        .into_iter()
        .filter(|(package, _)| !is_installed(package) && !comes_from_elsewhere(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(package, _)| *package).collect();
    let by_hand = format!(
        "apt-get install --no-install-recommends {}",
        names.join(" ")
    );
    if Command::new("apt-get").arg("--version").output().is_err() {
        bail!(
            "this system has no apt; install what corresponds to Debian's {}",
            names.join(", ")
        );
    }
    let prefix: &[&str] = if crate::output(Command::new("id").arg("-u"))? == "0" {
        &[]
    } else if Command::new("sudo")
        .args(["-n", "true"])
        .output()
        .is_ok_and(|run| run.status.success())
    {
        &["sudo", "-n"]
    } else {
        bail!("neither root nor sudo without a password; run this yourself: sudo {by_hand}");
    };
    for (package, purpose) in &missing {
        println!("set-up: installing {package} ({purpose})");
    }
    if names.contains(&"mosquitto") {
        println!(
            "set-up: Debian may start a Mosquitto on port 1883; the tests use their own, so you may stop it"
        );
    }
    let apt_get = |arguments: &[&str]| -> Result<()> {
        let words: Vec<&str> = prefix
            .iter()
            .copied()
            .chain([
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "-q",
                "-o",
                "DPkg::Lock::Timeout=300",
            ])
            .chain(arguments.iter().copied())
            .collect();
        crate::output(Command::new(words[0]).args(&words[1..])).map(drop)
    };
    apt_get(&["update"]).context("apt-get update")?;
    // Without --no-remove, apt would put rustc-web in the place of another Debian rustc that somebody may need.
    let install: Vec<&str> = ["install", "-y", "--no-remove", "--no-install-recommends"]
        .into_iter()
        .chain(names)
        .collect();
    apt_get(&install).with_context(|| format!("try it yourself: sudo {by_hand}"))
}

/// True where dpkg says so, or where there is no dpkg to ask and the tests must find out.
fn is_installed(package: &str) -> bool {
    match Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status}", package])
        .output()
    {
        Ok(output) => output.stdout == b"installed",
        Err(_) => false,
    }
}

/// True for a package whose program runs without it.
fn comes_from_elsewhere(package: &str) -> bool {
    PROGRAMS.iter().any(|(name, program)| {
        *name == package
            && Command::new(program)
                .arg("--version")
                .output()
                .is_ok_and(|run| run.status.success())
    })
}

/// Prints each new stage of a fetch once.
fn progress() -> impl FnMut(&Progress) {
    let mut last = String::new();
    move |progress| {
        let text = progress.to_string();
        let stage = text.split(':').next().unwrap_or_default().to_string();
        if stage != last {
            println!("set-up: {stage}");
            last = stage;
        }
    }
}

fn interpreter(options: FindOptions) -> Result<()> {
    let options = FindOptions {
        offline: false,
        ..options
    };
    MicroPython::find(&options, &mut progress())
        .map(drop)
        .map_err(Into::into)
}

fn source(version: Version) -> Result<()> {
    source_folder(version, false).map(drop)
}

/// The variable by which tests find the source of a version.
pub fn source_variable(version: Version) -> String {
    format!("UMQTT_MICROPYTHON_SRC_{}", version.name().replace('.', "_"))
}

/// The unpacked source of a version: what its variable names, else the cache, filled unless `offline`.
pub fn source_folder(version: Version, offline: bool) -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(source_variable(version)) {
        return Ok(folder.into());
    }
    let options = FindOptions {
        offline,
        ..FindOptions::default()
    };
    let package =
        micropython::source_package("micropython", version.name(), &options, &mut progress())?;
    Ok(package.path)
}

fn pypi(name: &str, version: &str, folder: &str) -> Result<()> {
    let target = testkit::cache()
        .map_err(anyhow::Error::msg)?
        .join("pypi")
        .join(folder);
    if target.is_dir() {
        return Ok(());
    }
    println!("set-up: fetching {name} {version}");
    let part = target.with_extension("part");
    if part.exists() {
        std::fs::remove_dir_all(&part)
            .with_context(|| format!("cannot remove {}", part.display()))?;
    }
    fetch(name, version, &part)?;
    std::fs::rename(&part, &target).with_context(|| format!("cannot rename {}", part.display()))
}

/// A package of PyPI that is an ordinary one, unlike those above, into a folder of its own.
fn package(name: &str, version: &str, target: Result<PathBuf, String>) -> Result<()> {
    let target = target.map_err(anyhow::Error::msg)?;
    if target.is_dir() {
        return Ok(());
    }
    println!("set-up: fetching {name} {version}");
    let part = target.with_file_name(format!("{name}-{version}.part"));
    let mut command = Command::new(python_with_pip()?);
    command
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--upgrade",
            "--target",
        ])
        .arg(&part)
        .arg(format!("{name}=={version}"));
    crate::output(&mut command)?;
    std::fs::rename(&part, &target).with_context(|| format!("cannot rename {}", part.display()))
}

/// The first Python that has pip: the one on PATH, else Debian's.
fn python_with_pip() -> Result<&'static str> {
    let has_pip = |python: &&str| {
        Command::new(python)
            .args(["-c", "import pip"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(has_pip)
        .context("no python3 with pip; on Debian: apt-get install python3-pip")
}

/// Runs the script that knows PyPI's umqtt.
fn fetch(name: &str, version: &str, folder: &Path) -> Result<()> {
    let script = testkit::repository().join("host-cli/umqtt-cli/src/bench/pypi.py");
    crate::output(
        Command::new(python_with_pip()?)
            .arg(script)
            .args([name, version])
            .arg(folder),
    )
    .map(drop)
}
