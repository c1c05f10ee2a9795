//! The board's process: a MicroPython with its open files, started, spoken to, interrupted and ended.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child as Process, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, Signal};
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit};

use crate::config::SimConfig;
use crate::page::{KICK, KICK_SEEN, Page};
use crate::walls::WallFiles;

/// Loads the first code into a namespace of its own; `G` is that of the scripts to come.
const BOOTSTRAP: &str =
    "exec(compile(open(8).read(),'\\x01start','exec'),{'__name__':'\\x01start','G':globals()})";

/// How often a signal is repeated until its work is seen to be done: it may have come just before a
/// system call that then blocks.
const KICK_AGAIN: Duration = Duration::from_millis(20);

/// How long a process may take to end once it is killed.
const END_LIMIT: Duration = Duration::from_secs(5);

/// What the board's own code takes of the heap, in bytes: 75,000 measured with 1.25 and 1.26 on x64.
const MODULES_HEAP: usize = 76 * 1024;

/// Largest content of one packet; both sides keep to it.
pub(crate) const PACKET: usize = 8000;

pub(crate) struct Child {
    process: Process,
    /// The process to signal: not `process` itself if the program is a script that starts another.
    pid: Option<Pid>,
    pub(crate) stdout: OwnedFd,
    pub(crate) control: OwnedFd,
    events: OwnedFd,
    stdin: OwnedFd,
    /// The other end of the same pipe, to take back what a script left unread.
    stdin_back: OwnedFd,
    last_kick: Instant,
}

/// Two ends of a line for packets, ours without waiting; neither is for other programs that this one starts.
fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(target_os = "linux")]
    let (ours, theirs) = {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        let kind = SocketType::SEQPACKET;
        rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?
    };
    // macOS has no sequenced packets; its local datagrams are reliable and in order.
    #[cfg(not(target_os = "linux"))]
    let (ours, theirs) = {
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair()?;
        (OwnedFd::from(ours), OwnedFd::from(theirs))
    };
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// A process that is gone is an error and no signal. macOS has no such flag, but a program in Rust ignores that signal.
#[cfg(target_os = "linux")]
const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
#[cfg(not(target_os = "linux"))]
const NO_SIGNAL: SendFlags = SendFlags::empty();

impl Child {
    /// Starts MicroPython with the board's first code; it says `R` when it is ready.
    pub(crate) fn start(
        config: &SimConfig,
        page: &Page,
        walls: WallFiles,
        first_code: &str,
    ) -> io::Result<Child> {
        let (control, their_control) = packet_pair()?;
        let (events, their_events) = packet_pair()?;
        let (their_stdin, stdin) = std::io::pipe()?;
        let stdin_back: OwnedFd = their_stdin.try_clone()?.into();
        let (stdout, their_stdout) = std::io::pipe()?;
        let stdout = OwnedFd::from(stdout);
        let stdin = OwnedFd::from(stdin);
        let their_stdout = OwnedFd::from(their_stdout);
        let (code, mut code_in) = std::io::pipe()?;
        rustix::io::ioctl_fionbio(&stdout, true)?;
        rustix::io::ioctl_fionbio(&stdin, true)?;

        let mut files = vec![
            (3, their_control),
            (4, their_events),
            (5, page.fd().try_clone_to_owned()?),
            (8, OwnedFd::from(code)),
        ];
        files.extend(walls.ruleset.map(|fd| (6, fd)));
        files.extend(walls.program.map(|fd| (7, fd)));
        let mut command = config.micropython.command();
        if let Some(heap) = config.heap {
            command
                .arg("-X")
                .arg(format!("heapsize={}", heap + MODULES_HEAP));
        }
        command
            .args(["-c", BOOTSTRAP])
            .env_clear()
            .current_dir(&config.root)
            .stdin(Stdio::from(their_stdin))
            .stdout(Stdio::from(their_stdout.try_clone()?))
            .stderr(Stdio::from(their_stdout))
            .process_group(0);
        command
            .fd_mappings(
                files
                    .into_iter()
                    .map(|(child_fd, parent_fd)| FdMapping {
                        parent_fd,
                        child_fd,
                    })
                    .collect(),
            )
            .map_err(|e| io::Error::other(e.to_string()))?;
        #[cfg(target_os = "linux")]
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe {
            command.pre_exec(|| {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // A crash would leave its image in the board's folder.
                let none = Rlimit {
                    current: Some(0),
                    maximum: Some(0),
                };
                rustix::process::setrlimit(Resource::Core, none)?;
                Ok(())
            });
        }
        let process = command.spawn()?;
        let child = Child {
            process,
            pid: None,
            stdout,
            control,
            events,
            stdin,
            stdin_back,
            last_kick: Instant::now(),
        };
        // The command still holds the process's ends of all pipes.
        drop(command);
        // A process that ends before it has read this shows up as the end of its control channel.
        let code = first_code.to_string();
        std::thread::spawn(move || {
            let _ = code_in.write_all(code.as_bytes());
        });
        Ok(child)
    }

