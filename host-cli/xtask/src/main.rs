//! Decides what can be done to this repository by one command: set-up, all tests, the prebuilt modules, benchmarks.

mod bench;
mod bench_deploy;
mod bench_link;
mod fuzz;
mod page;
mod portable;
mod prebuilt;
mod readme;
mod seeds;
mod setup;
mod slow_line;
mod table;
mod test;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set-up, tests, prebuilt modules and benchmarks of umqtt-rs"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need and fetch MicroPython, its sources and PyPI's umqtt into the user's cache
    Setup,
    /// Set up, then run everything: format, lints, the prebuilt modules, all tests of the workspace, the READMEs
    Test {
        /// Fail where something cannot be tested, instead of skipping it
        #[arg(long)]
        require_all: bool,
        /// Use what is installed and fetched already
        #[arg(long)]
        no_setup: bool,
    },
    /// Build native-module/prebuilt: umqtt's module for every architecture
    Prebuilt {
        /// Change nothing; fail where a committed file is not what the sources make, or cannot be compared
        #[arg(long, conflicts_with = "arch")]
        check: bool,
        /// Only for this architecture (repeatable)
        #[arg(long)]
        arch: Vec<String>,
    },
    /// Build the laboratory's page with npm, from its lock file; the next build of umqtt embeds it
    Page,
    /// Run umqtt's module on every architecture that runs here, and write the READMEs' table
    Table,
    /// Send a million messages each way at every QoS through a network that loses the connection every few hundred packets
    Soak {
        /// Messages each way and for each QoS
        #[arg(long, default_value_t = 1_000_000)]
        messages: usize,
    },
    /// Fuzz what reads bytes from others, with libFuzzer and the address sanitizer
    Fuzz {
        /// What to fuzz (repeatable) [default: everything]
        names: Vec<String>,
        /// This many executions of each [default: as many as the tests make, always the same ones]
        #[arg(long, conflicts_with = "seconds")]
        runs: Option<u64>,
        /// Each for this long
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Install what that needs, measure what the project promises, each benchmark beside its peer, and compare with the
    /// committed record: publish, client, board, link, deploy, broker, startup, or all; lab, 30 simulated boards in the
    /// laboratory, by its name only
    Bench {
        #[arg(required = true)]
        names: Vec<String>,
        /// How long lab runs
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        /// Only show that it runs: the least rounds, under target/bench/hurried, compared with nothing
        #[arg(long)]
        hurried: bool,
    },
    /// Write docs/PERFORMANCE.md and its record from what `bench` measured last
    Performance,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Setup => setup::run().and_then(|problems| match problems.len() {
            0 => Ok(true),
            _ => bail!("{} parts of the set-up failed, see above", problems.len()),
        }),
        Task::Test {
            require_all,
            no_setup,
        } => test::run(require_all, !no_setup),
        Task::Prebuilt { check: true, .. } => prebuilt::check(),
        Task::Prebuilt { arch, .. } => prebuilt::write(&arch).map(|()| true),
        Task::Page => page::build().map(|()| true),
        Task::Table => test::table(),
        Task::Soak { messages } => test::soak(messages),
        Task::Bench {
            names,
            seconds,
            hurried,
        } => {
            let effort = if hurried {
                bench::Effort::Hurried
            } else {
                bench::Effort::Whole
            };
            bench::harness::run(&names, seconds, effort)
        }
        Task::Performance => bench::harness::performance().map(|()| true),
        Task::Fuzz {
            names,
            runs,
            seconds,
        } => fuzz::run(
            &names,
            match (runs, seconds) {
                (Some(runs), _) => fuzz::Length::Runs(runs),
                (None, Some(seconds)) => fuzz::Length::Seconds(seconds),
                (None, None) => fuzz::Length::Bounded,
            },
        ),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The cargo that runs this program, in the repository's root.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(testkit::repository());
    command
}

/// What a program prints, its end cut off.
///
/// # Errors
/// Where it does not run or fails; with what it complained of.
fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}",
            command.get_program().display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_string())
}
