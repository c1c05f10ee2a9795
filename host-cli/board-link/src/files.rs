//! The board's filesystem: looking, hashing, reading, making folders, removing. Writing is in `put`.
//!
//! Each function runs one piece of Python on the board. Its replies are lines that start with
//! the byte 0x1f, so that whatever else a board prints does not disturb them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::board::Board;
use crate::error::{LinkError, Step};
use crate::python::{list_literal, str_literal};

/// A checksum of a file's content, of the better kind that the board can compute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    Sha256([u8; 32]),
    /// CRC-32 (as in zip), from boards without `hashlib`.
    Crc32(u32),
}

impl Digest {
    /// Whether `data` has this checksum.
    pub fn matches(&self, data: &[u8]) -> bool {
        match self {
            Digest::Sha256(hash) => Sha256::digest(data).as_slice() == hash,
            Digest::Crc32(crc) => crc32fast::hash(data) == *crc,
        }
    }

    /// The board's notation: `s` or `c`, then hexadecimal digits.
    fn parse(text: &str) -> Option<Digest> {
        if let Some(digits) = text.strip_prefix('s') {
            return Some(Digest::Sha256(unhex(digits)?.try_into().ok()?));
        }
        let digits = text.strip_prefix('c')?;
        Some(Digest::Crc32(u32::from_str_radix(digits, 16).ok()?))
    }

    /// Both notations of `data`'s checksum, for the board to compare with: sha256, crc.
    pub(crate) fn notations(data: &[u8]) -> (String, String) {
        let sha: String = (Sha256::digest(data).iter())
            .map(|byte| format!("{byte:02x}"))
            .collect();
        (format!("s{sha}"), format!("c{:08x}", crc32fast::hash(data)))
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

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub is_folder: bool,
    /// Bytes; 0 for folders.
    pub size: u64,
}

/// Python on the board: `_ud(file)` gives `s` and the SHA-256 or `c` and the CRC-32 of what is
/// left in a binary file, and its length. The last resort computes the CRC by half bytes.
pub(crate) const DIGEST: &str = "
def _ud(f):
 k='s'
 try:
  from hashlib import sha256
  h=sha256()
  u=h.update
 except ImportError:
  k='c'
  h=0
  try:
   from binascii import crc32 as u
  except ImportError:
   T=[]
   for i in range(16):
    c=i
    for _ in range(4):c=c>>1^(0xedb88320 if c&1 else 0)
    T.append(c)
   def u(m,c):
    c^=0xffffffff
    for b in m:
     c^=b
     c=c>>4^T[c&15]
     c=c>>4^T[c&15]
    return c^0xffffffff
 b=bytearray(512)
 m=memoryview(b)
 n=0
 while 1:
  i=f.readinto(b)
  if not i:break
  n+=i
  if k=='s':u(m[:i])
  else:h=u(m[:i],h)
 if k=='s':return n,k+''.join('%02x'%x for x in h.digest())
 return n,k+'%08x'%(h&0xffffffff)
";

const STATES: &str = "
def _u(L):
 import os
 for i in range(len(L)):
  try:
   if os.stat(L[i])[0]&0x4000:r='D'
   else:
    with open(L[i],'rb') as f:r='F%d %s'%_ud(f)
  except OSError as e:r='E%d'%e.args[0]
  print('\\x1f%d %s'%(i,r))
";

const LIST: &str = "
def _u(p):
 import os
 try:
  if hasattr(os,'ilistdir'):I=os.ilistdir(p)
  else:I=((n,0) for n in os.listdir(p))
  for e in I:
   n=e[0]
   t=e[1]
   z=e[3] if len(e)>3 else -1
   if t==0 or (z<0 and t!=0x4000):
    s=os.stat((p if p.endswith('/') else p+'/')+n if p else n)
    t=s[0]
    z=s[6]
   print('\\x1fN%d %d %s'%(1 if t&0x4000 else 0,z,''.join('%02x'%x for x in n.encode())))
  print('\\x1fK')
 except OSError as e:print('\\x1fE%d'%e.args[0])
";

const MAKE_FOLDERS: &str = "
def _u(L):
 import os
 for p in L:
  try:
   try:s=os.stat(p)[0]
   except OSError as e:
    if e.args[0]!=2:raise
    os.mkdir(p)
    s=0x4000
   if not s&0x4000:raise OSError(20)
  except OSError as e:
   print('\\x1fE%d'%e.args[0])
   return
 print('\\x1fK')
";

const REMOVE: &str = "
def _u(p,deep):
 import os
 def d(p):
  if os.stat(p)[0]&0x4000:
   if deep:
    for n in os.listdir(p):d(p+'/'+n)
   os.rmdir(p)
  else:os.remove(p)
 try:
  d(p)
  print('\\x1fK')
 except OSError as e:print('\\x1fE%d'%e.args[0])
";

const READ: &str = "
def _u(p):
 import os
 try:
  from binascii import b2a_base64
  t=lambda b:'b'+b2a_base64(b).decode().strip()
 except ImportError:t=lambda b:'x'+''.join('%02x'%x for x in b)
 try:
  if os.stat(p)[0]&0x4000:raise OSError(21)
  with open(p,'rb') as f:
   while 1:
    b=f.read(384)
    if not b:break
    print('\\x1f'+t(b))
   f.seek(0)
   print('\\x1fK%d %s'%_ud(f))
 except OSError as e:print('\\x1fE%d'%e.args[0])
";

impl Board {
    /// What each of `paths` is, with the checksum of every file. One round trip per 32 paths.
    ///
    /// # Errors
    /// [`LinkError::BadName`], filesystem errors other than a missing file, those of
    /// [`Board::exec`].
    pub fn states(&mut self, paths: &[&str]) -> Result<Vec<FileState>, LinkError> {
        self.retrying(|board| board.states_once(paths))
    }

