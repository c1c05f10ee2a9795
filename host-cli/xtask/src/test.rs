//! Decides what "all tests" are and what counts: every tier runs, whatever the one before did, and the last line says
//! how many passed, failed and were skipped.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use board_sim::micropython;
use testkit::{Interpreter, Version};

use crate::prebuilt::Comparison;
use crate::table::{self, Runs};
use crate::{cargo, fuzz, page, portable, prebuilt, readme, setup};

/// The crate whose tests run once per version.
const LINKER: &str = "mpy-link";

/// What the tiers gave.
#[derive(Debug, Default, PartialEq)]
struct Count {
    /// Those that skipped themselves included, as `cargo test` counts them.
    passed: usize,
    failed: usize,
    /// Tests that said so themselves.
    skipped_themselves: usize,
    /// Tests that `cargo test` calls ignored, and checks that could not be made.
    ignored: usize,
    /// Tests whose subject is other people's and not on this computer: no failure, and no test that passed either.
    not_here: usize,
    /// What tests said they ran umqtt's module on.
    runs: Runs,
}

impl Count {
    /// Counts one check that was made.
    fn add(&mut self, name: &str, outcome: Result<bool>) {
        match outcome {
            Ok(true) => {
                println!("check {name} ... ok");
                self.passed += 1;
            }
            Ok(false) => {
                println!("check {name} ... FAILED");
                self.failed += 1;
            }
            Err(error) => {
                println!("check {name} ... FAILED: {error:#}");
                self.failed += 1;
            }
        }
    }

    /// Counts what a line of `cargo test` says: a summary, or a test that skipped itself (which the summary calls
    /// passed).
    fn line(&mut self, line: &str) {
        if let Some(summary) = line.strip_prefix("test result: ") {
            let number = |word: &str| {
                summary
                    .split(';')
                    .filter_map(|part| part.trim().strip_suffix(word))
                    .find_map(|part| part.split_whitespace().last()?.parse::<usize>().ok())
                    .unwrap_or(0)
            };
            self.passed += number(" passed");
            self.failed += number(" failed");
        } else if let Some((arch, what)) = line
            .strip_prefix(testkit::RAN)
            .and_then(|ran| ran.split_once(": "))
        {
            let runs = self.runs.entry(arch.to_owned()).or_default();
            runs.insert(what.to_owned());
        } else if line.starts_with("skipped: ") {
            self.skipped_themselves += 1;
        } else if line.starts_with(testkit::lessons::NOT_HERE) {
            self.not_here += 1;
        } else if line.starts_with("test ") && line.contains(" ... ignored") {
            // One that another test starts as a process of its own is part of that other test.
            self.ignored += usize::from(!line.contains(" ... ignored, started by "));
        }
    }

    fn last_line(&self) -> String {
        let passed = self
            .passed
            .saturating_sub(self.skipped_themselves + self.not_here);
        let mut line = format!("{passed} passed, {} failed", self.failed);
        let skipped = self.skipped_themselves + self.ignored;
        for (count, word) in [(skipped, "skipped"), (self.not_here, "not here")] {
            if count > 0 {
                line += &format!(", {count} {word}");
            }
        }
        line
    }
}

/// Runs everything. True where nothing failed, and with `require_all` nothing was skipped.
pub fn run(require_all: bool, with_setup: bool) -> Result<bool> {
    if with_setup {
        // What is missing now is reported by the tests that need it.
        setup::run()?;
    }
    let mut count = Count::default();
    count.add(
        "cargo fmt",
        succeeds(cargo().args(["fmt", "--all", "--check"])),
    );
    count.add(
        "cargo clippy",
        succeeds(cargo().args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])),
    );
    other_systems(&mut count);
    prebuilt_modules(&mut count);
    // Before the tests build the command, which embeds it.
    let has_page = page_is_built(&mut count);
    workspace_tests(require_all, &mut count)?;
    if has_page {
        page_tests(&mut count)?;
    }
    fuzzers(&mut count);
    for (name, outcome) in readme::check() {
        count.add(&name, outcome);
    }
    if require_all {
        // Only a run that tried everything can tell whether it is true.
        let outcome = table::check(&count.runs);
        count.add("the READMEs' table of architectures", outcome);
        // Tests that skip themselves fail by themselves under UMQTT_REQUIRE_ALL; what is left are ignored ones.
        count.failed += std::mem::take(&mut count.ignored);
    }
    println!("{}", count.last_line());
    Ok(count.failed == 0)
}