    /// The process said who it is: from now on it takes signals.
    pub(crate) fn ready(&mut self, pid: i32) {
        self.pid = Pid::from_raw(pid);
    }

    /// Sends a command packet; waits while the process has not read earlier ones.
    pub(crate) fn send(&self, packet: &[u8]) -> io::Result<()> {
        loop {
            match rustix::net::send(&self.control, packet, NO_SIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS) => {
                    let mut fds = [PollFd::new(&self.control, PollFlags::OUT)];
                    poll(&mut fds, Some(&timespec(Duration::from_millis(10))))?;
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Sends an event and wakes the process up for it. False if too many wait already: as on a board
    /// whose interrupt queue is full, the event is then lost.
    pub(crate) fn send_event(&mut self, packet: &[u8], page: &Page) -> bool {
        let sent = rustix::net::send(&self.events, packet, NO_SIGNAL).is_ok();
        self.kick(page);
        sent
    }

    /// The next packet from the process: None if there is none yet, an empty one at the end.
    pub(crate) fn receive(&self) -> Option<Vec<u8>> {
        let mut packet = vec![0; 65536];
        loop {
            match rustix::net::recv(&self.control, packet.as_mut_slice(), RecvFlags::empty()) {
                Ok((n, _)) => {
                    packet.truncate(n);
                    return Some(packet);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return None,
                Err(_) => return Some(Vec::new()),
            }
        }
    }

    /// Makes the process look at what waits for it.
    pub(crate) fn kick(&mut self, page: &Page) {
        page.count(KICK);
        self.signal();
    }

    /// Repeats the signal if its work is not done yet; says when to come back, if at all.
    pub(crate) fn kick_again(&mut self, page: &Page) -> Option<Instant> {
        if self.pid.is_none() || page.get(KICK) == page.get(KICK_SEEN) {
            return None;
        }
        if self.last_kick.elapsed() >= KICK_AGAIN {
            self.signal();
        }
        Some(self.last_kick + KICK_AGAIN)
    }

    fn signal(&mut self) {
        self.last_kick = Instant::now();
        let Some(pid) = self.pid else { return };
        // The main thread runs the script and its callbacks; other threads would only pass it on.
        #[cfg(target_os = "linux")]
        // SAFETY: a plain system call with numbers; a process that is gone is an error nobody needs.
        unsafe {
            let id = pid.as_raw_nonzero().get();
            libc::syscall(libc::SYS_tgkill, id, id, libc::SIGUSR2);
        }
        #[cfg(not(target_os = "linux"))]
        {
            // A process that is gone needs no signal.
            let _ = rustix::process::kill_process(pid, Signal::USR2);
        }
    }

    /// Gives typed bytes to the script; returns how many it has room for.
    pub(crate) fn type_in(&self, bytes: &[u8]) -> usize {
        rustix::io::write(&self.stdin, bytes).unwrap_or(0)
    }

    /// Takes back what was typed and not read.
    pub(crate) fn take_back(&self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut fds = [PollFd::new(&self.stdin_back, PollFlags::IN)];
            if !matches!(poll(&mut fds, Some(&timespec(Duration::ZERO))), Ok(1)) {
                return all;
            }
            let mut buffer = [0; 512];
            match rustix::io::read(&self.stdin_back, &mut buffer) {
                Ok(n) if n > 0 => all.extend_from_slice(&buffer[..n]),
                _ => return all,
            }
        }
    }

    /// What the script printed since the last time; empty if nothing.
    pub(crate) fn printed(&self) -> Vec<u8> {
        let mut buffer = vec![0; 16 * 1024];
        let n = rustix::io::read(self.stdout.as_fd(), buffer.as_mut_slice()).unwrap_or(0);
        buffer.truncate(n);
        buffer
    }

    /// How the process ended, after its control channel did.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let limit = Instant::now() + END_LIMIT;
        while Instant::now() < limit {
            if let Ok(Some(status)) = self.process.try_wait() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // It does not end by itself: what `drop` will do to it. The raw status of a signal is its number.
        ExitStatus::from_raw(Signal::KILL.as_raw())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The whole group: the program may be a script around MicroPython.
        if let Some(group) = Pid::from_raw(self.process.id() as i32) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.process.kill();
        // Its exit status, if any, says nothing new.
        let _ = self.process.wait();
    }
}

pub(crate) fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
