//! Decides how a Python program of `python/tests` is run: with a path of its own, a heap limit, and a time after
//! which it is ended and the test fails.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Interpreter, Module};

/// A program to run.
#[derive(Clone, Debug)]
pub struct Program<'a> {
    interpreter: &'a Interpreter,
    module: &'a Module,
    name: &'a str,
    arguments: Vec<String>,
    heap: &'a str,
    limit: Duration,
    under: Option<(Tool, &'a Path)>,
}

/// What may watch a program, and writes what it saw into a file.
#[derive(Clone, Copy, Debug)]
enum Tool {
    Strace,
    Callgrind,
}

/// How it ended.
#[derive(Debug)]
pub struct Finished {
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
    /// Its exit status; `None` where a signal ended it or the time was up.
    pub status: Option<i32>,
    /// Whether the time was up.
    pub timed_out: bool,
    /// How long it ran.
    pub elapsed: Duration,
}

impl<'a> Program<'a> {
    /// The program `python/tests/NAME.py`, with 64 MB of heap and a minute of time.
    pub fn new(interpreter: &'a Interpreter, module: &'a Module, name: &'a str) -> Program<'a> {
        Program {
            interpreter,
            module,
            name,
            arguments: Vec::new(),
            heap: "64m",
            limit: Duration::from_secs(60),
            under: None,
        }
    }

    /// Appends an argument (`sys.argv`).
    pub fn argument(mut self, argument: impl ToString) -> Self {
        self.arguments.push(argument.to_string());
        self
    }

    /// Sets the heap's size as `-X heapsize=` takes it.
    pub fn heap(mut self, heap: &'a str) -> Self {
        self.heap = heap;
        self
    }

    /// Sets the time after which the program is ended.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Has strace write its system calls to a file.
    pub fn traced(mut self, file: &'a Path) -> Self {
        self.under = Some((Tool::Strace, file));
        self
    }

    /// Has callgrind count its instructions, and write how many there were since the last time whenever it makes a folder.
    pub fn counted(mut self, file: &'a Path) -> Self {
        self.under = Some((Tool::Callgrind, file));
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it cannot be started at all.
    pub fn run(&self) -> Finished {
        self.start().finish(self.limit)
    }

    /// Starts it and leaves it running.
    ///
    /// # Panics
    /// Where it cannot be started at all.
    pub fn start(&self) -> Running {
        let tests = crate::repository().join("python/tests");
        let mut command = self.interpreter.command();
        if let Some((tool, file)) = self.under {
            command = tool.watching(&command, file);
        }
        let mut child = command
            .arg("-X")
            .arg(format!("heapsize={}", self.heap))
            .arg(tests.join(format!("{}.py", self.name)))
            .args(&self.arguments)
            .env(
                "MICROPYPATH",
                // What is frozen into the interpreter, asyncio for one, comes last.
                format!(
                    "{}:{}:.frozen",
                    self.module.path().display(),
                    tests.display()
                ),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start MicroPython for {}: {error}", self.name));
        let stdout = collect(child.stdout.take().expect("a pipe"));
        let stderr = collect(child.stderr.take().expect("a pipe"));
        Running {
            child,
            begun: Instant::now(),
            stdout,
            stderr,
        }
    }
}

impl Tool {
    /// The same command under this tool.
    fn watching(self, command: &Command, file: &Path) -> Command {
        let mut watched = match self {
            Tool::Strace => Command::new("strace"),
            Tool::Callgrind => Command::new("valgrind"),
        };
        match self {
            Tool::Strace => watched.arg("-o").arg(file),
            Tool::Callgrind => watched
                .args([
                    "--tool=callgrind",
                    "--dump-before=mkdir",
                    "--combine-dumps=yes",
                ])
                .arg(format!("--callgrind-out-file={}", file.display())),
        };
        watched.arg("--");
        watched.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => watched.env(name, value),
                None => watched.env_remove(name),
            };
        }
        watched
    }
}

/// A program that was started. One that is dropped without [`Running::finish`] runs on.
#[derive(Debug)]
pub struct Running {
    child: Child,
    begun: Instant,
    stdout: thread::JoinHandle<String>,
    stderr: thread::JoinHandle<String>,
}

impl Running {
    /// Waits for its end, at most so long after its start; then it is ended.
    ///
    /// # Panics
    /// Where the system does not let it be waited for.
    pub fn finish(mut self, limit: Duration) -> Finished {
        let mut timed_out = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("waiting for MicroPython") {
                break status.code();
            }
            if self.begun.elapsed() > limit {
                timed_out = true;
                self.child.kill().expect("ending MicroPython");
                self.child.wait().expect("waiting for MicroPython");
                break None;
            }
            thread::sleep(Duration::from_millis(5));
        };
        Finished {
            stdout: self.stdout.join().expect("reading stdout"),
            stderr: self.stderr.join().expect("reading stderr"),
            status,
            timed_out,
            elapsed: self.begun.elapsed(),
        }
    }
}

impl Finished {
    /// What the program printed, if it ended by itself and well.
    ///
    /// # Panics
    /// Otherwise, with all it printed.
    pub fn expect_success(self, what: &str) -> String {
        assert!(
            self.status == Some(0) && !self.timed_out,
            "{what} failed ({}) after {:.1?}\n--- stdout\n{}\n--- stderr\n{}",
            match self.status {
                _ if self.timed_out => "its time was up".to_string(),
                Some(code) => format!("exit status {code}"),
                None => "ended by a signal".to_string(),
            },
            self.elapsed,
            tail(&self.stdout),
            tail(&self.stderr)
        );
        self.stdout
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks gives what it gave; the exit status tells the rest.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The last lines, as many as a report can bear.
fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(4000);
    &text[text.ceil_char_boundary(from)..]
}
