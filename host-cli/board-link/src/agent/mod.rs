//! A program on the board that looks at files and moves them, and the conversation with it.
//!
//! It is sent once, as any other code, and stays while one file operation follows the other; any
//! other use of the board ends it first. It reads frames (`frame`) from its standard input, of at
//! most two units ahead as raw-paste does, so that nothing overruns a board's input buffer:
//!
//! ```text
//! ->  a frame in units of 128 bytes      <-  06 for each; for each frame, on a line that keeps what is not read
//!                                        <-  1f kind … 0a      replies, in order
//! ```
//! Such a line is found out, not assumed: where the program itself was taken faster than any serial line in use
//! carries it, known bytes follow it, far more than a board's input buffer holds, and the board does not read them
//! until it has compiled the program and counted for a while. Native USB, sockets and pseudo-terminals keep them; a
//! UART without flow control has lost some, and then the units stay as they are.
//! Ctrl-C, which no frame contains, ends it at any moment; it then removes its unfinished file.
//! So a board that was left in the middle of anything answers to the next one who connects.

mod frame;
pub(crate) mod pack;
mod program;

use std::collections::VecDeque;
use std::time::Duration;

use crate::board::Board;
use crate::error::{LinkError, Step};
use crate::exec::{Ending, looks_restarted};
use crate::link::excerpt;
use crate::patience::{Patience, SLICE};
use crate::raw_repl::LastLines;

pub(crate) use program::Parts;

const ACKNOWLEDGED: u8 = 0x06;
const REPLY: u8 = 0x1f;
const END: u8 = 0x04;
/// The order that ends it.
const QUIT: u8 = b'Q';

/// Largest unit; that of boards which say nothing about their input buffer.
const UNIT: usize = 128;
const SMALL_UNIT: usize = 32;
/// On the way at most where the line keeps what is not read: two of the largest blocks. Systems buffer much of it, and
/// what a board says meanwhile is short.
const FLOWING: usize = 20_000;

/// How long the board may take to read the bytes that try the line; then some of them are lost.
const TRIAL: Duration = Duration::from_millis(500);
/// How long it may then take for each piece of what makes up for them, and its bytes: no buffer is smaller.
const FILLING: (Duration, usize) = (Duration::from_millis(20), 128);

/// What an ImportError of a board without SHA-256, or without hexadecimal digits for it, names.
const LACKS_SHA: [&str; 4] = ["hashlib", "sha256", "binascii", "hexlify"];

/// Largest block of data: a frame holds it even if every byte has to be substituted.
const LARGEST_BLOCK: usize = 8000;

/// Longest reply line; a longer one is no reply. A name of 255 bytes in a long path has 2 KiB.
const LONGEST_REPLY: usize = 8 * 1024;
/// Replies that nobody has asked for yet, bytes.
const MOST_WAITING: usize = 16 * 1024 * 1024;
/// What a board may print beside replies while one thing is done.
const MOST_NOISE: usize = 1024 * 1024;

/// The state of a running agent.
#[derive(Debug)]
pub(crate) struct Agent {
    parts: Parts,
    /// Bytes between two acknowledgements, and how many may be on the way.
    unit: usize,
    ahead: usize,
    /// Sizes of the units that are not acknowledged yet.
    on_the_way: VecDeque<usize>,
    /// What is about to be written, which counts as on the way.
    outgoing: Vec<u8>,
    replies: VecDeque<String>,
    /// Their bytes.
    waiting: usize,
    /// The beginning of a reply whose end has not come yet.
    line: Option<Vec<u8>>,
    noise: usize,
    /// Its program has ended; the end itself has not been read yet.
    ended: bool,
    /// The line keeps what the board has not read yet.
    pub(crate) flows: bool,
    /// Largest block of data that the board has memory for, bytes.
    pub(crate) block: usize,
    /// How far back deflated data may refer, bytes; 0 if the board cannot inflate.
    pub(crate) distance: usize,
    /// What its inflating stream has seen; `None` where the next block has to begin a new one.
    pub(crate) stream: Option<pack::Stream>,
}

impl Agent {
    fn next_reply(&mut self) -> Option<String> {
        let reply = self.replies.pop_front()?;
        self.waiting -= reply.len();
        Some(reply)
    }
}

