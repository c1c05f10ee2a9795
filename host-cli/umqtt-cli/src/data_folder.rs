//! Decides where the command keeps what is to stay: the simulated board's files, the broker's certificates.

use std::path::PathBuf;

/// Where programs keep a user's data: `$XDG_DATA_HOME`, else what the system has for it; none where no home is known.
pub fn find() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if cfg!(windows) {
        return absolute("LOCALAPPDATA");
    }
    let home = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/share"
    };
    absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(home)))
}
