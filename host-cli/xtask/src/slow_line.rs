//! A serial line of 115,200 bits per second where there is none: a pseudo-terminal whose bytes pass, each way, no faster
//! than such a line carries them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

/// Ten bits carry a byte: start, eight, stop.
pub const BYTES_PER_SECOND: f64 = 115_200.0 / 10.0;
/// Bytes that pass at a time: a millisecond and a half.
const PIECE: usize = 16;

/// The line's other end, for as long as the program runs.
pub struct SlowLine {
    pub device: PathBuf,
    /// Kept open, so that the line outlives whoever opens the device.
    _end: File,
}

/// Lays a line in front of `device`; its other end is called `name`.
pub fn before(device: &Path, name: &Path) -> Result<SlowLine> {
    let board = open(device)?;
    let (ours, terminal) = terminal()?;
    std::os::unix::fs::symlink(terminal, name)
        .with_context(|| format!("cannot make {}", name.display()))?;
    let end = open(name)?;
    carry(board.try_clone()?, ours.try_clone()?);
    carry(ours, board);
    Ok(SlowLine {
        device: name.to_owned(),
        _end: end,
    })
}

/// A new pseudo-terminal: our side of it, and the name of the other.
pub fn terminal() -> Result<(File, PathBuf)> {
    let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)
        .context("no pseudo-terminal")?;
    rustix::pty::grantpt(&ours).context("grantpt")?;
    rustix::pty::unlockpt(&ours).context("unlockpt")?;
    let terminal = rustix::pty::ptsname(&ours, Vec::new()).context("ptsname")?;
    let name = PathBuf::from(terminal.to_string_lossy().into_owned());
    Ok((File::from(ours), name))
}

/// Opens a terminal that changes no byte. QEMU looks only once a second whether somebody has opened its
/// pseudo-terminal, so whoever measures keeps it open.
pub fn open(device: &Path) -> Result<File> {
    let fd: OwnedFd = rustix::fs::open(
        device,
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .with_context(|| format!("cannot open {}", device.display()))?;
    let mut settings = rustix::termios::tcgetattr(&fd).context("tcgetattr")?;
    settings.make_raw();
    rustix::termios::tcsetattr(&fd, OptionalActions::Now, &settings).context("tcsetattr")?;
    Ok(File::from(fd))
}

/// Passes bytes on until one side is gone.
fn carry(mut from: File, mut to: File) {
    std::thread::spawn(move || {
        let mut buffer = [0; PIECE];
        let mut free_at = Instant::now();
        loop {
            // Bytes that waited follow those before them without a gap, also where this program got its turn late.
            let waited = rustix::io::ioctl_fionread(&from).is_ok_and(|count| count > 0);
            let Ok(count @ 1..) = from.read(&mut buffer) else {
                return;
            };
            if !waited {
                free_at = free_at.max(Instant::now());
            }
            // The last bit arrives when all have gone over the line, one after the other.
            free_at += Duration::from_secs_f64(count as f64 / BYTES_PER_SECOND);
            std::thread::sleep(free_at.saturating_duration_since(Instant::now()));
            if to.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    });
}
