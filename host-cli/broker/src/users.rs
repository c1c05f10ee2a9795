//! Decides who may connect: the users of a file in Mosquitto's form, one `USER:PASSWORD` per line, and how that file is
//! changed without ever being half-written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use thiserror::Error;

use crate::password::StoredPassword;

/// Why a password file cannot be used or changed.
#[derive(Debug, Error)]
pub enum UsersError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// `reason` continues a sentence about the line.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        path: PathBuf,
        /// From 1.
        line: usize,
        reason: &'static str,
    },
    /// A name that the file cannot hold.
    #[error(
        "\"{0}\" is no user name: it is empty, begins with # or a blank, or holds a colon or control character"
    )]
    Name(String),
    #[error("{} has no user {user}", path.display())]
    NoSuchUser { path: PathBuf, user: String },
    #[error("the system gives no random numbers")]
    Random,
}

/// The users of a password file. A change of the file counts from the next login on.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    users: BTreeMap<String, StoredPassword>,
    state: FileState,
}

/// What changes when somebody writes the file.
type FileState = Option<(SystemTime, u64)>;

fn state(path: &Path) -> FileState {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Users {
    /// Reads a password file.
    ///
    /// # Errors
    /// Where it cannot be read or one of its lines is none.
    pub fn load(path: &Path) -> Result<Self, UsersError> {
        let loaded = Mutex::new(Loaded {
            state: state(path),
            users: parse(path, &read(path)?)?,
        });
        Ok(Self {
            path: path.to_owned(),
            loaded,
        })
    }

    /// Whether this is a user of the file with its password. It takes some hundredths of a second.
    pub fn verify(&self, user: &str, password: &[u8]) -> bool {
        let stored = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            let now = state(&self.path);
            if now != loaded.state
                && let Ok(users) = read(&self.path).and_then(|text| parse(&self.path, &text))
            {
                // A file that cannot be read now leaves those who were in it.
                *loaded = Loaded { users, state: now };
            }
            loaded.users.get(user).cloned()
        };
        // A user that there is not takes as long as one with the wrong password.
        stored.unwrap_or_else(StoredPassword::none).verify(password)
    }
}

/// Gives a user of the file a password: a new user or a new password. The file is made where there is none, and with
/// `anew` loses all that it held. Other lines stay as they are.
///
/// # Errors
/// Where the name cannot be kept, the file cannot be read, has a line that is none, or cannot be written; it is then
/// as it was.
pub fn set_password(
    path: &Path,
    user: &str,
    password: &[u8],
    anew: bool,
) -> Result<(), UsersError> {
    if !is_user_name(user) {
        return Err(UsersError::Name(user.to_owned()));
    }
    let text = match read(path) {
        _ if anew => String::new(),
        Ok(text) => text,
        Err(UsersError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            String::new()
        }
        Err(error) => return Err(error),
    };
    parse(path, &text)?;
    let stored = StoredPassword::new(password).map_err(|_| UsersError::Random)?;
    let entry = format!("{user}:{stored}");
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter_mut().find(|line| name(line) == Some(user)) {
        Some(line) => *line = &entry,
        None => lines.push(&entry),
    }
    write(path, &lines)
}

/// Removes a user from the file.
///
/// # Errors
/// As with `set_password`, and where the file has no such user.
pub fn remove_user(path: &Path, user: &str) -> Result<(), UsersError> {
    let text = read(path)?;
    if !parse(path, &text)?.contains_key(user) {
        return Err(UsersError::NoSuchUser {
            path: path.to_owned(),
            user: user.to_owned(),
        });
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| name(line) != Some(user))
        .collect();
    write(path, &lines)
}

fn is_user_name(user: &str) -> bool {
    // MQTT's strings have at most 65,535 bytes (1.5.3).
    (1..=65_535).contains(&user.len())
        && !user.starts_with('#')
        && user.trim() == user
        && !user.contains(|letter: char| letter == ':' || letter.is_control())
}

/// The user of a line; none where it is empty or a comment.
fn name(line: &str) -> Option<&str> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    Some(line.split_once(':').map_or(line, |(user, _)| user))
}

fn read(path: &Path) -> Result<String, UsersError> {
    fs::read_to_string(path).map_err(|source| UsersError::Read {
        path: path.to_owned(),
        source,
    })
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, StoredPassword>, UsersError> {
    let mut users = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let Some(user) = name(line) else {
            continue;
        };
        let refuse = |reason| UsersError::Line {
            path: path.to_owned(),
            line: index + 1,
            reason,
        };
        let Some((_, password)) = line.trim_end().split_once(':') else {
            return Err(refuse("it has no colon; a line is USER:PASSWORD"));
        };
        if !is_user_name(user) {
            return Err(refuse(
                "its user name is empty or holds a control character",
            ));
        }
        let password = StoredPassword::parse(password).map_err(refuse)?;
        if users.insert(user.to_owned(), password).is_some() {
            return Err(refuse("its user stands in the file already"));
        }
    }
    Ok(users)
}

