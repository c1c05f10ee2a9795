//! Decides what the project promises of the client's speed against a real broker, and measures it beside umqtt.simple
//! 1.3.4 and a bare socket: `cargo xtask bench client`. Time is what was promised; where that bounds what can be had, the
//! program's own instructions say what the client itself costs (`count.rs`).

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use testkit::{Access, Certificates, Interpreter, Mosquitto, Program, Version};

use super::Effort;
use super::count::{self, Counted, Counts};

/// Rounds of each measurement; an odd number has a middle.
const ROUNDS: usize = 301;

/// Microseconds per message: the quartiles of the rounds, the median in the middle.
type Quartiles = [f64; 3];

/// One line of `python/tests/bench_client.py`.
#[derive(Debug, Deserialize, Serialize)]
struct Measured {
    /// The method that was measured, with `TLS ` before it where it was over TLS.
    what: String,
    /// Of the payload, in bytes.
    size: usize,
    /// The bare socket. Where it receives, it reads two bytes and then the rest: nobody may read past a packet, and no
    /// packet's size is known before its second byte.
    floor: Quartiles,
    /// The same where it knows the size of every packet that comes, and reads it at once.
    floor_in_one: Option<Quartiles>,
    ours: Quartiles,
    /// umqtt.simple 1.3.4, where it can do this.
    upstream: Option<Quartiles>,
}

/// What is promised of a measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Goal {
    /// At most so many times the floor.
    of_floor: Option<f64>,
    /// At least so many times faster than upstream.
    than_upstream: Option<f64>,
}

/// The goals. A QoS 0 publish has two: what the call costs, and when the broker has the message, because umqtt.simple
/// leaves it to Nagle's algorithm.
fn goal(what: &str) -> Goal {
    let (of_floor, than_upstream) = match what {
        "publish" => (Some(1.15), Some(15.0)),
        "publish delivered" => (None, Some(15.0)),
        "publish_1" | "publish_2" => (Some(1.15), None),
        "receive" => (Some(1.5), Some(8.0)),
        _ => (Some(1.10), None),
    };
    Goal {
        of_floor,
        than_upstream,
    }
}

/// How it stands with a promise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Holds,
    Missed,
    /// The bare socket itself does not do what was promised, so that no client can.
    CannotBeHad,
}

/// A ratio and what was promised of it.
#[derive(Debug, Serialize)]
struct Ratio {
    is: f64,
    promised: Option<f64>,
    standing: Standing,
}

/// A measurement with its goals, for `target/bench/client.json`.
#[derive(Debug, Serialize)]
struct Verdict {
    #[serde(flatten)]
    measured: Measured,
    /// Of our median to the floor's.
    of_floor: Ratio,
    /// Of upstream's median to ours.
    than_upstream: Option<Ratio>,
    /// Of upstream's median to the floor's: nobody can be faster than that.
    floor_than_upstream: Option<f64>,
    /// What a message costs in instructions of the program itself.
    instructions: Option<Counts>,
}

impl Verdict {
    fn new(measured: Measured, counted: &Counted) -> Verdict {
        let goal = goal(&measured.what);
        let (ours, floor) = (measured.ours[1], measured.floor[1]);
        let standing = |holds: bool, possible: bool| match (holds, possible) {
            (true, _) => Standing::Holds,
            (false, true) => Standing::Missed,
            (false, false) => Standing::CannotBeHad,
        };
        let of_floor = Ratio {
            is: ours / floor,
            promised: goal.of_floor,
            standing: standing(goal.of_floor.is_none_or(|most| ours / floor <= most), true),
        };
        let than_upstream = measured.upstream.map(|[_, theirs, _]| {
            let at_least = |ratio: f64| goal.than_upstream.is_none_or(|least| ratio >= least);
            Ratio {
                is: theirs / ours,
                promised: goal.than_upstream,
                standing: standing(at_least(theirs / ours), at_least(theirs / floor)),
            }
        });
        let key = (measured.what.clone(), measured.size);
        Verdict {
            floor_than_upstream: measured.upstream.map(|[_, theirs, _]| theirs / floor),
            of_floor,
            than_upstream,
            instructions: counted.get(&key).copied(),
            measured,
        }
    }