impl Board {
    /// Makes sure that an agent with these abilities runs.
    pub(crate) fn agent(&mut self, parts: Parts) -> Result<&mut Agent, LinkError> {
        let mut wanted = parts;
        if let Some(agent) = &self.agent
            && !agent.parts.has(parts)
        {
            wanted = wanted.and(agent.parts);
            self.end_agent()?;
        }
        if self.agent.is_none() {
            self.start_some_agent(wanted)?;
        }
        Ok(self.agent.as_mut().expect("it was started"))
    }

    /// Tries without what the board turns out to lack.
    fn start_some_agent(&mut self, parts: Parts) -> Result<(), LinkError> {
        loop {
            let could = self.may_flow;
            match self.start_agent(parts) {
                // Then it computes CRCs.
                Err(LinkError::Raised { traceback })
                    if self.sha && LACKS_SHA.iter().any(|name| traceback.contains(name)) =>
                {
                    self.sha = false;
                }
                Err(LinkError::Raised { .. }) if self.packed => self.packed = false,
                // Perhaps it has no memory to try the line with.
                Err(LinkError::Raised { .. }) if self.may_flow => self.may_flow = false,
                Err(LinkError::TimedOut { .. }) if could && !self.may_flow => self.forget_agent(),
                outcome => return outcome,
            }
        }
    }

    fn start_agent(&mut self, parts: Parts) -> Result<(), LinkError> {
        let mut unit = self.unit();
        let mut trying = self.hand_over_agent(parts, unit)?;
        // What the board can take is known for sure only now that code was sent.
        if self.unit() != unit {
            unit = self.unit();
            self.enter_raw()?;
            trying = self.hand_over_agent(parts, unit)?;
        }
        self.link.forget_recent();
        self.agent = Some(Agent {
            parts,
            unit,
            ahead: 2 * unit,
            on_the_way: VecDeque::new(),
            outgoing: Vec::new(),
            replies: VecDeque::new(),
            waiting: 0,
            line: None,
            noise: 0,
            ended: false,
            flows: false,
            block: 0,
            distance: 0,
            stream: None,
        });
        let facts = match trying {
            true => self.tried()?,
            false => self.reply()?,
        };
        let fields: Option<Vec<u32>> = (facts.strip_prefix('I'))
            .and_then(|facts| facts.split(' ').map(|field| field.parse().ok()).collect());
        match (fields.as_deref(), &mut self.agent) {
            (Some(&[bits @ 9..=15, deflate, flows]), Some(agent)) => {
                agent.block = (1 << bits).min(LARGEST_BLOCK);
                agent.distance = if deflate == 1 { 1 << bits } else { 0 };
                if trying {
                    // What made up for lost bytes ends here.
                    agent.outgoing.push(program::TRIAL_ENDS);
                }
                if flows == 1 {
                    agent.flows = true;
                    // Such a line carries a byte sooner than a board inflates it.
                    agent.distance = 0;
                    agent.unit = program::WHOLE_FRAMES;
                    agent.ahead = FLOWING;
                } else if trying {
                    self.may_flow = false;
                }
                let (block, unit) = (agent.block, agent.unit);
                let deflate = match agent.distance {
                    0 => "plain",
                    _ => "deflated",
                };
                log::info!("the agent takes blocks of {block} bytes, {deflate}, by {unit}");
                Ok(())
            }
            _ => Err(self.breach("the agent's greeting", facts.as_bytes())),
        }
    }

    /// Sends the agent's program. True if it tries whether the line has flow control.
    fn hand_over_agent(&mut self, parts: Parts, unit: usize) -> Result<bool, LinkError> {
        let code = program::program(parts, self.sha, self.packed);
        let (usual, trying) = (program::call(unit, false), program::call(unit, true));
        // It pays where files are sent; the trial itself is as long as many questions.
        let try_line = self.may_flow && parts.has(Parts::WRITE);
        let last = LastLines {
            usual: usual.as_bytes(),
            fast: if try_line { &trying } else { &usual }.as_bytes(),
            input: if try_line { &program::trial() } else { &[] },
        };
        let handed = self.hand_over_with(&code, Some(last), None)?;
        Ok(try_line && handed.fast)
    }

