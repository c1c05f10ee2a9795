//! Running code on the board: live output, stopping it, and how it ended.
//!
//! ```text
//! <-  stdout… 04 stderr… 04 '>'              the code ended; stderr holds the traceback, if any
//! <-  stdout… 04 04 "…soft reboot" banner    SystemExit: the board has soft-reset itself
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::board::Board;
use crate::error::{LinkError, Step};
use crate::link::{Wait, excerpt};
use crate::patience::{Patience, SLICE};
use crate::raw_repl::{BANNER, CTRL_C};
use crate::utf8::Decoder;

/// A piece of a program's output, as it arrives. Text is whole characters, `\n` line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Stdout(&'a str),
    /// The traceback, mostly.
    Stderr(&'a str),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// To its last line.
    Finished,
    /// With an exception.
    Raised,
    /// Because of the stop request: with KeyboardInterrupt, or it caught that and ended.
    Stopped,
    /// With SystemExit (`sys.exit()`, `machine.soft_reset()`): the board has soft-reset.
    Exited,
    /// The board restarted: `machine.reset()`, a crash, the reset button.
    Restarted,
}

/// Outcome of [`Board::exec_streaming`]. Standard output went to the callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub ending: Ending,
    /// All of standard error, at most 64 KiB: the traceback if the program raised.
    pub stderr: String,
}

/// Outcome of [`Board::exec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    pub ending: Ending,
    pub stdout: String,
    pub stderr: String,
}

impl Execution {
    /// Standard output, if the code ended well.
    ///
    /// # Errors
    /// [`LinkError::Raised`] with the board's traceback; also for code that exited or restarted
    /// the board, with that said in the traceback's place.
    pub fn into_stdout(self) -> Result<String, LinkError> {
        let traceback = match self.ending {
            Ending::Finished if self.stderr.is_empty() => return Ok(self.stdout),
            Ending::Exited => "SystemExit".to_owned(),
            Ending::Restarted => "SystemExit: the board restarted".to_owned(),
            _ => self.stderr,
        };
        Err(LinkError::Raised { traceback })
    }
}

const STDERR_LIMIT: usize = 64 * 1024;
/// What code for [`Board::exec`] may print, bytes; code that prints more is stopped.
const LONGEST_OUTPUT: usize = 4 * 1024 * 1024;
/// Pause between the Ctrl-Cs that follow when the first two did not help.
const CTRL_C_AGAIN: Duration = Duration::from_millis(250);
/// A board that shows the signs of a restart and then says nothing for so long has restarted.
const RESTART_QUIET: Duration = Duration::from_millis(300);
/// After the ROM's boot message, what the board starts with may print without a pause; what ran before has ended all the
/// same, unless its own end comes within this time.
const RESTART_CERTAIN: Duration = Duration::from_secs(1);

impl Board {
    /// Runs `code` to its end and returns all it printed; for short pieces of code.
    ///
    /// # Errors
    /// [`LinkError::TimedOut`] after [`exec`](crate::Timeouts::exec) (the code is stopped then),
    /// and those of [`Board::exec_streaming`]. An exception is no error here: see
    /// [`Execution::into_stdout`].
    pub fn exec(&mut self, code: &str) -> Result<Execution, LinkError> {
        self.exec_within(code, self.timeouts.exec)
    }

    /// As [`Board::exec`] with a limit of its own.
    ///
    /// # Errors
    /// As [`Board::exec`].
    pub fn exec_within(&mut self, code: &str, limit: Duration) -> Result<Execution, LinkError> {
        self.collect(code, Limit::Total(limit))
    }

