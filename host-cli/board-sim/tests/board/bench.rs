//! What the board-sim tests share: a MicroPython, a board in a folder of its own, and a plain client.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use board_sim::{FindError, FindOptions, MicroPython, SimBoard, SimConfig};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Leaves a test that cannot run here: says so by name, or fails where everything is required.
pub fn skip(reason: &str) {
    let test = std::thread::current()
        .name()
        .unwrap_or("a test")
        .to_string();
    assert!(
        std::env::var_os("UMQTT_REQUIRE_ALL").is_none(),
        "{test} cannot run: {reason}"
    );
    eprintln!("skipped {test}: {reason}");
}

/// A MicroPython as users get it; None after saying why there is none.
pub fn micropython() -> Option<MicroPython> {
    match MicroPython::find(&FindOptions::default(), &mut |_| ()) {
        Ok(found) => Some(found),
        Err(e @ (FindError::Network { .. } | FindError::NoPackageSource { .. })) => {
            skip(&e.to_string());
            None
        }
        Err(e) => panic!("{e}"),
    }
}

/// A board in a new folder, and a client on its port. Fields drop in this order.
pub struct Bench {
    pub client: Client,
    pub board: SimBoard,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Option<Bench> {
        Bench::with(|_| ())
    }

    /// The folder can be filled and the settings changed before the board starts.
    pub fn with(prepare: impl FnOnce(&mut SimConfig)) -> Option<Bench> {
        let micropython = micropython()?;
        let folder = tempfile::tempdir().unwrap();
        let mut config = SimConfig::new(folder.path(), micropython);
        prepare(&mut config);
        let board = SimBoard::start(config).unwrap();
        let client = Client::open(board.device());
        Some(Bench {
            client,
            board,
            folder,
        })
    }

    /// A board whose client is in the raw REPL.
    pub fn raw() -> Option<Bench> {
        let mut bench = Bench::new()?;
        bench.client.enter_raw();
        Some(bench)
    }

    /// Runs code in the raw REPL; returns what it printed, and fails on a traceback.
    #[track_caller]
    pub fn run(&mut self, code: &str) -> String {
        let (out, err) = self.client.exec(code);
        assert_eq!(err, "", "{code}\n{out}");
        out
    }
}

/// A serial client that knows nothing but bytes and the raw REPL.
pub struct Client {
    port: std::fs::File,
    pub seen: Vec<u8>,
}

pub const LIMIT: Duration = Duration::from_secs(10);

impl Client {
    pub fn open(device: &Path) -> Client {
        let port = std::fs::File::options()
            .read(true)
            .write(true)
            .open(device)
            .unwrap();
        Client {
            port,
            seen: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.port.write_all(bytes).unwrap();
    }

    fn fill(&mut self, wait: Duration) -> bool {
        let time = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut fds = [PollFd::from_borrowed_fd(self.port.as_fd(), PollFlags::IN)];
        if poll(&mut fds, Some(&time)).unwrap() == 0 {
            return false;
        }
        let mut buffer = [0; 4096];
        let n = self.port.read(&mut buffer).unwrap();
        self.seen.extend_from_slice(&buffer[..n]);
        n > 0
    }

    /// Everything up to and with `end`; fails if it does not come in time.
    #[track_caller]
    pub fn until(&mut self, end: &[u8]) -> Vec<u8> {
        self.until_within(end, LIMIT)
            .unwrap_or_else(|seen| panic!("no {:?} in {:?}", show(end), show(&seen)))
    }

    pub fn until_within(&mut self, end: &[u8], limit: Duration) -> Result<Vec<u8>, Vec<u8>> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(at) = self.seen.windows(end.len()).position(|w| w == end) {
                return Ok(self.seen.drain(..at + end.len()).collect());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.fill(left) {
                return Err(std::mem::take(&mut self.seen));
            }
        }
    }

    /// What comes within this time.
    pub fn listen(&mut self, time: Duration) -> Vec<u8> {
        let deadline = Instant::now() + time;
        while self.fill(deadline.saturating_duration_since(Instant::now())) {}
        std::mem::take(&mut self.seen)
    }

    #[track_caller]
    pub fn enter_raw(&mut self) {
        self.send(b"\r\x03\x01");
        self.until(b"raw REPL; CTRL-B to exit\r\n>");
    }

    /// Starts code in the raw REPL without waiting for its end.
    #[track_caller]
    pub fn start(&mut self, code: &str) {
        self.send(code.as_bytes());
        self.send(b"\x04");
        self.until(b"OK");
    }

    /// The output and the traceback of what `start` started.
    #[track_caller]
    pub fn finish(&mut self) -> (String, String) {
        let out = self.until(b"\x04");
        let err = self.until(b"\x04");
        self.until(b">");
        let text = |bytes: Vec<u8>| {
            String::from_utf8_lossy(&bytes[..bytes.len() - 1]).replace("\r\n", "\n")
        };
        (text(out), text(err))
    }

    #[track_caller]
    pub fn exec(&mut self, code: &str) -> (String, String) {
        self.start(code);
        self.finish()
    }
}

pub fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
