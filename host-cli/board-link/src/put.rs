//! Writing a file to the board so that it is there whole or not at all.
//!
//! The data goes under a temporary name in the same folder, is read back and hashed by the
//! board, and only then renamed over the old file. Each block of data is one piece of code.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::board::Board;
use crate::error::LinkError;
use crate::files::{DIGEST, Digest, check_name, replies};
use crate::python::{bytes_literal, str_literal};

/// The temporary file. Always the same name: what a broken connection left is overwritten by
/// the next transfer into the folder instead of piling up.
const TEMPORARY: &str = ".umqtt-part";

/// Largest and smallest block of data in one piece of code, bytes.
const LARGEST: usize = 4096;
const SMALLEST: usize = 128;

/// `_ub` decodes base64 if the board can; `_uw` writes a block. Replies: `S` free space in bytes
/// and block size, `M` free heap, `B` base64 is there.
const OPEN: &str = "
def _u(T,P,D):
 global _uf,_ub
 import os,gc
 _ub=None
 try:
  try:
   if os.stat(T)[0]&0x4000:raise OSError(21)
  except OSError as e:
   if e.args[0]!=2:raise
  try:os.remove(P)
  except OSError:pass
  try:
   v=os.statvfs(D or os.getcwd())
   if v[2]:print('\\x1fS%d %d'%(v[1]*v[4],v[0]))
  except (OSError,AttributeError):pass
  try:
   from binascii import a2b_base64 as _ub
   print('\\x1fB')
  except ImportError:pass
  gc.collect()
  print('\\x1fM%d'%gc.mem_free())
  _uf=open(P,'wb')
  print('\\x1fK')
 except OSError as e:print('\\x1fE%d'%e.args[0])
def _uw(d):
 try:
  if _uf.write(d)!=len(d):raise OSError(28)
 except OSError as e:print('\\x1fE%d'%e.args[0])
 else:print('\\x1fK')
";

/// Closes, compares the checksum with the expected ones and renames. Reply `H`: not equal.
const CLOSE: &str = "
def _uc(T,P,N,S):
 import os
 try:
  _uf.close()
  with open(P,'rb') as f:n,h=_ud(f)
  if n!=N or h not in S:
   print('\\x1fH')
   return
  os.rename(P,T)
  if hasattr(os,'sync'):os.sync()
  print('\\x1fK')
 except OSError as e:print('\\x1fE%d'%e.args[0])
";

/// Whatever state a transfer is in: no open file, no temporary file, no names left.
const CLEAN_UP: &str = "
def _u(P):
 import os
 g=globals()
 try:g['_uf'].close()
 except Exception:pass
 try:os.remove(P)
 except OSError:pass
 for n in ('_uf','_ub','_uw','_uc','_ud'):
  if n in g:del g[n]
";

impl Board {
    /// Writes `data` to file `path`, replacing what is there. The folder must exist.
    ///
    /// The old file stays until the new one is complete and checked; after an error there is
    /// no half file. If the connection itself breaks, a file `.umqtt-part` may stay behind,
    /// which the next `put` into that folder replaces.
    ///
    /// # Errors
    /// [`LinkError::NoSpace`], before anything is written if the board can tell;
    /// [`LinkError::FileMissing`] if the folder does not exist; [`LinkError::IsFolder`],
    /// [`LinkError::Damaged`], other filesystem errors, those of [`Board::exec`].
    pub fn put(&mut self, path: &str, data: &[u8]) -> Result<(), LinkError> {
        self.put_with(path, data, &mut |_| {})
    }

    /// As [`Board::put`]; `progress` gets the number of bytes of `data` sent so far.
    ///
    /// # Errors
    /// As [`Board::put`].
    pub fn put_with(
        &mut self,
        path: &str,
        data: &[u8],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), LinkError> {
        check_name(path)?;
        if path.ends_with('/') {
            return Err(LinkError::IsFolder {
                path: path.to_owned(),
            });
        }
        // "/name" lies in the folder "/", "name" in the current one.
        let folder = path.rfind('/').map_or("", |at| &path[..at.max(1)]);
        let prefix = path.rfind('/').map_or("", |at| &path[..=at]);
        let part = format!("{prefix}{TEMPORARY}");
        let result = self.retrying(|board| board.put_part(path, &part, folder, data, progress));
        if !matches!(result, Err(LinkError::Lost { .. })) {
            let call = format!("_u({})", str_literal(&part));
            let cleaned = self.call(&[CLEAN_UP], &call, "_u");
            result?;
            cleaned?;
            return Ok(());
        }
        result
    }

