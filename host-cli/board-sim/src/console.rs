//! The board's serial port: the master side of a pseudo-terminal, and what waits to go out through it.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// Above this many waiting bytes the board's output is left where it is, and its script waits.
const HIGH_WATER: usize = 16 * 1024;

/// How often a port that nobody has open is looked at again.
const ABSENT_CHECK: Duration = Duration::from_millis(25);

pub(crate) struct Console {
    master: OwnedFd,
    device: PathBuf,
    out: VecDeque<u8>,
    /// The last byte of text that was queued.
    last: u8,
    /// Set while nobody has the device open: when to look again.
    absent_until: Option<Instant>,
}

impl Console {
    pub(crate) fn open() -> io::Result<Console> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        // The master is not for programs that this one starts. macOS takes no flag for that.
        #[cfg(target_os = "linux")]
        let flags = flags | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        #[cfg(not(target_os = "linux"))]
        rustix::io::fcntl_setfd(&master, rustix::io::FdFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let device = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        // Raw from the start: a client that leaves the settings alone gets bytes, not lines, and no echo.
        let slave = rustix::fs::open(
            &device,
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut settings = rustix::termios::tcgetattr(&slave)?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)?;
        // Once opened and closed, the terminal knows that nobody is there.
        drop(slave);
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok(Console {
            master,
            device,
            out: VecDeque::new(),
            last: 0,
            absent_until: None,
        })
    }

    pub(crate) fn device(&self) -> &Path {
        &self.device
    }

    /// Queues bytes for whoever has the device open.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
        self.flush();
    }

    /// Queues text as a board prints it: each newline becomes `\r\n`. One that already is stays, since
    /// `input()` echoes it so.
    pub(crate) fn put_cooked(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' && self.last != b'\r' {
                self.out.push_back(b'\r');
            }
            self.out.push_back(byte);
            self.last = byte;
        }
        self.flush();
    }

    /// True while more output may be taken from the board's process.
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() < HIGH_WATER
    }

    /// What to poll for, or None while nobody has the device open.
    pub(crate) fn interest(&mut self, want_input: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if self
            .absent_until
            .is_some_and(|until| Instant::now() < until)
        {
            return None;
        }
        let mut flags = PollFlags::empty();
        if want_input {
            flags |= PollFlags::IN;
        }
        if !self.out.is_empty() {
            flags |= PollFlags::OUT;
        }
        Some((self.master.as_fd(), flags))
    }

    /// When to poll again although nothing happened.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.absent_until
    }

    /// Takes what poll found; returns what was typed.
    pub(crate) fn on_poll(&mut self, found: PollFlags) -> Vec<u8> {
        let mut typed = Vec::new();
        if found.contains(PollFlags::IN) {
            let mut buffer = [0; 256];
            if let Ok(n) = rustix::io::read(&self.master, &mut buffer) {
                typed.extend_from_slice(&buffer[..n]);
            }
        }
        if found.contains(PollFlags::HUP) && typed.is_empty() {
            // As on a wire that nobody listens to, what is sent now is lost.
            self.out.clear();
            self.absent_until = Some(Instant::now() + ABSENT_CHECK);
        } else {
            self.absent_until = None;
            self.flush();
        }
        typed
    }

    fn flush(&mut self) {
        while !self.out.is_empty() {
            let (first, _) = self.out.as_slices();
            match rustix::io::write(&self.master, first) {
                Ok(n) => drop(self.out.drain(..n)),
                Err(rustix::io::Errno::INTR) => {}
                // Full, or nobody there: poll will tell which.
                Err(_) => return,
            }
        }
    }
}
