//! Writing files to the board so that each is there whole or not at all.
//!
//! The data goes under a temporary name in the same folder, is read back and hashed by the
//! board, and only then renamed over the old file. Blocks are deflated where that makes them
//! smaller and the board can inflate them. Littlefs renames in one step; FAT first removes the old
//! file, and a board that loses its power between the two has the new one under its temporary name.

use crate::agent::{Parts, pack};
use crate::board::Board;
use crate::error::{Fault, LinkError};
use crate::files::{Digest, Space, check_name, refused};

/// The temporary file. Always the same name: what a broken connection left is overwritten by
/// the next transfer into the folder instead of piling up.
const TEMPORARY: &str = ".umqtt-part";

/// Size of blocks when the board's memory does not suffice for larger ones, bytes.
const SMALL_BLOCK: usize = 512;

/// A file for the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFile<'a> {
    pub path: &'a str,
    pub content: &'a [u8],
    /// Bytes of the file that it replaces, 0 if there is none; `None` if nobody has looked.
    pub replaces: Option<u64>,
}

/// What [`Board::put_all`] tells while it works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutProgress {
    /// Index of the file under way.
    pub file: usize,
    /// Bytes of all files that the board has taken.
    pub taken: usize,
    /// Bytes that went over the line for them.
    pub sent: usize,
}

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
        let file = NewFile {
            path,
            content: data,
            replaces: None,
        };
        self.put_all(&[file], &mut |now| progress(now.taken))
    }

    /// Writes all of `files`, one after the other, each as [`Board::put`] does. Their folders must
    /// exist. If they do not all fit, nothing is written.
    ///
    /// # Errors
    /// As [`Board::put`]; the files before the one that failed are written.
    pub fn put_all(
        &mut self,
        files: &[NewFile<'_>],
        progress: &mut dyn FnMut(PutProgress),
    ) -> Result<(), LinkError> {
        for file in files {
            check_name(file.path)?;
            if file.path.ends_with('/') {
                return Err(LinkError::IsFolder {
                    path: file.path.to_owned(),
                });
            }
        }
        if files.is_empty() {
            return Ok(());
        }
        self.check_space(files)?;
        let mut now = PutProgress::default();
        for (index, file) in files.iter().enumerate() {
            let before = now.taken;
            let done = self.with_agent(Parts::WRITE, |board| {
                now.file = index;
                now.taken = before;
                board.put_once(file, &mut now, progress)
            });
            if let Err(error) = &done
                && ![Fault::Lost, Fault::Files].contains(&error.fault())
            {
                // Ctrl-C makes the agent remove its unfinished file now, not when somebody next
                // comes. The error at hand is what counts.
                let _ = self.enter_raw();
            }
            done?;
        }
        Ok(())
    }

    /// Files replace each other's predecessors one by one, so that both are there for a while.
    fn check_space(&mut self, files: &[NewFile<'_>]) -> Result<(), LinkError> {
        let mut mounts: Vec<&str> = files.iter().map(|file| mount(file.path)).collect();
        mounts.sort_unstable();
        mounts.dedup();
        let mut spaces = self.spaces(&mounts)?;
        // A folder that is no mount point of its own shares the root's room.
        let root = (mounts.iter().position(|mount| mount.len() < 2)).and_then(|at| spaces[at]);
        // Nor is one that does not exist yet.
        let shared = |space: &Option<Space>| space.is_none() || *space == root;
        let mut of_root = root;
        for file in files {
            let at = mounts.iter().position(|name| *name == mount(file.path));
            let at = at.unwrap_or_default();
            let place = if shared(&spaces[at]) {
                &mut of_root
            } else {
                &mut spaces[at]
            };
            let Some(space) = place else { continue };
            let blocks = |bytes: u64| bytes.next_multiple_of(space.block.max(1));
            let needed = blocks(file.content.len() as u64);
            if needed > space.free {
                return Err(LinkError::NoSpace {
                    path: file.path.to_owned(),
                    needed: file.content.len() as u64,
                    free: Some(space.free),
                });
            }
            space.free = space.free - needed + blocks(file.replaces.unwrap_or(0));
        }
        Ok(())
    }

    fn put_once(
        &mut self,
        file: &NewFile<'_>,
        now: &mut PutProgress,
        progress: &mut dyn FnMut(PutProgress),
    ) -> Result<(), LinkError> {
        self.check_stop()?;
        log::info!("writing {}, {} bytes", file.path, file.content.len());
        let block = self.agent(Parts::WRITE)?.block;
        let before = now.taken;
        let mut outcome = self.put_blocks(file, block, now, progress);
        if let Some(agent) = &mut self.agent
            && outcome.is_err()
        {
            // The board may not have seen all that the stream has.
            agent.stream = None;
            if block > SMALL_BLOCK
                && matches!(outcome, Err(LinkError::FileFailed { errno: ENOMEM, .. }))
            {
                agent.block = SMALL_BLOCK;
                agent.distance = 0;
                now.taken = before;
                outcome = self.put_blocks(file, SMALL_BLOCK, now, progress);
            }
        }
        outcome
    }

    fn put_blocks(
        &mut self,
        file: &NewFile<'_>,
        block: usize,
        now: &mut PutProgress,
        progress: &mut dyn FnMut(PutProgress),
    ) -> Result<(), LinkError> {
        let (path, needed) = (file.path, file.content.len() as u64);
        let prefix = path.rfind('/').map_or("", |at| &path[..=at]);
        let unknown = if file.replaces.is_none() { "1" } else { "" };
        self.queue_order(b'O', &[path, &format!("{prefix}{TEMPORARY}"), unknown])?;
        let mut rest = file.content;
        while !rest.is_empty() {
            let (data, later) = rest.split_at(block.min(rest.len()));
            rest = later;
            let agent = self.agent(Parts::WRITE)?;
            let (kind, payload) = pack::pack(&mut agent.stream, agent.distance, data);
            if rest.is_empty() {
                self.queue_frame(kind, &payload)?;
            } else {
                self.send_frame(kind, &payload)?;
            }
            if let Some(reply) = self.reply_at_hand() {
                return Err(self.abandon(path, needed, &reply));
            }
            now.taken += data.len();
            now.sent += payload.len();
            progress(*now);
        }
        let notation = Digest::notation(file.content, self.sha);
        self.order(b'C', &[path, &notation])?;
        let reply = self.reply()?;
        match reply.as_str() {
            "K" => Ok(()),
            // Its success is that it found this out.
            "H" => {
                self.reply()?;
                Err(LinkError::Damaged {
                    path: path.to_owned(),
                })
            }
            _ => Err(self.abandon(path, needed, &reply)),
        }
    }

    /// Removes the temporary file after an error, whose number is in `reply`; what follows from it.
    fn abandon(&mut self, path: &str, needed: u64, reply: &str) -> LinkError {
        let error = match reply.strip_prefix('E').map(str::parse) {
            Some(Ok(errno)) => LinkError::from_errno(path, errno, needed),
            Some(Err(_)) => refused(path, "0"),
            None => return self.no_reply(reply),
        };
        // Errors of the blocks that were still on their way come before the answer.
        let mut answer = self.order(b'X', &[]);
        loop {
            match answer.and_then(|()| self.reply()) {
                Ok(reply) if reply == "K" => return error,
                Ok(reply) if reply.starts_with('E') => answer = Ok(()),
                Ok(reply) => return self.no_reply(&reply),
                Err(error) => return error,
            }
        }
    }
}

/// Not enough memory.
const ENOMEM: i32 = 12;

/// Where a filesystem of its own may begin: `/sd` of `/sd/lib/x.py`; the root or the current
/// folder for files right in it.
fn mount(path: &str) -> &str {
    match path.strip_prefix('/') {
        Some(below) => below.find('/').map_or("/", |at| &path[..=at]),
        None => path.find('/').map_or("", |at| &path[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_filesystems_may_begin() {
        for (path, place) in [
            ("/main.py", "/"),
            ("/sd/x/y.py", "/sd"),
            ("main.py", ""),
            ("lib/a.py", "lib"),
        ] {
            assert_eq!(mount(path), place, "{path}");
        }
    }
}