    /// The ratios that were promised.
    fn goals(&self) -> impl Iterator<Item = &Ratio> {
        [Some(&self.of_floor), self.than_upstream.as_ref()]
            .into_iter()
            .flatten()
            .filter(|ratio| ratio.promised.is_some())
    }

    fn print(&self) {
        let quartiles =
            |[low, median, high]: Quartiles| format!("{median:.2} µs ({low:.2} to {high:.2})");
        let measured = &self.measured;
        println!("{}, {} bytes", measured.what, measured.size);
        println!("  ours {}", quartiles(measured.ours));
        let verdict = |ratio: &Ratio, bound: &str| {
            ratio.promised.map_or(String::new(), |promised| {
                let word = match ratio.standing {
                    Standing::Holds => "holds",
                    Standing::Missed => "DOES NOT HOLD",
                    Standing::CannotBeHad => "CANNOT BE HAD, the floor has it not",
                };
                format!(", {bound} {promised}: {word}")
            })
        };
        println!(
            "  floor {}: ours is {:.2} times it{}",
            quartiles(measured.floor),
            self.of_floor.is,
            verdict(&self.of_floor, "at most")
        );
        if let Some(in_one) = measured.floor_in_one {
            println!(
                "  a floor that knows each packet's size {}: ours is {:.2} times it",
                quartiles(in_one),
                measured.ours[1] / in_one[1]
            );
        }
        if let (Some(theirs), Some(ratio), Some(most)) = (
            measured.upstream,
            &self.than_upstream,
            self.floor_than_upstream,
        ) {
            println!(
                "  umqtt.simple 1.3.4 {}: ours is {:.1} times faster (the floor {most:.1}){}",
                quartiles(theirs),
                ratio.is,
                verdict(ratio, "at least")
            );
        }
        if let Some(counts) = &self.instructions {
            println!("  {counts}");
        }
    }
}

/// Measures on the newest version, which is the simulated board's; false where a promise is broken that can be kept.
pub fn run(effort: Effort) -> Result<bool> {
    count::check()?;
    let (text, counted) = measure(Version::V1_26, effort)?;
    let mut verdicts = Vec::new();
    for line in text.lines() {
        let measured: Measured = serde_json::from_str(line)
            .with_context(|| format!("bench_client.py printed {line}"))?;
        let verdict = Verdict::new(measured, &counted);
        verdict.print();
        verdicts.push(verdict);
    }
    let how_many = |standing: Standing| {
        let goals = verdicts.iter().flat_map(Verdict::goals);
        goals.filter(|goal| goal.standing == standing).count()
    };
    let missed = how_many(Standing::Missed);
    println!(
        "MicroPython {}, {} rounds: {} goals hold, {missed} do not, {} cannot be had: there umqtt.simple's time is not \
         so many times the bare socket's, and the instructions say what the client itself costs",
        Version::V1_26.name(),
        effort.rounds(ROUNDS),
        how_many(Standing::Holds),
        how_many(Standing::CannotBeHad)
    );
    super::write(effort, "client.json", &verdicts)?;
    Ok(missed == 0)
}

/// What `bench_client.py` prints, and what callgrind counts.
fn measure(version: Version, effort: Effort) -> Result<(String, Counted)> {
    let interpreter = Interpreter::find(version).map_err(anyhow::Error::msg)?;
    let module = super::both()?;
    let certificates = Certificates::generate().map_err(anyhow::Error::msg)?;
    let folder = tempfile::tempdir()?;
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, &certificates.authority_pem)?;
    let plain = Mosquitto::start(&Access::Anonymous).map_err(anyhow::Error::msg)?;
    let secure = Mosquitto::start(&Access::Tls(&certificates)).map_err(anyhow::Error::msg)?;
    let brokers = [
        "localhost".to_owned(),
        plain.address().port().to_string(),
        secure.address().port().to_string(),
        authority.display().to_string(),
    ];
    let mut program = Program::new(&interpreter, &module, "bench_client");
    for argument in &brokers {
        program = program.argument(argument);
    }
    let timed = program
        .argument(effort.rounds(ROUNDS))
        .limit(Duration::from_secs(600))
        .run()
        .expect_success("bench_client.py");
    let counted = count::count(&interpreter, &module, &brokers, effort)?;
    Ok((timed, counted))
}
