//! The board's filesystem: looking, hashing, reading, making folders, removing. Writing is in `put`.
//!
//! Each function gives orders to the agent, whose replies start with a letter for their kind.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::agent::Parts;
use crate::board::Board;
use crate::error::{Fault, LinkError};

/// A checksum of a file's content, of the better kind that the board can compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    Sha256([u8; 32]),
    /// The first eight bytes of a SHA-256: enough to tell whether a file has changed.
    Brief([u8; 8]),
    /// CRC-32 (as in zip), from boards without `hashlib`.
    Crc32(u32),
}

impl Digest {
    /// Whether `data` has this checksum.
    pub fn matches(&self, data: &[u8]) -> bool {
        match self {
            Digest::Sha256(hash) => Sha256::digest(data).as_slice() == hash,
            Digest::Brief(start) => Sha256::digest(data).starts_with(start),
            Digest::Crc32(crc) => crc32fast::hash(data) == *crc,
        }
    }

    /// The board's notation: `s` or `c`, then hexadecimal digits.
    fn parse(text: &str) -> Option<Digest> {
        if let Some(digits) = text.strip_prefix('s') {
            let bytes = unhex(digits)?;
            return match <[u8; 8]>::try_from(bytes.as_slice()) {
                Ok(start) => Some(Digest::Brief(start)),
                Err(_) => Some(Digest::Sha256(bytes.try_into().ok()?)),
            };
        }
        let digits = text.strip_prefix('c')?;
        Some(Digest::Crc32(u32::from_str_radix(digits, 16).ok()?))
    }

    /// The board's notation of `data`'s size and checksum: SHA-256 or CRC-32.
    pub(crate) fn notation(data: &[u8], sha: bool) -> String {
        let digest = if sha {
            Digest::Sha256(Sha256::digest(data).into())
        } else {
            Digest::Crc32(crc32fast::hash(data))
        };
        let kind = if sha { 's' } else { 'c' };
        format!("{} {kind}{digest}", data.len())
    }
}

impl fmt::Display for Digest {
    /// Hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Digest::Sha256(hash) => hash.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Digest::Brief(start) => start.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Digest::Crc32(crc) => write!(f, "{crc:08x}"),
        }
    }
}

/// What a path on the board is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    Missing,
    Folder,
    /// Size in bytes.
    File {
        size: u64,
        digest: Digest,
    },
}

impl FileState {
    /// What a file written there replaces, as [`crate::NewFile`] wants it.
    pub fn replaced(&self) -> Option<u64> {
        match self {
            FileState::Missing => Some(0),
            FileState::File { size, .. } => Some(*size),
            FileState::Folder => None,
        }
    }

    /// Whether it is a file with this content.
    pub fn is(&self, content: &[u8]) -> bool {
        matches!(self, FileState::File { size, digest }
            if *size == content.len() as u64 && digest.matches(content))
    }
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder; with the folders between, separated by `/`, in a listing of all
    /// that is below one.
    pub name: String,
    pub is_folder: bool,
    /// Bytes; 0 for folders.
    pub size: u64,
}

/// Names in one order to the agent; bytes. More come in the next, before the first is answered.
const NAMES: usize = 1024;

/// Room on a filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes in one block: what even the smallest file takes.
    pub block: u64,
    pub total: u64,
    pub free: u64,
}

impl Board {
    /// What each of `paths` is, with the checksum of every file: one exchange, however many.
    ///
    /// # Errors
    /// [`LinkError::BadName`], filesystem errors other than a missing file, those of
    /// [`Board::exec`].
    pub fn states(&mut self, paths: &[&str]) -> Result<Vec<FileState>, LinkError> {
        self.states_by(b'N', paths)
    }

    /// As [`Board::states`], with [`Digest::Brief`] where the board computes SHA-256: a third of the bytes.
    ///
    /// # Errors
    /// As [`Board::states`].
    pub fn states_briefly(&mut self, paths: &[&str]) -> Result<Vec<FileState>, LinkError> {
        self.states_by(b'B', paths)
    }

    fn states_by(&mut self, order: u8, paths: &[&str]) -> Result<Vec<FileState>, LinkError> {
        for path in paths {
            check_characters(path)?;
        }
        self.with_agent(Parts::LOOK, |board| board.states_once(order, paths))
    }

