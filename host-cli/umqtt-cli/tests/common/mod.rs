//! Runs the command as a user does: with folders of its own, against a clock, and with an eye on what
//! it leaves behind.
#![allow(
    unused,
    reason = "each test program uses its own part of these helpers"
)]

#[cfg(unix)]
pub mod breaking;
#[cfg(unix)]
pub mod laboratory;
#[cfg(unix)]
pub mod ser2net;
#[cfg(target_os = "linux")]
pub mod terminal;
#[cfg(target_os = "linux")]
pub mod traffic;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use board_sim::{FindOptions, MicroPython};
#[cfg(unix)]
use board_sim::{SimBoard, SimConfig};
use serde_json::Value;

/// Longer than any run of a test takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(90);

/// The repository's root.
pub fn repository() -> PathBuf {
    testkit::repository()
}

/// Whether there is a MicroPython that `umqtt run` would use; the reason if not.
pub fn micropython() -> Result<MicroPython, String> {
    let options = FindOptions {
        offline: true,
        ..FindOptions::default()
    };
    MicroPython::find(&options, &mut |_| {}).map_err(|error| error.to_string())
}

/// Folders for one test: a home, a simulated flash, and scripts.
pub struct Home {
    folder: tempfile::TempDir,
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Done {
    pub stdout: String,
    pub stderr: String,
    /// None where a signal ended it.
    pub status: Option<i32>,
    pub elapsed: Duration,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("umqtt-test-")
            .tempdir()
            .expect("a scratch folder");
        fs::create_dir(folder.path().join("flash")).expect("a folder for the flash");
        #[cfg(target_os = "linux")]
        adopt_orphans();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn flash(&self) -> PathBuf {
        self.path().join("flash")
    }

    /// The flash of the board with this number, which `board` makes.
    pub fn flash_of(&self, number: usize) -> PathBuf {
        self.path().join(format!("flash{number}"))
    }

    /// A simulated board on a flash of its own.
    #[cfg(unix)]
    pub fn board(&self, number: usize, micropython: &MicroPython) -> SimBoard {
        let flash = self.flash_of(number);
        fs::create_dir(&flash).expect("a folder");
        SimBoard::start(SimConfig::new(flash, micropython.clone())).expect("a board")
    }

    /// A script of this home; returns its path.
    pub fn script(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("the script is written");
        path
    }

    /// `umqtt` with this home's flash, in English, in this home's folder.
    pub fn umqtt<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_umqtt"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env("UMQTT_SIM_ROOT", self.flash())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Done {
        finish(self.umqtt(arguments).spawn().expect("umqtt starts"))
    }
}

/// A process as /proc shows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Process {
    pub name: String,
    parent: u32,
    /// It has ended and waits for its parent to ask how.
    ended: bool,
}

/// The processes that this process's program started, directly or by one that is gone.
#[cfg(target_os = "linux")]
pub fn children_of(parent: u32) -> Vec<Process> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let stats =
        processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    // pid (name) state parent …, see proc(5); the name may hold blanks and brackets.
    stats
        .filter_map(|stat| {
            let (front, back) = stat.rsplit_once(')')?;
            let mut fields = back.split_whitespace();
            let ended = fields.next()? == "Z";
            let parent = fields.next()?.parse().ok()?;
            Some(Process {
                name: front.split_once('(')?.1.to_owned(),
                parent,
                ended,
            })
        })
        .filter(|process| process.parent == parent && !process.ended)
        .collect()
}

/// Makes this process the parent of what its children leave behind, so that `expect_no_process` sees it.
#[cfg(target_os = "linux")]
pub fn adopt_orphans() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .expect("a Linux of this decade");
}

/// Fails if a process that `umqtt` started outlives it for good. Other tests may be running `umqtt` itself and Mosquitto
/// meanwhile, or be about to: on a busy computer such a process has its parent's name for a while.
pub fn expect_no_process() {
    #[cfg(target_os = "linux")]
    {
        let left = || -> Vec<_> {
            let children = children_of(std::process::id());
            children
                .into_iter()
                .filter(|process| !["umqtt", "mosquitto"].contains(&process.name.as_str()))
                .collect()
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut processes = left();
        while !processes.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
            processes = left();
        }
        assert_eq!(processes, [], "processes left behind");
    }
}

/// Runs it to its end with this for its input; it may end without having read it.
pub fn feed(command: &mut Command, input: &str) -> Done {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("umqtt starts");
    let mut stdin = child.stdin.take().expect("its input");
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    finish(child)
}

/// Reads all that a child prints and waits for its end, or kills it and fails.
pub fn finish(child: Child) -> Done {
    finish_within(child, LIMIT)
}

/// The same for what takes longer than most.
pub fn finish_within(mut child: Child, limit: Duration) -> Done {
    let started = Instant::now();
    let stdout = child
        .stdout
        .take()
        .map(|stream| std::thread::spawn(move || read_all(stream)));
    let stderr = child
        .stderr
        .take()
        .map(|stream| std::thread::spawn(move || read_all(stream)));
    let status = loop {
        if let Some(status) = child.try_wait().expect("its status") {
            break status;
        }
        if started.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            let text = |reader: Option<std::thread::JoinHandle<String>>| {
                reader.and_then(|reader| reader.join().ok())
            };
            panic!(
                "umqtt did not end within {limit:?}: {:?} {:?}",
                text(stdout),
                text(stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let elapsed = started.elapsed();
    let text = |reader: Option<std::thread::JoinHandle<String>>| {
        reader
            .map(|reader| reader.join().expect("its output"))
            .unwrap_or_default()
    };
    Done {
        stdout: text(stdout),
        stderr: text(stderr),
        status: status.code(),
        elapsed,
    }
}

fn read_all(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Done {
    #[track_caller]
    pub fn expect_status(&self, status: i32) -> &Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    /// The lines of `--json`.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{self:#?}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The last line of `--json` with this event.
    #[track_caller]
    pub fn said(&self, event: &str) -> Value {
        let lines = self.json();
        let said = lines.into_iter().rfind(|line| line["event"] == event);
        said.unwrap_or_else(|| panic!("no {event}: {self:#?}"))
    }

    /// All that the script printed, from `--json`.
    #[track_caller]
    pub fn script_output(&self) -> String {
        self.json()
            .iter()
            .filter(|line| line["source"] == "script" && line["stream"] == "stdout")
            .filter_map(|line| line["text"].as_str())
            .collect()
    }

    /// Topic and payload of each PUBLISH that went this way (`to_broker`, `to_client`), from `--json`.
    #[track_caller]
    pub fn published(&self, direction: &str) -> Vec<(String, String)> {
        self.json()
            .iter()
            .filter(|line| line["packet"] == "PUBLISH" && line["direction"] == direction)
            .map(|line| {
                let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
                (text("topic"), text("payload"))
            })
            .collect()
    }
}

/// A port of the loopback that nobody uses now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