/// Runs only the tests that run umqtt's committed or freshly built module, and writes the table. True where nothing
/// failed.
pub fn table() -> Result<bool> {
    let mut count = Count::default();
    let tests: [&[&str]; 3] = [
        &["--package", "testkit", "--test", "boards_umqtt"],
        &["--package", "testkit", "--test", "broker", "mosquitto_on"],
        &["--package", "xtensa-run", "--test", "run", "umqtt"],
    ];
    for arguments in tests {
        let mut command = cargo();
        command.arg("test").args(arguments);
        cargo_test(command, true, &mut count)?;
    }
    if count.failed == 0 {
        table::write(&count.runs)?;
    }
    println!("{}", count.last_line());
    Ok(count.failed == 0)
}

/// Runs the tests over a link that breaks, with so many messages and one after the other. True where nothing failed.
pub fn soak(messages: usize) -> Result<bool> {
    let mut count = Count::default();
    let mut command = cargo();
    command
        .args(["test", "--package", "testkit"])
        .args(["--test", "soak_link", "--test", "soak_board"])
        .env("UMQTT_SOAK_MESSAGES", messages.to_string())
        .env("RUST_TEST_THREADS", "1");
    cargo_test(command, true, &mut count)?;
    println!("{}", count.last_line());
    Ok(count.failed == 0)
}

/// The laboratory with a class of boards for so long; false where a message was lost.
pub fn lab(seconds: u64) -> Result<bool> {
    let status = cargo()
        .args(["test", "--package", "lab", "--test", "lab", "--"])
        .args(["--nocapture", "--exact"])
        .arg("class::thirty_boards_publish_once_a_second_and_nothing_is_lost")
        .env("UMQTT_LAB_SECONDS", seconds.to_string())
        .env(testkit::REQUIRE_ALL, "1")
        .status()
        .context("cannot run cargo test")?;
    Ok(status.success())
}

/// The compiler's and the lints' word on the command for systems that are not here; where the standard library for one
/// is not to be had, that is a skip.
fn other_systems(count: &mut Count) {
    for (target, system) in portable::TARGETS {
        let name = format!("the command for {system}, {target}: compiles, without warnings");
        match portable::library(target) {
            Ok(_) => count.add(&name, portable::check(target)),
            Err(reason) => {
                println!("skipped: {name}: {reason:#}");
                count.ignored += 1;
            }
        }
    }
}

/// Compares the committed modules with what the sources make; where the compiler that made one is not here, that is a
/// skip.
fn prebuilt_modules(count: &mut Count) {
    let comparisons = match prebuilt::comparisons() {
        Ok(comparisons) => comparisons,
        Err(error) => return count.add("the prebuilt modules", Err(error)),
    };
    for (arch, comparison) in comparisons {
        let name = format!("the prebuilt module for {arch} is what the sources make");
        match comparison {
            Ok(Comparison::Same) => count.add(&name, Ok(true)),
            Ok(Comparison::Differs(difference)) => {
                count.add(&name, Err(anyhow::anyhow!(difference)))
            }
            Ok(Comparison::OtherToolchain(reason)) => {
                println!("skipped: {name}: {reason}");
                count.ignored += 1;
            }
            Err(error) => count.add(&name, Err(error)),
        }
    }
}

/// A bounded run of each fuzzer, always the same executions.
fn fuzzers(count: &mut Count) {
    let (program, seeds) = (fuzz::program(), fuzz::make_seeds());
    for run in fuzz::RUNS {
        let name = format!("fuzzing {}", run.name);
        match (&program, &seeds) {
            (Ok(program), Ok(())) => count.add(&name, run.fuzz(program, fuzz::Length::Bounded)),
            (Err(reason), _) | (_, Err(reason)) => {
                println!("skipped: {name}: {reason:#}");
                count.ignored += 1;
            }
        }
    }
    for manifest in fuzz::manifests() {
        count.add(
            &format!("cargo fmt of {manifest}"),
            succeeds(cargo().args(["fmt", "--check", "--manifest-path", manifest])),
        );
    }
}

fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(command
        .status()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?
        .success())
}

/// All tests of the workspace, those of the linker on every version of MicroPython.
fn workspace_tests(require_all: bool, count: &mut Count) -> Result<()> {
    let mut rest = cargo();
    rest.args(["test", "--workspace", "--exclude", LINKER]);
    cargo_test(rest, require_all, count)?;
    for version in Version::ALL {
        println!("{LINKER} on MicroPython {}", version.name());
        let mut linker = cargo();
        linker.args(["test", "--package", LINKER]);
        match starter(version) {
            Ok(program) => linker.env(micropython::PROGRAM_VARIABLE, program),
            // The tests say themselves that they are skipped.
            Err(error) => {
                println!("{error:#}");
                linker.env_remove(micropython::PROGRAM_VARIABLE)
            }
        };
        cargo_test(linker, require_all, count)?;
    }
    Ok(())
}

