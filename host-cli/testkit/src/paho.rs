//! Decides which versions of paho-mqtt the tests use, and where `cargo xtask setup` puts them.

use std::path::PathBuf;
use std::process::Command;

/// The version that the lessons were written for, and one of the line that pip installs today.
pub const VERSIONS: [&str; 2] = ["1.6.1", "2.1.0"];

/// The folder of a version in the cache, whether it is there or not.
///
/// # Errors
/// Where there is no cache.
pub fn folder(version: &str) -> Result<PathBuf, String> {
    Ok(crate::cache()?
        .join("pypi")
        .join(format!("paho-mqtt-{version}")))
}

/// Python with this version of paho-mqtt.
///
/// # Errors
/// Where it is not installed.
pub fn python(version: &str) -> Result<Command, String> {
    let folder = folder(version)?;
    if !folder.is_dir() {
        return Err(format!(
            "paho-mqtt {version} is not installed; cargo xtask setup installs it"
        ));
    }
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", folder).arg("-B");
    Ok(command)
}
