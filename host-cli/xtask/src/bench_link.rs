//! Decides how the linker is measured: the release command against MicroPython's own linker, on the same objects of
//! upstream's example modules, one after the other in the same rounds.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mpy_link::Arch;
use serde::Serialize;
use testkit::natmod::{COMPILERS, EXAMPLES, Linker, Natmod, compiles};
use testkit::qemu::micropython_source;

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
    ours: Vec<Duration>,
    upstream: Vec<Duration>,
    first: Option<Duration>,
}

/// Measures; false where the goal is missed by a module or by their sum.
pub fn link() -> Result<bool> {
    let source = micropython_source().map_err(anyhow::Error::msg)?;
    let upstream = Linker::upstream(&source).map_err(anyhow::Error::msg)?;
    let target = testkit::repository().join("target/bench");
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
    for (arch, _) in COMPILERS {
        let folder = target.join("natmod").join(arch.name());
        for example in EXAMPLES
            .into_iter()
            .filter(|example| compiles(arch, example))
        {
            let natmod = Natmod::build(arch, example, &source, &folder, &program)
                .map_err(anyhow::Error::msg)?;
            natmod.forget_archives();
            let begun = Instant::now();
            if let Err(error) = natmod.link(&upstream, "upstream") {
                let reason = error.lines().last().unwrap_or_default();
                not_compared.push(format!("{} {example}: {reason}", arch.name()));
                continue;
            }
            let first = begun.elapsed();
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
    for _ in 0..ROUNDS {
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
    let report = report(cases, not_compared);
    print(&report);
    let path = target.join("link.json");
    fs::write(&path, serde_json::to_string_pretty(&report)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(report.holds)
}

/// How long a command takes from its start to its end.
fn timed(mut command: Command) -> Result<Duration> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    let took = begun.elapsed();
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(took)
}

fn report(cases: Vec<Case>, not_compared: Vec<String>) -> Report {
    let lines: Vec<Line> = cases
        .into_iter()
        .map(|case| {
            let (ours, upstream) = (median_ms(case.ours), median_ms(case.upstream));
            Line {
                arch: case.arch.name(),
                module: case.natmod.name,
                mpy_link_ms: ours,
                mpy_ld_ms: upstream,
                ratio: upstream / ours,
                mpy_ld_first_ms: case.first.map(|first| first.as_secs_f64() * 1e3),
            }
        })
        .collect();
    let ours: f64 = lines.iter().map(|line| line.mpy_link_ms).sum();
    let upstream: f64 = lines.iter().map(|line| line.mpy_ld_ms).sum();
    let sum_ratio = upstream / ours;
    Report {
        goal: GOAL,
        holds: sum_ratio >= GOAL && lines.iter().all(|line| line.ratio >= GOAL),
        rounds: ROUNDS,
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
    println!(
        "{:<19} {:>9} {:>10} {:>7}  mpy_ld.py, first time",
        "", "mpy-link", "mpy_ld.py", "ratio"
    );
    for line in &report.lines {
        let first = line
            .mpy_ld_first_ms
            .map_or(String::new(), |first| format!("{first:>7.0} ms"));
        println!(
            "{:<8} {:<10} {:>6.2} ms {:>7.1} ms {:>7.1}  {first}",
            line.arch, line.module, line.mpy_link_ms, line.mpy_ld_ms, line.ratio
        );
    }
    println!(
        "{:<19} {:>6.2} ms {:>7.1} ms {:>7.1}",
        "in sum", report.mpy_link_sum_ms, report.mpy_ld_sum_ms, report.sum_ratio
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