    /// The greeting of an agent that tries the line: it reads until it has as many bytes as were sent, so that what the
    /// line has lost is made up for.
    fn tried(&mut self) -> Result<String, LinkError> {
        let mut filled = 0;
        let mut patience = Patience::new(TRIAL);
        loop {
            if let Some(reply) = self.running()?.next_reply() {
                return Ok(reply);
            }
            self.check_ended()?;
            self.listen(&mut patience)?;
            if patience.is_over() {
                if filled >= program::trial().len() {
                    self.may_flow = false;
                    return Err(self.no_answer(Step::Write, TRIAL));
                }
                let (within, length) = FILLING;
                self.link.write(&vec![b'?'; length], Step::Write)?;
                filled += length;
                patience = Patience::new(within);
            }
            self.check_stop()?;
        }
    }

    /// What may be sent between two acknowledgements, bytes: raw-paste's window, which is what the
    /// board says of its input buffer.
    pub(crate) fn unit(&self) -> usize {
        let window = match (self.raw_paste, self.window) {
            (None, _) => UNIT,
            (_, Some(window)) => window.min(UNIT),
            (_, None) => SMALL_UNIT,
        };
        window.max(frame::HEADER + 1)
    }

    /// Ends the agent, if one runs; the raw REPL's prompt is there again.
    pub(crate) fn end_agent(&mut self) -> Result<(), LinkError> {
        if self.agent.is_none() {
            return Ok(());
        }
        self.order(QUIT, &[])?;
        let ended = self.await_end();
        self.agent = None;
        match ended? {
            stderr if stderr.is_empty() => Ok(()),
            traceback => Err(LinkError::Raised { traceback }),
        }
    }

