//! A folder of this computer as a folder of the board: the conversation about it, which shares the line with all else.
//!
//! The board's program (`program`) is a filesystem whose operations are requests among what the board prints. This
//! transport takes them out, answers them (`folder`), and hands everything else on; who reads from it sees only the
//! board's own output. Requests and answers are base64, so that neither a terminal nor a prompt finds a command in them:
//!
//! ```text
//! <-  1e "umqtt " base64 1f          session:3 number kind arguments… check:4
//! ->  1e length:4 base64             number errno data… check:4; in units of 128 bytes, two of them on the way
//! <-  06                             for each unit
//! ->  1f                             a request was garbled, or: an abort was heard
//! ->  18                             nobody answers here any more: the board takes its mount back
//! ```
//! Two requests want no answer: `A` aborts an exchange (Ctrl-C, a damaged answer), after which the board reads on until
//! 1f comes; `T` brings back what somebody typed meanwhile, which is then written again.
//!
//! Every [`Board`] has such a transport below it, mostly without a folder: a board whose mount outlived the command
//! that made it is told so, and does not wait for an answer that never comes.

mod folder;
mod program;
mod request;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::error::LinkError;
use crate::exec::Execution;
use crate::patience::Patience;
use crate::transport::Transport;
use folder::Errno;
pub use folder::Folder;
use request::{Found, Request, Scanner, answer};

const ACKNOWLEDGED: u8 = 0x06;
const AGAIN: u8 = 0x1f;
const NOBODY: u8 = 0x18;
const CTRL_C: u8 = 0x03;

/// Where boards find the folder.
pub const MOUNT_POINT: &str = "/remote";

/// A board that takes nothing of an answer for so long is stopped with Ctrl-C: bytes were lost on the way, and it
/// waits for them.
const STALLED: Duration = Duration::from_secs(10);

/// After an exchange the next request often comes at once; what is typed waits so long for it.
const PAUSE: Duration = Duration::from_millis(20);

/// What comes back from the board is not kept beyond this many bytes: nobody types so far ahead.
const MOST_HELD: usize = 4096;

/// What is read at once from the line below.
const PIECE: usize = 4096;

/// What the transport and the board's program agree on; changes with every mount.
#[derive(Clone, Copy, Debug, Default)]
struct Terms {
    session: [u8; 3],
    /// Bytes that the board acknowledges at once.
    unit: usize,
    /// When the board last asked for something.
    asked: Option<Instant>,
    /// The board did not take an answer, and its program was stopped.
    stalled: bool,
}

/// Names a shared folder to [`Board::mount`].
#[derive(Clone, Debug, Default)]
pub struct MountKey(Arc<Mutex<Terms>>);

