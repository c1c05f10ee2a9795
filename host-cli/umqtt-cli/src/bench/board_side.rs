//! Decides how the board's program is started and what its lines mean.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bench_report::{Run, Who};
use board_link::{Board, Ending, Event, LinkError, bytes_literal, str_literal};

use super::{BoardsBroker, NATIVE, Step};
use crate::stop::Stop;

const PROGRAM: &str = include_str!("../../../../python/bench/compare.py");

/// A board that prints nothing for so long waits for a broker that is gone; the longest round takes a few seconds.
const SILENCE: Duration = Duration::from_secs(90);

/// The board's program behind what it needs to know.
pub fn prelude(broker: Option<&BoardsBroker>, baseline: Option<&str>) -> String {
    let word = |word: Option<&String>| {
        word.map_or("None".to_owned(), |word| bytes_literal(word.as_bytes()))
    };
    let none = || "None".to_owned();
    let number = |number: Option<u16>| number.map_or_else(none, |n| n.to_string());
    // Topics and client identifiers that no other run has.
    let run = format!("bench/{:08x}", std::process::id());
    format!(
        "import sys\nsys.path.insert(0, '{}')\nsys.path.insert(0, '.frozen')\nHOST = {}\nPORT = {}\nTLS_PORT = {}\n\
         USER = {}\nPASSWORD = {} or b''\nRUN = {}\nNATIVE = '{NATIVE}'\nBASELINE = {}\n{PROGRAM}",
        super::FOLDER,
        broker.map_or_else(none, |broker| str_literal(&broker.host)),
        number(broker.and_then(|broker| broker.port)),
        number(broker.and_then(|broker| broker.tls_port)),
        word(broker.and_then(|broker| broker.user.as_ref())),
        word(broker.and_then(|broker| broker.password.as_ref())),
        bytes_literal(run.as_bytes()),
        baseline.map_or("None".to_owned(), str_literal),
    )
}

/// The first arguments of the program's functions.
pub fn arguments(step: Step) -> String {
    format!(
        "{:?}, {}, {}",
        step.task.name(),
        step.qos.unwrap_or(0),
        step.size.unwrap_or(0)
    )
}

/// A line `@ who number messages each…`.
#[derive(Debug, PartialEq)]
pub struct Round {
    pub who: Who,
    /// Microseconds, or a count.
    pub number: f64,
    messages: f64,
    each: Vec<f64>,
}

impl Round {
    /// `None` for a clock that went backwards: it was set meanwhile.
    pub fn per_message(&self) -> Option<f64> {
        let each = self.number / self.messages;
        (each.is_finite() && each >= 0.0).then_some(each)
    }
}

/// What a piece of the program said.
#[derive(Debug, Default)]
pub struct Said {
    pub rounds: Vec<Round>,
    pub failures: Vec<(Who, String)>,
    /// Rounds and failures in the order in which they came.
    order: Vec<(Who, Option<usize>)>,
    pub ended: Ended,
}

/// How it ended.
#[derive(Debug, Default)]
pub enum Ended {
    #[default]
    Well,
    /// By Ctrl-C.
    Interrupted,
    Badly(String),
    /// The board was lost meanwhile; what it had said until then stands.
    Lost(LinkError),
}

impl Said {
    fn line(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let (mark, who) = (words.next(), words.next().and_then(Who::named));
        match (mark, who) {
            (Some("@"), Some(who)) => {
                let numbers: Result<Vec<f64>, _> = words.map(str::parse).collect();
                if let Ok([number, messages, each @ ..]) = numbers.as_deref() {
                    self.order.push((who, Some(self.rounds.len())));
                    self.rounds.push(Round {
                        who,
                        number: *number,
                        messages: *messages,
                        each: each.to_vec(),
                    });
                }
            }
            (Some("!"), Some(who)) => {
                let why = words.collect::<Vec<_>>().join(" ");
                self.order.push((who, None));
                self.failures.push((who, why));
            }
            // A board's own chatter.
            _ => {}
        }
    }

    /// One party's rounds.
    pub fn run(&self, who: Who) -> Run {
        let mut run = Run::new(who);
        for (_, index) in self.order.iter().filter(|(of, _)| *of == who) {
            let round = index.and_then(|index| self.rounds.get(index));
            run.rounds.push(round.and_then(Round::per_message));
            run.messages += round.map_or(0, |round| round.messages as u64);
            run.each.extend(round.iter().flat_map(|round| &round.each));
        }
        let failures = self.failures.iter().filter(|(of, _)| *of == who);
        run.failures = failures.map(|(_, why)| why.clone()).collect();
        run
    }
}

/// A board that has the program.
pub struct Talk<'a> {
    pub board: &'a mut Board,
    pub stop: &'a Stop,
}

impl Talk<'_> {
    /// Runs a piece of code to its end, to Ctrl-C, until the board has said nothing for too long, or until it is lost.
    pub fn run(&mut self, code: &str) -> Said {
        let mut said = Said::default();
        let mut text = String::new();
        let (stop, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let begun = Instant::now();
        let heard = AtomicU64::new(0);
        let silence = SILENCE.as_millis() as u64;
        let now = || begun.elapsed().as_millis() as u64;
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let silent = now().saturating_sub(heard.load(Ordering::Relaxed)) > silence;
                    if self.stop.is_requested() || silent {
                        stop.store(true, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let mut on_event = |event: Event<'_>| {
                heard.store(now(), Ordering::Relaxed);
                if let Event::Stdout(piece) = event {
                    text.push_str(piece);
                    while let Some(end) = text.find('\n') {
                        let line: String = text.drain(..=end).collect();
                        said.line(&line);
                    }
                }
            };
            let done = self.board.exec_streaming(code, &mut on_event, &stop);
            over.store(true, Ordering::Relaxed);
            done
        });
        said.ended = match done {
            Err(error) => Ended::Lost(error),
            Ok(done) => self.ended(&done),
        };
        said
    }

    fn ended(&self, done: &board_link::Run) -> Ended {
        match done.ending {
            Ending::Finished => Ended::Well,
            _ if self.stop.is_requested() => Ended::Interrupted,
            Ending::Stopped => Ended::Badly("timeout".to_owned()),
            Ending::Exited | Ending::Restarted => Ended::Badly("reset".to_owned()),
            Ending::Raised => {
                let last = done.stderr.lines().rfind(|line| !line.trim().is_empty());
                Ended::Badly(last.unwrap_or_default().trim().to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_rounds_and_failures_keep_their_place() {
        let mut said = Said::default();
        for line in [
            "@ native 40 4 9 11 10 10",
            "@ floor 20 4",
            "! native OSError [Errno 104] ECONNRESET",
            "MPY: soft reboot",
            "@ native -5 1",
            "@ native x 1",
            "@ nobody 1 1",
            "@ floor 0 0",
        ] {
            said.line(line);
        }
        let native = said.run(Who::Native);
        assert_eq!(native.rounds, [Some(10.0), None, None]);
        assert_eq!(native.each, [9.0, 11.0, 10.0, 10.0]);
        assert_eq!(native.messages, 5);
        assert_eq!(native.failures, ["OSError [Errno 104] ECONNRESET"]);
        assert_eq!(said.run(Who::Floor).rounds, [Some(5.0), None]);
        assert_eq!(said.run(Who::Baseline).rounds, []);
    }
}