/// Writes the file under another name, readable by its owner only, and renames it: whoever reads it sees the old one or
/// the new one.
fn write(path: &Path, lines: &[&str]) -> Result<(), UsersError> {
    let failed = |source| UsersError::Write {
        path: path.to_owned(),
        source,
    };
    // The file that a link leads to is replaced, not the link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Such files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    for line in lines {
        writeln!(file, "{line}").map_err(failed)?;
    }
    keep_owner(&target, file.path());
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The new file belongs to whom the old one did, as far as the system allows: Mosquitto reads its own as its own user.
#[cfg(unix)]
fn keep_owner(old: &Path, new: &Path) {
    use std::os::unix::fs::MetadataExt;
    if let Ok(metadata) = fs::metadata(old) {
        // Only root may give files away; for others the file is their own anyway.
        let _ = std::os::unix::fs::chown(new, Some(metadata.uid()), Some(metadata.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_added_changed_and_removed_and_other_lines_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users");
        set_password(&path, "ana", b"uno", false).expect("a new file");
        let mut text = fs::read_to_string(&path).expect("a file");
        text.insert_str(0, "# la clase\n\n");
        fs::write(&path, &text).expect("a file");
        set_password(&path, "ñandú pérez", b"dos", false).expect("a second user");
        set_password(&path, "ana", b"tres", false).expect("a new password");
        let users = Users::load(&path).expect("users");
        assert!(users.verify("ana", b"tres") && users.verify("ñandú pérez", b"dos"));
        assert!(
            !users.verify("ana", b"uno") && !users.verify("eva", b"tres") && !users.verify("", b"")
        );
        // What changes in the file counts at once; a damaged one changes nothing.
        remove_user(&path, "ana").expect("it is there");
        assert!(!users.verify("ana", b"tres") && users.verify("ñandú pérez", b"dos"));
        let good = fs::read_to_string(&path).expect("a file");
        assert!(good.starts_with("# la clase\n\nñandú pérez:$7$"), "{good}");
        fs::write(&path, "damaged\n").expect("a file");
        assert!(users.verify("ñandú pérez", b"dos"));
        fs::write(&path, good).expect("a file");
        assert!(matches!(
            remove_user(&path, "ana"),
            Err(UsersError::NoSuchUser { .. })
        ));
        set_password(&path, "eva", b"x", true).expect("anew");
        assert_eq!(
            fs::read_to_string(&path).expect("a file").lines().count(),
            1
        );
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_only_and_a_link_stays_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users");
        let link = folder.path().join("link");
        fs::write(&path, "").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("a mode");
        std::os::unix::fs::symlink("users", &link).expect("a link");
        set_password(&link, "ana", b"uno", false).expect("a user");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert!(Users::load(&path).expect("users").verify("ana", b"uno"));
    }

    #[test]
    fn what_is_no_user_or_no_line_is_refused_and_nothing_is_lost() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users");
        for user in ["", "a:b", "#a", "a\nb", " a", "a ", "\0"] {
            assert!(
                matches!(
                    set_password(&path, user, b"x", false),
                    Err(UsersError::Name(_))
                ),
                "{user:?}"
            );
        }
        assert!(!path.exists());
        for (text, line) in [
            ("ana:secreta\n", 1),
            ("# x\n\nana\n", 3),
            (":$6$AAAA$AAAA\n", 1),
            ("ana:$7$1$AAAA$AAAA\n", 1),
        ] {
            fs::write(&path, text).expect("a file");
            for error in [
                Users::load(&path).expect_err(text),
                set_password(&path, "eva", b"x", false).expect_err(text),
                remove_user(&path, "ana").expect_err(text),
            ] {
                assert!(
                    matches!(&error, UsersError::Line { line: at, .. } if *at == line),
                    "{text:?}: {error}"
                );
            }
            assert_eq!(fs::read_to_string(&path).expect("a file"), text);
        }
        assert!(matches!(
            Users::load(&folder.path().join("nobody")),
            Err(UsersError::Read { .. })
        ));
        assert!(matches!(
            set_password(&folder.path().join("no/folder"), "ana", b"x", false),
            Err(UsersError::Write { .. })
        ));
    }
}
