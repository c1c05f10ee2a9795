//! Decides which MicroPython runs a test: Debian's, of the version asked for.

use std::path::PathBuf;
use std::process::Command;

use board_sim::micropython::{FindOptions, Foreign, MicroPython};

/// A version of MicroPython that every module test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Debian 13's.
    V1_25,
    /// That of the suites after it.
    V1_26,
}

impl Version {
    /// Both.
    pub const ALL: [Version; 2] = [Version::V1_25, Version::V1_26];

    /// As people write it: `1.25`.
    pub fn name(self) -> &'static str {
        match self {
            Version::V1_25 => "1.25",
            Version::V1_26 => "1.26",
        }
    }

    /// Where tests look for it: the program in `UMQTT_MICROPYTHON_1_25` (`_1_26`) if that is set, else the cache.
    pub fn find_options(self) -> FindOptions {
        let variable = format!("UMQTT_MICROPYTHON_{}", self.name().replace('.', "_"));
        FindOptions {
            program: std::env::var_os(variable).map(PathBuf::from),
            version: Some(self.name().into()),
            offline: true,
            ..FindOptions::default()
        }
    }
}

/// Where tests look for MicroPython 1.26 for the 32-bit PC: the program in `UMQTT_MICROPYTHON_X86` if that is set, else
/// the cache.
pub fn x86_options() -> FindOptions {
    FindOptions {
        program: std::env::var_os("UMQTT_MICROPYTHON_X86").map(PathBuf::from),
        foreign: Some(Foreign::I386),
        ..Version::V1_26.find_options()
    }
}

/// A MicroPython that was seen to run and to be of the version asked for.
#[derive(Clone, Debug)]
pub struct Interpreter(MicroPython);

impl Interpreter {
    /// The interpreter of [`Version::find_options`]; nothing is fetched in the middle of a test.
    ///
    /// # Errors
    /// Where there is none, it does not run, or it is of another version; the text says what to do.
    pub fn find(version: Version) -> Result<Interpreter, String> {
        MicroPython::find(&version.find_options(), &mut |_| {})
            .map(Interpreter)
            .map_err(|error| {
                format!(
                    "no MicroPython {}: {error}; `cargo xtask setup` fetches it",
                    version.name()
                )
            })
    }

    /// The interpreter of [`x86_options`].
    ///
    /// # Errors
    /// As [`Interpreter::find`].
    pub fn x86() -> Result<Interpreter, String> {
        MicroPython::find(&x86_options(), &mut |_| {})
            .map(Interpreter)
            .map_err(|error| {
                format!("no MicroPython for 32-bit x86: {error}; `cargo xtask setup` fetches it")
            })
    }

    /// A command that starts it; append MicroPython's own arguments.
    pub fn command(&self) -> Command {
        self.0.command()
    }
}
