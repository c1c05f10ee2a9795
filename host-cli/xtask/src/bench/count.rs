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

/// A function of a program or library, by the file that it is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    pub object: String,
    pub name: String,
}

/// How many instructions of its own each function has executed; what it called is not in it.
pub fn by_function(file: &Path) -> Result<BTreeMap<Function, u64>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("callgrind has not written {}", file.display()))?;
    functions_of(&text)
}

/// The format is in Valgrind's manual, "Callgrind Format Specification". Names are written once, with a number that
/// stands for them from then on; what follows `calls=` is the cost of the function that was called.
fn functions_of(text: &str) -> Result<BTreeMap<Function, u64>> {
    let (mut objects, mut names) = (BTreeMap::new(), BTreeMap::new());
    let mut now = Function::default();
    let mut counted = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match line.split_once('=') {
            Some(("ob", rest)) => now.object = named(rest, &mut objects)?,
            Some(("fn", rest)) => now.name = named(rest, &mut names)?,
            Some(("cob", rest)) => drop(named(rest, &mut objects)?),
            Some(("cfn", rest)) => drop(named(rest, &mut names)?),
            Some(("calls", _)) => drop(lines.next()),
            _ if line
                .starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) =>
            {
                let cost = line.split_whitespace().nth(1).unwrap_or("0");
                *counted.entry(now.clone()).or_default() += cost
                    .parse::<u64>()
                    .with_context(|| format!("callgrind wrote {line}"))?;
            }
            _ => {}
        }
    }
    Ok(counted)
}

/// `(12) name`, or `(12)` for a name that was there already.
fn named(text: &str, known: &mut BTreeMap<String, String>) -> Result<String> {
    let Some((number, name)) = text.split_once(')') else {
        return Ok(text.to_owned());
    };
    if !name.is_empty() {
        known.insert(number.to_owned(), name.trim().to_owned());
    }
    let name = known.get(number);
    Ok(name
        .with_context(|| format!("callgrind has not said what {text} is"))?
        .clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instruction_is_of_the_function_that_executed_it() {
        let text = "events: Ir\n\nob=(1) /bin/a\nfl=(1) a.c\nfn=(1) main\n16 400\n+2 100\ncob=(2) /lib/libc.so\n\
                    cfn=(2) memcpy\ncalls=3 50\n16 700\n* 7\n\nob=(2)\nfn=(2)\n51 700\n\nob=(1)\nfn=(1)\n20 3\n\n\
                    totals: 1210\n";
        let counted = functions_of(text).expect("counts");
        let of = |object: &str, name: &str| {
            counted[&Function {
                object: object.to_owned(),
                name: name.to_owned(),
            }]
        };
        assert_eq!(of("/bin/a", "main"), 510);
        assert_eq!(of("/lib/libc.so", "memcpy"), 700);
        assert_eq!(counted.values().sum::<u64>(), 1210);
        assert!(functions_of("fn=(7)\n").is_err());
    }
}
