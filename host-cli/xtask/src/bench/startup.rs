//! Decides how the command's start is measured beside mpremote's: from the start of the process to its end, in turns, and
//! in instructions of the processes themselves, which callgrind counts: of them a small change can be told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::count::Function;
use super::layers::{Columns, Layers, Parties};
use super::{Effort, median};

const ROUNDS: usize = 31;

/// `target/bench/startup.json`; milliseconds are medians.
#[derive(Serialize)]
struct Measured {
    rounds: usize,
    umqtt_ms: f64,
    mpremote_ms: f64,
    times_faster: f64,
    instructions: Instructions,
    layers: Layers,
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
    let layers = layers([
        counted(Path::new("/bin/true"), "--")?,
        counted(&umqtt, "--version")?,
        counted(&mpremote, "version")?,
    ]);
    let all = layers.all();
    let instructions = Instructions {
        floor: all.floor as u64,
        umqtt: all.ours as u64,
        mpremote: all.peer as u64,
    };
    let measured = Measured {
        rounds,
        umqtt_ms,
        mpremote_ms,
        times_faster: mpremote_ms / umqtt_ms,
        instructions,
        layers,
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
    println!("{}", measured.layers.render());
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

type Counts = BTreeMap<Function, u64>;

/// How many instructions a program executes, by function.
fn counted(program: &Path, argument: &str) -> Result<Counts> {
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
    let counts = super::count::by_function(&file)?;
    let total: u64 = super::count::totals(&file)?.iter().sum();
    let sum: u64 = counts.values().sum();
    ensure!(
        sum == total && total > 0,
        "callgrind has counted {total} instructions of {}, {sum} of them in functions",
        program.display()
    );
    Ok(counts)
}

const LOADING: &str = "loading the program and its libraries";
const MEMORY: &str = "memory: allocating and copying";
const WORDS: &str = "the command line's words (clap)";
const LIBRARY: &str = "the rest of the C library";
const PYTHON: &str = "running Python";
const OWN: &str = "the program's own code, Rust's library with it";

/// What a function is for, by its file and name.
fn layer_of(function: &Function) -> &'static str {
    let file = function.object.rsplit('/').next().unwrap_or_default();
    // Where a symbol has several versions, the name has one behind it.
    let name = function.name.trim_start_matches('_');
    let memory = [
        "mem",
        "malloc",
        "calloc",
        "realloc",
        "free",
        "int_",
        "unlink_chunk",
        "sysmalloc",
        "rdl_",
        "rust_",
    ];
    if file.starts_with("ld-linux") || file.starts_with("ld-musl") {
        LOADING
    } else if file.contains("python") {
        PYTHON
    } else if memory.iter().any(|start| name.starts_with(start)) {
        MEMORY
    } else if name.contains("clap") {
        WORDS
    } else if file.starts_with("libc.") || file.starts_with("libc-") {
        LIBRARY
    } else {
        OWN
    }
}

/// Of the floor, umqtt and mpremote.
fn layers(counts: [Counts; 3]) -> Layers {
    let parties = [LOADING, MEMORY, WORDS, LIBRARY, PYTHON, OWN].map(|layer| {
        let [floor, ours, peer] = counts.each_ref().map(|counts| {
            let of = counts
                .iter()
                .filter(|(function, _)| layer_of(function) == layer);
            of.map(|(_, count)| count).sum::<u64>() as i64
        });
        (layer.to_owned(), Parties { floor, ours, peer })
    });
    Layers {
        what: "--version".to_owned(),
        columns: Columns::new(
            "Where the instructions of a start go",
            "a process that does nothing",
            Some("mpremote"),
        ),
        parties: parties.into(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_of_one_layer() {
        let counts = |of: &[(&str, &str, u64)]| -> Counts {
            let function = |object: &str, name: &str| Function {
                object: object.to_owned(),
                name: name.to_owned(),
            };
            of.iter()
                .map(|(object, name, count)| (function(object, name), *count))
                .collect()
        };
        let (libc, ours) = ("/lib/x/libc.so.6", "/x/release/umqtt");
        let layers = layers([
            counts(&[("/lib/ld-linux-x86-64.so.2", "_dl_relocate_object", 1)]),
            counts(&[
                (libc, "__memcpy_avx_unaligned_erms", 10),
                (libc, "_int_malloc", 20),
                (libc, "strlen", 30),
                (ours, "core::ptr::drop_in_place<clap_builder::Arg>", 40),
                (ours, "umqtt::main", 50),
            ]),
            counts(&[("/usr/bin/python3.11", "malloc", 7)]),
        ]);
        assert_eq!(
            layers.all(),
            Parties {
                floor: 1,
                ours: 150,
                peer: 7
            }
        );
        let of = |layer| {
            layers
                .parties
                .iter()
                .find(|(name, _)| name == layer)
                .expect(layer)
                .1
        };
        assert_eq!(of(LOADING).floor, 1);
        assert_eq!(
            [MEMORY, LIBRARY, WORDS, OWN].map(|layer| of(layer).ours),
            [30, 30, 40, 50]
        );
        assert_eq!(of(PYTHON).peer, 7);
    }
}
