//! Decides what an error says (what failed and why, then what to try) and its exit status.

use std::fmt;
use std::io::{self, Write};

use board_link::{Fault, Lang, LinkError};

/// The exit statuses of the command, see `umqtt --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The script raised, or the work could not be done.
    Failed = 1,
    /// What was written on the command line makes no sense.
    Usage = 2,
    /// There is no board, or it was lost.
    NoBoard = 3,
    /// The time of `sub -W` was over, as with mosquitto_sub.
    TimeOver = 27,
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub struct Failure {
    status: Status,
    message: Option<String>,
    help: Option<String>,
}

impl Failure {
    /// `message` says what failed and why, `help` what to try.
    pub fn new(status: Status, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            status,
            message: Some(message.into()),
            help: Some(help.into()),
        }
    }

    /// For messages that say themselves what to try.
    pub fn complete(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: Some(message.into()),
            help: None,
        }
    }

    /// For what has been shown already: a script's traceback.
    pub fn shown(status: Status) -> Self {
        Self {
            status,
            message: None,
            help: None,
        }
    }

    /// An error on the way to the board.
    pub fn from_link(error: &LinkError, lang: Lang) -> Self {
        let status = match (error, error.fault()) {
            (_, Fault::Usage) => Status::Usage,
            // The board is there and answers; its program is what does not give in.
            (LinkError::Unstoppable { .. }, _) => Status::Failed,
            (_, Fault::Port | Fault::Lost | Fault::Board | Fault::Protocol) => Status::NoBoard,
            (_, Fault::Script | Fault::Files) => Status::Failed,
        };
        Self::new(status, error.message(lang), error.help(lang))
    }

    pub fn kind(&self) -> Status {
        self.status
    }

    pub fn status(&self) -> u8 {
        self.status as u8
    }

    /// The text without its frame, for `--json`.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What to try, for `--json`.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Writes it to standard error.
    pub fn print(&self, lang: Lang) {
        let Some(message) = &self.message else {
            return;
        };
        let mut text = format!("umqtt: {message}\n");
        if let Some(help) = &self.help {
            let label = lang.pick("try", "prueba");
            text.push_str(&format!("  {label}: {}\n", help.replace('\n', "\n  ")));
        }
        // There is nowhere left to report that standard error is closed.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// What is said of a file or a stream that the system does not let us read.
pub fn cannot_read(what: impl fmt::Display, error: &io::Error, lang: Lang) -> String {
    let reason = lang.reason(error);
    match lang {
        Lang::En => format!("{what} cannot be read: {reason}"),
        Lang::Es => format!("no se puede leer {what}: {reason}"),
    }
}

/// What is said of one that it does not let us write.
pub fn cannot_write(what: impl fmt::Display, error: &io::Error, lang: Lang) -> String {
    let reason = lang.reason(error);
    match lang {
        Lang::En => format!("{what} cannot be written: {reason}"),
        Lang::Es => format!("no se puede escribir {what}: {reason}"),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or_default())
    }
}
