//! A board: its connection, the time-outs, and what is known about the state of its REPL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::agent::Agent;
use crate::error::{LinkError, Step};
use crate::link::Link;
use crate::mount::share_nothing;
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
    /// Code run by [`Board::exec`]; for file functions, the longest time without a sign of
    /// progress: a large file's checksum takes seconds on a small board.
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
    /// The raw REPL was asked for more than once, so that a slow board may answer more than once.
    pub(crate) asked_twice: bool,
    /// Raw-paste's window, bytes: half of what the board can take without reading it.
    pub(crate) window: Option<usize>,
    /// A fast line may be tried for flow control; false once that failed, or something that relied on it.
    pub(crate) may_flow: bool,
    /// The program that moves files, if it is what the board runs now.
    pub(crate) agent: Option<Agent>,
    /// The board computes SHA-256; true until it says that it does not.
    pub(crate) sha: bool,
    /// The board can unpack the program that moves files; true until that fails.
    pub(crate) packed: bool,
    /// Ends file work when it is set.
    pub(crate) stop: Option<Arc<AtomicBool>>,
    /// A program was running when the raw REPL was first entered.
    pub(crate) found_running: Option<bool>,
    /// It started anew by itself since the raw REPL was last entered.
    pub(crate) restarted: bool,
}

impl Board {
    /// Takes over a connection without sending anything.
    pub fn new(transport: Box<dyn Transport>, timeouts: Timeouts) -> Board {
        Board {
            link: Link::new(share_nothing(transport), timeouts.write),
            timeouts,
            at_prompt: false,
            raw_paste: None,
            asked_twice: false,
            window: None,
            may_flow: true,
            agent: None,
            sha: true,
            packed: true,
            stop: None,
            found_running: None,
            restarted: false,
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

    /// True if a program was running (`main.py`, say) when the raw REPL was first entered, which stopped it.
    pub fn found_running(&self) -> bool {
        self.found_running == Some(true)
    }

    /// Setting `flag` ends work on files with [`LinkError::Interrupted`].
    pub fn stop_on(&mut self, flag: Arc<AtomicBool>) {
        self.stop = Some(flag);
    }

    pub(crate) fn check_stop(&self) -> Result<(), LinkError> {
        match &self.stop {
            Some(stop) if stop.load(Ordering::Relaxed) => {
                Err(LinkError::Interrupted { port: self.port() })
            }
            _ => Ok(()),
        }
    }

    /// Leaves the board as it was found: at its ordinary prompt, and if a program was running then
    /// (`main.py`, say), it is started anew by a soft reset. Waits for neither. A board that started anew by itself is
    /// as it wants to be.
    ///
    /// # Errors
    /// As [`Board::exit_raw`].
    pub fn leave(&mut self) -> Result<(), LinkError> {
        if self.restarted {
            return Ok(());
        }
        self.exit_raw()?;
        if self.found_running() {
            self.link.write(b"\x04", Step::Leave)?;
        }
        Ok(())
    }

    /// Says that the board started anew by itself, as one sees who reads from [`Board::transport_mut`]: nothing of ours
    /// is left on it, and what it starts with is not to be stopped.
    pub fn set_restarted(&mut self) {
        self.restarted = true;
    }

    /// Whether the board started anew by itself since the raw REPL was last entered.
    pub fn has_restarted(&self) -> bool {
        self.restarted
    }

    /// Starts Python anew as Ctrl-D at the ordinary prompt does: `boot.py` and `main.py` run.
    /// Returns when the restart has begun.
    ///
    /// # Errors
    /// As [`Board::exit_raw`]; [`LinkError::TimedOut`] if the board does not take it.
    pub fn restart(&mut self) -> Result<(), LinkError> {
        self.exit_raw()?;
        self.link.write(b"\x04", Step::SoftReset)?;
        self.expect(
            &[b"soft reboot"],
            self.timeouts.reply,
            Step::SoftReset,
            "soft reboot",
        )?;
        Ok(())
    }

    /// The time-outs in use; they may be changed between calls.
    pub fn timeouts_mut(&mut self) -> &mut Timeouts {
        &mut self.timeouts
    }
}
