//! The thread behind a board: everything that can happen to it meets in `pump`, one poll over the port,
//! the process, the timers and the owner's orders. What the board does with it is in `firmware`.

mod firmware;

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::child::{Child, timespec};
use crate::config::SimConfig;
use crate::console::Console;
use crate::page::{CTRL_C, CTRL_C_SEEN, KBD_INTR, Page};
use crate::peripherals::Peripherals;
use crate::walls::Walls;

/// A script that does not come to a Ctrl-C within this time hangs in native code: the board is reset,
/// as a watchdog would.
const INTERRUPT_LIMIT: Duration = Duration::from_secs(5);

/// What the owner of the board asks of its thread.
pub(crate) enum Order {
    Stop,
    /// The reset button.
    Reset,
    /// Something outside drives this pin: 0 nothing, 1 low, 2 high.
    Input {
        pin: usize,
        value: u8,
    },
    /// A resistor outside holds this pin: 0 none, 1 low, 2 high.
    Resistor {
        pin: usize,
        value: u8,
    },
    Microvolts {
        pin: usize,
        microvolts: u32,
    },
    /// The answer to a request that took its time.
    Answer {
        session: u64,
        packet: Vec<u8>,
    },
}

/// Why the code of one session ends before its time.
pub(crate) enum Halt {
    /// The board is switched off.
    Off,
    Reset(ResetCause),
}

/// Why the board starts anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetCause {
    PowerOn,
    /// The button, or `machine.reset()`.
    Reset,
    Watchdog,
    DeepSleep {
        milliseconds: Option<u64>,
    },
    /// The process ended by a signal.
    Crash {
        signal: i32,
    },
}

/// How a piece of code ended.
pub(crate) enum Outcome {
    Done,
    Raised(Vec<u8>),
    SystemExit,
}

/// One of the two REPLs, which survives soft resets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplMode {
    Friendly,
    Raw,
}

pub(crate) struct Supervisor {
    pub(crate) config: SimConfig,
    pub(crate) console: Console,
    pub(crate) page: Arc<Page>,
    pub(crate) peripherals: Peripherals,
    pub(crate) child: Option<Child>,
    pub(crate) walls: Walls,
    /// Typed bytes that nobody has read yet.
    input: VecDeque<u8>,
    running: bool,
    outcome: Option<Outcome>,
    traceback: Vec<u8>,
    orders: Receiver<Order>,
    pub(crate) order_sender: Sender<Order>,
    pub(crate) waker: crate::Waker,
    wake: std::io::PipeReader,
    interrupted_at: Option<Instant>,
    /// Counts processes, so that a late answer does not reach the wrong one.
    pub(crate) session: u64,
    pub(crate) reset_cause: ResetCause,
    pub(crate) soft_reset: bool,
    ready: bool,
    pub(crate) history: Vec<Vec<u8>>,
    first_code: String,
}

/// The ends of the channels that a supervisor is built with.
pub(crate) struct Channels {
    pub(crate) orders: Receiver<Order>,
    pub(crate) order_sender: Sender<Order>,
    pub(crate) waker: crate::Waker,
    pub(crate) wake: std::io::PipeReader,
    /// What makes a MicroPython process a board.
    pub(crate) first_code: String,
}

impl Supervisor {
    pub(crate) fn new(
        config: SimConfig,
        console: Console,
        page: Arc<Page>,
        peripherals: Peripherals,
        channels: Channels,
    ) -> Supervisor {
        Supervisor {
            config,
            console,
            page,
            peripherals,
            child: None,
            walls: Walls::default(),
            input: VecDeque::new(),
            running: false,
            outcome: None,
            traceback: Vec::new(),
            orders: channels.orders,
            order_sender: channels.order_sender,
            waker: channels.waker,
            wake: channels.wake,
            interrupted_at: None,
            session: 0,
            reset_cause: ResetCause::PowerOn,
            soft_reset: false,
            ready: false,
            history: Vec::new(),
            first_code: channels.first_code,
        }
    }

    /// Waits for anything to happen, at the longest until `until`, and deals with it.
    fn pump(&mut self, until: Option<Instant>) -> Result<(), Halt> {
        self.pump_once(until, true)
    }

    fn pump_once(&mut self, until: Option<Instant>, take_output: bool) -> Result<(), Halt> {
        let mut wake_at = until;
        let mut earlier = |time: Option<Instant>| {
            wake_at = match (wake_at, time) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            }
        };
        if let Some(child) = &mut self.child {
            earlier(child.kick_again(&self.page));
        }
        earlier(self.peripherals.next_timer());
        earlier(self.console.next_look());
        earlier(self.interrupted_at.map(|at| at + INTERRUPT_LIMIT));
        let wait = wake_at.map(|at| timespec(at.saturating_duration_since(Instant::now())));

        let want_input = self.running || self.input.is_empty();
        let want_output = take_output && self.console.has_room();
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let mut child_at = None;
        if let Some(child) = &self.child {
            child_at = Some(fds.len());
            fds.push(PollFd::new(&child.control, PollFlags::IN));
            if want_output {
                fds.push(PollFd::new(&child.stdout, PollFlags::IN));
            }
        }
        let mut console_at = None;
        let console = &mut self.console;
        if let Some((fd, flags)) = console.interest(want_input) {
            console_at = Some(fds.len());
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        }
        // A signal to this thread, or no memory in the kernel: what happened is seen next time.
        let _ = poll(&mut fds, wait.as_ref());
        let found: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
        drop(fds);

