//! Decides what a test does that cannot run: it says *skipped* by name, and fails in the full run.

use std::fmt::Display;
use std::process::{Command, Stdio};

/// Set to anything, it turns every skip into a failure; `cargo xtask test --require-all` sets it.
pub const REQUIRE_ALL: &str = "UMQTT_REQUIRE_ALL";

/// Reports that `test` could not run. `xtask` counts these lines.
///
/// # Panics
/// Under [`REQUIRE_ALL`].
pub fn skip(test: &str, reason: impl Display) {
    assert!(
        std::env::var_os(REQUIRE_ALL).is_none(),
        "{test} cannot run: {reason}"
    );
    println!("skipped: {test}: {reason}");
}

/// The value of a `Result`, or a skip of the test named first and a return from it.
#[macro_export]
macro_rules! need {
    ($test:expr, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(reason) => {
                $crate::skip($test, reason);
                return;
            }
        }
    };
}

/// Whether all these programs can be started.
///
/// # Errors
/// Names the first that cannot, and Debian's package that has them.
pub fn installed(programs: &[&str], package: &str) -> Result<(), String> {
    for program in programs {
        Command::new(program)
            .arg("--help")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| {
                format!("{program} does not run: {error}; on Debian: apt-get install {package}")
            })?;
    }
    Ok(())
}

/// Whether strace is there and may trace.
///
/// # Errors
/// Says which of both is missing.
pub fn strace() -> Result<(), String> {
    installed(&["strace"], "strace")?;
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output()
        .map_err(|error| format!("strace does not run: {error}"))?;
    if tried.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&tried.stderr);
    Err(format!("strace may not trace here: {}", why.trim()))
}
