//! A board: its connection, the time-outs, and what is known about the state of its REPL.

use std::time::Duration;

use crate::error::LinkError;
use crate::link::Link;
use crate::transport::Transport;

/// How long each step may take before it is an error. The defaults suit boards on a serial line;
/// a board that has just booted may need a second before its prompt.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// Reaching the raw REPL from any state, restarts of the board included.
    pub enter: Duration,
    /// A pause of this length means that the board has finished talking.
    pub quiet: Duration,
    /// Any answer of the protocol: a prompt, a window, an acknowledgement.
    pub reply: Duration,
    /// A soft reset, `boot.py` included.
    pub boot: Duration,
    /// Code run by [`Board::exec`] and the file functions, per piece of code.
    pub exec: Duration,
    /// From the first Ctrl-C until a program has stopped.
    pub stop: Duration,
    /// The board taking what is written to it.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            enter: Duration::from_secs(10),
            quiet: Duration::from_millis(50),
            reply: Duration::from_secs(5),
            boot: Duration::from_secs(20),
            exec: Duration::from_secs(30),
            stop: Duration::from_secs(5),
            write: Duration::from_secs(5),
        }
    }
}

/// A board reached over a [`Transport`].
///
/// After an error the state of the board's REPL counts as unknown; the next call enters the raw
/// REPL anew, so a `Board` stays usable unless the connection itself is gone.
pub struct Board {
    pub(crate) link: Link,
    pub(crate) timeouts: Timeouts,
    /// The raw REPL's prompt has been read and nothing sent since.
    pub(crate) at_prompt: bool,
    /// Whether the firmware knows raw-paste; `None` until it was asked.
    pub(crate) raw_paste: Option<bool>,
}

impl Board {
    /// Takes over a connection without sending anything.
    pub fn new(transport: Box<dyn Transport>, timeouts: Timeouts) -> Board {
        Board {
            link: Link::new(transport, timeouts.write),
            timeouts,
            at_prompt: false,
            raw_paste: None,
        }
    }

    /// Takes over a connection, stops what runs on the board and enters the raw REPL.
    ///
    /// # Errors
    /// As [`Board::enter_raw`].
    pub fn connect(transport: Box<dyn Transport>, timeouts: Timeouts) -> Result<Board, LinkError> {
        let mut board = Board::new(transport, timeouts);
        board.enter_raw()?;
        Ok(board)
    }

    /// The port's name, as messages use it.
    pub fn port(&self) -> String {
        self.link.port()
    }

    /// The connection, for changing the speed or the modem lines.
    pub fn transport_mut(&mut self) -> &mut dyn Transport {
        self.link.transport_mut()
    }

    /// Gives the connection back, in whatever state the board's REPL is.
    pub fn into_transport(self) -> Box<dyn Transport> {
        self.link.into_transport()
    }

    /// True if code goes to the board by raw-paste, false if by plain raw REPL; `None` before
    /// the first code was sent.
    pub fn raw_paste(&self) -> Option<bool> {
        self.raw_paste
    }

    /// The time-outs in use; they may be changed between calls.
    pub fn timeouts_mut(&mut self) -> &mut Timeouts {
        &mut self.timeouts
    }
}
