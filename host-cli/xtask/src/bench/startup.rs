//! Decides how the command's start is measured beside mpremote's: from the start of the process to its end, in turns.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::Effort;

const ROUNDS: usize = 31;

/// `target/bench/startup.json`; milliseconds are medians.
#[derive(Serialize)]
struct Measured {
    rounds: usize,
    umqtt_ms: f64,
    mpremote_ms: f64,
    times_faster: f64,
}

/// Measures `--version`, which does nothing but start.
pub fn run(effort: Effort) -> Result<bool> {
    let umqtt = crate::bench_deploy::umqtt()?;
    let folder = testkit::repository().join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let mpremote = testkit::mpremote(&folder).map_err(anyhow::Error::msg)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let rounds = effort.rounds(ROUNDS);
    for _ in 0..rounds {
        ours.push(timed(&umqtt, "--version")?);
        theirs.push(timed(&mpremote, "version")?);
    }
    let (umqtt_ms, mpremote_ms) = (median(ours), median(theirs));
    let measured = Measured {
        rounds,
        umqtt_ms,
        mpremote_ms,
        times_faster: mpremote_ms / umqtt_ms,
    };
    println!(
        "umqtt --version {umqtt_ms:.1} ms, mpremote version {mpremote_ms:.1} ms: {:.1} times faster",
        measured.times_faster
    );
    super::write(effort, "startup.json", &measured)?;
    Ok(true)
}

fn timed(program: &Path, argument: &str) -> Result<f64> {
    let begun = Instant::now();
    let status = Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    ensure!(status.success(), "{} failed", program.display());
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
