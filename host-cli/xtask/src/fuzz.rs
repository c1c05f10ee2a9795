//! Decides what is fuzzed, from which seeds, how long and within which memory: libFuzzer over what reads bytes from
//! others, built by cargo-fuzz with the address sanitizer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{cargo, seeds};

/// The version of cargo-fuzz that set-up installs.
pub const CARGO_FUZZ: &str = "0.13.2";

/// Megabytes that a fuzzer may take in all, the sanitizer's own included.
const MEMORY_MB: u32 = 1024;
/// Megabytes that one allocation may have.
const ALLOCATION_MB: u32 = 256;
/// Seconds after which one input counts as hanging.
const HANG_S: u32 = 10;

/// One fuzzer and the seeds it starts from.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub name: &'static str,
    /// The folder of its crate.
    folder: &'static str,
    target: &'static str,
    /// The folder of its seeds, below the folder of all seeds.
    seeds: &'static str,
    /// Executions in the tests.
    runs: u64,
    /// The longest input in bytes.
    longest: u32,
}

const fn link(name: &'static str, seeds: &'static str) -> Run {
    Run {
        name,
        folder: "native-module/mpy-link/fuzz",
        target: "link",
        seeds,
        runs: 10_000,
        longest: 32 << 10,
    }
}

const fn mqtt(name: &'static str) -> Run {
    Run {
        name,
        folder: "native-module/mqtt-core/fuzz",
        target: name,
        seeds: "packets",
        runs: 50_000,
        longest: 1 << 10,
    }
}

/// Everything that is fuzzed. The linker goes by class of architectures, so that each gets its share.
pub const RUNS: [Run; 8] = [
    link("link-x86", "link/x86"),
    link("link-arm", "link/arm"),
    link("link-riscv", "link/riscv"),
    link("link-xtensa", "link/xtensa"),
    Run {
        name: "dump",
        folder: "native-module/mpy-link/fuzz",
        target: "dump",
        seeds: "dump",
        runs: 10_000,
        longest: 32 << 10,
    },
    mqtt("receive"),
    mqtt("session"),
    mqtt("encode"),
];

/// The fuzzers' crates, which are no part of the workspace.
pub fn manifests() -> impl Iterator<Item = &'static str> {
    [
        "native-module/mpy-link/fuzz/Cargo.toml",
        "native-module/mqtt-core/fuzz/Cargo.toml",
    ]
    .into_iter()
}

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// As many executions as the tests make, always the same ones.
    Bounded,
    Runs(u64),
    Seconds(u64),
}

/// cargo-fuzz, as set-up installs it.
///
/// # Errors
/// Where it is not there; the text says how to get it.
pub fn program() -> Result<PathBuf> {
    let program = tools()?.join("bin/cargo-fuzz");
    if !program.is_file() {
        bail!("cargo-fuzz is not there; `cargo xtask setup` installs it");
    }
    Ok(program)
}

/// The folder that set-up installs Rust's tools in.
pub fn tools() -> Result<PathBuf> {
    Ok(testkit::cache()
        .map_err(anyhow::Error::msg)?
        .join(format!("cargo-fuzz-{CARGO_FUZZ}")))
}

fn folder() -> PathBuf {
    testkit::repository().join("target/fuzz")
}

/// Makes the seeds of all targets afresh, in `target/fuzz/seeds`.
pub fn make_seeds() -> Result<()> {
    let folder = folder().join("seeds");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let objects = seeds::objects(&folder.join("link"))?;
    let modules = seeds::modules(&folder.join("dump"))?;
    let packets = seeds::packets(&folder.join("packets"))?;
    println!(
        "seeds: {objects} objects and archives, {modules} .mpy files, {packets} streams of packets"
    );
    Ok(())
}

/// Runs the fuzzers with these names, or all. True where none found anything.
pub fn run(names: &[String], length: Length) -> Result<bool> {
    if let Some(unknown) = names
        .iter()
        .find(|name| RUNS.iter().all(|run| run.name != **name))
    {
        let known: Vec<&str> = RUNS.iter().map(|run| run.name).collect();
        bail!(
            "nothing is fuzzed as {unknown}; there are {}",
            known.join(", ")
        );
    }
    let program = program()?;
    make_seeds()?;
    let mut clean = true;
    for run in RUNS
        .iter()
        .filter(|run| names.is_empty() || names.iter().any(|name| name == run.name))
    {
        clean &= run.fuzz(&program, length)?;
    }
    Ok(clean)
}

impl Run {
    /// True where it found nothing.
    pub fn fuzz(&self, program: &Path, length: Length) -> Result<bool> {
        let corpus = folder().join("corpus").join(self.name);
        if matches!(length, Length::Bounded) && corpus.exists() {
            // What an earlier run found would change what this one does.
            fs::remove_dir_all(&corpus)
                .with_context(|| format!("cannot remove {}", corpus.display()))?;
        }
        let artifacts = folder().join("artifacts").join(self.name);
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut command = self.cargo_fuzz(program);
        command
            .arg("run")
            .arg("--fuzz-dir")
            .arg(testkit::repository().join(self.folder))
            .arg("--target-dir")
            .arg(folder().join("build"))
            .arg(self.target)
            .arg(&corpus)
            .arg(folder().join("seeds").join(self.seeds))
            .arg("--")
            .arg(format!("-rss_limit_mb={MEMORY_MB}"))
            .arg(format!("-malloc_limit_mb={ALLOCATION_MB}"))
            .arg(format!("-timeout={HANG_S}"))
            .arg(format!("-max_len={}", self.longest))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg("-print_final_stats=1");
        match length {
            Length::Bounded => command.args([format!("-runs={}", self.runs), "-seed=1".to_owned()]),
            Length::Runs(runs) => command.arg(format!("-runs={runs}")),
            Length::Seconds(seconds) => command.arg(format!("-max_total_time={seconds}")),
        };
        let output = command
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let executions = said
            .lines()
            .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
            .and_then(|number| number.trim().parse::<u64>().ok());
        match executions {
            Some(executions) if output.status.success() => {
                println!("{}: {executions} executions, nothing found", self.name);
                Ok(true)
            }
            _ => {
                let from = said.len().saturating_sub(6000);
                println!(
                    "{}: {}\n{}\nthe input is in {}; once mended, give it a regression test",
                    self.name,
                    output.status,
                    &said[said.ceil_char_boundary(from)..],
                    artifacts.display()
                );
                Ok(false)
            }
        }
    }

    /// The sanitizer's flag is not for stable compilers, unless they are told to take it.
    fn cargo_fuzz(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg("fuzz")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO", cargo().get_program())
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(testkit::repository());
        command
    }
}
