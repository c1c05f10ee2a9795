//! Decides how umqtt in Python and the native module are compared on one board: what is measured, in which order, how many
//! messages a round has, and what becomes of a run that is ended early.
//!
//! The measuring is done by `python/bench/compare.py` on the board; statistics and plots are `bench-report`'s.

pub mod baseline;
mod board_side;
mod computer;
mod counts;
mod imports;
mod processor;
pub mod reach;
pub mod scale;
mod sink;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bench_report::{Count, Measurement, Quantity, Report, Task, Who};
use board_link::{Board, BoardInfo, Execution, Lang, LinkError};

use crate::display::Sender;
use crate::failure::{Failure, Status};
use crate::module::{self, InstallError, Item};
use crate::progress::Steps;
use crate::stop::Stop;
use baseline::Baseline;
use board_side::{Ended, Said, Talk};
pub use computer::describe as describe_computer;
use counts::{ALONE, WRITE_MESSAGES};
use imports::Imports;
use reach::{Reach, STAND_INS};

/// A run that was killed leaves it on the board until the next one.
const FOLDER: &str = "/.umqtt-bench";
const NATIVE: &str = "umqtt_bench_native";
const BASELINE: &str = "umqtt_bench_baseline";
/// What the firmware calls its own.
const FROZEN: &str = "umqtt.simple";

/// Rounds are short, so that most of them pass undisturbed, and long beside the clock's step of 1 µs.
const ROUND_HERE: f64 = 4e3;
const ROUND_ON_BOARD: f64 = 100e3;
const MOST_MESSAGES: usize = 100;
/// What may wait at the board for a round of receiving, bytes: real boards' windows are small.
const WAITING_HERE: usize = 32_768;
const WAITING_ON_BOARD: usize = 4_096;
/// Rounds and messages of a pilot, as `python/bench/compare.py` has them.
const PILOT_MESSAGES: f64 = 6.0;
/// What a packet has around its payload, about.
const AROUND: usize = 32;

/// What is to be measured.
pub struct Plan {
    pub sizes: Vec<usize>,
    pub qos: Vec<u8>,
    pub rounds: usize,
    /// After how many messages the heap is looked at.
    pub messages: usize,
}

/// The broker as the board reaches it.
#[derive(Debug, Clone)]
pub struct BoardsBroker {
    pub name: String,
    pub host: String,
    /// MQTT over TCP; without it all goes over TLS.
    pub port: Option<u16>,
    pub tls_port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<String>,
    /// This computer's address, where the board finds it.
    pub here: Option<IpAddr>,
}

/// A step of the plan that is made in rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    task: Task,
    qos: Option<u8>,
    size: Option<usize>,
}

impl Plan {
    /// What is made in rounds with this broker, or without any.
    fn steps(&self, broker: Option<&BoardsBroker>) -> Vec<Step> {
        let mut steps = Vec::new();
        let step = |task, qos, size| Step { task, qos, size };
        for &size in &self.sizes {
            let size = Some(size);
            for qos in self.qualities(broker) {
                steps.push(step(Task::Publish, Some(qos), size));
            }
            if broker.is_some() {
                let tasks = [Task::Delivered, Task::RoundTrip, Task::Receive];
                steps.extend(tasks.map(|task| step(task, None, size)));
            }
        }
        if broker.is_some_and(|broker| broker.port.is_some()) {
            steps.push(step(Task::Connect, None, None));
        }
        if broker.is_some_and(|broker| broker.tls_port.is_some()) {
            steps.push(step(Task::ConnectTls, None, None));
        }
        steps
    }

    /// Nobody answers where there is no broker.
    fn qualities(&self, broker: Option<&BoardsBroker>) -> Vec<u8> {
        let qos = self.qos.iter().copied();
        qos.filter(|qos| *qos == 0 || broker.is_some()).collect()
    }
}

/// Everything that a comparison needs.
pub struct Comparison<'a> {
    pub board: &'a mut Board,
    pub info: &'a BoardInfo,
    pub simulated: bool,
    pub plan: &'a Plan,
    pub reach: Reach,
    /// None for a board without a network.
    pub broker: Option<&'a BoardsBroker>,
    pub baseline: Option<&'a Baseline>,
    pub display: &'a Sender,
    pub stop: &'a Stop,
    pub lang: Lang,
    /// Seconds that a board takes to be fresh again, as far as is known.
    pub renewal: f64,
}

