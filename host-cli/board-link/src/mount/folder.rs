//! The folder of this computer that a board gets to see: what may be done in it, and nothing outside of it.
//!
//! The paths are the board's, which may be anything. `cap-std` resolves them below an open folder, so that no `..` and
//! no symbolic link leads out, whatever changes meanwhile. Nothing is kept open between two requests, and no answer is
//! longer than [`LARGEST`].

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};

/// Most bytes of a file or a listing in one answer.
const LARGEST: usize = 4096;

/// A board makes no file larger than this, bytes: a loop that went wrong must not fill the disk.
const LARGEST_FILE: u64 = 1 << 30;

/// Most entries of a folder that is listed; they are kept while the board asks for one part after the other.
const MOST_ENTRIES: usize = 100_000;

/// An errno as the board raises it. MicroPython's numbers are Linux's (py/mperrno.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errno(pub(super) u8);

const NO_SUCH: Errno = Errno(2);
const DENIED: Errno = Errno(13);
const IS_FOLDER: Errno = Errno(21);
const INVALID: Errno = Errno(22);
const TOO_LARGE: Errno = Errno(27);
const READ_ONLY: Errno = Errno(30);
const TOO_MANY: Errno = Errno(12);

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        use io::ErrorKind::*;
        Errno(match error.kind() {
            NotFound => 2,
            PermissionDenied => 13,
            AlreadyExists => 17,
            NotADirectory => 20,
            IsADirectory => 21,
            InvalidInput | InvalidFilename => 22,
            FileTooLarge => 27,
            StorageFull | QuotaExceeded => 28,
            ReadOnlyFilesystem => 30,
            DirectoryNotEmpty => 39,
            _ => 5,
        })
    }
}

/// A folder that boards may use.
pub struct Folder {
    dir: Dir,
    read_only: bool,
    /// The folder that is being listed, and what is in it.
    listing: Option<(String, Vec<String>)>,
}

impl Folder {
    /// Opens the folder. `read_only`: boards change nothing in it.
    ///
    /// # Errors
    /// The system's, where there is no such folder or it cannot be read.
    pub fn open(path: &Path, read_only: bool) -> io::Result<Folder> {
        Ok(Folder {
            dir: Dir::open_ambient_dir(path, ambient_authority())?,
            read_only,
            listing: None,
        })
    }

    /// Does what a request asks for; the letters are those of the board's program.
    pub(super) fn answer(&mut self, kind: u8, arguments: &[u8]) -> Result<Vec<u8>, Errno> {
        let end = arguments.iter().position(|byte| *byte == 0);
        let (path, rest) = arguments.split_at(end.ok_or(INVALID)?);
        let (path, rest) = (checked(path)?, &rest[1..]);
        match kind {
            b's' => self.stat(path),
            b'v' => self.room(path),
            b'l' => {
                let index = u32::from_le_bytes(field(rest, 0)?) as usize;
                self.list(path, index, most(field(rest, 4)?))
            }
            b'o' => self.open_file(path, rest),
            b'r' => {
                let at = u64::from_le_bytes(field(rest, 0)?);
                self.read(path, at, most(field(rest, 8)?))
            }
            b'w' => {
                let at = u64::from_le_bytes(field(rest, 0)?);
                self.write(path, at, rest.get(8..).unwrap_or_default())
            }
            b'd' => self.change(|dir| dir.create_dir(path)),
            b'x' => self.change(|dir| dir.remove_file(path)),
            b'y' if path == "." => Err(DENIED),
            b'y' => self.change(|dir| dir.remove_dir(path)),
            b'm' => {
                let to = checked(rest)?;
                self.change(|dir| dir.rename(path, dir, to))
            }
            _ => Err(INVALID),
        }
    }

    fn change(&self, work: impl FnOnce(&Dir) -> io::Result<()>) -> Result<Vec<u8>, Errno> {
        if self.read_only {
            return Err(READ_ONLY);
        }
        work(&self.dir)?;
        Ok(Vec::new())
    }

