//! The raw REPL: entering and leaving it, soft reset, and handing code over with flow control.
//!
//! ```text
//! ->  03  01                 Ctrl-C, Ctrl-A
//! <-  "raw REPL; CTRL-B to exit\r\n>"
//! ->  05 'A' 01              raw-paste?
//! <-  'R' 01  window:u16le 01     yes: two windows are free; or 'R' 00: no; or the banner: old firmware
//! ->  code, at most as many bytes as are free
//! <-  01                     one more window is free
//! <-  04                     the board gives up reading (a syntax error); answered by 04
//! ->  04                     end of the code
//! <-  04                     taken
//! ```
//! Without raw-paste: code, `04`, answer `OK`. Both ways the output follows (see `exec`).
//! Source: MicroPython's `shared/runtime/pyexec.c`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::error::{LinkError, Step};
use crate::link::Wait;
use crate::patience::{Patience, SLICE};

pub(crate) const BANNER: &[u8] = b"raw REPL; CTRL-B to exit\r\n>";
pub(crate) const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;

/// What came of handing code over.
pub(crate) struct Handed {
    /// Bytes between the protocol's own: output of timers and threads.
    pub(crate) noise: Vec<u8>,
    /// Ctrl-C was sent because of a stop request, and so need not be sent first again.
    pub(crate) interrupted: bool,
    /// The last lines were those for a fast line.
    pub(crate) fast: bool,
}

/// The last lines of code, which depend on how fast the lines before them were taken.
pub(crate) struct LastLines<'a> {
    pub(crate) usual: &'a [u8],
    /// For lines faster than any serial line in use.
    pub(crate) fast: &'a [u8],
    /// What the code then reads: it follows on the code's heels, while the board compiles it.
    pub(crate) input: &'a [u8],
}

impl Board {
    /// Reaches the raw REPL's prompt from any state: a running program, half a line typed,
    /// paste mode, already raw, still booting. Stops what is running.
    ///
    /// # Errors
    /// [`LinkError::Silent`] if nothing came at all, [`LinkError::NoPrompt`] if something else
    /// came, [`LinkError::Lost`].
    pub fn enter_raw(&mut self) -> Result<(), LinkError> {
        let step = Step::Enter;
        let mut patience = Patience::new(self.timeouts.enter);
        let slice = (self.timeouts.enter / 8).max(self.timeouts.quiet);
        self.at_prompt = false;
        self.agent = None;
        // An answer to somebody who was here before is none to us.
        self.link.discard(step)?;
        self.link.forget_recent();
        let mut first = true;
        while first || !patience.is_over() {
            // Ctrl-C alone throws away half a line that somebody typed; a carriage return in
            // front would run it. It is worth that risk only when Ctrl-C did not help. At a
            // prompt Ctrl-A may follow at once; a program that takes its time to stop may take
            // it for its own, so that the next attempts wait until the board is quiet.
            if first {
                self.link.write(b"\x03\x01", step)?;
            } else {
                self.link.write(b"\r\x03\x03", step)?;
                // A program may print without end until Ctrl-C reaches it.
                self.link
                    .drain(self.timeouts.quiet, self.timeouts.quiet * 8, step)?;
                self.link.write(b"\r\x01", step)?;
            }
            let mut soon = patience.part(slice);
            let heard = self.link.wait_for(&[BANNER], &mut soon, step)?;
            patience.return_rest(soon);
            if let Wait::Found { before, .. } = heard {
                // At a prompt Ctrl-C is answered by a new prompt; a program that it stops says so.
                let stopped = before.windows(17).any(|text| text == b"KeyboardInterrupt");
                self.found_running.get_or_insert(stopped);
                log::info!("{}: at the raw REPL", self.port());
                if !first {
                    // A slow board may answer the earlier attempts as well.
                    self.link
                        .drain(self.timeouts.quiet * 2, self.timeouts.quiet * 8, step)?;
                }
                self.at_prompt = true;
                self.restarted = false;
                self.asked_twice = !first;
                return Ok(());
            }
            first = false;
        }
        if self.link.recent().is_empty() {
            return Err(self.silent(step, self.timeouts.enter));
        }
        Err(LinkError::NoPrompt {
            port: self.port(),
            after: self.timeouts.enter,
            clue: self.link.clue(),
            heard: self.link.heard(),
        })
    }

    /// Enters the raw REPL unless its prompt is known to be there.
    pub(crate) fn ensure_raw(&mut self) -> Result<(), LinkError> {
        if self.agent.is_some() && self.end_agent().is_err() {
            self.forget_agent();
        }
        if self.at_prompt {
            return Ok(());
        }
        self.enter_raw()
    }

    /// Stops what is running; the board is at the raw REPL's prompt afterwards.
    ///
    /// # Errors
    /// As [`Board::enter_raw`].
    pub fn interrupt(&mut self) -> Result<(), LinkError> {
        self.enter_raw()
    }