    fn collect(&mut self, code: &str, limit: Limit) -> Result<Execution, LinkError> {
        let mut stdout = String::new();
        let endless = AtomicBool::new(false);
        let mut collect = |event: Event<'_>| {
            if let Event::Stdout(text) = event {
                if stdout.len() > LONGEST_OUTPUT {
                    return endless.store(true, Ordering::Relaxed);
                }
                stdout.push_str(text);
            }
        };
        let run = self.run(code, &mut collect, Some(&endless), limit)?;
        if endless.load(Ordering::Relaxed) {
            return Err(LinkError::Protocol {
                port: self.port(),
                step: Step::Run,
                expected: "a short answer",
                heard: excerpt(&stdout.as_bytes()[..80]),
            });
        }
        Ok(Execution {
            ending: run.ending,
            stdout,
            stderr: run.stderr,
        })
    }

    /// Runs `code`, gives its output to `on_event` as it comes, and returns how it ended, however
    /// long that takes. A UTF-8 byte order mark in front is left out.
    ///
    /// Setting `stop`, from a signal handler, another thread or the callback itself, sends Ctrl-C
    /// to the board's program: once at once, again after half of
    /// [`stop`](crate::Timeouts::stop), then repeatedly.
    ///
    /// # Errors
    /// [`LinkError::Unstoppable`] if it runs on all the same; [`LinkError::ControlCharacter`];
    /// [`LinkError::Lost`], [`LinkError::Silent`], [`LinkError::Protocol`].
    pub fn exec_streaming(
        &mut self,
        code: &str,
        on_event: &mut dyn FnMut(Event<'_>),
        stop: &AtomicBool,
    ) -> Result<Run, LinkError> {
        self.run(code, on_event, Some(stop), Limit::None)
    }

    fn run(
        &mut self,
        code: &str,
        on_event: &mut dyn FnMut(Event<'_>),
        stop: Option<&AtomicBool>,
        limit: Limit,
    ) -> Result<Run, LinkError> {
        let code = code.strip_prefix('\u{feff}').unwrap_or(code);
        let handed = self.hand_over(code.as_bytes(), stop)?;
        self.link.forget_recent();
        let mut output = Output::new(on_event);
        output.stdout(&handed.noise);
        let run = self.follow(&mut output, stop, limit, handed.interrupted);
        output.finish();
        self.restarted |= (run.as_ref()).is_ok_and(|run| run.ending == Ending::Restarted);
        run
    }

    /// Reads the rest of a program's output and throws it away, its traceback excepted.
    pub(crate) fn follow_to_end(&mut self) -> Result<Run, LinkError> {
        let mut ignore = |_: Event<'_>| {};
        let mut output = Output::new(&mut ignore);
        let limit = Limit::Silence(self.timeouts.exec);
        self.follow(&mut output, None, limit, false)
    }

    /// Reads a running program's output to its end, by the protocol above.
    fn follow(
        &mut self,
        output: &mut Output<'_>,
        stop: Option<&AtomicBool>,
        limit: Limit,
        interrupted: bool,
    ) -> Result<Run, LinkError> {
        let mut stopping = interrupted.then(|| Stopping::new(self.timeouts.stop));
        let mut limited = limit.length().map(Patience::new);
        let mut quiet = Patience::new(RESTART_QUIET);
        let mut certain: Option<Patience> = None;
        let mut over_limit = false;
        while output.ends < 2 {
            if let Some(stopping) = &mut stopping {
                if stopping.give_up.is_over() {
                    // Code of ours is not deaf to Ctrl-C: the line or the board is silent.
                    return Err(match over_limit {
                        true => self.over_limit(limit),
                        false => self.not_stopped(),
                    });
                }
                if stopping.next.is_over() {
                    stopping.next = Patience::new(CTRL_C_AGAIN);
                    self.link.write(&[CTRL_C], Step::Stop)?;
                }
            } else {
                over_limit = limited.as_mut().is_some_and(Patience::is_over);
                if over_limit || stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                    self.link.write(&[CTRL_C], Step::Stop)?;
                    stopping = Some(Stopping::new(self.timeouts.stop));
                }
            }
            let step = if stopping.is_some() {
                Step::Stop
            } else {
                Step::Run
            };
            let arrived = self.link.peek(SLICE, step)?;
            if arrived.is_empty() {
                if quiet.is_over() && looks_restarted(self.link.recent()) {
                    return Ok(output.ended(Ending::Restarted));
                }
                continue;
            }
            quiet = Patience::new(RESTART_QUIET);
            if let Limit::Silence(length) = limit {
                limited = Some(Patience::new(length));
            }
            let used = output.take(arrived);
            self.link.used(used);
            if certain.is_none() && says_rom(self.link.recent()) {
                certain = Some(Patience::new(RESTART_CERTAIN));
            }
            if output.ends < 2 && certain.as_mut().is_some_and(Patience::is_over) {
                return Ok(output.ended(Ending::Restarted));
            }
        }
        if over_limit {
            self.after_the_end()?;
            return Err(self.over_limit(limit));
        }
        let exited = self.after_the_end()?;
        let ending = if exited {
            Ending::Exited
        } else if stopping.is_some()
            && (output.stderr.is_empty() || last_line(&output.stderr) == "KeyboardInterrupt:")
        {
            Ending::Stopped
        } else if output.stderr.is_empty() {
            Ending::Finished
        } else {
            Ending::Raised
        };
        Ok(output.ended(ending))
    }

    /// After the second 0x04: the prompt, or, after SystemExit, a soft reset and then the prompt.
    /// True for the latter.
    fn after_the_end(&mut self) -> Result<bool, LinkError> {
        let step = Step::Run;
        let mut reply = Patience::new(self.timeouts.reply);
        match self.link.next(&mut reply, step)? {
            Some(b'>') => {
                self.at_prompt = true;
                return Ok(false);
            }
            Some(_) => {}
            None => return Err(self.silent(step, self.timeouts.reply)),
        }
        let mut boot = Patience::new(self.timeouts.boot);
        match self.link.wait_for(&[BANNER], &mut boot, step)? {
            Wait::Found { .. } => {
                self.at_prompt = true;
                Ok(true)
            }
            Wait::Passed(heard) => Err(LinkError::Protocol {
                port: self.port(),
                step,
                expected: "the prompt >",
                heard: excerpt(&heard),
            }),
        }
    }

    fn over_limit(&self, limit: Limit) -> LinkError {
        LinkError::TimedOut {
            port: self.port(),
            step: Step::Run,
            after: limit.length().unwrap_or_default(),
        }
    }

    fn not_stopped(&self) -> LinkError {
        LinkError::Unstoppable {
            port: self.port(),
            after: self.timeouts.stop,
        }
    }
}

