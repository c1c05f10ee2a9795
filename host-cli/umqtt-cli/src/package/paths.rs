//! Which paths a lesson may put on a board.

use std::collections::BTreeMap;

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// It is absolute, or goes up.
    Outside,
    /// It has a part that is empty or too long, a character that boards or zip files treat otherwise, or too many parts.
    Strange,
    /// Two paths that boards take for one: FAT does not tell small letters from capital ones.
    Twice,
    /// Another path is a file where this one needs a folder.
    InFile,
}

/// The most folders and file in a path.
const MAX_PARTS: usize = 16;
/// The longest name that littlefs and FAT store, in bytes.
const MAX_NAME: usize = 255;

/// Checks one path, written with `/`.
pub fn check(path: &str) -> Result<(), BadPath> {
    let parts: Vec<&str> = path.split('/').collect();
    // A colon is a drive to Windows and the board itself to mpremote.
    if path.starts_with(['/', '\\']) || path.contains(':') || parts.contains(&"..") {
        return Err(BadPath::Outside);
    }
    let strange = |part: &&str| {
        part.is_empty()
            || *part == "."
            || part.len() > MAX_NAME
            || part.contains('\\')
            || part.chars().any(char::is_control)
    };
    if parts.len() > MAX_PARTS || parts.iter().any(strange) {
        return Err(BadPath::Strange);
    }
    Ok(())
}

/// Checks that a board can hold all of these at once; gives the path that it cannot hold.
pub fn check_together<'a>(
    paths: impl IntoIterator<Item = &'a str>,
) -> Result<(), (&'a str, BadPath)> {
    let mut files: BTreeMap<String, &str> = BTreeMap::new();
    for path in paths {
        check(path).map_err(|bad| (path, bad))?;
        if files.insert(path.to_lowercase(), path).is_some() {
            return Err((path, BadPath::Twice));
        }
    }
    for (key, path) in &files {
        let mut folders = key.match_indices('/').map(|(at, _)| &key[..at]);
        if folders.any(|folder| files.contains_key(folder)) {
            return Err((path, BadPath::InFile));
        }
    }
    Ok(())
}