    fn states_once(&mut self, paths: &[&str]) -> Result<Vec<FileState>, LinkError> {
        let mut states = Vec::with_capacity(paths.len());
        for some in paths.chunks(32) {
            for path in some {
                check_characters(path)?;
            }
            let call = format!("_u({})", list_literal(some.iter().copied()));
            let text = self.call(&[DIGEST, STATES], &call, "_u,_ud")?;
            let mut found: Vec<Option<FileState>> = vec![None; some.len()];
            for line in replies(&text) {
                let Some((index, state)) = line.split_once(' ') else {
                    continue;
                };
                let Some(index) = index.parse().ok().filter(|&i: &usize| i < some.len()) else {
                    continue;
                };
                found[index] = parse_state(some[index], state)?;
            }
            for state in found {
                states.push(state.ok_or_else(|| self.no_reply(&text))?);
            }
        }
        Ok(states)
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
        self.retrying(|board| board.ls_once(path))
    }

    fn ls_once(&mut self, path: &str) -> Result<Vec<Entry>, LinkError> {
        check_characters(path)?;
        let call = format!("_u({})", str_literal(path));
        let text = self.call(&[LIST], &call, "_u")?;
        let mut entries = Vec::new();
        let mut complete = false;
        for line in replies(&text) {
            match line.split_at_checked(1) {
                Some(("K", _)) => complete = true,
                Some(("E", number)) => return Err(refused(path, number)),
                Some(("N", rest)) => {
                    entries.push(parse_entry(rest).ok_or_else(|| self.no_reply(line))?);
                }
                _ => {}
            }
        }
        if !complete {
            return Err(self.no_reply(&text));
        }
        entries.sort_by(|a: &Entry, b| a.name.cmp(&b.name));
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
        let call = format!("_u({})", list_literal(folders));
        let text = self.call(&[MAKE_FOLDERS], &call, "_u")?;
        self.done(path, &text, 0)
    }

    /// Removes file or folder `path`; a folder that is not empty only if `deep`.
    ///
    /// # Errors
    /// [`LinkError::FileMissing`], other filesystem errors, those of [`Board::exec`].
    pub fn rm(&mut self, path: &str, deep: bool) -> Result<(), LinkError> {
        check_name(path)?;
        let deep = if deep { "True" } else { "False" };
        let call = format!("_u({},{deep})", str_literal(path.trim_end_matches('/')));
        let text = self.call(&[REMOVE], &call, "_u")?;
        self.done(path, &text, 0)
    }

    /// The content of file `path`, checked against the checksum that the board computes.
    ///
    /// # Errors
    /// [`LinkError::FileMissing`], [`LinkError::IsFolder`], [`LinkError::Damaged`], those of
    /// [`Board::exec`].
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, LinkError> {
        self.retrying(|board| board.get_once(path))
    }