    fn states_once(&mut self, order: u8, paths: &[&str]) -> Result<Vec<FileState>, LinkError> {
        let mut found = Found {
            paths,
            states: Vec::with_capacity(paths.len()),
            refused: None,
            answered: 0,
        };
        let mut orders = 0;
        let mut rest = paths;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(some_names(rest));
            self.order(order, now)?;
            orders += 1;
            rest = later;
            // Not more of them, so that the answers never wait for room on a line that is full of orders.
            while found.answered + 1 < orders {
                let reply = self.reply()?;
                found.note(&reply).ok_or_else(|| self.no_reply(&reply))?;
            }
        }
        while found.answered < orders {
            let reply = self.reply()?;
            found.note(&reply).ok_or_else(|| self.no_reply(&reply))?;
        }
        match found.refused {
            Some(error) => Err(error),
            None if found.states.len() == paths.len() => Ok(found.states),
            None => Err(self.no_reply("too few replies")),
        }
    }

    /// What `path` is.
    ///
    /// # Errors
    /// As [`Board::states`].
    pub fn state(&mut self, path: &str) -> Result<FileState, LinkError> {
        let states = self.states(&[path])?;
        Ok(states.into_iter().next().unwrap_or(FileState::Missing))
    }

    /// The names in folder `path` (`""`: the current folder), sorted.
    ///
    /// # Errors
    /// [`LinkError::FileMissing`], [`LinkError::NotFolder`] and those of [`Board::exec`].
    pub fn ls(&mut self, path: &str) -> Result<Vec<Entry>, LinkError> {
        self.list(path, false)
    }

    /// All that is below folder `path`, folders before what is in them.
    ///
    /// # Errors
    /// As [`Board::ls`].
    pub fn ls_all(&mut self, path: &str) -> Result<Vec<Entry>, LinkError> {
        self.list(path, true)
    }

    fn list(&mut self, path: &str, deep: bool) -> Result<Vec<Entry>, LinkError> {
        check_characters(path)?;
        let mut entries = self.with_agent(Parts::MANAGE, |board| {
            board.order(b'L', &[path, if deep { "1" } else { "" }])?;
            let mut entries = Vec::new();
            loop {
                let reply = board.reply()?;
                match reply.split_at_checked(1) {
                    Some(("K", _)) => return Ok(entries),
                    Some(("E", number)) => return Err(refused(path, number)),
                    Some(("N", rest)) if entries.len() < MOST_ENTRIES => {
                        entries.push(parse_entry(rest).ok_or_else(|| board.no_reply(&reply))?);
                    }
                    _ => return Err(board.no_reply(&reply)),
                }
            }
        })?;
        // By folders, so that "a/b" comes before "a.txt".
        entries.sort_by(|a: &Entry, b| a.name.split('/').cmp(b.name.split('/')));
        Ok(entries)
    }

    /// Makes folder `path` and those it lies in, where they do not exist yet.
    ///
    /// # Errors
    /// [`LinkError::NotFolder`] if a file stands in the way, other filesystem errors, those of
    /// [`Board::exec`].
    pub fn mkdir_p(&mut self, path: &str) -> Result<(), LinkError> {
        check_name(path)?;
        let trimmed = path.trim_end_matches('/');
        let ends = trimmed.match_indices('/').map(|(at, _)| at);
        let ends = ends.chain([trimmed.len()]).filter(|&at| at > 0);
        let folders: Vec<&str> = ends.map(|at| &trimmed[..at]).collect();
        self.mkdir_all(&folders)
    }

    /// Makes `folders`, in this order, where they do not exist yet.
    ///
    /// # Errors
    /// As [`Board::mkdir_p`].
    pub fn mkdir_all(&mut self, folders: &[&str]) -> Result<(), LinkError> {
        let mut rest = folders;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(some_names(rest));
            self.simple(Parts::WRITE, b'M', now[now.len() - 1], now)?;
            rest = later;
        }
        Ok(())
    }

    /// Removes file or folder `path`; a folder that is not empty only if `deep`.
    ///
    /// # Errors
    /// [`LinkError::FileMissing`], other filesystem errors, those of [`Board::exec`].
    pub fn rm(&mut self, path: &str, deep: bool) -> Result<(), LinkError> {
        check_name(path)?;
        let deep = if deep { "1" } else { "" };
        let trimmed = path.trim_end_matches('/');
        self.simple(Parts::MANAGE, b'R', path, &[trimmed, deep])
    }

    /// Gives file or folder `from` the name `to`.
    ///
    /// # Errors
    /// [`LinkError::FileMissing`], other filesystem errors, those of [`Board::exec`].
    pub fn mv(&mut self, from: &str, to: &str) -> Result<(), LinkError> {
        check_name(from)?;
        check_name(to)?;
        self.simple(Parts::MANAGE, b'V', from, &[from, to])
    }

    /// The room on the filesystem that each of `folders` lies on; `None` where the board cannot
    /// tell.
    ///
    /// # Errors
    /// Those of [`Board::exec`].
    pub fn spaces(&mut self, folders: &[&str]) -> Result<Vec<Option<Space>>, LinkError> {
        self.with_agent(Parts::WRITE, |board| {
            board.order(b'S', folders)?;
            let mut spaces = Vec::new();
            loop {
                let reply = board.reply()?;
                match reply.split_at_checked(1) {
                    Some(("K", _)) if spaces.len() == folders.len() => return Ok(spaces),
                    Some(("S", numbers)) if spaces.len() < folders.len() => {
                        spaces.push(parse_space(numbers));
                    }
                    _ => return Err(board.no_reply(&reply)),
                }
            }
        })
    }

    /// The content of file `path`, checked against the checksum that the board computes.
    ///
    /// # Errors
    /// [`LinkError::FileMissing`], [`LinkError::IsFolder`], [`LinkError::Damaged`], those of
    /// [`Board::exec`].
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, LinkError> {
        self.get_with(path, &mut |_| {})
    }

    /// As [`Board::get`]; `progress` gets the number of bytes that have come so far.
    ///
    /// # Errors
    /// As [`Board::get`].
    pub fn get_with(
        &mut self,
        path: &str,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<u8>, LinkError> {
        check_name(path)?;
        self.with_agent(Parts::READ, |board| board.get_once(path, progress))
    }

    fn get_once(
        &mut self,
        path: &str,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<u8>, LinkError> {
        self.order(b'G', &[path])?;
        let mut data = Vec::new();
        let mut check = None;
        let mut most = LARGEST_FILE;
        loop {
            let reply = self.reply()?;
            match reply.split_at_checked(1) {
                Some(("E", number)) => return Err(refused(path, number)),
                // A filesystem written in Python may not say it and call every file empty.
                Some(("N", size)) => match size.parse() {
                    Ok(0) | Err(_) => {}
                    Ok(size) => most = LARGEST_FILE.min(size),
                },
                // Bytes that the line lost or changed are found by the checksum.
                Some(("B", digits)) => data.extend(BASE64.decode(digits).unwrap_or_default()),
                Some(("X", digits)) => data.extend(unhex(digits).unwrap_or_default()),
                Some(("F", sum)) => check = parse_file(sum),
                Some(("K", _)) => break,
                _ => return Err(self.no_reply(&reply)),
            }
            progress(data.len());
            // A program that the line changed on its way may send without end.
            if data.len() > most {
                return Err(self.no_reply("more than the file holds"));
            }
        }
        let damaged = || LinkError::Damaged {
            path: path.to_owned(),
        };
        let state = check.ok_or_else(damaged)?;
        if state.is(&data) {
            Ok(data)
        } else {
            Err(damaged())
        }
    }

    /// An order whose only replies are success or an error.
    fn simple(
        &mut self,
        parts: Parts,
        kind: u8,
        path: &str,
        texts: &[&str],
    ) -> Result<(), LinkError> {
        // A repetition after a lost reply may find its work done; only what was not begun may be
        // repeated without a look.
        self.with_agent_once(parts, |board| {
            board.order(kind, texts)?;
            let reply = board.reply()?;
            match reply.split_at_checked(1) {
                Some(("K", _)) => Ok(()),
                Some(("E", number)) => Err(refused(path, number)),
                _ => Err(board.no_reply(&reply)),
            }
        })
    }

    /// Does work by an agent with these abilities, which is there when `work` begins.
    pub(crate) fn with_agent_once<T>(
        &mut self,
        parts: Parts,
        mut work: impl FnMut(&mut Board) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        let outcome = self.agent(parts).map(drop).and_then(|()| work(self));
        if let Err(error) = &outcome
            && error.fault() != Fault::Files
        {
            self.forget_agent();
        }
        outcome
    }

    /// As [`Board::with_agent_once`], for work that may be repeated when the line spoilt it.
    pub(crate) fn with_agent<T>(
        &mut self,
        parts: Parts,
        mut work: impl FnMut(&mut Board) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        self.retrying(|board| board.with_agent_once(parts, &mut work))
    }

    /// Repeats work that may be repeated when the line spoilt it.
    pub(crate) fn retrying<T>(
        &mut self,
        mut work: impl FnMut(&mut Board) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        for _ in 0..2 {
            match work(self) {
                Err(error) if error.may_be_repeated() => {}
                outcome => return outcome,
            }
        }
        work(self)
    }

    pub(crate) fn no_reply(&self, heard: &str) -> LinkError {
        self.breach("a reply about files", heard.as_bytes())
    }
}

/// More files than any board has; a listing without end is refused.
const MOST_ENTRIES: usize = 100_000;

/// Larger than any board's filesystem, bytes.
const LARGEST_FILE: usize = 256 * 1024 * 1024;

/// How many of `names` go into one order: at least one.
fn some_names(names: &[&str]) -> usize {
    let mut length = 0;
    let fitting = names.iter().take_while(|name| {
        length += name.len() + 1;
        length <= NAMES
    });
    fitting.count().max(1)
}

/// The states that have been told so far.
struct Found<'a> {
    paths: &'a [&'a str],
    states: Vec<FileState>,
    refused: Option<LinkError>,
    /// Orders that are done.
    answered: usize,
}