/// A script that starts the MicroPython of a version, for tests that know nothing of its loader and libraries.
fn starter(version: Version) -> Result<PathBuf> {
    let interpreter = Interpreter::find(version).map_err(anyhow::Error::msg)?;
    let command = interpreter.command();
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
        .collect();
    let folder = testkit::repository().join("target/xtask");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("micropython-{}", version.name()));
    std::fs::write(
        &path,
        format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")),
    )
    .with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", path.display()))?;
    Ok(path)
}

/// Runs a `cargo test`; its output is shown as it comes.
fn cargo_test(mut command: Command, require_all: bool, count: &mut Count) -> Result<()> {
    command
        .args(["--no-fail-fast", "--", "--show-output"])
        .stdout(Stdio::piped());
    if require_all {
        command.env(testkit::REQUIRE_ALL, "1");
    }
    for version in Version::ALL {
        if let Ok(folder) = setup::source_folder(version, true) {
            command.env(setup::source_variable(version), folder);
        }
    }
    counted(command, "cargo test", count)
}

/// Runs what prints its tests as `cargo test` does, and counts them; a run without a test is a failure.
fn counted(mut command: Command, what: &str, count: &mut Count) -> Result<()> {
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let failed_before = count.failed;
    let passed_before = count.passed;
    for line in BufReader::new(child.stdout.take().context("a pipe from the tests")?).lines() {
        // A test may print anything; what is not UTF-8 is no line of ours.
        let Ok(line) = line else { continue };
        println!("{line}");
        count.line(&line);
    }
    let status = child.wait().context("waiting for the tests")?;
    if !status.success() && count.failed == failed_before {
        count.add(
            what,
            Err(anyhow::anyhow!(
                "it failed ({status}) without naming a test, see above"
            )),
        );
    } else if count.passed == passed_before && count.failed == failed_before {
        count.add(what, Err(anyhow::anyhow!("not one test ran")));
    }
    Ok(())
}

/// Builds the laboratory's page, its types checked; false where it is not there then. A skip where there is no npm.
fn page_is_built(count: &mut Count) -> bool {
    let name = "the laboratory's page is built";
    if Command::new("npm").arg("--version").output().is_err() {
        println!("skipped: {name}: there is no npm, cargo xtask setup installs it");
        count.ignored += 1;
        return false;
    }
    let built = page::build();
    let is_built = built.is_ok();
    count.add(name, built.map(|()| true));
    is_built
}

/// Tries the page in a browser, against the command that has it.
fn page_tests(count: &mut Count) -> Result<()> {
    crate::output(cargo().args(["build", "--quiet", "--package", "umqtt-cli"]))?;
    let board = ["--package", "board-sim", "--example", "board"];
    crate::output(cargo().args(["build", "--quiet"]).args(board))?;
    // This program and the command are built into the same folder.
    let this = std::env::current_exe().context("where this program lies")?;
    let suffix = std::env::consts::EXE_SUFFIX;
    let program = this.with_file_name(format!("umqtt{suffix}"));
    let board = this.with_file_name(format!("examples/board{suffix}"));
    let mut command = Command::new("node");
    command
        .arg("tests/all.mjs")
        .current_dir(testkit::repository().join("host-cli/lab/page"))
        .env("UMQTT", program)
        // What stands in for a real board.
        .env("UMQTT_BOARD", board)
        .stdout(Stdio::piped());
    counted(command, "the laboratory's page", count)
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn counts_the_lines_of_cargo_test() {
        let mut count = Count::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test c ... ignored, too slow",
            "test d ... ignored, started by a",
            "skipped: b: no Mosquitto",
            "not here: d: the lessons",
            "ran: armv7m: QEMU, a board",
            "test result: ok. 3 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            count.line(line);
        }
        assert_eq!(
            count.last_line(),
            "11 passed, 2 failed, 2 skipped, 1 not here"
        );
        assert!(count.runs["armv7m"].contains("QEMU, a board"));
    }

    #[test]
    fn says_nothing_of_skips_where_there_are_none() {
        let mut count = Count::default();
        count.line("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        assert_eq!(count.last_line(), "1 passed, 0 failed");
    }
}
