//! Decides how umqtt in Python and the native module are compared on one board: what is measured, in which order, how many
//! messages a round has, and what becomes of a run that is ended early.
//!
//! The measuring is done by `python/bench/compare.py` on the board; statistics and plots are `bench-report`'s.

pub mod baseline;
mod board_side;
mod computer;
pub mod scale;
mod sink;

use std::net::IpAddr;
use std::time::Duration;

use bench_report::{Count, Measurement, Quantity, Report, Run, Summary, Task, Who};
use board_link::{Board, BoardInfo, Execution, Lang, LinkError};

use crate::display::Sender;
use crate::failure::{Failure, Status};
use crate::module::{self, InstallError, Item};
use crate::progress::Steps;
use crate::stop::Stop;
use baseline::Baseline;
use board_side::{Ended, Said, Talk};
pub use computer::describe as describe_computer;
use sink::Sink;

/// A run that was killed leaves it on the board until the next one.
const FOLDER: &str = "/.umqtt-bench";
const NATIVE: &str = "umqtt_bench_native";
const BASELINE: &str = "umqtt_bench_baseline";
/// What the firmware calls its own.
const FROZEN: &str = "umqtt.simple";

/// Each import needs a soft reset, which takes a real board a second and more.
const IMPORT_ROUNDS: usize = 9;
/// Messages over which the heap is counted: few, since nothing is collected meanwhile.
const HEAP_MESSAGES: usize = 10;
/// Messages over which writes and segments are counted; each is alone for 100 ms.
const WRITE_MESSAGES: usize = 10;
/// Rounds are short, so that most of them pass undisturbed, and long beside the clock's step of 1 µs.
const ROUND_HERE: f64 = 4e3;
const ROUND_ON_BOARD: f64 = 100e3;
const MOST_MESSAGES: usize = 100;
/// What may wait at the board for a round of receiving, bytes: real boards' windows are small.
const WAITING_HERE: usize = 32_768;
const WAITING_ON_BOARD: usize = 4_096;
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
    pub port: u16,
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
    fn steps(&self, tls: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        for &size in &self.sizes {
            let size = Some(size);
            for &qos in &self.qos {
                let qos = Some(qos);
                let task = Task::Publish;
                steps.push(Step { task, qos, size });
            }
            for task in [Task::Delivered, Task::RoundTrip, Task::Receive] {
                let qos = None;
                steps.push(Step { task, qos, size });
            }
        }
        let (qos, size) = (None, None);
        let task = Task::Connect;
        steps.push(Step { task, qos, size });
        if tls {
            let task = Task::ConnectTls;
            steps.push(Step { task, qos, size });
        }
        steps
    }
}