        if !found[0].is_empty() {
            // The bytes only wake; the orders say what for.
            let _ = rustix::io::read(self.wake.as_fd(), &mut [0; 64]);
        }
        while let Ok(order) = self.orders.try_recv() {
            self.obey(order)?;
        }
        if let Some(at) = console_at {
            let typed = self.console.on_poll(found[at]);
            self.take_typed(&typed);
        }
        if let Some(at) = child_at {
            if want_output && !found[at + 1].is_empty() {
                self.take_printed();
            }
            if !found[at].is_empty() {
                self.take_packets()?;
            }
        }
        if let Some(child) = &mut self.child
            && self.peripherals.fire_timers(child)
        {
            return Err(Halt::Reset(ResetCause::Watchdog));
        }
        self.feed_script();
        self.check_interrupt()
    }

    fn obey(&mut self, order: Order) -> Result<(), Halt> {
        match order {
            Order::Stop => return Err(Halt::Off),
            Order::Reset => return Err(Halt::Reset(ResetCause::Reset)),
            Order::Input { pin, value } => {
                self.peripherals.set_input(pin, value, self.child.as_mut());
            }
            Order::Resistor { pin, value } => {
                self.peripherals
                    .set_resistor(pin, value, self.child.as_mut());
            }
            Order::Microvolts { pin, microvolts } => self.page.set_microvolts(pin, microvolts),
            Order::Answer { session, packet } => {
                if session == self.session
                    && let Some(child) = &self.child
                {
                    // A process that is gone wants no answer.
                    let _ = child.send(&packet);
                }
            }
        }
        Ok(())
    }

    fn take_typed(&mut self, typed: &[u8]) {
        for &byte in typed {
            if self.running && byte == 3 && self.page.get(KBD_INTR) != 0 {
                self.interrupt();
            } else if !self.running || self.input.len() < self.config.input_ring {
                self.input.push_back(byte);
            }
        }
    }

    /// Ctrl-C for the script.
    fn interrupt(&mut self) {
        let Some(child) = &mut self.child else { return };
        if self.page.get(CTRL_C) == self.page.get(CTRL_C_SEEN) {
            self.page.count(CTRL_C);
            self.interrupted_at = Some(Instant::now());
        }
        child.kick(&self.page);
    }

    fn check_interrupt(&mut self) -> Result<(), Halt> {
        if let Some(at) = self.interrupted_at
            && let Some(child) = &mut self.child
        {
            if child.kick_again(&self.page).is_none() {
                self.interrupted_at = None;
            } else if at.elapsed() >= INTERRUPT_LIMIT {
                return Err(Halt::Reset(ResetCause::Watchdog));
            }
        }
        Ok(())
    }

    /// Gives the script what was typed for it.
    fn feed_script(&mut self) {
        if !self.running || self.input.is_empty() {
            return;
        }
        if let Some(child) = &self.child {
            let n = child.type_in(self.input.make_contiguous());
            self.input.drain(..n);
        }
    }

    fn take_printed(&mut self) {
        if let Some(child) = &self.child {
            let printed = child.printed();
            self.console.put_cooked(&printed);
        }
    }

    /// Everything that was printed up to now, however much it is.
    pub(crate) fn drain_printed(&mut self) {
        while let Some(child) = &self.child {
            let printed = child.printed();
            if printed.is_empty() {
                break;
            }
            self.console.put_cooked(&printed);
        }
    }

    fn take_packets(&mut self) -> Result<(), Halt> {
        while let Some(packet) = self.child.as_ref().and_then(Child::receive) {
            let Some((&kind, content)) = packet.split_first() else {
                return Err(self.child_ended());
            };
            match kind {
                b'R' => {
                    let pid = std::str::from_utf8(content)
                        .ok()
                        .and_then(|t| t.parse().ok());
                    if let (Some(child), Some(pid)) = (&mut self.child, pid) {
                        child.ready(pid);
                    }
                    self.ready = true;
                }
                b'T' => self.traceback.extend_from_slice(content),
                b'E' => {
                    // All that the script printed comes before its end.
                    self.drain_printed();
                    self.outcome = match content.split_first() {
                        Some((b'1', rest)) => {
                            let mut traceback = std::mem::take(&mut self.traceback);
                            traceback.extend_from_slice(rest);
                            Some(Outcome::Raised(traceback))
                        }
                        Some((b'x', _)) => Some(Outcome::SystemExit),
                        _ => Some(Outcome::Done),
                    };
                }
                b'Q' => self.answer_request(content),
                b'N' => self.take_notice(content)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The process is gone: why, as an ESP32 would put it.
    fn child_ended(&mut self) -> Halt {
        // Before it was ready, what it says is for the one who waits for that.
        if self.ready {
            self.drain_printed();
        }
        let status = match &mut self.child {
            Some(child) => child.ended(),
            None => ExitStatus::default(),
        };
        Halt::Reset(match status.signal() {
            Some(signal) => ResetCause::Crash { signal },
            None => ResetCause::Reset,
        })
    }
}
