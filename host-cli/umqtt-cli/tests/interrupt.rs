//! Ctrl-C at any moment, on a terminal: the script is interrupted, no process stays, the terminal is
//! as it was.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use common::{Home, children_of, expect_no_process, micropython};
use rustix::termios::{Termios, Winsize};
use testkit::need;

/// A terminal of our own and the process that runs on it.
struct Terminal {
    master: File,
    slave: OwnedFd,
    output: Receiver<Vec<u8>>,
    heard: String,
    child: Child,
}

impl Terminal {
    /// Runs `umqtt` with a controlling terminal `columns` wide.
    fn run(home: &Home, columns: u16, arguments: &[&str]) -> Self {
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
        let stdio = || Stdio::from(slave.try_clone().expect("another descriptor"));
        let mut command = home.umqtt(arguments);
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
        }
    }

    fn settings(&self) -> Termios {
        rustix::termios::tcgetattr(self.slave.as_fd()).expect("the terminal's settings")
    }

    fn press_ctrl_c(&mut self) {
        self.master
            .write_all(b"\x03")
            .expect("the terminal takes a key");
    }

    fn listen(&mut self, limit: Duration) {
        if let Ok(bytes) = self.output.recv_timeout(limit) {
            self.heard.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.heard.contains(text) {
            let ended = self.child.try_wait().expect("its status");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{text:?} did not come ({ended:?}): {}",
                self.heard
            );
            self.listen(Duration::from_millis(50));
        }
    }

    /// What was printed, also when it takes its time from the terminal to us after the end.
    fn expect_heard(&mut self, text: &str) {
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
    fn end_within(&mut self, limit: Duration) -> Option<i32> {
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

/// All of a terminal's settings that programs change.
fn comparable(settings: &Termios) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        settings.input_modes,
        settings.output_modes,
        settings.control_modes,
        settings.local_modes,
        settings.special_codes
    )
}

const SCRIPT: &str = "import time\nfrom umqtt.simple import MQTTClient\n\
                      client = MQTTClient('c', 'test.mosquitto.org')\nclient.connect()\nprint('running')\n\
                      try:\n    while True:\n        client.publish('t', 'x')\n        time.sleep(0.02)\n\
                      finally:\n    client.disconnect()\n    print('bye')\n";

#[test]
fn ctrl_c_at_twenty_moments() {
    need!("ctrl_c_at_twenty_moments", micropython());
    let home = Home::new();
    home.script("main.py", SCRIPT);
    // How long it takes until the script runs decides which moments are worth a try.
    let begin = Instant::now();
    let mut first = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
    first.wait_for("running");
    let start = begin.elapsed();
    let board = children_of(first.child.id());
    assert!(
        !board.is_empty(),
        "the board's process is seen while it runs"
    );
    first.press_ctrl_c();
    assert_eq!(
        first.end_within(Duration::from_secs(10)),
        Some(0),
        "{}",
        first.heard
    );
    for text in ["bye", "KeyboardInterrupt", "DISCONNECT"] {
        first.expect_heard(text);
    }
    expect_no_process();

    for moment in 0..20_u32 {
        let mut terminal = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
        let before = comparable(&terminal.settings());
        // From the first millisecond to well into the script.
        std::thread::sleep(start * moment / 14);
        terminal.press_ctrl_c();
        let status = terminal.end_within(Duration::from_secs(15));
        // Before the handler stands, Ctrl-C ends the process as it ends any (no status); between that
        // and the script's first line nothing was done (1); then the run ends well.
        match status {
            None => assert!(
                terminal.heard.trim_start_matches("^C").trim().is_empty(),
                "moment {moment}: {}",
                terminal.heard
            ),
            Some(0) => {}
            Some(1) => terminal.expect_heard("interrupted"),
            Some(status) => panic!("moment {moment}: status {status}: {}", terminal.heard),
        }
        assert_eq!(comparable(&terminal.settings()), before, "moment {moment}");
        expect_no_process();
    }
}

#[test]
fn two_columns_on_a_wide_terminal_and_lines_on_a_narrow_one() {
    need!(
        "two_columns_on_a_wide_terminal_and_lines_on_a_narrow_one",
        micropython()
    );
    let home = Home::new();
    home.script("main.py", SCRIPT.replace("while True", "for _ in range(3)"));
    for (columns, expected) in [(100, "│ → PUBLISH t: x"), (60, "mqtt   | → PUBLISH t: x")] {
        let mut terminal = Terminal::run(&home, columns, &["run", "main.py", "--port", "sim"]);
        assert_eq!(
            terminal.end_within(Duration::from_secs(60)),
            Some(0),
            "{}",
            terminal.heard
        );
        terminal.expect_heard("bye");
        let plain = terminal.heard.replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert!(plain.contains(expected), "{plain}");
        assert!(
            !plain.contains('\x1b'),
            "no other escape sequences: {plain:?}"
        );
    }
}

#[test]
fn a_closed_terminal_leaves_no_process() {
    need!("a_closed_terminal_leaves_no_process", micropython());
    let home = Home::new();
    home.script("main.py", SCRIPT);
    let mut terminal = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
    terminal.wait_for("running");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&terminal.child),
        rustix::process::Signal::HUP,
    )
    .expect("a signal");
    assert_eq!(
        terminal.end_within(Duration::from_secs(10)),
        Some(0),
        "{}",
        terminal.heard
    );
    expect_no_process();
}

#[test]
fn a_killed_umqtt_leaves_no_process() {
    need!("a_killed_umqtt_leaves_no_process", micropython());
    let home = Home::new();
    home.script("main.py", "print('running')\nwhile True:\n    pass\n");
    let mut terminal = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
    terminal.wait_for("running");
    terminal.child.kill().expect("it is killed");
    terminal.child.wait().expect("it is gone");
    expect_no_process();
}