/// Everything that a comparison needs.
pub struct Comparison<'a> {
    pub board: &'a mut Board,
    pub info: &'a BoardInfo,
    pub simulated: bool,
    pub plan: &'a Plan,
    pub broker: &'a BoardsBroker,
    pub baseline: Option<&'a Baseline>,
    pub display: &'a Sender,
    pub stop: &'a Stop,
    pub lang: Lang,
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
        self.install(report)?;
        self.import(report)?;
        self.fresh()?;
        let steps = self.plan.steps(self.broker.tls_port.is_some());
        let pilots = self.pilots(&steps)?;
        let seconds = self.seconds(&pilots);
        self.display.note(match self.lang {
            Lang::En => format!("this takes about {}", duration(seconds)),
            Lang::Es => format!("esto tarda unos {}", duration(seconds)),
        });
        let progress = Steps::new(pilots.len() + 3);
        for (index, pilot) in pilots.iter().enumerate() {
            progress.at(index);
            self.rounds(pilot, report)?;
        }
        progress.at(pilots.len());
        self.heap(report)?;
        progress.at(pilots.len() + 1);
        self.writes(report)?;
        progress.at(pilots.len() + 2);
        self.endure(report)?;
        Ok(())
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

    fn module(&self, who: Who) -> &'static str {
        match who {
            Who::Baseline if self.baseline.is_some_and(|of| of.file.is_none()) => FROZEN,
            Who::Baseline => BASELINE,
            _ => NATIVE,
        }
    }

    /// Times imports in fresh interpreters, in turns.
    fn import(&mut self, report: &mut Report) -> Result<(), Broken> {
        let libraries = self.libraries();
        let mut runs: Vec<Run> = libraries.iter().copied().map(Run::new).collect();
        let mut kept: Vec<Vec<f64>> = vec![Vec::new(); runs.len()];
        let rounds = IMPORT_ROUNDS.min(self.plan.rounds);
        let mut done = Ok(());
        'rounds: for round in 0..rounds {
            for turn in 0..runs.len() {
                let party = (round + turn) % runs.len();
                let code = import_code(self.module(runs[party].who));
                match self.import_once(&code) {
                    Ok((time, bytes)) => {
                        runs[party].rounds.push(Some(time));
                        runs[party].messages += 1;
                        kept[party].push(bytes);
                    }
                    Err(Broken::Link(LinkError::Raised { traceback })) => {
                        // Without its module there is nothing to compare.
                        let why = traceback.lines().last().unwrap_or_default().to_owned();
                        done = Err(self.no_import(runs[party].who, &why));
                        break 'rounds;
                    }
                    Err(broken) => {
                        done = Err(broken);
                        break 'rounds;
                    }
                }
            }
        }
        let medians = runs.iter().zip(&kept).filter_map(|(run, kept)| {
            let middle = Summary::of(kept)?;
            Some((run.who, middle.median))
        });
        report.counts.push(Count {
            quantity: Quantity::RamAfterImport,
            qos: None,
            size: None,
            messages: None,
            values: medians.collect(),
        });
        report.measurements.push(Measurement {
            task: Task::Import,
            qos: None,
            size: None,
            rounds,
            runs,
        });
        done
    }

    fn no_import(&self, who: Who, why: &str) -> Broken {
        let name = match who {
            Who::Baseline => self.baseline.map_or("", |of| of.name.as_str()),
            _ => self.lang.pick("the native module", "el módulo nativo"),
        };
        let message = match self.lang {
            Lang::En => format!("the board cannot import {name}: {why}"),
            Lang::Es => format!("la placa no puede importar {name}: {why}"),
        };
        let help = self.lang.pick(
            "try another --baseline, or a board with more memory",
            "prueba con otro --baseline, o con una placa con más memoria",
        );
        Broken::Said(Failure::new(Status::Failed, message, help))
    }

    fn import_once(&mut self, code: &str) -> Result<(f64, f64), Broken> {
        if self.stop.is_requested() {
            return Err(Broken::Interrupted);
        }
        self.board.soft_reset()?;
        let said = self.board.exec(code).and_then(Execution::into_stdout)?;
        let numbers = said.split_whitespace().map(str::parse);
        match numbers.collect::<Result<Vec<f64>, _>>().as_deref() {
            Ok([time, bytes]) => Ok((*time, *bytes)),
            _ => Err(LinkError::Raised { traceback: said }.into()),
        }
    }

    /// Sends the board's program to a fresh interpreter.
    fn fresh(&mut self) -> Result<(), Broken> {
        self.board.soft_reset()?;
        let prelude = board_side::prelude(
            self.broker,
            self.baseline.map(|_| self.module(Who::Baseline)),
        );
        let _hidden = crate::trace::hide();
        let sent = self.board.exec(&prelude).and_then(Execution::into_stdout)?;
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
            let said = self.talk().run(&code)?;
            let parties = parties.iter().map(|who| {
                let heard = said.rounds.iter().filter(|round| round.who == *who);
                let last = heard.filter_map(board_side::Round::per_message).next_back();
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
        let most = match step.task {
            Task::Receive => (waiting / (step.size.unwrap_or(0) + AROUND)).max(1),
            _ => MOST_MESSAGES,
        };
        ((round / time.max(1.0)) as usize).clamp(1, most.min(MOST_MESSAGES))
    }

    /// About how long all rounds take.
    fn seconds(&self, pilots: &[Pilot]) -> f64 {
        let mut sum = 0.0;
        for pilot in pilots {
            for (_, time) in &pilot.parties {
                if let Ok(time) = time {
                    let messages = self.messages(pilot.step, *time) as f64;
                    sum += messages * time * self.plan.rounds as f64 / 1e6;
                }
            }
        }
        let first = pilots.iter().find(|pilot| {
            pilot.step.task == Task::Publish
                && pilot.parties.iter().any(|(who, _)| *who == Who::Native)
        });
        let publish = first.and_then(|pilot| pilot.parties.last()?.1.as_ref().ok());
        let parties = self.parties().len() as f64;
        sum + publish.map_or(0.0, |time| time * self.plan.messages as f64 / 1e6 * parties)
            + WRITE_MESSAGES as f64 * 0.1 * parties
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
            false => self.talk().run(&code)?,
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

    fn heap(&mut self, report: &mut Report) -> Result<(), Broken> {
        let names = self.names();
        for &size in &self.plan.sizes {
            for &qos in &self.plan.qos {
                let code = format!("heap({qos}, {size}, {HEAP_MESSAGES}, {names})");
                let said = self.talk().run(&code)?;
                self.count(
                    &said,
                    Quantity::HeapPerMessage,
                    Some(qos),
                    Some(size),
                    report,
                );
                self.note_end(said.ended)?;
            }
        }
        Ok(())
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.parties().iter().map(|who| who.name()).collect();
        format!("{names:?}")
    }

    /// Notes a count per message.
    fn count(
        &self,
        said: &Said,
        quantity: Quantity,
        qos: Option<u8>,
        size: Option<usize>,
        report: &mut Report,
    ) {
        let values = said.rounds.iter();
        let values: Vec<(Who, f64)> = values
            .filter_map(|round| Some((round.who, round.per_message()?)))
            .collect();
        if !values.is_empty() {
            report.counts.push(Count {
                quantity,
                qos,
                size,
                messages: None,
                values,
            });
        }
    }

    fn writes(&mut self, report: &mut Report) -> Result<(), Broken> {
        let Some(&size) = self.plan.sizes.first() else {
            return Ok(());
        };
        let sink = match self.broker.here.map(Sink::start) {
            Some(Ok(sink)) => sink,
            Some(Err(error)) => {
                report.remarks.push(error.to_string());
                return Ok(());
            }
            None => return Ok(()),
        };
        let names = self.names();
        let code = format!(
            "writes({size}, {WRITE_MESSAGES}, {names}, {}, {})",
            self.broker
                .here
                .map_or_else(String::new, |ip| board_link::str_literal(&ip.to_string())),
            sink.port()
        );
        let said = self.talk().run(&code)?;
        self.count(
            &said,
            Quantity::WritesPerMessage,
            Some(0),
            Some(size),
            report,
        );
        let values: Vec<(Who, f64)> = (sink.counted().into_iter())
            // The last one brought DISCONNECT.
            .map(|(who, segments)| {
                let messages = segments.saturating_sub(1) as f64;
                (who, messages / WRITE_MESSAGES as f64)
            })
            .collect();
        if values.is_empty() {
            report.remarks.push(
                self.lang
                    .pick(
                        "TCP segments cannot be counted on this computer",
                        "en este equipo no se pueden contar los segmentos TCP",
                    )
                    .to_owned(),
            );
        } else {
            report.counts.push(Count {
                quantity: Quantity::SegmentsPerMessage,
                qos: Some(0),
                size: Some(size),
                messages: None,
                values,
            });
        }
        self.note_end(said.ended)
    }

    /// What many messages leave of the heap; everybody begins with a fresh one.
    fn endure(&mut self, report: &mut Report) -> Result<(), Broken> {
        let Some(&size) = self.plan.sizes.first() else {
            return Ok(());
        };
        let messages = self.plan.messages;
        if messages == 0 {
            return Ok(());
        }
        let mut values = Vec::new();
        for who in self.libraries() {
            self.fresh()?;
            let code = format!("endure({:?}, {size}, {messages})", who.name());
            let said = self.talk().run(&code)?;
            values.extend(said.rounds.iter().map(|round| (who, round.number)));
            for (_, why) in &said.failures {
                report.remarks.push(format!("{}: {why}", who.name()));
            }
            self.note_end(said.ended)?;
        }
        report.counts.push(Count {
            quantity: Quantity::LargestBlockLost,
            qos: Some(0),
            size: Some(size),
            messages: Some(messages),
            values,
        });
        Ok(())
    }
}

/// What a pilot found of one step.
struct Pilot {
    step: Step,
    /// Microseconds per message, or why somebody cannot do it.
    parties: Vec<(Who, Result<f64, String>)>,
}

/// Imports a module and prints microseconds and bytes. Only what is kept counts.
fn import_code(module: &str) -> String {
    format!(
        "import gc, sys, time\n\
         sys.path.insert(0, '{FOLDER}')\n\
         sys.path.insert(0, '.frozen')\n\
         gc.collect()\n\
         _a = gc.mem_alloc()\n\
         _t = time.ticks_us()\n\
         import {module}\n\
         _t = time.ticks_diff(time.ticks_us(), _t)\n\
         gc.collect()\n\
         print(_t, gc.mem_alloc() - _a)\n"
    )
}

/// Seconds for people: `40 s`, `3 min`.
fn duration(seconds: f64) -> String {
    let seconds = Duration::from_secs_f64(seconds.clamp(1.0, 1e6)).as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        _ => format!("{} min", seconds.div_ceil(60)),
    }
}