    /// Back to the ordinary REPL, as a terminal user expects it.
    ///
    /// # Errors
    /// [`LinkError::TimedOut`] if its prompt does not come, [`LinkError::Lost`].
    pub fn exit_raw(&mut self) -> Result<(), LinkError> {
        if self.agent.is_some() {
            self.ensure_raw()?;
        }
        self.at_prompt = false;
        self.link.write(b"\r\x02", Step::Leave)?;
        self.expect(
            &[b">>> "],
            self.timeouts.reply,
            Step::Leave,
            "the prompt >>> ",
        )?;
        Ok(())
    }

    /// Soft reset: fresh interpreter, all memory free, `boot.py` runs, `main.py` does not.
    /// Ends at the raw REPL's prompt. Returns what was printed meanwhile. A `boot.py` that takes
    /// longer than [`boot`](crate::Timeouts::boot) is stopped with Ctrl-C.
    ///
    /// # Errors
    /// [`LinkError::Silent`], [`LinkError::Protocol`]; those of [`Board::enter_raw`] if `boot.py`
    /// does not stop; [`LinkError::Lost`].
    pub fn soft_reset(&mut self) -> Result<String, LinkError> {
        let step = Step::SoftReset;
        self.ensure_raw()?;
        self.at_prompt = false;
        self.link.write(&[CTRL_D], step)?;
        self.expect(
            &[b"soft reboot\r\n"],
            self.timeouts.reply,
            step,
            "soft reboot",
        )?;
        let mut boot = Patience::new(self.timeouts.boot);
        let printed = match self.link.wait_for(&[BANNER], &mut boot, step)? {
            Wait::Found { before, .. } => {
                self.at_prompt = true;
                before
            }
            Wait::Passed(printed) => {
                self.enter_raw()?;
                printed
            }
        };
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    /// Waits for one of `patterns`, `within` this time; an error that fits if none comes.
    pub(crate) fn expect(
        &mut self,
        patterns: &[&[u8]],
        within: Duration,
        step: Step,
        expected: &'static str,
    ) -> Result<(usize, Vec<u8>), LinkError> {
        let mut patience = Patience::new(within);
        match self.link.wait_for(patterns, &mut patience, step)? {
            Wait::Found { which, before } => Ok((which, before)),
            Wait::Passed(heard) => Err(self.unexpected(step, within, expected, &heard)),
        }
    }

    /// Nothing came: silent. Something else came: a breach of the protocol.
    fn unexpected(
        &self,
        step: Step,
        after: Duration,
        expected: &'static str,
        heard: &[u8],
    ) -> LinkError {
        if heard.is_empty() {
            return self.silent(step, after);
        }
        LinkError::Protocol {
            port: self.port(),
            step,
            expected,
            heard: crate::link::excerpt(heard),
        }
    }

    pub(crate) fn silent(&self, step: Step, after: Duration) -> LinkError {
        LinkError::Silent {
            port: self.port(),
            step,
            after,
        }
    }

    /// Hands `code` over, so that the board starts to run it. `stop` ends the sending with
    /// Ctrl-C; the board then reports a KeyboardInterrupt as the code's outcome.
    pub(crate) fn hand_over(
        &mut self,
        code: &[u8],
        stop: Option<&AtomicBool>,
    ) -> Result<Handed, LinkError> {
        self.hand_over_with(code, None, stop)
    }

    /// As [`Board::hand_over`], with the end that suits the line.
    pub(crate) fn hand_over_with(
        &mut self,
        code: &[u8],
        last: Option<LastLines<'_>>,
        stop: Option<&AtomicBool>,
    ) -> Result<Handed, LinkError> {
        check_controls(code)?;
        self.ensure_raw()?;
        self.at_prompt = false;
        log::debug!("sending code, {} bytes", code.len());
        if self.raw_paste != Some(false) {
            let (yes, noise) = self.ask_raw_paste()?;
            self.raw_paste = Some(yes);
            if yes {
                return self.paste(code, last, stop, noise);
            }
        }
        let usual = last.map_or(&[][..], |last| last.usual);
        let noise = self.send_plain(&[code, usual].concat())?;
        Ok(Handed {
            noise,
            interrupted: false,
            fast: false,
        })
    }

    /// Asks for raw-paste. False: the board is at the plain prompt again.
    fn ask_raw_paste(&mut self) -> Result<(bool, Vec<u8>), LinkError> {
        let step = Step::Send;
        self.link.write(b"\x05A\x01", step)?;
        let yes: &[u8] = b"R\x01";
        let no: &[u8] = b"R\x00";
        let answers = [yes, no, BANNER];
        let (answer, noise) = self.expect(
            &answers,
            self.timeouts.reply,
            step,
            "an answer to raw-paste",
        )?;
        if answer != 2 {
            return Ok((answer == 0, noise));
        }
        // The banner is the answer of old firmware, which took the bytes for a reset of the raw
        // REPL; but it may also be a late answer to an earlier Ctrl-A.
        let within = if self.asked_twice {
            self.timeouts.reply / 2
        } else {
            self.timeouts.quiet * 4
        };
        let mut soon = Patience::new(within);
        match self.link.wait_for(&[yes], &mut soon, step)? {
            // Then all before it belongs to that time as well.
            Wait::Found { .. } => Ok((true, Vec::new())),
            Wait::Passed(_) => Ok((false, noise)),
        }
    }

    /// Raw-paste's flow control.
    fn paste(
        &mut self,
        code: &[u8],
        mut last: Option<LastLines<'_>>,
        stop: Option<&AtomicBool>,
        noise: Vec<u8>,
    ) -> Result<Handed, LinkError> {
        let step = Step::Send;
        let mut patience = Patience::new(self.timeouts.reply);
        let mut header = [0; 2];
        for byte in &mut header {
            *byte = (self.link.next(&mut patience, step)?)
                .ok_or_else(|| self.silent(step, self.timeouts.reply))?;
        }
        let window = usize::from(u16::from_le_bytes(header));
        if window == 0 {
            return Err(self.unexpected(step, self.timeouts.reply, "a window size", &header));
        }

        self.window = Some(window);
        let started = Instant::now();
        let mut free = window;
        let mut granted = 0usize;
        let mut rest = code;
        let mut input: &[u8] = &[];
        let mut ended = false;
        let mut handed = Handed {
            noise,
            interrupted: false,
            fast: false,
        };
        loop {
            let sending = !ended && !handed.interrupted;
            // Whatever has arrived comes first: grants, or the board giving up.
            let wait = if sending && (free > 0 || rest.is_empty()) {
                Duration::ZERO
            } else {
                SLICE.min(patience.left())
            };
            let arrived = self.link.peek(wait, step)?.to_vec();
            for (index, byte) in arrived.iter().enumerate() {
                match byte {
                    0x01 => {
                        free = free.saturating_add(window);
                        granted = granted.saturating_add(window);
                    }
                    0x04 => {
                        self.link.used(index + 1);
                        // The board reads on until one Ctrl-D or Ctrl-C; after the end of the
                        // code or a Ctrl-C it has had that one already, and a second Ctrl-D
                        // at its prompt would be a soft reset.
                        if sending {
                            self.link.write(&[CTRL_D], step)?;
                        }
                        return Ok(handed);
                    }
                    other if handed.noise.len() < MOST_NOISE => handed.noise.push(*other),
                    _ => {}
                }
            }
            self.link.used(arrived.len());

            if sending {
                if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                    self.link.write(&[CTRL_C], step)?;
                    handed.interrupted = true;
                    patience = Patience::new(self.timeouts.stop);
                } else if rest.is_empty()
                    && let Some(last) = last.take()
                {
                    // Bytes that the board has taken, not those on the way.
                    let speed = granted as f64 / started.elapsed().as_secs_f64();
                    handed.fast = granted >= FEWEST_WINDOWS * window && speed > FAST_LINE;
                    (rest, input) = match handed.fast {
                        true => (last.fast, last.input),
                        false => (last.usual, input),
                    };
                } else if rest.is_empty() {
                    self.link.write(&[&[CTRL_D], input].concat(), step)?;
                    ended = true;
                    patience = Patience::new(self.timeouts.reply);
                } else if free > 0 {
                    let (now, later) = rest.split_at(free.min(rest.len()));
                    self.link.write(now, step)?;
                    free -= now.len();
                    rest = later;
                    patience = Patience::new(self.timeouts.reply);
                }
            }
            if patience.is_over() {
                return Err(LinkError::TimedOut {
                    port: self.port(),
                    step,
                    after: self.timeouts.reply,
                });
            }
        }
    }