    /// After an error the agent may wait for the rest of a frame: it is forgotten, and what comes
    /// next interrupts it by entering the raw REPL.
    pub(crate) fn forget_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            self.at_prompt = false;
            // Should it not keep everything after all, the next attempt does not rely on it.
            self.may_flow &= !agent.flows;
        }
    }

    /// Sends a command that has no reply of its own, with the frame that follows.
    pub(crate) fn queue_order(&mut self, kind: u8, texts: &[&str]) -> Result<(), LinkError> {
        self.queue_frame(kind, &frame::texts(texts, self.sha))
    }

    /// Sends a command.
    pub(crate) fn order(&mut self, kind: u8, texts: &[&str]) -> Result<(), LinkError> {
        self.send_frame(kind, &frame::texts(texts, self.sha))
    }

    /// Sends one frame, as fast as the board takes it.
    pub(crate) fn send_frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), LinkError> {
        self.queue_frame(kind, payload)?;
        self.flush()
    }

    /// As [`Board::send_frame`], but its end goes with the frame that follows.
    pub(crate) fn queue_frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), LinkError> {
        let bytes = frame::frame(kind, payload);
        let agent = self.running()?;
        let (unit, ahead) = (agent.unit, agent.ahead);
        for part in bytes.chunks(unit) {
            // The last order ends it; otherwise something made it end.
            if kind != QUIT {
                self.check_ended()?;
            }
            let limit = self.timeouts.reply * 2;
            let mut patience = Patience::new(limit);
            loop {
                let agent = self.running()?;
                let waiting: usize = agent.on_the_way.iter().sum();
                if waiting + part.len() <= ahead {
                    agent.on_the_way.push_back(part.len());
                    agent.outgoing.extend(part);
                    break;
                }
                self.check_ended()?;
                self.flush()?;
                if self.listen(&mut patience)? {
                    patience = Patience::new(limit);
                } else if patience.is_over() {
                    return Err(self.no_answer(Step::Write, limit));
                }
                self.check_stop()?;
            }
        }
        Ok(())
    }

    /// Writes what there is room for on the way, at once: each write costs a turn of every program and chip in between.
    pub(crate) fn flush(&mut self) -> Result<(), LinkError> {
        let outgoing = std::mem::take(&mut self.running()?.outgoing);
        if outgoing.is_empty() {
            return Ok(());
        }
        self.link.write(&outgoing, Step::Write)
    }

    /// The next reply, if it has come already.
    pub(crate) fn reply_at_hand(&mut self) -> Option<String> {
        self.agent.as_mut()?.next_reply()
    }

    /// Waits for the next reply.
    pub(crate) fn reply(&mut self) -> Result<String, LinkError> {
        let mut patience = Patience::new(self.timeouts.exec);
        loop {
            if let Some(reply) = self.running()?.next_reply() {
                return Ok(reply);
            }
            self.check_ended()?;
            if self.listen(&mut patience)? {
                patience = Patience::new(self.timeouts.exec);
            } else if patience.is_over() {
                return Err(self.no_answer(Step::Read, self.timeouts.exec));
            }
            self.check_stop()?;
        }
    }

    /// The error of an agent that ended without being told to.
    fn check_ended(&mut self) -> Result<(), LinkError> {
        if !self.running()?.ended {
            return Ok(());
        }
        let ended = self.await_end();
        // What was still on its way comes to the prompt as if somebody had typed it, so that Ctrl-C goes first again.
        self.forget_agent();
        Err(LinkError::Raised { traceback: ended? })
    }

    fn no_answer(&self, step: Step, after: Duration) -> LinkError {
        let port = self.port();
        if looks_restarted(self.link.recent()) {
            return LinkError::Restarted { port, step };
        }
        LinkError::TimedOut { port, step, after }
    }

    fn running(&mut self) -> Result<&mut Agent, LinkError> {
        let port = self.link.port();
        self.agent.as_mut().ok_or(LinkError::Protocol {
            port,
            step: Step::Read,
            expected: "a running agent",
            heard: String::new(),
        })
    }

    /// Takes what has come, waiting a moment for it. True if it brought something on: an
    /// acknowledgement or a reply. Noise alone does not, so that a board that prints without end
    /// is given up as a silent one is.
    fn listen(&mut self, patience: &mut Patience) -> Result<bool, LinkError> {
        let wait = SLICE.min(patience.left());
        if self.running()?.ended {
            return Ok(false);
        }
        let arrived = self.link.peek(wait, Step::Read)?.to_vec();
        let mut moved = false;
        for (index, byte) in arrived.iter().enumerate() {
            let agent = self.running()?;
            match (*byte, &mut agent.line) {
                (ACKNOWLEDGED, _) => {
                    if agent.on_the_way.pop_front().is_none() {
                        self.link.used(arrived.len());
                        return Err(self.breach("no more acknowledgements", &arrived));
                    }
                    moved = true;
                }
                (END, _) => {
                    agent.ended = true;
                    self.link.used(index);
                    return Ok(true);
                }
                (REPLY, line) => *line = Some(Vec::new()),
                (b'\n', line @ Some(_)) => {
                    let text = line.take().unwrap_or_default();
                    let text = String::from_utf8_lossy(&text).trim_end().to_owned();
                    agent.waiting += text.len();
                    agent.replies.push_back(text);
                    agent.noise = 0;
                    moved = true;
                    if agent.waiting > MOST_WAITING {
                        self.link.used(arrived.len());
                        return Err(self.breach("no more replies", &arrived));
                    }
                }
                (byte, Some(line)) if line.len() < LONGEST_REPLY => line.push(byte),
                _ => agent.noise += 1,
            }
            if agent_noise(&self.agent) > MOST_NOISE {
                self.link.used(arrived.len());
                return Err(self.breach("a reply about files", &arrived));
            }
        }
        self.link.used(arrived.len());
        Ok(moved)
    }

    /// The end of the agent's program: the rest of its output, its traceback, the prompt.
    fn await_end(&mut self) -> Result<String, LinkError> {
        let run = self.follow_to_end()?;
        if run.ending == Ending::Restarted {
            return Err(LinkError::Restarted {
                port: self.port(),
                step: Step::Run,
            });
        }
        Ok(run.stderr)
    }

    pub(crate) fn breach(&self, expected: &'static str, heard: &[u8]) -> LinkError {
        LinkError::Protocol {
            port: self.port(),
            step: Step::Read,
            expected,
            heard: excerpt(heard),
        }
    }
}

fn agent_noise(agent: &Option<Agent>) -> usize {
    agent.as_ref().map_or(0, |agent| agent.noise)
}