/// How long code may run.
#[derive(Clone, Copy)]
enum Limit {
    None,
    Total(Duration),
    /// Between two pieces of output.
    Silence(Duration),
}

impl Limit {
    fn length(self) -> Option<Duration> {
        match self {
            Limit::None => None,
            Limit::Total(length) | Limit::Silence(length) => Some(length),
        }
    }
}

/// When to press Ctrl-C again, and when to give up. The first may be caught by a handler that
/// cleans up, which deserves its time; later ones find a program with a bare `except:` in a loop
/// at some moment outside of it.
struct Stopping {
    next: Patience,
    give_up: Patience,
}

impl Stopping {
    fn new(length: Duration) -> Stopping {
        Stopping {
            next: Patience::new(length / 2),
            give_up: Patience::new(length),
        }
    }
}

/// Splits the stream at the 0x04s and hands on text.
struct Output<'a> {
    on_event: &'a mut dyn FnMut(Event<'_>),
    decoder: Decoder,
    stderr: String,
    /// How many 0x04 have come: 0 in standard output, 1 in standard error, 2 at the end.
    ends: u8,
}

impl<'a> Output<'a> {
    fn new(on_event: &'a mut dyn FnMut(Event<'_>)) -> Output<'a> {
        Output {
            on_event,
            decoder: Decoder::default(),
            stderr: String::new(),
            ends: 0,
        }
    }

    fn stdout(&mut self, bytes: &[u8]) {
        let text = self.decoder.feed(bytes);
        self.emit(&text);
    }

    /// Takes bytes up to and with the next 0x04; answers how many.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|&byte| byte == 0x04);
        let text = self.decoder.feed(&bytes[..end.unwrap_or(bytes.len())]);
        self.emit(&text);
        if let Some(end) = end {
            self.finish();
            self.ends += 1;
            return end + 1;
        }
        bytes.len()
    }

    fn finish(&mut self) {
        let rest = self.decoder.finish();
        self.emit(&rest);
    }

    fn emit(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.ends == 0 {
            return (self.on_event)(Event::Stdout(text));
        }
        if self.stderr.len() < STDERR_LIMIT {
            self.stderr.push_str(text);
        }
        (self.on_event)(Event::Stderr(text));
    }

    fn ended(&mut self, ending: Ending) -> Run {
        Run {
            ending,
            stderr: std::mem::take(&mut self.stderr),
        }
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or("").trim()
}

/// Signs of a board that has started anew: the ordinary REPL's banner and prompt at the very
/// end, or the boot message of the ESP32 family's ROM.
pub(crate) fn looks_restarted(recent: &[u8]) -> bool {
    let text = String::from_utf8_lossy(recent);
    let prompt = text.ends_with("\r\n>>> ") && text.contains("MicroPython v");
    prompt || says_rom(recent)
}

/// The boot message of the ESP32 family's ROM, whole.
fn says_rom(recent: &[u8]) -> bool {
    let lines = recent.split_inclusive(|byte| *byte == b'\n');
    let mut whole = lines.filter(|line| line.ends_with(b"\n"));
    whole.any(|line| line.starts_with(b"rst:0x") && line.windows(8).any(|text| text == b",boot:0x"))
}

#[cfg(test)]
mod tests {
    use super::looks_restarted;

    #[test]
    fn signs_of_a_restart() {
        let prompt = "lost\r\nMicroPython v1.26.1 on 2025-09-11; Generic ESP32 module with ESP32\r\nType \"help()\" for more information.\r\n>>> ";
        let rom = "ets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n";
        assert!(looks_restarted(prompt.as_bytes()));
        assert!(looks_restarted(rom.as_bytes()));
        for ordinary in [
            "MicroPython v1.26.1\r\n",
            "\r\n>>> ",
            "first:0x1,boot:0x2\r\n",
            "",
        ] {
            assert!(!looks_restarted(ordinary.as_bytes()), "{ordinary:?}");
        }
    }
}
