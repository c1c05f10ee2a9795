//! A program on the board that looks at files and moves them, and the conversation with it.
//!
//! It is sent once, as any other code, and stays while one file operation follows the other; any
//! other use of the board ends it first. It reads frames (`frame`) from its standard input, of at
//! most two units ahead as raw-paste does, so that nothing overruns a board's input buffer:
//!
//! ```text
//! ->  a frame in units of 128 bytes      <-  06 for each
//!                                        <-  1f kind … 0a      replies, in order
//! ```
//! Ctrl-C, which no frame contains, ends it at any moment; it then removes its unfinished file.
//! So a board that was left in the middle of anything answers to the next one who connects.

mod frame;
mod program;

use std::collections::VecDeque;
use std::time::Duration;

use crate::board::Board;
use crate::error::{LinkError, Step};
use crate::exec::{Ending, looks_restarted};
use crate::link::excerpt;
use crate::patience::{Patience, SLICE};

pub(crate) use program::Parts;

const ACKNOWLEDGED: u8 = 0x06;
const REPLY: u8 = 0x1f;
const END: u8 = 0x04;
/// The order that ends it.
const QUIT: u8 = b'Q';

/// Largest unit; that of boards which say nothing about their input buffer.
const UNIT: usize = 128;
const SMALL_UNIT: usize = 32;

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
    unit: usize,
    /// Sizes of the units that are not acknowledged yet.
    on_the_way: VecDeque<usize>,
    replies: VecDeque<String>,
    /// Their bytes.
    waiting: usize,
    /// The beginning of a reply whose end has not come yet.
    line: Option<Vec<u8>>,
    noise: usize,
    /// Its program has ended; the end itself has not been read yet.
    ended: bool,
    /// Largest block of data that the board has memory for, bytes.
    pub(crate) block: usize,
    /// Blocks may be deflated.
    pub(crate) deflate: bool,
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
            match self.start_agent(wanted) {
                // A board without hashlib computes CRCs.
                Err(LinkError::Raised { traceback })
                    if self.sha && traceback.contains("ImportError") =>
                {
                    self.sha = false;
                    self.start_agent(wanted)?;
                }
                other => other?,
            }
        }
        Ok(self.agent.as_mut().expect("it was started"))
    }

    fn start_agent(&mut self, parts: Parts) -> Result<(), LinkError> {
        let mut unit = self.unit();
        self.hand_over(program::program(parts, self.sha, unit).as_bytes(), None)?;
        // What the board can take is known for sure only now that code was sent.
        if self.unit() != unit {
            unit = self.unit();
            self.enter_raw()?;
            self.hand_over(program::program(parts, self.sha, unit).as_bytes(), None)?;
        }
        self.link.forget_recent();
        self.agent = Some(Agent {
            parts,
            unit,
            on_the_way: VecDeque::new(),
            replies: VecDeque::new(),
            waiting: 0,
            line: None,
            noise: 0,
            ended: false,
            block: 0,
            deflate: false,
        });
        let facts = self.reply()?;
        let parsed = (facts.strip_prefix('I'))
            .and_then(|facts| facts.split_once(' '))
            .and_then(|(bits, deflate)| Some((bits.parse::<u32>().ok()?, deflate == "1")));
        match (parsed, &mut self.agent) {
            (Some((bits @ 9..=13, deflate)), Some(agent)) => {
                agent.block = (1 << bits).min(LARGEST_BLOCK);
                agent.deflate = deflate;
                let (block, deflate) = (agent.block, if deflate { "deflated" } else { "plain" });
                log::info!("the agent takes blocks of {block} bytes, {deflate}, by {unit}");
                Ok(())
            }
            _ => Err(self.breach("the agent's greeting", facts.as_bytes())),
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
        self.send_frame(QUIT, &frame::texts(&[]))?;
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
        if self.agent.take().is_some() {
            self.at_prompt = false;
        }
    }

    /// Sends a command.
    pub(crate) fn order(&mut self, kind: u8, texts: &[&str]) -> Result<(), LinkError> {
        self.send_frame(kind, &frame::texts(texts))
    }

    /// Sends one frame, as fast as the board takes it.
    pub(crate) fn send_frame(&mut self, kind: u8, payload: &[u8]) -> Result<(), LinkError> {
        let bytes = frame::frame(kind, payload);
        let unit = self.running()?.unit;
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
                if waiting + part.len() <= 2 * unit {
                    agent.on_the_way.push_back(part.len());
                    break;
                }
                self.check_ended()?;
                if self.listen(Some(&mut patience))? {
                    patience = Patience::new(limit);
                } else if patience.is_over() {
                    return Err(self.no_answer(Step::Write, limit));
                }
                self.check_stop()?;
            }
            self.link.write(part, Step::Write)?;
            // What has come meanwhile makes room, and must not pile up.
            self.listen(None)?;
        }
        Ok(())
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
            if self.listen(Some(&mut patience))? {
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
        self.agent = None;
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

    /// Takes what has come, waiting a moment for it if `patience` is given. True if it brought
    /// something on: an acknowledgement or a reply. Noise alone does not, so that a board that
    /// prints without end is given up as a silent one is.
    fn listen(&mut self, patience: Option<&mut Patience>) -> Result<bool, LinkError> {
        let wait = patience.map_or(Duration::ZERO, |patience| SLICE.min(patience.left()));
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