impl Found<'_> {
    /// Takes one reply; `None` if it makes no sense.
    fn note(&mut self, reply: &str) -> Option<()> {
        if reply == "K" {
            self.answered += 1;
            return Some(());
        }
        let state = match parse_state(self.paths.get(self.states.len())?, reply) {
            Ok(state) => state?,
            // The replies about the other paths come all the same.
            Err(error) => {
                self.refused.get_or_insert(error);
                FileState::Missing
            }
        };
        self.states.push(state);
        Some(())
    }
}

/// The reply lines in what a board printed, without their marker.
pub(crate) fn replies(text: &str) -> impl Iterator<Item = &str> {
    (text.lines()).filter_map(|line| Some(line.split_once('\x1f')?.1.trim_end()))
}

fn parse_state(path: &str, text: &str) -> Result<Option<FileState>, LinkError> {
    Ok(match text.split_at_checked(1) {
        Some(("D", _)) => Some(FileState::Folder),
        Some(("F", rest)) => parse_file(rest),
        Some(("E", "2")) => Some(FileState::Missing),
        // A file stands where a folder of the path should be: so the path does not exist.
        Some(("E", "20")) => Some(FileState::Missing),
        Some(("E", number)) => return Err(refused(path, number)),
        _ => None,
    })
}

/// `12 s…`: size and digest.
fn parse_file(text: &str) -> Option<FileState> {
    let (size, digest) = text.split_once(' ')?;
    Some(FileState::File {
        size: size.parse().ok()?,
        digest: Digest::parse(digest)?,
    })
}