    /// `4` or `8` for folder and file, size in bytes, seconds since 1970.
    fn stat(&self, path: &str) -> Result<Vec<u8>, Errno> {
        let found = self.dir.metadata(path)?;
        let (kind, size) = kind_and_size(&found).ok_or(DENIED)?;
        let changed = (found.modified().ok())
            .and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok())
            .map_or(0, |since| since.as_secs());
        Ok(format!("{kind} {size} {changed}").into_bytes())
    }

    /// Bytes in a block, blocks of the disk, blocks that may still be written. Windows has no such question for a folder
    /// that is open; there the disk is said to have no room, as for a folder that nothing may be written to.
    fn room(&self, path: &str) -> Result<Vec<u8>, Errno> {
        self.dir.metadata(path)?;
        #[cfg(unix)]
        let (block, all, free) = {
            let disk = rustix::fs::fstatvfs(&self.dir).map_err(io::Error::from)?;
            (disk.f_frsize, disk.f_blocks, disk.f_bavail)
        };
        #[cfg(not(unix))]
        let (block, all, free) = (512_u64, 0_u64, 0_u64);
        let free = if self.read_only { 0 } else { free };
        Ok(format!("{block} {all} {free}").into_bytes())
    }

    /// Entries from number `index` on, sorted: kind, size, blank, name, 0x00. None: there are no more.
    fn list(&mut self, path: &str, index: usize, most: usize) -> Result<Vec<u8>, Errno> {
        let known = matches!(&self.listing, Some((listed, _)) if listed == path);
        if index == 0 || !known {
            self.listing = None;
            self.listing = Some((path.to_owned(), self.entries(path)?));
        }
        let entries = self.listing.as_ref().map_or(&[][..], |(_, all)| all);
        let mut out = Vec::new();
        for entry in entries.get(index..).unwrap_or_default() {
            if !out.is_empty() && out.len() + entry.len() >= most {
                break;
            }
            out.extend(entry.bytes());
            out.push(0);
        }
        if out.is_empty() {
            self.listing = None;
        }
        Ok(out)
    }

    fn entries(&self, path: &str) -> Result<Vec<String>, Errno> {
        let mut entries = Vec::new();
        for (number, entry) in self.dir.read_dir(path)?.enumerate() {
            if number >= MOST_ENTRIES {
                return Err(TOO_MANY);
            }
            // A name that is no text cannot be said to the board.
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            // A link that leads out, or to nothing, is not there; nor is what is neither file nor folder.
            let found = self.dir.metadata(Path::new(path).join(&name)).ok();
            if let Some((kind, size)) = found.as_ref().and_then(kind_and_size) {
                entries.push((name, kind, size));
            }
        }
        entries.sort();
        let text = |(name, kind, size)| format!("{kind}{size} {name}");
        Ok(entries.into_iter().map(text).collect())
    }

    /// Opens as Python's `open` does with this mode, and closes. Answers the position to begin at.
    fn open_file(&self, path: &str, mode: &[u8]) -> Result<Vec<u8>, Errno> {
        let has = |letter| mode.contains(&letter);
        let writes = has(b'w') || has(b'a') || has(b'x') || has(b'+');
        let mut options = OpenOptions::new();
        options.read(!writes).write(writes);
        match (has(b'w'), has(b'a'), has(b'x'), has(b'r')) {
            (true, false, false, false) => options.create(true).truncate(true),
            (false, true, false, false) => options.create(true),
            (false, false, true, false) => options.create_new(true),
            (false, false, false, true) => &mut options,
            _ => return Err(INVALID),
        };
        let file = self.file(path, &mut options, writes)?;
        let start = if has(b'a') { file.metadata()?.len() } else { 0 };
        Ok(start.to_string().into_bytes())
    }

    fn read(&self, path: &str, at: u64, most: usize) -> Result<Vec<u8>, Errno> {
        let mut file = self.file(path, OpenOptions::new().read(true), false)?;
        file.seek(SeekFrom::Start(at))?;
        let mut data = Vec::with_capacity(most);
        file.take(most as u64).read_to_end(&mut data)?;
        Ok(data)
    }

    fn write(&self, path: &str, at: u64, data: &[u8]) -> Result<Vec<u8>, Errno> {
        let end = at.checked_add(data.len() as u64);
        if end.is_none_or(|end| end > LARGEST_FILE) {
            return Err(TOO_LARGE);
        }
        let mut file = self.file(path, OpenOptions::new().write(true), true)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(data)?;
        Ok(Vec::new())
    }

    /// Opens a regular file. Opening anything else may block for ever (a FIFO) or do something (a device).
    fn file(&self, path: &str, options: &mut OpenOptions, writes: bool) -> Result<File, Errno> {
        let regular = |found: &Metadata| {
            if found.is_dir() {
                return Err(IS_FOLDER);
            }
            if found.is_file() { Ok(()) } else { Err(DENIED) }
        };
        match self.dir.metadata(path) {
            Ok(found) => regular(&found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        if writes && self.read_only {
            return Err(READ_ONLY);
        }
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
        }
        let file = self.dir.open_with(path, options)?;
        regular(&file.metadata()?)?;
        Ok(file)
    }
}

