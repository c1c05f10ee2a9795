//! A fake serial port: a pseudo-terminal whose other side a test plays, for what no board here can be: a ROM's
//! bootloader, a board that keeps silent, one that talks nonsense.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// The port; dropping it is pulling the plug.
#[derive(Debug)]
pub struct FakePort {
    device: PathBuf,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakePort {
    /// Opens one. `play` gets what was written to the port, or nothing about every 20 ms while somebody has it open, and
    /// gives what the port sends.
    ///
    /// # Errors
    /// Where the system has no pseudo-terminals.
    pub fn start(play: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> io::Result<Self> {
        let master =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let name = rustix::pty::ptsname(&master, Vec::new())?;
        let device = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&device, flags, Mode::empty())?;
        let mut settings = rustix::termios::tcgetattr(&slave)?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)?;
        // Once opened and closed, the terminal knows that nobody is there.
        drop(slave);
        rustix::io::ioctl_fionbio(&master, true)?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let thread = std::thread::spawn(move || serve(&master, play, &end));
        Ok(Self {
            device,
            ended,
            thread: Some(thread),
        })
    }

    /// What `--port` takes.
    pub fn device(&self) -> &Path {
        &self.device
    }
}

impl Drop for FakePort {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed by itself.
            let _ = thread.join();
        }
    }
}

fn serve(master: &OwnedFd, mut play: impl FnMut(&[u8]) -> Vec<u8>, end: &AtomicBool) {
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    let tick = Timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    while !end.load(Ordering::SeqCst) {
        let mut wanted = PollFlags::IN;
        if !out.is_empty() {
            wanted |= PollFlags::OUT;
        }
        let mut fds = [PollFd::from_borrowed_fd(master.as_fd(), wanted)];
        // What cannot be polled is tried below.
        let _ = rustix::event::poll(&mut fds, Some(&tick));
        let found = fds[0].revents();
        let read = rustix::io::read(master, &mut buffer).unwrap_or(0);
        if read == 0 && found.contains(PollFlags::HUP) {
            // As on a wire that nobody listens to, what is sent now is lost.
            out.clear();
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        out.extend(play(&buffer[..read]));
        if let Ok(written) = rustix::io::write(master, &out) {
            out.drain(..written);
        }
    }
}
