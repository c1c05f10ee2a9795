//! Decides how tests get what they need from outside: MicroPython of both versions, the two implementations of
//! `umqtt.simple`, Debian's Mosquitto, certificates and peers that misbehave on command; and what happens where
//! one of them is missing.
//!
//! Nothing here is built into the command; only tests and `xtask` depend on it.

pub mod case;
mod certificates;
pub mod cross;
#[cfg(unix)]
mod fake_port;
mod implementation;
mod interpreter;
mod machine;
mod mosquitto;
mod mpremote;
pub mod mpy_ld;
pub mod native;
pub mod natmod;
mod peer;
mod program;
mod proxy;
pub mod qemu;
mod ran;
mod require;
pub mod scripted;

pub use certificates::Certificates;
#[cfg(unix)]
pub use fake_port::FakePort;
pub use implementation::{Implementation, Module};
pub use interpreter::{Interpreter, Version, x86_options};
pub use machine::Machine;
pub use mosquitto::{Access, Mosquitto};
pub use mpremote::mpremote;
pub use peer::{Peer, Step};
pub use program::{Finished, Program, Running};
pub use proxy::Proxy;
pub use ran::{RAN, ran};
pub use require::{REQUIRE_ALL, skip};

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository's root")
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
