//! Decides how long an import takes and what it keeps of the heap: each in a fresh interpreter, in turns.

use std::time::Instant;

use bench_report::{Count, Measurement, Quantity, Report, Run, Summary, Task, Who};
use board_link::{Execution, Lang, LinkError};

use super::reach::STAND_INS;
use super::{Broken, Comparison, FOLDER};
use crate::failure::{Failure, Status};

/// Each import needs a soft reset, which takes a real board a second and more.
const ROUNDS: usize = 9;

/// The imports that were made so far.
pub struct Imports {
    runs: Vec<Run>,
    /// Bytes, by party and round.
    kept: Vec<Vec<f64>>,
    /// Seconds that a round took, with all its resets.
    seconds: f64,
}

impl Imports {
    pub fn of(parties: &[Who]) -> Imports {
        Imports {
            runs: parties.iter().copied().map(Run::new).collect(),
            kept: vec![Vec::new(); parties.len()],
            seconds: 0.0,
        }
    }

    fn made(&self) -> usize {
        self.kept.last().map_or(0, Vec::len)
    }

    /// About how long the rest takes, seconds.
    pub fn rest(&self, rounds: usize) -> f64 {
        self.seconds * rounds.min(ROUNDS).saturating_sub(self.made()) as f64
    }

    /// Puts what was made into the report; a board without a clock has times of nothing.
    pub fn note(self, rounds: usize, clock: bool, report: &mut Report) {
        let medians = self.runs.iter().zip(&self.kept).filter_map(|(run, kept)| {
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
        if clock {
            report.measurements.push(Measurement {
                task: Task::Import,
                qos: None,
                size: None,
                rounds: rounds.min(ROUNDS),
                runs: self.runs,
            });
        }
    }
}

impl Comparison<'_> {
    /// Makes rounds of imports until there are so many.
    pub(super) fn import(&mut self, imports: &mut Imports, rounds: usize) -> Result<(), Broken> {
        for round in imports.made()..rounds.min(ROUNDS) {
            let begun = Instant::now();
            for turn in 0..imports.runs.len() {
                let party = (round + turn) % imports.runs.len();
                let run = &mut imports.runs[party];
                let code = import_code(self.module(run.who));
                match self.import_once(&code) {
                    Ok((time, bytes)) => {
                        run.rounds.push(Some(time));
                        run.messages += 1;
                        imports.kept[party].push(bytes);
                    }
                    Err(Broken::Link(LinkError::Raised { traceback })) => {
                        // Without its module there is nothing to compare.
                        let why = traceback.lines().last().unwrap_or_default();
                        return Err(self.no_import(run.who, why));
                    }
                    Err(broken) => return Err(broken),
                }
            }
            imports.seconds = begun.elapsed().as_secs_f64();
        }
        Ok(())
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
        if !self.reach.is_whole() {
            self.board
                .exec(STAND_INS)
                .and_then(Execution::into_stdout)?;
        }
        let said = self.board.exec(code).and_then(Execution::into_stdout)?;
        let numbers = said.split_whitespace().map(str::parse);
        match numbers.collect::<Result<Vec<f64>, _>>().as_deref() {
            Ok([time, bytes]) => Ok((*time, *bytes)),
            _ => Err(LinkError::Raised { traceback: said }.into()),
        }
    }
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
