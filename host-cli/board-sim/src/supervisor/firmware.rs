//! What an ESP32's firmware does around Python: power on, boot.py and main.py, the two REPLs, soft
//! reset, reset after a crash (ports/esp32/main.c).

use std::fmt::Write as _;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::{Halt, Outcome, ReplMode, ResetCause, Supervisor};
use crate::child::{Child, PACKET};
use crate::page::{CTRL_C, CTRL_C_SEEN};
use crate::walls::{WallFiles, Walls};

/// Time between a crash and the next start, so that a main.py that crashes at once does not spin.
const CRASH_PAUSE: Duration = Duration::from_millis(300);

/// Longest time the process may take to get ready.
const START_LIMIT: Duration = Duration::from_secs(20);

impl Supervisor {
    /// Runs the board until it is switched off. `started` hears once whether it came up.
    pub(crate) fn run(mut self, started: Sender<Result<Walls, String>>) {
        let mut started = Some(started);
        loop {
            self.power_up();
            let mut mode = ReplMode::Friendly;
            let halt = loop {
                match self.session(&mut mode, &mut started) {
                    Ok(()) => {
                        self.end_child();
                        self.console.put(b"MPY: soft reboot\r\n");
                        self.soft_reset = true;
                        self.peripherals.soft_reset();
                    }
                    Err(halt) => break halt,
                }
            };
            self.end_child();
            match halt {
                Halt::Off => return,
                Halt::Reset(cause) => {
                    self.reset_cause = cause;
                    if matches!(self.sleep_before(cause), Err(Halt::Off)) {
                        return;
                    }
                }
            }
        }
    }

    fn end_child(&mut self) {
        if let Some(child) = self.child.take() {
            let left = child.take_back();
            drop(child);
            for byte in left.into_iter().rev() {
                self.input.push_front(byte);
            }
        }
        self.running = false;
        self.ready = false;
        self.interrupted_at = None;
    }

    /// What an ESP32's boot ROM says.
    fn power_up(&mut self) {
        self.soft_reset = false;
        self.input.clear();
        self.peripherals.hard_reset(self.reset_cause);
        let mut text = String::from("ets Jul 29 2019 12:21:46\r\n\r\n");
        let reason = match self.reset_cause {
            ResetCause::PowerOn => "0x1 (POWERON_RESET)",
            ResetCause::Reset | ResetCause::Crash { .. } => "0xc (SW_CPU_RESET)",
            ResetCause::Watchdog => "0x8 (TG1WDT_SYS_RESET)",
            ResetCause::DeepSleep { .. } => "0x5 (DEEPSLEEP_RESET)",
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "rst:{reason},boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nsimulated board: MicroPython {} on this computer\r\n",
            self.config.micropython.implementation().version
        );
        self.console.put(text.as_bytes());
    }

    /// Time between the end of one life and the start of the next.
    fn sleep_before(&mut self, cause: ResetCause) -> Result<(), Halt> {
        match cause {
            ResetCause::Crash { signal } => {
                let text = format!(
                    "\r\nGuru Meditation Error: MicroPython's process ended by signal {signal} (simulated board)\r\nRebooting...\r\n"
                );
                self.console.put(text.as_bytes());
                self.pause(Some(CRASH_PAUSE))
            }
            ResetCause::Watchdog => {
                self.console.put(b"\r\nWatchdog: the script did not feed it, or did not react to Ctrl-C (simulated board)\r\nRebooting...\r\n");
                Ok(())
            }
            ResetCause::DeepSleep { milliseconds } => {
                self.pause(milliseconds.map(Duration::from_millis))
            }
            ResetCause::PowerOn | ResetCause::Reset => Ok(()),
        }
    }

    /// Lets time pass with no Python running; None is for ever. The reset button ends it.
    fn pause(&mut self, time: Option<Duration>) -> Result<(), Halt> {
        let end = time.map(|time| Instant::now() + time);
        while end.is_none_or(|end| Instant::now() < end) {
            match self.pump(end) {
                Err(Halt::Off) => return Err(Halt::Off),
                Err(Halt::Reset(_)) => return Ok(()),
                Ok(()) => {}
            }
            // Nobody listens while the board sleeps.
            self.input.clear();
        }
        Ok(())
    }