    /// Sends code without flow control, at a pace that old firmware follows.
    fn send_plain(&mut self, code: &[u8]) -> Result<Vec<u8>, LinkError> {
        let step = Step::Send;
        for chunk in code.chunks(256) {
            self.link.write(chunk, step)?;
            std::thread::sleep(Duration::from_millis(10));
        }
        self.link.write(&[CTRL_D], step)?;
        // What was written may still wait in buffers on the way, without a sign of progress.
        let on_the_way = Duration::from_secs_f64(code.len() as f64 / SLOWEST_LINE);
        let within = self.timeouts.reply + on_the_way;
        let (_, noise) = self.expect(&[b"OK"], within, step, "OK")?;
        // `R 00` leaves a prompt in front of the OK.
        Ok(noise.into_iter().filter(|&byte| byte != b'>').collect())
    }
}

/// Bytes per second beyond those of serial lines in use, of which 460,800 bits per second is the fastest.
const FAST_LINE: f64 = 50_000.0;

/// Windows that have to pass before they tell a line's speed.
const FEWEST_WINDOWS: usize = 4;

/// What a board may print beside the flow control and have shown, bytes.
const MOST_NOISE: usize = 64 * 1024;

/// Bytes per second of the slowest line that plain execution must wait for: 38400 bits per second.
const SLOWEST_LINE: f64 = 3840.0;

/// The raw REPL has no escape for its own control characters.
fn check_controls(code: &[u8]) -> Result<(), LinkError> {
    match code.iter().position(|byte| (0x01..=0x05).contains(byte)) {
        None => Ok(()),
        Some(at) => Err(LinkError::ControlCharacter {
            line: 1 + code[..at].iter().filter(|&&byte| byte == b'\n').count(),
            byte: code[at],
        }),
    }
}
