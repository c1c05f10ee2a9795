//! Where MicroPython's own tool, mpremote from PyPI, is found.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// mpremote on PATH, or freshly installed into a folder of the build, below `build`.
///
/// # Errors
/// What pip says.
pub fn mpremote(build: &Path) -> Result<PathBuf, String> {
    if Command::new("mpremote")
        .arg("version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        return Ok("mpremote".into());
    }
    let folder = build.join("mpremote");
    let program = folder.join("bin/mpremote");
    let run = |command: &mut Command| -> Result<(), String> {
        let output = command.output().map_err(|e| format!("no mpremote: {e}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!(
                "no mpremote: {}",
                String::from_utf8_lossy(&output.stderr)
            ))
        }
    };
    // Tests of one program that begin together install it once.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !program.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "mpremote"]))?;
    }
    Ok(program)
}