/// `None`: neither file nor folder.
fn kind_and_size(found: &Metadata) -> Option<(u8, u64)> {
    match (found.is_dir(), found.is_file()) {
        (true, _) => Some((4, 0)),
        (_, true) => Some((8, found.len())),
        _ => None,
    }
}

/// A path of the board, below the folder: it has resolved its own `..`, so that one that is left means to lead out.
fn checked(path: &[u8]) -> Result<&str, Errno> {
    let path = std::str::from_utf8(path).map_err(|_| INVALID)?;
    if path.contains('\0') {
        return Err(INVALID);
    }
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(".");
    }
    match path.split('/').find(|part| ["", ".", ".."].contains(part)) {
        Some("..") => Err(DENIED),
        Some(_) => Err(NO_SUCH),
        None => Ok(path),
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Errno> {
    let part = bytes.get(at..at + N).ok_or(INVALID)?;
    part.try_into().map_err(|_| INVALID)
}

fn most(asked: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(asked)).clamp(1, LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(read_only: bool) -> (tempfile::TempDir, Folder) {
        let outer = tempfile::tempdir().expect("a folder");
        let inner = outer.path().join("shared");
        std::fs::create_dir_all(inner.join("sub")).expect("folders");
        std::fs::write(outer.path().join("secret"), "secret").expect("a file");
        std::fs::write(inner.join("a.txt"), "0123456789").expect("a file");
        let folder = Folder::open(&inner, read_only).expect("it opens");
        (outer, folder)
    }

    fn ask(folder: &mut Folder, kind: u8, parts: &[&[u8]]) -> Result<String, u8> {
        let answer = folder.answer(kind, &parts.concat());
        answer
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|errno| errno.0)
    }

    fn read(folder: &mut Folder, path: &str, at: u64, most: u16) -> Result<String, u8> {
        let (at, most) = (at.to_le_bytes(), most.to_le_bytes());
        ask(folder, b'r', &[path.as_bytes(), b"\0", &at, &most])
    }

    #[test]
    fn files_are_read_and_written_in_parts() {
        let (outer, mut folder) = folder(false);
        assert_eq!(read(&mut folder, "/a.txt", 4, 3).as_deref(), Ok("456"));
        assert_eq!(read(&mut folder, "/a.txt", 9, 3).as_deref(), Ok("9"));
        assert_eq!(read(&mut folder, "/a.txt", 1 << 40, 3).as_deref(), Ok(""));
        assert_eq!(ask(&mut folder, b'o', &[b"/n\0wb"]).as_deref(), Ok("0"));
        assert!(ask(&mut folder, b'w', &[b"/n\0", &2u64.to_le_bytes(), b"xy"]).is_ok());
        let written = std::fs::read(outer.path().join("shared/n")).expect("it is there");
        assert_eq!(written, b"\0\0xy");
        assert_eq!(ask(&mut folder, b'o', &[b"/n\0a"]).as_deref(), Ok("4"));
        assert_eq!(ask(&mut folder, b'o', &[b"/no\0r"]), Err(2));
        assert_eq!(ask(&mut folder, b'o', &[b"/n\0x"]), Err(17));
        assert_eq!(ask(&mut folder, b'o', &[b"/sub\0r"]), Err(21));
        assert_eq!(ask(&mut folder, b'o', &[b"/n\0rw"]), Err(22));
        let stat = ask(&mut folder, b's', &[b"/n\0"]).expect("it is there");
        assert!(stat.starts_with("8 4 "), "{stat}");
    }

    #[test]
    fn nothing_outside_is_seen_or_changed() {
        let (outer, mut folder) = folder(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            let inner = outer.path().join("shared");
            symlink("../secret", inner.join("out")).expect("a link");
            symlink(outer.path(), inner.join("up")).expect("a link");
            symlink("a.txt", inner.join("in")).expect("a link");
            symlink("in/../loop", inner.join("loop")).expect("a link");
        }
        let secret = outer.path().join("secret").display().to_string();
        let mut paths = vec!["/../secret", "../secret", "/sub/../../secret", "/out"];
        paths.extend(["/up/secret", "/loop", "//etc/passwd", &secret, "/sub/./x"]);
        for path in paths {
            let refused = |answer: Result<String, u8>| {
                assert!(answer.is_err(), "{path}: {answer:?}");
            };
            let name = path.as_bytes();
            for kind in [b's', b'd', b'y', b'l'] {
                refused(ask(&mut folder, kind, &[name, b"\0", &[0; 8]]));
            }
            for mode in [&b"r"[..], b"wb", b"a", b"r+", b"x"] {
                // A link that leads out may be followed or replaced by neither.
                refused(ask(&mut folder, b'o', &[name, b"\0", mode]));
            }
            refused(read(&mut folder, path, 0, 9));
            refused(ask(&mut folder, b'w', &[name, b"\0", &[0; 8], b"x"]));
            // A link itself is in the folder.
            if !["/out", "/loop"].contains(&path) {
                refused(ask(&mut folder, b'x', &[name, b"\0"]));
                refused(ask(&mut folder, b'm', &[b"/a.txt\0", name]));
            }
        }
        let kept = std::fs::read_to_string(outer.path().join("secret")).expect("it is there");
        assert_eq!(kept, "secret");
        assert!(read(&mut folder, "/a.txt", 0, 9).is_ok());
        #[cfg(unix)]
        assert!(read(&mut folder, "/in", 0, 9).is_ok(), "a link inside");
        let listed = ask(&mut folder, b'l', &[b"\0", &[0; 4], &[255; 2]]).expect("a list");
        assert!(
            !listed.contains("out\0") && !listed.contains("up\0"),
            "{listed:?}"
        );
    }

    #[test]
    fn what_is_read_only_stays() {
        let (outer, mut folder) = folder(true);
        for (kind, rest) in [
            (b'o', &b"/a.txt\0w"[..]),
            (b'o', b"/new\0a"),
            (b'w', b"/a.txt\0\0\0\0\0\0\0\0\0x"),
            (b'd', b"/d\0"),
            (b'x', b"/a.txt\0"),
            (b'y', b"/sub\0"),
            (b'm', b"/a.txt\0/b"),
        ] {
            assert_eq!(ask(&mut folder, kind, &[rest]), Err(30), "{kind}");
        }
        assert_eq!(
            read(&mut folder, "/a.txt", 0, 99).as_deref(),
            Ok("0123456789")
        );
        assert_eq!(
            std::fs::read_dir(outer.path().join("shared"))
                .expect("a folder")
                .count(),
            2
        );
    }

    #[test]
    fn listings_come_in_parts() {
        let (outer, mut folder) = folder(false);
        for number in 0..300 {
            std::fs::write(outer.path().join(format!("shared/sub/{number:03}")), "x").expect("it");
        }
        let mut names = Vec::new();
        loop {
            let index = (names.len() as u32).to_le_bytes();
            let part = ask(&mut folder, b'l', &[b"/sub\0", &index, &[100, 0]]).expect("a part");
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= 100);
            names.extend(part.split_terminator('\0').map(str::to_owned));
        }
        let wanted: Vec<String> = (0..300).map(|number| format!("81 {number:03}")).collect();
        assert_eq!(names, wanted);
        assert!(folder.listing.is_none(), "nothing is kept");
        assert_eq!(ask(&mut folder, b'l', &[b"/a.txt\0", &[0; 6]]), Err(20));
    }

    #[test]
    fn nonsense_is_refused() {
        let (_outer, mut folder) = folder(false);
        let mut random = testkit::Random(5);
        for _ in 0..20_000 {
            let length = random.below(40);
            let bytes: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
            let _ = folder.answer(b"sxyrwlodm?"[random.below(10)], &bytes);
        }
        // Four gigabytes are neither read nor written.
        let far = (4u64 << 30).to_le_bytes();
        assert_eq!(ask(&mut folder, b'w', &[b"/a.txt\0", &far, b"x"]), Err(27));
        assert_eq!(
            ask(&mut folder, b'w', &[b"/a.txt\0", &[255; 8], b"x"]),
            Err(27)
        );
        let asked = ask(&mut folder, b'r', &[b"/a.txt\0", &[0; 8], &[255; 2]]);
        assert_eq!(asked.map(|data| data.len()), Ok(10));
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_holds_nobody_up() {
        let (outer, mut folder) = folder(false);
        let path = outer.path().join("shared/fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).expect("a FIFO");
        assert_eq!(ask(&mut folder, b'o', &[b"/fifo\0r"]), Err(13));
        assert_eq!(read(&mut folder, "/fifo", 0, 9), Err(13));
        assert_eq!(ask(&mut folder, b's', &[b"/fifo\0"]), Err(13));
    }
}