/// Why a comparison was not made to its end.
enum Broken {
    /// Ctrl-C.
    Interrupted,
    Link(LinkError),
    Said(Failure),
}

impl From<LinkError> for Broken {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Interrupted { .. } => Self::Interrupted,
            error => Self::Link(error),
        }
    }
}

impl Comparison<'_> {
    /// Measures. What was measured until a failure, or until Ctrl-C, is in `report`; the board is left as it was found.
    pub fn run(&mut self, report: &mut Report) -> Result<(), Failure> {
        let done = self.measure(report);
        report.sort();
        let lost = matches!(done, Err(Broken::Link(_)));
        let cleaned = match lost {
            // A board that was lost cannot be asked for anything.
            true => Ok(()),
            false => self.clean_up(),
        };
        match done {
            Ok(()) => cleaned.map_err(|error| Failure::from_link(&error, self.lang)),
            Err(Broken::Interrupted) => {
                report.interrupted = true;
                let message = self.lang.pick(
                    "interrupted; what was measured until then is shown",
                    "interrumpido; se muestra lo medido hasta entonces",
                );
                Err(Failure::complete(Status::Failed, message))
            }
            Err(Broken::Link(error)) => {
                report.interrupted = true;
                Err(Failure::from_link(&error, self.lang))
            }
            Err(Broken::Said(failure)) => {
                report.interrupted = true;
                Err(failure)
            }
        }
    }

    fn measure(&mut self, report: &mut Report) -> Result<(), Broken> {
        report.remarks = self.reach.remarks(self.lang);
        if self.broker.is_some_and(|broker| broker.port.is_none()) {
            let unchecked = self.lang.pick(
                "all goes over TLS; the board checks no certificate, as umqtt in Python cannot, and TCP segments are counted without TLS",
                "todo va por TLS; la placa no comprueba el certificado, porque umqtt en Python no sabe, y los segmentos TCP se cuentan sin TLS",
            );
            report.remarks.push(unchecked.to_owned());
        }
        for remark in &report.remarks {
            self.display.note(remark.clone());
        }
        self.install(report)?;
        if self.broker.is_some() {
            self.fresh()?;
            self.probe()?;
        }
        let mut imports = Imports::of(&self.libraries());
        let done = self.all(&mut imports, report);
        imports.note(self.plan.rounds, self.reach.clock, report);
        done
    }

    /// What is measured once board and broker are known to be there.
    fn all(&mut self, imports: &mut Imports, report: &mut Report) -> Result<(), Broken> {
        // A module that cannot be imported is said first; and how long an import takes is known then.
        self.import(imports, 1)?;
        self.fresh()?;
        let pilots = self.pilots(&self.plan.steps(self.broker))?;
        let seconds = self.seconds(&pilots) + imports.rest(self.plan.rounds);
        self.display.note(match self.lang {
            Lang::En => format!("this takes about {}", duration(seconds)),
            Lang::Es => format!("esto tarda unos {}", duration(seconds)),
        });
        let progress = Steps::new(pilots.len() + 4);
        self.import(imports, self.plan.rounds)?;
        self.fresh()?;
        for (index, pilot) in pilots.iter().enumerate() {
            progress.at(1 + index);
            if self.reach.clock {
                self.rounds(pilot, report)?;
            }
        }
        progress.at(pilots.len() + 1);
        self.heap(&pilots, report)?;
        progress.at(pilots.len() + 2);
        self.writes(&pilots, report)?;
        progress.at(pilots.len() + 3);
        self.endure(report)
    }

    /// Puts the modules into a folder of their own.
    fn install(&mut self, report: &mut Report) -> Result<(), Broken> {
        self.remove_folder()?;
        let unfit = |error: InstallError, lang| Broken::Said(error.into_failure(lang));
        let umqtt = module::umqtt(self.info, self.lang)
            .map_err(|finding| unfit(InstallError::Unfit(finding), self.lang))?;
        let mut values = Vec::new();
        let mut items = Vec::new();
        if let Some((content, ending)) = self.baseline.and_then(|of| of.file.as_ref()) {
            values.push((Who::Baseline, content.len() as f64));
            items.push(Item::new(
                format!("{FOLDER}/{BASELINE}.{ending}"),
                content.clone(),
            ));
        }
        // The module itself is the first; what goes with it on boards is not compared.
        for native in umqtt.into_iter().take(1) {
            values.push((Who::Native, native.content.len() as f64));
            items.push(Item::new(format!("{FOLDER}/{NATIVE}.mpy"), native.content));
        }
        module::install(self.board, self.info, &items, self.display, self.lang).map_err(
            |error| match error {
                InstallError::Link(error) => error.into(),
                error => unfit(error, self.lang),
            },
        )?;
        report.counts.push(Count {
            quantity: Quantity::FileSize,
            qos: None,
            size: None,
            messages: None,
            values,
        });
        Ok(())
    }

    fn remove_folder(&mut self) -> Result<(), LinkError> {
        match self.board.rm(FOLDER, true) {
            Err(LinkError::FileMissing { .. }) => Ok(()),
            removed => removed,
        }
    }

    fn clean_up(&mut self) -> Result<(), LinkError> {
        // Files must go even after Ctrl-C, whose flag would end this too.
        self.board.stop_on(Default::default());
        self.board.soft_reset()?;
        self.remove_folder()
    }

    /// The parties besides the floor.
    fn libraries(&self) -> Vec<Who> {
        let baseline = self.baseline.map(|_| Who::Baseline);
        baseline.into_iter().chain([Who::Native]).collect()
    }

    fn parties(&self) -> Vec<Who> {
        [Who::Floor].into_iter().chain(self.libraries()).collect()
    }

    fn qualities(&self) -> Vec<u8> {
        self.plan.qualities(self.broker)
    }

    fn module(&self, who: Who) -> &'static str {
        match who {
            Who::Baseline if self.baseline.is_some_and(|of| of.file.is_none()) => FROZEN,
            Who::Baseline => BASELINE,
            _ => NATIVE,
        }
    }

    /// Sends the board's program to a fresh interpreter.
    fn fresh(&mut self) -> Result<(), Broken> {
        let begun = Instant::now();
        self.board.soft_reset()?;
        let prelude = board_side::prelude(
            self.broker,
            self.baseline.map(|_| self.module(Who::Baseline)),
        );
        if !self.reach.is_whole() {
            self.board
                .exec(STAND_INS)
                .and_then(Execution::into_stdout)?;
        }
        let _hidden = crate::trace::hide();
        let sent = self.board.exec(&prelude).and_then(Execution::into_stdout)?;
        self.renewal = begun.elapsed().as_secs_f64();
        match sent.trim() {
            "" => Ok(()),
            said => Err(LinkError::Raised {
                traceback: said.to_owned(),
            }
            .into()),
        }
    }

    fn talk(&mut self) -> Talk<'_> {
        Talk {
            board: self.board,
            stop: self.stop,
        }
    }

    /// What everybody can do and how long a message takes them.
    fn pilots(&mut self, steps: &[Step]) -> Result<Vec<Pilot>, Broken> {
        let parties = self.parties();
        let names: Vec<&str> = parties.iter().map(|who| who.name()).collect();
        let mut pilots = Vec::new();
        for &step in steps {
            let code = format!("pilot({}, {names:?})", board_side::arguments(step));
            let begun = Instant::now();
            let said = self.talk().run(&code);
            // All that is known of a board whose own clock stands still.
            let here = begun.elapsed().as_secs_f64() * 1e6 / PILOT_MESSAGES / names.len() as f64;
            let clock = self.reach.clock;
            let parties = parties.iter().map(|who| {
                let heard = said.rounds.iter().filter(|round| round.who == *who);
                let last = heard.filter_map(board_side::Round::per_message).next_back();
                let last = last.map(|time| if clock { time } else { here });
                let failure = said.failures.iter().find(|(of, _)| of == who);
                let why = || failure.map_or_else(String::new, |(_, why)| why.clone());
                (*who, last.ok_or_else(why))
            });
            pilots.push(Pilot {
                step,
                parties: parties.collect(),
            });
            self.note_end(said.ended)?;
        }
        Ok(pilots)
    }

    fn note_end(&self, ended: Ended) -> Result<(), Broken> {
        match ended {
            Ended::Well => Ok(()),
            Ended::Interrupted => Err(Broken::Interrupted),
            Ended::Lost(error) => Err(error.into()),
            Ended::Badly(why) => {
                let message = match self.lang {
                    Lang::En => format!("the board cannot measure: {why}"),
                    Lang::Es => format!("la placa no puede medir: {why}"),
                };
                let help = self.lang.pick(
                    "a real board needs its Wi-Fi: let its boot.py connect it; --sizes 16 needs least memory",
                    "una placa real necesita su Wi-Fi: que la conecte su boot.py; --sizes 16 es lo que menos memoria pide",
                );
                Err(Broken::Said(Failure::new(Status::Failed, message, help)))
            }
        }
    }

    /// Messages of a round for a party that needs so many microseconds for one.
    fn messages(&self, step: Step, time: f64) -> usize {
        if matches!(step.task, Task::Connect | Task::ConnectTls) {
            return 1;
        }
        let (round, waiting) = match self.simulated {
            true => (ROUND_HERE, WAITING_HERE),
            false => (ROUND_ON_BOARD, WAITING_ON_BOARD),
        };
        let fit = (waiting / (step.size.unwrap_or(0) + AROUND)).max(1);
        let most = match (step.task, self.broker) {
            // They wait at the board, or in a stream in memory.
            (Task::Receive, _) | (_, None) => fit,
            _ => MOST_MESSAGES,
        };
        ((round / time.max(1.0)) as usize).clamp(1, most.min(MOST_MESSAGES))
    }

    /// About how long all but the imports takes.
    fn seconds(&self, pilots: &[Pilot]) -> f64 {
        let mut sum = 0.0;
        for pilot in pilots.iter().filter(|_| self.reach.clock) {
            for (_, time) in &pilot.parties {
                if let Ok(time) = time {
                    let messages = self.messages(pilot.step, *time) as f64;
                    sum += messages * time * self.plan.rounds as f64 / 1e6;
                }
            }
        }
        let first = (pilots.iter()).find(|pilot| pilot.step.task == Task::Publish);
        let publish = first.and_then(|pilot| pilot.parties.last()?.1.as_ref().ok());
        let parties = self.parties().len() as f64;
        let alone = match self.broker.and_then(|broker| broker.here) {
            Some(_) => self.packets().iter().filter(|(qos, _)| *qos == 0).count(),
            None => 0,
        };
        // Before the rounds, and before everybody's many messages.
        let renewals = 1 + self.libraries().len();
        sum + renewals as f64 * self.renewal
            + publish.map_or(0.0, |time| time * self.plan.messages as f64 / 1e6 * parties)
            + alone as f64 * WRITE_MESSAGES as f64 * ALONE * parties
    }

    fn rounds(&mut self, pilot: &Pilot, report: &mut Report) -> Result<(), Broken> {
        let step = pilot.step;
        let able: Vec<(Who, usize)> = pilot
            .parties
            .iter()
            .filter_map(|(who, time)| Some((*who, self.messages(step, *time.as_ref().ok()?))))
            .collect();
        let messages: Vec<String> = able
            .iter()
            .map(|(who, messages)| format!("{:?}: {messages}", who.name()))
            .collect();
        let code = format!(
            "rounds({}, {}, {{{}}})",
            board_side::arguments(step),
            self.plan.rounds,
            messages.join(", ")
        );
        let said = match able.is_empty() {
            true => Said::default(),
            false => self.talk().run(&code),
        };
        let runs = pilot.parties.iter().map(|(who, time)| {
            let mut run = said.run(*who);
            run.cannot = time.as_ref().err().cloned();
            run
        });
        report.measurements.push(Measurement {
            task: step.task,
            qos: step.qos,
            size: step.size,
            rounds: self.plan.rounds,
            runs: runs.collect(),
        });
        // What fails in all rounds of one step need not fail in the next.
        match said.ended {
            Ended::Badly(why) => {
                report.remarks.push(why);
                self.fresh()
            }
            ended => self.note_end(ended),
        }
    }
}

/// What a pilot found of one step.
struct Pilot {
    step: Step,
    /// Microseconds per message, or why somebody cannot do it.
    parties: Vec<(Who, Result<f64, String>)>,
}

/// Seconds for people: `40 s`, `3 min`.
fn duration(seconds: f64) -> String {
    let seconds = Duration::from_secs_f64(seconds.clamp(1.0, 1e6)).as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        _ => format!("{} min", seconds.div_ceil(60)),
    }
}