/// `4096 512 100 98`: block size in bytes, then blocks in all, free, and free to use.
fn parse_space(text: &str) -> Option<Space> {
    let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
    let &[block, total, free, usable] = numbers.ok()?.as_slice() else {
        return None;
    };
    // Some filesystems leave the last field at 0.
    let free = if usable > 0 { usable.min(free) } else { free };
    (total > 0).then_some(Space {
        block,
        total: block.saturating_mul(total),
        free: block.saturating_mul(free),
    })
}

fn parse_entry(text: &str) -> Option<Entry> {
    let mut fields = text.split(' ');
    let is_folder = fields.next()? == "1";
    let size: i64 = fields.next()?.parse().ok()?;
    let name = String::from_utf8_lossy(&unhex(fields.next()?)?).into_owned();
    Some(Entry {
        name,
        is_folder,
        size: if is_folder { 0 } else { size.max(0) as u64 },
    })
}

pub(crate) fn refused(path: &str, number: &str) -> LinkError {
    LinkError::from_errno(path, number.parse().unwrap_or(0), 0)
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Longer than boards' filesystems take (255 bytes a name), bytes.
const LONGEST_PATH: usize = 4096;

/// Refuses what no filesystem can store.
pub(crate) fn check_name(path: &str) -> Result<(), LinkError> {
    if path.trim_matches('/').is_empty() {
        return Err(LinkError::BadName {
            path: path.to_owned(),
        });
    }
    check_characters(path)
}

pub(crate) fn check_characters(path: &str) -> Result<(), LinkError> {
    if path.contains('\0') || path.len() > LONGEST_PATH {
        return Err(LinkError::BadName {
            path: path.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_stand_out_from_noise() {
        let text = "I (31) wifi: up\n\x1fD\nnoise\x1fF3 c00\r\n";
        assert_eq!(replies(text).collect::<Vec<_>>(), ["D", "F3 c00"]);
    }

    /// Vectors: SHA-256 from FIPS 180-2 ("abc"), CRC-32's check value ("123456789").
    #[test]
    fn digests() {
        let sha = "sba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(Digest::parse(sha).unwrap().matches(b"abc"));
        assert!(!Digest::parse(sha).unwrap().matches(b"abd"));
        assert!(Digest::parse("ccbf43926").unwrap().matches(b"123456789"));
        assert_eq!(Digest::notation(b"abc", true), format!("3 {sha}"));
        assert_eq!(Digest::notation(b"123456789", false), "9 ccbf43926");
        assert_eq!(Digest::parse("sba78"), None);
        assert_eq!(Digest::parse("é"), None);
    }

    #[test]
    fn names_that_no_board_can_store() {
        for bad in ["", "/", "a\0b"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_name("/año 'x'.py").is_ok());
    }
}