impl MountKey {
    fn terms(&self) -> Terms {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// New terms: an answer to an earlier mount is none to this one.
    fn renew(&self, unit: usize) -> Terms {
        let number = RandomState::new().hash_one(0);
        let [a, b, c, ..] = number.to_le_bytes();
        let terms = Terms {
            session: [a, b, c],
            unit,
            asked: None,
            stalled: false,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = terms;
        terms
    }

    /// How long the board has asked for nothing; `None` if it never did.
    pub fn idle(&self) -> Option<Duration> {
        self.terms().asked.map(|at| at.elapsed())
    }

    /// Whether the board's program was stopped because the line lost a part of an answer.
    pub fn stalled(&self) -> bool {
        self.terms().stalled
    }

    fn stall(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stalled = true;
    }

    fn asked(&self) -> Terms {
        let mut terms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        terms.asked = Some(Instant::now());
        *terms
    }
}

/// A transport over which a board may use `folder`, once it is told so by [`Board::mount`] with this key.
pub fn share(transport: Box<dyn Transport>, folder: Folder) -> (Box<dyn Transport>, MountKey) {
    let key = MountKey::default();
    let serving = Serving::new(transport, Some((folder, key.clone())));
    (Box::new(serving), key)
}

/// A transport over which no folder is shared: a board that asks is told.
pub fn share_nothing(transport: Box<dyn Transport>) -> Box<dyn Transport> {
    Box::new(Serving::new(transport, None))
}

struct Serving {
    inner: Box<dyn Transport>,
    shared: Option<(Folder, MountKey)>,
    scanner: Scanner,
    /// The board's output, for the reader.
    passed: VecDeque<u8>,
    sending: Option<Sending>,
    /// Written while the board was asking; it goes out when it has its answer.
    held: Vec<u8>,
    /// When the last exchange ended.
    ended: Option<Instant>,
    /// The last request and its answer: asked again, it is not done again.
    last: Option<(Request, Vec<u8>)>,
}

/// An answer on its way.
struct Sending {
    rest: VecDeque<u8>,
    unit: usize,
    /// Units that are not acknowledged.
    on_the_way: usize,
    patience: Patience,
}

impl Serving {
    fn new(inner: Box<dyn Transport>, shared: Option<(Folder, MountKey)>) -> Serving {
        Serving {
            inner,
            shared,
            scanner: Scanner::new(),
            passed: VecDeque::new(),
            sending: None,
            held: Vec::new(),
            ended: None,
            last: None,
        }
    }

    /// An exchange is under way, or has ended only just now.
    fn is_busy(&self) -> bool {
        self.scanner.is_inside()
            || self.sending.is_some()
            || self.ended.is_some_and(|at| at.elapsed() < PAUSE)
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes;
        if !self.scanner.is_inside() && self.sending.is_none() {
            let (plain, rest) = Scanner::split_plain(bytes);
            self.passed.extend(plain);
            bytes = rest;
        }
        for &byte in bytes {
            if byte == ACKNOWLEDGED
                && let Some(sending) = &mut self.sending
            {
                sending.on_the_way = sending.on_the_way.saturating_sub(1);
                sending.patience = Patience::new(STALLED);
                self.send_on()?;
                continue;
            }
            match self.scanner.take(byte) {
                None => {}
                Some(Found::Passed(bytes)) => self.passed.extend(bytes),
                Some(Found::Garbled) => {
                    log::warn!("{}: a garbled request", self.inner.describe());
                    self.say(AGAIN)?;
                }
                Some(Found::Request(request)) => self.serve(request)?,
            }
        }
        Ok(())
    }

    /// One byte of the protocol's own.
    fn say(&mut self, byte: u8) -> io::Result<()> {
        self.ended = Some(Instant::now());
        self.inner.write(&[byte], STALLED)
    }

    fn serve(&mut self, request: Request) -> io::Result<()> {
        match request.kind {
            b'A' => {
                self.sending = None;
                // Whoever pressed Ctrl-C wants nothing of what was typed before.
                self.held.clear();
                return self.say(AGAIN);
            }
            b'T' => {
                if self.held.len() < MOST_HELD {
                    // A board's text input has made new lines of the returns.
                    let returns = |byte| if byte == b'\n' { b'\r' } else { byte };
                    self.held
                        .splice(..0, request.arguments.into_iter().map(returns));
                }
                return Ok(());
            }
            _ => {}
        }
        let Some((folder, key)) = &mut self.shared else {
            return self.say(NOBODY);
        };
        let terms = key.asked();
        if terms.session != request.session {
            return self.say(NOBODY);
        }
        let bytes = match &self.last {
            Some((last, bytes)) if *last == request => bytes.clone(),
            _ => {
                let result = folder.answer(request.kind, &request.arguments);
                log::debug!("request {}: {}", request.kind as char, outcome(&result));
                answer(&request, result.map_err(|errno| errno.0))
            }
        };
        self.sending = Some(Sending {
            rest: bytes.iter().copied().collect(),
            unit: terms.unit,
            on_the_way: 0,
            patience: Patience::new(STALLED),
        });
        self.last = Some((request, bytes));
        self.send_on()
    }

    /// Sends as much of the answer as the board has room for.
    fn send_on(&mut self) -> io::Result<()> {
        let Some(sending) = &mut self.sending else {
            return Ok(());
        };
        while sending.on_the_way < 2 && !sending.rest.is_empty() {
            let count = sending.unit.min(sending.rest.len());
            let unit: Vec<u8> = sending.rest.drain(..count).collect();
            self.inner.write(&unit, STALLED)?;
            sending.on_the_way += 1;
        }
        if sending.rest.is_empty() && sending.on_the_way == 0 {
            self.sending = None;
            self.ended = Some(Instant::now());
        }
        Ok(())
    }

    /// What time brings: held bytes go out, a board that takes nothing is stopped.
    fn look_at_the_clock(&mut self) -> io::Result<()> {
        let stalled = (self.sending.as_mut()).is_some_and(|sending| sending.patience.is_over());
        if stalled {
            log::warn!(
                "{}: the board does not take an answer about its mounted folder: its program is stopped",
                self.inner.describe()
            );
            if let Some((_, key)) = &self.shared {
                key.stall();
            }
            self.sending = None;
            self.say(CTRL_C)?;
        }
        if let Some(bytes) = self.scanner.overdue() {
            self.passed.extend(bytes);
        }
        if !self.held.is_empty() && !self.is_busy() {
            let held = std::mem::take(&mut self.held);
            self.inner.write(&held, STALLED)?;
        }
        Ok(())
    }
}

fn outcome(result: &Result<Vec<u8>, Errno>) -> String {
    match result {
        Ok(data) => format!("{} bytes", data.len()),
        Err(errno) => format!("errno {}", errno.0),
    }
}

impl Transport for Serving {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + timeout;
        let mut piece = [0; PIECE];
        loop {
            if !self.passed.is_empty() {
                let count = buffer.len().min(self.passed.len());
                for (slot, byte) in buffer.iter_mut().zip(self.passed.drain(..count)) {
                    *slot = byte;
                }
                return Ok(count);
            }
            self.look_at_the_clock()?;
            let mut wait = deadline.saturating_duration_since(Instant::now());
            if !self.held.is_empty() || self.sending.is_some() {
                wait = wait.min(PAUSE);
            }
            let count = self.inner.read(&mut piece, wait)?;
            self.take(&piece[..count])?;
            if self.passed.is_empty() && Instant::now() >= deadline {
                return Ok(0);
            }
        }
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()> {
        if data.contains(&CTRL_C) {
            // It overtakes all that waits, and no answer contains it.
            self.held.clear();
        } else if self.is_busy() || !self.held.is_empty() {
            self.held.extend(data);
            return Ok(());
        }
        self.inner.write(data, timeout)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        self.inner.set_baud(baud)
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        self.inner.set_lines(dtr, rts)
    }
}

impl Board {
    /// Makes the folder that `key` shares the board's [`MOUNT_POINT`], and its current folder. The transport must be
    /// the one that [`share`] gave with the key.
    ///
    /// # Errors
    /// [`LinkError::Raised`] where the firmware lacks what it takes (filesystems, `binascii`), and those of
    /// [`Board::exec`].
    pub fn mount(&mut self, key: &MountKey) -> Result<(), LinkError> {
        if self.raw_paste().is_none() {
            // How much the board takes at once is known when code has been sent.
            self.exec_within("pass", self.timeouts.enter)?
                .into_stdout()?;
        }
        let Terms { session, unit, .. } = key.renew(self.unit());
        let code = program::mount(session, unit, MOUNT_POINT);
        self.exec_within(&code, self.timeouts.enter)
            .and_then(Execution::into_stdout)?;
        log::info!("{}: mounted on {MOUNT_POINT}, by {unit}", self.port());
        Ok(())
    }

    /// Takes the mount back; no error where there is none. A board that started anew by itself has none, and what it
    /// starts with is left alone.
    ///
    /// # Errors
    /// As [`Board::exec`].
    pub fn unmount(&mut self) -> Result<(), LinkError> {
        if self.has_restarted() {
            return Ok(());
        }
        self.exec(&program::unmount(MOUNT_POINT))
            .and_then(Execution::into_stdout)
            .map(drop)
    }

    /// Whether something is mounted there: a restart takes it away.
    ///
    /// # Errors
    /// As [`Board::exec`].
    pub fn is_mounted(&mut self) -> Result<bool, LinkError> {
        let printed = self.exec(&program::still(MOUNT_POINT))?.into_stdout()?;
        Ok(printed.trim() != "0")
    }
}
