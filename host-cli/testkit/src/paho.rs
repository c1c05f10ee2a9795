//! Decides which versions of paho-mqtt the tests use, and where `cargo xtask setup` puts them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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

/// Python with this version of paho-mqtt, which Ctrl-C ends even where the tests run in the background of a shell: it
/// starts them with SIGINT ignored, and Python leaves that so.
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
    let mut command = Command::new("env");
    command
        .args(["--default-signal=INT", "python3", "-B"])
        .env("PYTHONPATH", folder);
    Ok(command)
}

/// The private resolver of [`pointed`]: Python runs a module of this name before the program. It names what it does on
/// standard error, so that no output can be taken for that of a real public broker.
const RESOLVER: &str = r#"import os
import socket
import sys

_names = os.environ["UMQTT_TEST_NAMES"].split(",")
_host, _port = os.environ["UMQTT_TEST_BROKER"].rsplit(":", 1)
_real = socket.getaddrinfo


def _getaddrinfo(host, port, *rest, **named):
    if host in _names:
        print("test resolver: {} leads to {}:{}".format(host, _host, _port), file=sys.stderr)
        host, port = _host, int(_port)
    return _real(host, port, *rest, **named)


socket.getaddrinfo = _getaddrinfo
"#;

/// Python with this version of paho-mqtt, in which these host names lead to `broker`, whatever port is asked for; all
/// other names are as ever. `folder` takes the module that does it.
///
/// # Errors
/// Where paho-mqtt is not installed.
///
/// # Panics
/// Where `folder` cannot be written to.
pub fn pointed(
    version: &str,
    folder: &Path,
    names: &[&str],
    broker: SocketAddr,
) -> Result<Command, String> {
    let mut command = python(version)?;
    std::fs::write(folder.join("sitecustomize.py"), RESOLVER).expect("the resolver is written");
    let path = std::env::join_paths([folder.to_owned(), self::folder(version)?])
        .map_err(|error| error.to_string())?;
    command
        .env("PYTHONPATH", path)
        .env("UMQTT_TEST_NAMES", names.join(","))
        .env("UMQTT_TEST_BROKER", broker.to_string());
    Ok(command)
}
