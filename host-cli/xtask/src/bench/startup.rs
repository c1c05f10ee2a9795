//! Decides how the command's start is measured beside mpremote's: from the start of the process to its end, in turns, and
//! in instructions of the processes themselves, which callgrind counts: of them a small change can be told.

use std::path::{Path, PathBuf};
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
    instructions: Instructions,
}

/// From a process's start to its end, the kernel's left out.
#[derive(Clone, Copy, Serialize)]
struct Instructions {
    /// The floor: `true` of coreutils, which is loaded and ends.
    floor: u64,
    umqtt: u64,
    mpremote: u64,
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
    super::count::check()?;
    let instructions = Instructions {
        floor: counted(Path::new("/bin/true"), "--")?,
        umqtt: counted(&umqtt, "--version")?,
        mpremote: counted(&mpremote, "version")?,
    };
    let measured = Measured {
        rounds,
        umqtt_ms,
        mpremote_ms,
        times_faster: mpremote_ms / umqtt_ms,
        instructions,
    };
    println!(
        "umqtt --version {umqtt_ms:.1} ms, mpremote version {mpremote_ms:.1} ms: {:.1} times faster",
        measured.times_faster
    );
    let Instructions {
        floor,
        umqtt,
        mpremote,
    } = instructions;
    println!(
        "instructions: umqtt {umqtt}, mpremote {mpremote}: {:.1} times as many; a process that does nothing: {floor}",
        mpremote as f64 / umqtt as f64
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

/// How many instructions a program executes.
fn counted(program: &Path, argument: &str) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("counts");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(found(program)?)
        .arg(argument)
        // Python's dicts are the same in every run.
        .env("PYTHONHASHSEED", "0")
        .output()
        .context("cannot run valgrind")?;
    ensure!(
        output.status.success(),
        "{} under valgrind: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let totals = super::count::totals(&file)?;
    ensure!(
        !totals.is_empty(),
        "callgrind has counted nothing of {}",
        program.display()
    );
    Ok(totals.iter().sum())
}

/// Where a program is that may be named only: valgrind looks for none on PATH that is a script.
fn found(program: &Path) -> Result<PathBuf> {
    if program.components().count() > 1 {
        return Ok(program.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("no {} on PATH", program.display()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
