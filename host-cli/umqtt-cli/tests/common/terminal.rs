//! A terminal of a test's own, and the `umqtt` that runs on it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::termios::{Termios, Winsize};

use super::Home;

/// A terminal of our own and the process that runs on it.
pub struct Terminal {
    master: File,
    slave: OwnedFd,
    output: Receiver<Vec<u8>>,
    pub heard: String,
    pub child: Child,
    /// Its settings before anything ran on it, as [`comparable`] gives them.
    pub before: String,
}

impl Terminal {
    /// Runs `umqtt` with a controlling terminal `columns` wide.
    pub fn run(home: &Home, columns: u16, arguments: &[&str]) -> Self {
        Self::of(home.umqtt(arguments), columns)
    }

    /// Runs any command so.
    pub fn of(mut command: Command, columns: u16) -> Self {
        let master =
            rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY)
                .expect("a pty");
        rustix::pty::grantpt(&master).expect("the pty's permission");
        rustix::pty::unlockpt(&master).expect("the pty unlocked");
        let name = rustix::pty::ptsname(&master, Vec::new()).expect("its name");
        let slave = rustix::fs::open(
            name,
            rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
            rustix::fs::Mode::empty(),
        );
        let slave = slave.expect("its other end");
        let size = Winsize {
            ws_row: 30,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&master, size).expect("a size");
        let before = comparable(&rustix::termios::tcgetattr(&slave).expect("its settings"));
        let stdio = || Stdio::from(slave.try_clone().expect("another descriptor"));
        command
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .env("TERM", "xterm");
        // SAFETY: these are plain system calls, allowed between fork and exec.
        unsafe {
            command.pre_exec(|| {
                // A shell that started the tests in the background had them ignore Ctrl-C, and so their children.
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().expect("umqtt starts");
        let master = File::from(master);
        let mut reader = master.try_clone().expect("another descriptor");
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            master,
            slave,
            output,
            heard: String::new(),
            child,
            before,
        }
    }

    pub fn settings(&self) -> Termios {
        rustix::termios::tcgetattr(self.slave.as_fd()).expect("the terminal's settings")
    }

    pub fn press_ctrl_c(&mut self) {
        self.type_in(b"\x03");
    }

    pub fn type_in(&mut self, keys: &[u8]) {
        (self.master.write_all(keys)).expect("the terminal takes keys");
    }

    /// Forgets what was printed, and waits for this.
    pub fn next(&mut self, text: &str) {
        self.wait_for(text);
        let end = self.heard.find(text).map_or(0, |at| at + text.len());
        self.heard.drain(..end);
    }

    /// True if something came.
    fn listen(&mut self, limit: Duration) -> bool {
        let Ok(bytes) = self.output.recv_timeout(limit) else {
            return false;
        };
        self.heard.push_str(&String::from_utf8_lossy(&bytes));
        true
    }

    /// Fails after a minute of silence, or ten minutes of other words: an emulated board on a busy computer is slow.
    pub fn wait_for(&mut self, text: &str) {
        let started = Instant::now();
        let mut moved = started;
        while !self.heard.contains(text) {
            let ended = self.child.try_wait().expect("its status");
            let patient = moved.elapsed() < Duration::from_secs(60)
                && started.elapsed() < Duration::from_secs(600);
            assert!(
                ended.is_none() && patient,
                "{text:?} did not come ({ended:?}): {}",
                self.heard
            );
            if self.listen(Duration::from_millis(50)) {
                moved = Instant::now();
            }
        }
    }

    /// What was printed, also when it takes its time from the terminal to us after the end.
    pub fn expect_heard(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.heard.contains(text) {
            assert!(
                Instant::now() < deadline,
                "{text:?} is missing: {}",
                self.heard
            );
            self.listen(Duration::from_millis(50));
        }
    }

    /// The exit status, within so long.
    pub fn end_within(&mut self, limit: Duration) -> Option<i32> {
        let deadline = Instant::now() + limit;
        loop {
            self.listen(Duration::from_millis(5));
            if let Some(status) = self.child.try_wait().expect("its status") {
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                    self.heard.push_str(&String::from_utf8_lossy(&bytes));
                }
                return status.code();
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("it did not end within {limit:?} of Ctrl-C: {}", self.heard);
            }
        }
    }
}

impl Drop for Terminal {
    /// A test that fails leaves no conversation behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of a terminal's settings that programs change.
pub fn comparable(settings: &Termios) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        settings.input_modes,
        settings.output_modes,
        settings.control_modes,
        settings.local_modes,
        settings.special_codes
    )
}