    /// From the start of MicroPython to a soft reset, which is `Ok`.
    fn session(
        &mut self,
        mode: &mut ReplMode,
        started: &mut Option<Sender<Result<Walls, String>>>,
    ) -> Result<(), Halt> {
        if let Err(problem) = self.start_child()? {
            match started.take() {
                // The owner shows it; nobody is there to hear it if he has gone.
                Some(started) => drop(started.send(Err(problem))),
                None => self.console.put_cooked(problem.as_bytes()),
            }
            return Err(Halt::Off);
        }
        if let Some(started) = started.take() {
            // The owner may have gone; then the order to stop is on its way.
            let _ = started.send(Ok(self.walls));
        }
        let booted = match self.run_file("boot.py")? {
            Outcome::SystemExit => return Ok(()),
            outcome => self.show_raised(outcome),
        };
        if booted && *mode == ReplMode::Friendly {
            match self.run_file("main.py")? {
                Outcome::SystemExit => return Ok(()),
                outcome => self.show_raised(outcome),
            };
        }
        loop {
            let left = match mode {
                ReplMode::Raw => self.raw_repl()?,
                ReplMode::Friendly => self.friendly_repl()?,
            };
            match left {
                crate::repl::Left::SoftReset => return Ok(()),
                crate::repl::Left::To(other) => *mode = other,
            }
        }
    }

    /// Prints a traceback; true if there was none.
    pub(crate) fn show_raised(&mut self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Raised(traceback) => {
                self.console.put_cooked(&traceback);
                false
            }
            _ => true,
        }
    }

    /// Starts the process and waits until it is ready; the inner error is what it said instead.
    fn start_child(&mut self) -> Result<Result<(), String>, Halt> {
        self.session += 1;
        self.page.begin_session();
        let walls = WallFiles::build(&self.config.root);
        self.walls = walls.walls();
        let child = match Child::start(&self.config, &self.page, walls, &self.first_code) {
            Ok(child) => child,
            Err(e) => return Ok(Err(format!("it cannot be started: {e}"))),
        };
        self.child = Some(child);
        let limit = Instant::now() + START_LIMIT;
        let mut said = Vec::new();
        while !self.ready {
            if let Some(child) = &self.child {
                said.extend(child.printed());
            }
            match self.pump_once(Some(limit), false) {
                Ok(()) if Instant::now() < limit => {}
                Ok(()) => return Ok(Err("it does not get ready".to_string())),
                Err(Halt::Off) => return Err(Halt::Off),
                Err(Halt::Reset(_)) => {
                    if let Some(child) = &self.child {
                        said.extend(child.printed());
                    }
                    let text = String::from_utf8_lossy(&said).trim().replace('\n', " / ");
                    return Ok(Err(if text.is_empty() {
                        "it ended without a word".to_string()
                    } else {
                        text
                    }));
                }
            }
        }
        Ok(Ok(()))
    }

    fn run_file(&mut self, name: &str) -> Result<Outcome, Halt> {
        self.begin();
        let packet = [b"F", name.as_bytes()].concat();
        self.command(&packet)?;
        self.wait_for_outcome()
    }

    /// Runs code; `single` prints the value of an expression, as the friendly REPL does.
    pub(crate) fn execute(&mut self, code: &[u8], single: bool) -> Result<Outcome, Halt> {
        self.begin();
        for part in code.chunks(PACKET) {
            self.command(&[b"C", part].concat())?;
        }
        self.command(if single { b"Xs" } else { b"Xe" })?;
        self.wait_for_outcome()
    }

    /// From now on Ctrl-C is for the script, and none of before is.
    fn begin(&mut self) {
        self.page.set(CTRL_C_SEEN, self.page.get(CTRL_C));
        self.running = true;
        self.outcome = None;
    }

    fn command(&mut self, packet: &[u8]) -> Result<(), Halt> {
        let sent = match &self.child {
            Some(child) => child.send(packet).is_ok(),
            None => false,
        };
        // A process that is gone is noticed, with its reason, by the pump.
        if sent { Ok(()) } else { self.pump(None) }
    }

    fn wait_for_outcome(&mut self) -> Result<Outcome, Halt> {
        loop {
            if let Some(outcome) = self.outcome.take() {
                self.running = false;
                self.interrupted_at = None;
                if let Some(child) = &self.child {
                    for byte in child.take_back().into_iter().rev() {
                        self.input.push_front(byte);
                    }
                }
                return Ok(outcome);
            }
            self.pump(None)?;
        }
    }

    /// The next typed byte, as soon as there is one.
    pub(crate) fn read_byte(&mut self) -> Result<u8, Halt> {
        loop {
            if let Some(byte) = self.input.pop_front() {
                return Ok(byte);
            }
            self.pump(None)?;
        }
    }
}
