//! Everything that can go wrong between the computer and the board, sorted by whose fault it is.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::lang::Lang;
use crate::ports::PortInfo;

/// Whose fault an error is; the command's exit status follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What was asked for makes no sense: a wrong port text, a name that no board can store.
    Usage,
    /// There is no board at the port, or the port cannot be opened.
    Port,
    /// The connection was there and is gone.
    Lost,
    /// The board does not answer, or not in time, or its program does not stop.
    Board,
    /// The board answers, but not what the protocol says.
    Protocol,
    /// Code that ran on the board raised an exception.
    Script,
    /// The board's filesystem says no: no such file, no space, damaged.
    Files,
}

/// What was being done when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Enter,
    Leave,
    SoftReset,
    Send,
    Run,
    Stop,
    Read,
    Write,
}

/// What a board that does not offer its REPL gave away about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clue {
    /// The ESP32's ROM waits for a new firmware (BOOT was held, or DTR/RTS are wrong).
    Bootloader,
    /// The ESP32's ROM finds no firmware in flash.
    NoFirmware,
    /// Bytes that make no text: most often the wrong speed.
    Garbage,
    /// Text, but no raw REPL: a program that does not stop, or not MicroPython.
    Text,
}

/// An error of this crate. [`message`](LinkError::message) says what failed and why,
/// [`help`](LinkError::help) what to try.
#[derive(Debug)]
pub enum LinkError {
    /// `--port` got a text that names no port. `reason` is one of the parser's fixed texts.
    BadPort { spec: String, reason: BadPort },
    /// `id:SERIAL` names no port; `present` are the serial numbers that are there.
    NoSuchSerial {
        serial: String,
        present: Vec<String>,
    },
    /// `auto` found more than one board.
    SeveralBoards { ports: Vec<PortInfo> },
    /// The simulated board was asked for where only a real port can be opened.
    Simulated,
    /// The list of ports cannot be read.
    NoPortList { source: io::Error },
    /// The device does not exist.
    PortMissing { port: String },
    /// Another program has the device open; `holder` is its name and number where known.
    PortBusy {
        port: String,
        holder: Option<String>,
    },
    /// The user may not open the device.
    PortDenied { port: String },
    /// The device cannot be opened for another reason.
    PortFailed { port: String, source: io::Error },
    /// A TCP or RFC 2217 address does not answer as such.
    Unreachable { port: String, source: io::Error },
    /// The connection broke while something was under way.
    Lost {
        port: String,
        step: Step,
        source: io::Error,
    },
    /// Not one byte came within the time.
    Silent {
        port: String,
        step: Step,
        after: Duration,
    },
    /// The raw REPL did not show up within the time; `heard` is the end of what came instead.
    NoPrompt {
        port: String,
        after: Duration,
        clue: Clue,
        heard: String,
    },
    /// The board did not take or give all of it in time.
    TimedOut {
        port: String,
        step: Step,
        after: Duration,
    },
    /// The stop request came while files were moved; what was under way is not kept.
    Interrupted { port: String },
    /// The running program ignores Ctrl-C.
    Unstoppable { port: String, after: Duration },
    /// The board sent something else than the protocol says.
    Protocol {
        port: String,
        step: Step,
        expected: &'static str,
        heard: String,
    },
    /// The board restarted (crash, reset, power) in the middle of a piece of work.
    Restarted { port: String, step: Step },
    /// The code holds a byte that the raw REPL takes for a command; `line` counts from 1.
    ControlCharacter { line: usize, byte: u8 },
    /// Code of this crate's own raised on the board; `traceback` as the board printed it.
    Raised { traceback: String },
    /// A file or folder does not exist on the board.
    FileMissing { path: String },
    /// The operation needs a file and found a folder.
    IsFolder { path: String },
    /// The operation needs a folder and found a file.
    NotFolder { path: String },
    /// The folder still has something in it.
    NotEmpty { path: String },
    /// Not a name that a board can store.
    BadName { path: String },
    /// The filesystem has no room; bytes. `free` is unknown when the board cannot tell.
    NoSpace {
        path: String,
        needed: u64,
        free: Option<u64>,
    },
    /// The board has no filesystem where the path lies, or it is read-only.
    ReadOnly { path: String },
    /// What arrived is not what was sent.
    Damaged { path: String },
    /// Another refusal of the board's filesystem, by its errno.
    FileFailed { path: String, errno: i32 },
}

/// Why a text names no port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPort {
    Empty,
    NoHostOrPort,
    BadNumber,
    UnknownScheme,
    NoSerial,
}

impl LinkError {
    /// Whether the line may have spoilt work on files that goes well the next time: another part of the firmware (Wi-Fi's
    /// log, a timer) printed into the middle of a reply, or bytes were lost.
    pub(crate) fn may_be_repeated(&self) -> bool {
        use LinkError::*;
        let write = Step::Write;
        matches!(self, Damaged { .. } | Protocol { .. } | Raised { .. })
            || matches!(self, TimedOut { step, .. } if *step == write)
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        use LinkError::*;
        match self {
            BadPort { .. } | ControlCharacter { .. } | BadName { .. } => Fault::Usage,
            NoSuchSerial { .. }
            | SeveralBoards { .. }
            | Simulated
            | NoPortList { .. }
            | PortMissing { .. }
            | PortBusy { .. }
            | PortDenied { .. }
            | PortFailed { .. }
            | Unreachable { .. } => Fault::Port,
            Lost { .. } => Fault::Lost,
            Silent { .. }
            | NoPrompt { .. }
            | TimedOut { .. }
            | Interrupted { .. }
            | Unstoppable { .. }
            | Restarted { .. } => Fault::Board,
            Protocol { .. } => Fault::Protocol,
            Raised { .. } => Fault::Script,
            FileMissing { .. }
            | IsFolder { .. }
            | NotFolder { .. }
            | NotEmpty { .. }
            | NoSpace { .. }
            | ReadOnly { .. }
            | Damaged { .. }
            | FileFailed { .. } => Fault::Files,
        }
    }

    /// The error for an `OSError` that the board's filesystem raised on `path`.
    pub(crate) fn from_errno(path: &str, errno: i32, needed: u64) -> LinkError {
        let path = path.to_owned();
        // MicroPython's numbers are Linux's (py/mperrno.h) on every port but a few that take
        // their C library's, which agree on these.
        match errno {
            2 => LinkError::FileMissing { path },
            20 => LinkError::NotFolder { path },
            21 => LinkError::IsFolder { path },
            22 => LinkError::BadName { path },
            39 => LinkError::NotEmpty { path },
            28 => LinkError::NoSpace {
                path,
                needed,
                free: None,
            },
            19 | 30 => LinkError::ReadOnly { path },
            errno => LinkError::FileFailed { path, errno },
        }
    }

    /// What failed and why, in one or two sentences without a final help.
    pub fn message(&self, lang: Lang) -> String {
        crate::texts::message(self, lang)
    }

    /// What to try.
    pub fn help(&self, lang: Lang) -> String {
        crate::texts::help(self, lang)
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Lang::En))
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LinkError::NoPortList { source }
            | LinkError::PortFailed { source, .. }
            | LinkError::Unreachable { source, .. }
            | LinkError::Lost { source, .. } => Some(source),
            _ => None,
        }
    }
}
