//! Decides which of the lines that somebody enters are kept for the next time, where, and which one an arrow key brings.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Lines that are kept.
const MOST: usize = 1000;
/// Bytes of the file that are read: its end.
const MOST_BYTES: u64 = 128 * 1024;

/// A line with one of these may hold a password, which has no business in a file.
const SECRET: [&str; 6] = [
    "connect(", "password", "passwd", "secret", "key=", "contrase",
];

/// The lines, the oldest first, and how far back the arrow keys have gone.
#[derive(Debug, Default)]
pub struct History {
    /// `None` where the system has no place for it.
    path: Option<PathBuf>,
    lines: Vec<String>,
    /// Index of the line shown, and what was being edited before the first arrow key.
    shown: Option<(usize, String)>,
}

impl History {
    /// The one that earlier sessions left.
    pub fn load() -> Self {
        Self::of(path())
    }

    fn of(path: Option<PathBuf>) -> Self {
        let text = path.as_deref().map(tail).unwrap_or_default();
        let mut lines: Vec<String> = (text.lines())
            .filter(|line| !line.trim().is_empty() && !line.contains(|c: char| c.is_control()))
            .map(str::to_owned)
            .collect();
        let surplus = lines.len().saturating_sub(MOST);
        lines.drain(..surplus);
        let history = Self {
            path,
            lines,
            shown: None,
        };
        if surplus > 0 {
            history.rewrite();
        }
        history
    }

    /// Keeps a line that was entered.
    pub fn add(&mut self, line: &str) {
        self.shown = None;
        let small = line.to_lowercase();
        let plain = |line: &str| !line.contains(|c: char| c.is_control());
        if line.trim().is_empty()
            || self.lines.last().is_some_and(|last| last == line)
            || !plain(line)
        {
            return;
        }
        self.lines.push(line.to_owned());
        if SECRET.iter().any(|word| small.contains(word)) {
            return;
        }
        // What cannot be kept is no reason to stop a conversation.
        if let Some(path) = &self.path
            && let Ok(mut file) = private(path, OpenOptions::new().append(true).create(true))
        {
            let _ = writeln!(file, "{line}");
        }
    }

    /// Another key than an arrow.
    pub fn key(&mut self) {
        self.shown = None;
    }

    /// The line that the last arrow key brought, where no other key followed.
    pub fn shown(&self) -> Option<&str> {
        let (index, draft) = self.shown.as_ref()?;
        Some(self.lines.get(*index).unwrap_or(draft))
    }

    /// The line before (or after) the one shown; `current` is what is being edited. `None` at either end.
    pub fn step(&mut self, back: bool, current: &str) -> Option<String> {
        let (index, draft) = match self.shown.take() {
            Some(shown) => shown,
            None => (self.lines.len(), current.to_owned()),
        };
        let next = if back {
            index.checked_sub(1)
        } else {
            (index < self.lines.len()).then_some(index + 1)
        };
        let line = next.map(|next| self.lines.get(next).unwrap_or(&draft).clone());
        self.shown = Some((next.unwrap_or(index), draft));
        line
    }

    /// Writes the file anew, whole or not at all.
    fn rewrite(&self) {
        let Some(path) = &self.path else {
            return;
        };
        // A temporary file is for its owner alone, as the one that it replaces.
        let written = || -> std::io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            let secret = |line: &&String| {
                let small = line.to_lowercase();
                !SECRET.iter().any(|word| small.contains(word))
            };
            for line in self.lines.iter().filter(secret) {
                writeln!(file, "{line}")?;
            }
            file.persist(path).map(drop).map_err(|error| error.error)
        };
        // The longer file serves as well.
        let _ = written();
    }
}

/// The end of a file, from its first whole line on; nothing where there is none.
fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let from = length.saturating_sub(MOST_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        if from > 0 {
            let first = bytes.iter().position(|byte| *byte == b'\n');
            bytes.drain(..first.map_or(bytes.len(), |at| at + 1));
        }
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// A file that only its owner may read.
fn private(path: &Path, options: &mut OpenOptions) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Where programs keep a user's data.
fn path() -> Option<PathBuf> {
    let absolute = |name| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let folder = absolute("XDG_DATA_HOME").or_else(|| {
        if cfg!(windows) {
            return absolute("APPDATA");
        }
        let below = if cfg!(target_os = "macos") {
            "Library/Application Support"
        } else {
            ".local/share"
        };
        Some(absolute("HOME")?.join(below))
    })?;
    Some(folder.join("umqtt").join("repl_history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_this_session_and_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("umqtt/repl_history");
        let mut history = History::of(Some(path.clone()));
        for line in [
            "a = 1",
            "b = 2",
            "b = 2",
            "",
            "wlan.connect('x', 'hunter2')",
        ] {
            history.add(line);
        }
        // In this session a line with a password can be called back; no file has it.
        assert_eq!(
            history.step(true, "dra").as_deref(),
            Some("wlan.connect('x', 'hunter2')")
        );
        assert_eq!(history.step(true, "").as_deref(), Some("b = 2"));
        assert_eq!(history.shown(), Some("b = 2"));
        assert_eq!(history.step(true, "").as_deref(), Some("a = 1"));
        assert_eq!(history.step(true, ""), None);
        for wanted in ["b = 2", "wlan.connect('x', 'hunter2')", "dra"] {
            assert_eq!(history.step(false, "").as_deref(), Some(wanted));
        }
        assert_eq!(history.step(false, ""), None);
        let text = fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "a = 1\nb = 2\n");
        let mut next = History::of(Some(path.clone()));
        assert_eq!(next.step(true, "").as_deref(), Some("b = 2"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_of_any_size_and_content_is_cut_to_what_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        let mut text = vec![0xff, 0x1b, b'[', b'\n'];
        for number in 0..40_000 {
            text.extend(format!("x = {number}\n").bytes());
        }
        fs::write(&path, text).expect("a file");
        let mut history = History::of(Some(path.clone()));
        assert_eq!(history.lines.len(), MOST);
        assert_eq!(history.step(true, "").as_deref(), Some("x = 39999"));
        let kept = fs::read_to_string(&path).expect("the file");
        assert_eq!(kept.lines().count(), MOST);
        // A folder in its place is no reason to fail.
        let mut none = History::of(Some(folder.path().to_owned()));
        none.add("y");
        assert_eq!(none.step(true, "").as_deref(), Some("y"));
    }
}