    fn get_once(&mut self, path: &str) -> Result<Vec<u8>, LinkError> {
        check_name(path)?;
        let call = format!("_u({})", str_literal(path));
        let text = self.call(&[DIGEST, READ], &call, "_u,_ud")?;
        let mut data = Vec::new();
        let mut check = None;
        for line in replies(&text) {
            match line.split_at_checked(1) {
                Some(("E", number)) => return Err(refused(path, number)),
                // Bytes that the line lost or changed are found by the checksum.
                Some(("b", digits)) => data.extend(BASE64.decode(digits).unwrap_or_default()),
                Some(("x", digits)) => data.extend(unhex(digits).unwrap_or_default()),
                Some(("K", sum)) => check = sum.split_once(' '),
                _ => {}
            }
        }
        let Some((size, digest)) = check else {
            return Err(self.no_reply(&text));
        };
        let digest = Digest::parse(digest).ok_or_else(|| self.no_reply(digest))?;
        if size.parse() != Ok(data.len()) || !digest.matches(&data) {
            return Err(LinkError::Damaged {
                path: path.to_owned(),
            });
        }
        Ok(data)
    }

    /// Repeats work that may be repeated when a reply was spoilt: another part of the firmware
    /// (Wi-Fi's log, a timer) printed into the middle of it, or the line lost something.
    pub(crate) fn retrying<T>(
        &mut self,
        mut work: impl FnMut(&mut Board) -> Result<T, LinkError>,
    ) -> Result<T, LinkError> {
        for _ in 0..2 {
            match work(self) {
                Err(LinkError::Damaged { .. } | LinkError::Protocol { .. }) => {}
                outcome => return outcome,
            }
        }
        work(self)
    }

    /// Runs `parts` and then `call` on the board, and deletes the names in `temporary` again.
    pub(crate) fn call(
        &mut self,
        parts: &[&str],
        call: &str,
        temporary: &str,
    ) -> Result<String, LinkError> {
        let code = format!("{}\n{call}\ndel {temporary}\n", parts.concat());
        self.exec_quiet(&code)?.into_stdout()
    }

    /// `K` is success, `E` and a number a refusal, anything else a breach.
    pub(crate) fn done(&self, path: &str, text: &str, needed: u64) -> Result<(), LinkError> {
        for line in replies(text) {
            match line.split_at_checked(1) {
                Some(("K", _)) => return Ok(()),
                Some(("E", number)) => {
                    return Err(match number.parse() {
                        Ok(errno) => LinkError::from_errno(path, errno, needed),
                        Err(_) => self.no_reply(line),
                    });
                }
                _ => {}
            }
        }
        Err(self.no_reply(text))
    }

    pub(crate) fn no_reply(&self, heard: &str) -> LinkError {
        LinkError::Protocol {
            port: self.port(),
            step: Step::Read,
            expected: "a reply about files",
            heard: crate::link::excerpt(heard.as_bytes()),
        }
    }
}

/// The reply lines in what a board printed, without their marker.
pub(crate) fn replies(text: &str) -> impl Iterator<Item = &str> {
    (text.lines()).filter_map(|line| Some(line.split_once('\x1f')?.1.trim_end()))
}

fn parse_state(path: &str, text: &str) -> Result<Option<FileState>, LinkError> {
    Ok(match text.split_at_checked(1) {
        Some(("D", _)) => Some(FileState::Folder),
        Some(("F", rest)) => rest.split_once(' ').and_then(|(size, digest)| {
            Some(FileState::File {
                size: size.parse().ok()?,
                digest: Digest::parse(digest)?,
            })
        }),
        Some(("E", "2")) => Some(FileState::Missing),
        // A file stands where a folder of the path should be: so the path does not exist.
        Some(("E", "20")) => Some(FileState::Missing),
        Some(("E", number)) => return Err(refused(path, number)),
        _ => None,
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

fn refused(path: &str, number: &str) -> LinkError {
    LinkError::from_errno(path, number.parse().unwrap_or(0), 0)
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Refuses what no filesystem can store.
pub(crate) fn check_name(path: &str) -> Result<(), LinkError> {
    if path.trim_matches('/').is_empty() {
        return Err(LinkError::BadName {
            path: path.to_owned(),
        });
    }
    check_characters(path)
}

fn check_characters(path: &str) -> Result<(), LinkError> {
    if path.contains('\0') {
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
        assert_eq!(Digest::notations(b"abc").0, sha);
        assert_eq!(Digest::notations(b"123456789").1, "ccbf43926");
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
