//! Decides how tests get what they need from outside: MicroPython of both versions, the two implementations of
//! `umqtt.simple`, Debian's Mosquitto, certificates and peers that misbehave on command; and what happens where
//! one of them is missing.
//!
//! Nothing here is built into the command; only tests and `xtask` depend on it.

pub mod case;
mod certificates;
pub mod cross;
#[cfg(unix)]
pub mod emulator;
mod fake_port;
#[cfg(unix)]
mod fake_rom;
mod faulty;
mod implementation;
mod interpreter;
pub mod lessons;
mod lossy;
mod machine;
mod mosquitto;
mod mpremote;
pub mod mpy_ld;
pub mod native;
pub mod natmod;
pub mod paho;
mod peer;
mod printed;
mod program;
mod proxy;
pub mod qemu;
mod ran;
mod random;
mod require;
pub mod scripted;
#[cfg(unix)]
pub mod traced;

pub use certificates::Certificates;
#[cfg(unix)]
pub use fake_port::FakePort;
#[cfg(unix)]
pub use fake_rom::{Chip, FakeRom, Fault};
pub use faulty::{Faults, Faulty};
pub use implementation::{Implementation, Module};
pub use interpreter::{Interpreter, Version, x86_options};
pub use lossy::LossyNetwork;
pub use machine::Machine;
pub use mosquitto::{Access, Mosquitto, mosquitto_clients};
pub use mpremote::mpremote;
pub use peer::{Peer, Step};
pub use printed::printed;
pub use program::{Finished, Program, Running};
pub use proxy::{Break, How, Proxy};
pub use ran::{RAN, ran};
pub use random::Random;
pub use require::{REQUIRE_ALL, installed, skip, strace};

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository's root")
}

/// The SHA-256 of `data` in hexadecimal digits, by coreutils: not by what is tested.
///
/// # Panics
/// Where there is no `sha256sum`.
pub fn sha256(data: &[u8]) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sha256sum starts");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(data).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout)
        .chars()
        .take(64)
        .collect()
}

/// The folder that `cargo xtask setup` fills: `$XDG_CACHE_HOME/umqtt`, else `~/.cache/umqtt`.
///
/// # Errors
/// Where neither variable is set.
pub fn cache() -> Result<PathBuf, String> {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .map(|cache| cache.join("umqtt"))
        .ok_or_else(|| {
            "neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder; set one of them"
                .into()
        })
}
