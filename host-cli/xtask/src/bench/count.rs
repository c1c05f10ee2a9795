//! Decides what a message costs in instructions of the program itself, the kernel's left out, and counts them with
//! callgrind: of our client, of umqtt.simple 1.3.4 and of a bare socket. Unlike a time, a count is the same however busy
//! the computer is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use testkit::{Interpreter, Module, Program};

use super::Effort;

/// How often each is done.
const MESSAGES: u64 = 500;

/// One line of `python/tests/count_client.py`: a piece of work that was counted.
#[derive(Debug, Deserialize)]
struct Work {
    what: String,
    size: usize,
    who: String,
}

/// Instructions for one message.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Counts {
    /// The bare socket.
    pub floor: u64,
    pub ours: u64,
    /// umqtt.simple 1.3.4, where it can do this.
    pub upstream: Option<u64>,
}

impl fmt::Display for Counts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { floor, ours, .. } = *self;
        let times = ours as f64 / floor as f64;
        write!(
            out,
            "instructions: ours {ours}, floor {floor}: {times:.2} times as many"
        )?;
        if let Some(theirs) = self.upstream {
            let times = theirs as f64 / ours as f64;
            write!(
                out,
                "; umqtt.simple 1.3.4 {theirs}: {times:.1} times ours (the floor {:.1})",
                theirs as f64 / floor as f64
            )?;
        }
        Ok(())
    }
}

/// The counts of each measurement, by what is done and with how many bytes of payload.
pub type Counted = BTreeMap<(String, usize), Counts>;

/// Whether callgrind is there.
///
/// # Errors
/// Where it is not; the text says how to get it.
pub fn check() -> Result<()> {
    let output = Command::new("valgrind").arg("--version").output();
    let output = output.context(
        "valgrind, which counts instructions, does not run; `cargo xtask setup` installs it",
    )?;
    ensure!(output.status.success(), "valgrind does not run here");
    Ok(())
}

/// Counts against the brokers that these arguments of `bench_client.py` name.
pub fn count(
    interpreter: &Interpreter,
    module: &Module,
    brokers: &[String],
    effort: Effort,
) -> Result<Counted> {
    let messages = match effort {
        Effort::Whole => MESSAGES,
        Effort::Hurried => MESSAGES / 50,
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("counts");
    let mut program = Program::new(interpreter, module, "count_client")
        .heap("256m")
        .limit(Duration::from_secs(600))
        .counted(&file);
    for argument in brokers {
        program = program.argument(argument);
    }
    let printed = program
        .argument(messages)
        .run()
        .expect_success("count_client.py");
    let totals = totals(&file)?;
    let work = printed
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("it printed {line}")))
        .collect::<Result<Vec<Work>>>()?;
    // Each piece of work ends with a mark, and what was before it begun with one.
    ensure!(
        totals.len() == 2 * work.len() + 1,
        "callgrind has written {} counts for {} pieces of work",
        totals.len(),
        work.len()
    );
    let mut counted = Counted::new();
    for (work, total) in work.iter().zip(totals.iter().skip(1).step_by(2)) {
        let counts = counted.entry((work.what.clone(), work.size)).or_default();
        let each = total / messages;
        match work.who.as_str() {
            "floor" => counts.floor = each,
            "ours" => counts.ours = each,
            _ => counts.upstream = Some(each),
        }
    }
    Ok(counted)
}

/// How many instructions there were between two marks, and before the first and behind the last.
pub fn totals(file: &Path) -> Result<Vec<u64>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("callgrind has not written {}", file.display()))?;
    text.lines()
        .filter_map(|line| line.strip_prefix("totals:"))
        .map(|total| Ok(total.trim().parse()?))
        .collect()
}
