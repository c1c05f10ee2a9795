//! Decides how the linker is measured: the release command against MicroPython's own linker, on the same objects of
//! upstream's example modules, one after the other in the same rounds.
//!
//! The goal is held against the processor's time, user and system, from a process's start to its end. Both are one
//! thread that waits for nothing, so on an idle computer the clock says the same; on a busy one it says how long
//! processes wait for their turn, which for a few milliseconds of work is most of it. The clock is shown beside it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mpy_link::Arch;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;
use testkit::mpy_ld::Linker;
use testkit::natmod::{COMPILERS, Natmod, Natmods};
use testkit::qemu::micropython_source;

use crate::bench::{self, Effort};

/// How many times faster than `mpy_ld.py` a link must be.
const GOAL: f64 = 20.0;
/// Rounds in which both link everything once; medians are taken over them.
const ROUNDS: usize = 11;

/// Medians in milliseconds.
#[derive(Debug, Serialize)]
struct Line {
    arch: &'static str,
    module: &'static str,
    mpy_link_ms: f64,
    /// Its cache of archives filled, as in all builds but the first.
    mpy_ld_ms: f64,
    ratio: f64,
    /// By the clock.
    mpy_link_clock_ms: f64,
    mpy_ld_clock_ms: f64,
    /// Its cache of archives empty; only where the module takes code from archives. From one run.
    mpy_ld_first_ms: Option<f64>,
}

/// What `target/bench/link.json` holds.
#[derive(Debug, Serialize)]
struct Report {
    goal: f64,
    holds: bool,
    rounds: usize,
    lines: Vec<Line>,
    mpy_link_sum_ms: f64,
    mpy_ld_sum_ms: f64,
    sum_ratio: f64,
    /// What `mpy_ld.py` does not link, with the reason.
    not_compared: Vec<String>,
}

/// A module to link, and the times so far.
struct Case {
    arch: Arch,
    natmod: Natmod,
    ours: Vec<Took>,
    upstream: Vec<Took>,
    first: Option<Took>,
}

/// How long a process took.
#[derive(Clone, Copy)]
struct Took {
    processor: Duration,
    clock: Duration,
}

/// Measures; false where the goal is missed by a module or by their sum.
pub fn link(effort: Effort) -> Result<bool> {
    let source = micropython_source().map_err(anyhow::Error::msg)?;
    let upstream = Linker::upstream(&source).map_err(anyhow::Error::msg)?;
    let target = Effort::Whole.folder();
    let built = crate::cargo()
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--package",
            "mpy-link",
        ])
        .arg("--target-dir")
        .arg(target.join("build"))
        .status()
        .context("cannot run cargo")?;
    ensure!(built.success(), "mpy-link does not build");
    let program = target.join("build/release/mpy-link");
    let ours = Linker::ours(&program);

    let mut cases = Vec::new();
    let mut not_compared = Vec::new();
    for (arch, compiler) in COMPILERS {
        let natmods = Natmods::build(arch, compiler, &target.join("natmod"));
        for natmod in natmods.map_err(anyhow::Error::msg)?.modules {
            natmod.forget_archives();
            let command = || -> Result<Command> {
                let linked = natmod.link_command(&upstream, "upstream");
                Ok(linked.map_err(anyhow::Error::msg)?.0)
            };
            let Ok(first) = timed(command()?) else {
                let error = testkit::natmod::run(&mut command()?)
                    .err()
                    .unwrap_or_default();
                let reason = error.lines().last().unwrap_or_default();
                not_compared.push(format!("{} {}: {reason}", arch.name(), natmod.name));
                continue;
            };
            cases.push(Case {
                arch,
                first: natmod.takes_archives().then_some(first),
                natmod,
                ours: Vec::new(),
                upstream: Vec::new(),
            });
        }
    }
    ensure!(
        !cases.is_empty(),
        "mpy_ld.py links nothing here: {}",
        not_compared.join("; ")
    );
    let rounds = effort.rounds(ROUNDS);
    for _ in 0..rounds {
        for case in &mut cases {
            let time = |linker, who| {
                timed(
                    case.natmod
                        .link_command(linker, who)
                        .map_err(anyhow::Error::msg)?
                        .0,
                )
            };
            let (one, other) = (time(&ours, "ours")?, time(&upstream, "upstream")?);
            case.ours.push(one);
            case.upstream.push(other);
        }
    }
    let report = report(cases, not_compared, rounds);
    print(&report);
    bench::write(effort, "link.json", &report)?;
    Ok(report.holds)
}