    fn put_part(
        &mut self,
        path: &str,
        part: &str,
        folder: &str,
        data: &[u8],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), LinkError> {
        let needed = data.len() as u64;
        let (target, part) = (str_literal(path), str_literal(part));
        let call = format!("_u({target},{part},{})", str_literal(folder));
        let text = self.call(&[OPEN], &call, "_u")?;
        self.done(path, &text, needed)?;
        let facts = Facts::parse(&text);
        if let Some((free, block)) = facts.space
            && needed.next_multiple_of(block.max(1)) > free
        {
            return Err(LinkError::NoSpace {
                path: path.to_owned(),
                needed,
                free: Some(free),
            });
        }

        // A block's text is a third longer than its data and is held twice while it is parsed.
        let mut size = (facts.heap / 16).clamp(SMALLEST, LARGEST);
        let mut sent = 0;
        while sent < data.len() {
            let block = &data[sent..data.len().min(sent + size)];
            let code = format!("_uw({})", block_literal(block, facts.base64));
            let text = match self.exec_quiet(&code)?.into_stdout() {
                // The block was not written: parsing and decoding come first.
                Err(LinkError::Raised { traceback })
                    if traceback.contains("MemoryError") && size > SMALLEST =>
                {
                    size /= 2;
                    continue;
                }
                other => other?,
            };
            self.done(path, &text, needed)?;
            sent += block.len();
            progress(sent);
        }

        let (sha, crc) = Digest::notations(data);
        let call = format!("_uc({target},{part},{needed},('{sha}','{crc}'))");
        let text = self.call(&[DIGEST, CLOSE], &call, "_uc")?;
        if replies(&text).any(|line| line == "H") {
            return Err(LinkError::Damaged {
                path: path.to_owned(),
            });
        }
        self.done(path, &text, needed)
    }
}

/// The shorter of the two ways to write a block: text mostly stands for itself.
fn block_literal(block: &[u8], base64: bool) -> String {
    let plain = bytes_literal(block);
    if !base64 || plain.len() <= block.len().div_ceil(3) * 4 + "_ub('')".len() {
        return plain;
    }
    format!("_ub('{}')", BASE64.encode(block))
}

/// What the board said on opening.
struct Facts {
    /// Free space and block size, bytes.
    space: Option<(u64, u64)>,
    heap: usize,
    base64: bool,
}

impl Facts {
    fn parse(text: &str) -> Facts {
        let mut facts = Facts {
            space: None,
            heap: 0,
            base64: false,
        };
        for line in replies(text) {
            match line.split_at_checked(1) {
                Some(("S", rest)) => {
                    facts.space = (rest.split_once(' '))
                        .and_then(|(free, block)| Some((free.parse().ok()?, block.parse().ok()?)));
                }
                Some(("M", heap)) => facts.heap = heap.parse().unwrap_or(0),
                Some(("B", _)) => facts.base64 = true,
                _ => {}
            }
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_take_the_shorter_notation() {
        assert_eq!(block_literal(b"import umqtt\n", true), r"b'import umqtt\n'");
        assert_eq!(block_literal(&[0, 1, 2, 3, 4, 5], true), "_ub('AAECAwQF')");
        assert_eq!(block_literal(&[0, 255], false), r"b'\x00\xff'");
        assert_eq!(block_literal(b"", true), "b''");
    }

    #[test]
    fn the_boards_facts() {
        let facts = Facts::parse("\x1fS4096 512\n\x1fB\n\x1fM90000\n\x1fK\n");
        assert_eq!(facts.space, Some((4096, 512)));
        assert_eq!((facts.heap, facts.base64), (90000, true));
        assert_eq!(Facts::parse("\x1fK\n").space, None);
    }
}
