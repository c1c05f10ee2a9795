//! Decides which MicroPython runs a test: Debian's, of the version asked for.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

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

    /// As `sys.implementation.version` begins.
    fn tuple(self) -> &'static str {
        match self {
            Version::V1_25 => "(1, 25,",
            Version::V1_26 => "(1, 26,",
        }
    }
}

/// A MicroPython that was seen to run and to be of the version asked for.
#[derive(Clone, Debug)]
pub struct Interpreter {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Interpreter {
    /// The interpreter named by `UMQTT_MICROPYTHON_1_25` (`_1_26`), else the one that `cargo xtask setup` unpacked
    /// into the cache.
    ///
    /// # Errors
    /// Where there is none, it does not run, or it is of another version; the text says what to do.
    pub fn find(version: Version) -> Result<Interpreter, String> {
        let variable = format!("UMQTT_MICROPYTHON_{}", version.name().replace('.', "_"));
        let interpreter = match std::env::var_os(&variable) {
            Some(program) => Interpreter {
                program: program.into(),
                arguments: Vec::new(),
            },
            None => Interpreter::unpacked(version)?,
        };
        let run = interpreter
            .command()
            .args(["-c", "import sys; print(sys.implementation.version)"])
            .output()
            .map_err(|error| format!("{} does not run: {error}", interpreter.program.display()))?;
        let answer = String::from_utf8_lossy(&run.stdout);
        if answer.starts_with(version.tuple()) {
            Ok(interpreter)
        } else {
            Err(format!(
                "{} is not MicroPython {}: its version is {}{}",
                interpreter.program.display(),
                version.name(),
                answer.trim(),
                String::from_utf8_lossy(&run.stderr).trim()
            ))
        }
    }

    /// Debian's packages unpacked side by side, started through their own loader.
    fn unpacked(version: Version) -> Result<Interpreter, String> {
        let root = crate::cache()?.join("micropython").join(version.name());
        let program = root.join("usr/lib64/ld-linux-x86-64.so.2");
        if !program.exists() {
            return Err(format!(
                "no MicroPython {} in {}; `cargo xtask setup` fetches it",
                version.name(),
                root.display()
            ));
        }
        let arguments = vec![
            "--library-path".into(),
            root.join("usr/lib/x86_64-linux-gnu").into(),
            root.join("usr/bin/micropython").into(),
        ];
        Ok(Interpreter { program, arguments })
    }

    /// A command that starts it; append MicroPython's own arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}