/// How long a command takes from its start to its end.
fn timed(mut command: Command) -> Result<Took> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let (begun, before) = (Instant::now(), processor_of_children()?);
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    let clock = begun.elapsed();
    let processor = processor_of_children()?.saturating_sub(before);
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(Took { processor, clock })
}

/// What all processes took that this one has waited for.
fn processor_of_children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(microseconds.unsigned_abs()))
}

fn report(cases: Vec<Case>, not_compared: Vec<String>, rounds: usize) -> Report {
    let lines: Vec<Line> = cases
        .into_iter()
        .map(|case| {
            let processor =
                |times: &[Took]| median_ms(times.iter().map(|took| took.processor).collect());
            let clock = |times: &[Took]| median_ms(times.iter().map(|took| took.clock).collect());
            let (ours, upstream) = (processor(&case.ours), processor(&case.upstream));
            Line {
                arch: case.arch.name(),
                module: case.natmod.name,
                mpy_link_ms: ours,
                mpy_ld_ms: upstream,
                ratio: upstream / ours,
                mpy_link_clock_ms: clock(&case.ours),
                mpy_ld_clock_ms: clock(&case.upstream),
                mpy_ld_first_ms: case.first.map(|first| first.processor.as_secs_f64() * 1e3),
            }
        })
        .collect();
    let ours: f64 = lines.iter().map(|line| line.mpy_link_ms).sum();
    let upstream: f64 = lines.iter().map(|line| line.mpy_ld_ms).sum();
    let sum_ratio = upstream / ours;
    Report {
        goal: GOAL,
        holds: sum_ratio >= GOAL && lines.iter().all(|line| line.ratio >= GOAL),
        rounds,
        lines,
        mpy_link_sum_ms: ours,
        mpy_ld_sum_ms: upstream,
        sum_ratio,
        not_compared,
    }
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

fn print(report: &Report) {
    println!("processor's time, and in brackets the clock's");
    for line in &report.lines {
        let first = line.mpy_ld_first_ms.map_or(String::new(), |first| {
            format!("  (mpy_ld.py the first time: {first:.0} ms)")
        });
        println!(
            "{:<8} {:<10} mpy-link {:>5.2} ms [{:>6.2}]  mpy_ld.py {:>6.1} ms [{:>6.1}]  {:>6.1} times{first}",
            line.arch,
            line.module,
            line.mpy_link_ms,
            line.mpy_link_clock_ms,
            line.mpy_ld_ms,
            line.mpy_ld_clock_ms,
            line.ratio
        );
    }
    println!(
        "in sum: mpy-link {:.1} ms, mpy_ld.py {:.1} ms, {:.1} times",
        report.mpy_link_sum_ms, report.mpy_ld_sum_ms, report.sum_ratio
    );
    for reason in &report.not_compared {
        println!("not compared: mpy_ld.py does not link {reason}");
    }
    let least = report
        .lines
        .iter()
        .map(|line| line.ratio)
        .fold(f64::INFINITY, f64::min);
    println!(
        "medians of {} rounds; at least {GOAL} times faster, each and in sum (least {least:.1}): {}",
        report.rounds,
        if report.holds {
            "holds"
        } else {
            "DOES NOT HOLD"
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_not_moved_by_one_slow_round() {
        let times = [5, 1, 900, 2, 3].map(Duration::from_millis);
        assert!((median_ms(times.to_vec()) - 3.0).abs() < 1e-9);
    }
}
