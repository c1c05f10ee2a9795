//! Writing files to the board so that each is there whole or not at all.
//!
//! The data goes under a temporary name in the same folder (always `.umqtt-part`: what a broken connection left is
//! overwritten by the next transfer instead of piling up), is read back and hashed by the
//! board, and only then renamed over the old file. Blocks are deflated where that makes them
//! smaller and the board can inflate them. Littlefs renames in one step; FAT first removes the old
//! file, and a board that loses its power between the two has the new one under its temporary name.

use crate::agent::{Parts, pack};
use crate::board::Board;
use crate::error::{Fault, LinkError};
use crate::files::{Digest, Space, check_name, refused};

/// How often work that the line spoilt is tried, from the last file on that was written.
const ATTEMPTS: usize = 3;

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

impl<'a> NewFile<'a> {
    /// One of which nobody has looked what it replaces.
    pub fn new(path: &'a str, content: &'a [u8]) -> Self {
        NewFile {
            path,
            content,
            replaces: None,
        }
    }
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
    /// Makes ready for looking at files and writing them, where both are expected: one program for both takes a board
    /// less time than one after the other.
    ///
    /// # Errors
    /// Those of [`Board::exec`].
    pub fn expect_to_write(&mut self) -> Result<(), LinkError> {
        self.with_agent(Parts::LOOK.and(Parts::WRITE), |_| Ok(()))
    }

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
        let file = NewFile::new(path, data);
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
        let mut written = 0;
        let mut attempts = 0;
        loop {
            let before = written;
            let done = self.with_agent_once(Parts::WRITE, |board| {
                board.put_from(files, &mut written, &mut now, progress)
            });
            if written > before {
                attempts = 0;
            }
            attempts += 1;
            match done {
                Err(error) if attempts < ATTEMPTS && error.may_be_repeated() => {}
                Err(error) => {
                    if ![Fault::Lost, Fault::Files].contains(&error.fault()) {
                        // Ctrl-C makes the agent remove its unfinished file now, not when somebody
                        // next comes. The error at hand is what counts.
                        let _ = self.enter_raw();
                    }
                    return Err(error);
                }
                Ok(()) => return Ok(()),
            }
        }
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

    /// Writes `files` from the one at `written` on, which moves on with each that the board has put in its place.
    fn put_from(
        &mut self,
        files: &[NewFile<'_>],
        written: &mut usize,
        now: &mut PutProgress,
        progress: &mut dyn FnMut(PutProgress),
    ) -> Result<(), LinkError> {
        loop {
            now.taken = files[..*written].iter().map(|f| f.content.len()).sum();
            let outcome = self.put_in_row(files, written, now, progress);
            if let Some(agent) = &mut self.agent
                && outcome.is_err()
            {
                // The board may not have seen all that the stream has.
                agent.stream = None;
                if agent.block > SMALL_BLOCK
                    && matches!(outcome, Err(LinkError::FileFailed { errno: ENOMEM, .. }))
                {
                    agent.block = SMALL_BLOCK;
                    agent.distance = 0;
                    continue;
                }
            }
            return outcome;
        }
    }

    /// One file follows the other without waiting until that one is in its place. The board answers in their order, and
    /// writes nothing more after it has refused one.
    fn put_in_row(
        &mut self,
        files: &[NewFile<'_>],
        written: &mut usize,
        now: &mut PutProgress,
        progress: &mut dyn FnMut(PutProgress),
    ) -> Result<(), LinkError> {
        for (index, file) in files.iter().enumerate().skip(*written) {
            self.check_stop()?;
            log::info!("writing {}, {} bytes", file.path, file.content.len());
            now.file = index;
            let notation = Digest::notation(file.content, self.sha);
            let unknown = if file.replaces.is_none() { "1" } else { "" };
            self.queue_order(b'O', &[file.path, &notation, unknown])?;
            let mut rest = file.content;
            while !rest.is_empty() {
                let agent = self.agent(Parts::WRITE)?;
                let (data, later) = rest.split_at(agent.block.min(rest.len()));
                rest = later;
                let (kind, payload) = pack::pack(&mut agent.stream, agent.distance, data);
                if rest.is_empty() {
                    self.queue_frame(kind, &payload)?;
                } else {
                    self.send_frame(kind, &payload)?;
                }
                while let Some(reply) = self.reply_at_hand() {
                    self.note_written(files, written, &reply)?;
                }
                now.taken += data.len();
                now.sent += payload.len();
                progress(*now);
            }
        }
        self.flush()?;
        while *written < files.len() {
            let reply = self.reply()?;
            self.note_written(files, written, &reply)?;
        }
        Ok(())
    }

    /// Takes the board's answer about the first file that it has not answered for.
    fn note_written(
        &mut self,
        files: &[NewFile<'_>],
        written: &mut usize,
        reply: &str,
    ) -> Result<(), LinkError> {
        match (reply, files.get(*written)) {
            ("K", Some(_)) => {
                *written += 1;
                Ok(())
            }
            (_, Some(file)) => Err(self.abandon(file, reply)),
            (_, None) => Err(self.no_reply(reply)),
        }
    }

    /// Makes the board ready for other files after an error, whose number is in `reply`; what follows from it.
    fn abandon(&mut self, file: &NewFile<'_>, reply: &str) -> LinkError {
        let path = file.path;
        let error = match reply.strip_prefix('E').map(str::parse) {
            Some(Ok(OTHER_BYTES)) => LinkError::Damaged {
                path: path.to_owned(),
            },
            Some(Ok(errno)) => LinkError::from_errno(path, errno, file.content.len() as u64),
            Some(Err(_)) => refused(path, "0"),
            None => return self.no_reply(reply),
        };
        // It says nothing about what is still on its way.
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
/// What the agent says of a file that is not what was sent.
const OTHER_BYTES: i32 = -1;

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
