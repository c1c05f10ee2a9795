//! Decides what the project promises about moving files to a board, and measures it beside mpremote of PyPI, in one run
//! on the same emulated board: over its pseudo-terminal, and over a line of 115,200 bits per second.
//!
//! The board's console passes packets, as native USB does, so that the tools are measured rather than QEMU's UART, which
//! takes microseconds for every byte. The slow line stands for a serial device and has a name outside of /dev/pts:
//! mpremote waits without its pauses of 10 ms where a name begins so, which no board's port does.
//! The runs of both take turns, so that what else the computer does meets both.
//!
//! Where the time goes is measured apart from that, with a tap in the line, beside the least that the same work takes.
//! mpremote is not: it asks again and again whether something has come, which leaves a tap no processor of two.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use testkit::emulator::{Arch, Emulator, Line};

use crate::bench::floor::Exchange;
use crate::bench::layers::{Columns, Layers, Parties};
use crate::bench::tap::{Layer, Tap, spent};
use crate::bench::{self, Effort};
use crate::{cargo, slow_line};

/// What is measured: its name, how many times faster umqtt must be, how often each is run.
struct Task {
    name: &'static str,
    goal: f64,
    /// On the fast line, then on the slow one.
    runs: [usize; 2],
    kind: Kind,
    /// Bytes that nothing makes smaller: what any tool has to send.
    random: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A file that is not there yet.
    File(&'static str),
    /// A folder that is not there yet.
    Folder(&'static str),
    /// A folder that is there already.
    Unchanged(&'static str),
    /// From the start of the command to the first byte of output.
    Exec,
}

const RANDOM: &str = "random";
const TEXT: &str = "text";
/// What the files hold.
const FILE_BYTES: usize = 100_000;
const FILES: usize = 50;
const SMALL_BYTES: usize = 4096;

const TASKS: [Task; 6] = [
    Task {
        name: "exec \"print(1)\": start to first output",
        goal: 3.0,
        runs: [9, 5],
        kind: Kind::Exec,
        random: 0,
    },
    Task {
        name: "one file of 100 KB, random bytes",
        goal: 5.0,
        runs: [9, 1],
        kind: Kind::File("random.bin"),
        random: FILE_BYTES,
    },
    Task {
        name: "one file of 100 KB, Python text",
        goal: 5.0,
        runs: [9, 1],
        kind: Kind::File("text.py"),
        random: 0,
    },
    Task {
        name: "50 files of 4 KB, random bytes",
        goal: 5.0,
        runs: [5, 1],
        kind: Kind::Folder(RANDOM),
        random: FILES * SMALL_BYTES,
    },
    Task {
        name: "50 files of 4 KB, Python text",
        goal: 5.0,
        runs: [5, 1],
        kind: Kind::Folder(TEXT),
        random: 0,
    },
    Task {
        name: "the same 50 files, unchanged",
        goal: 10.0,
        runs: [9, 3],
        kind: Kind::Unchanged(TEXT),
        random: 0,
    },
];

/// One line of `target/bench/deploy.json`; seconds are medians.
#[derive(Serialize)]
struct Measured {
    line: &'static str,
    task: &'static str,
    umqtt_seconds: f64,
    mpremote_seconds: f64,
    times_faster: f64,
    goal: f64,
    holds: bool,
    /// The goal is of this line.
    promised: bool,
    /// As many times faster than mpremote as the line allows anybody, if that is less than the goal.
    most_possible: Option<f64>,
    /// Where the time goes, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Layers>,
}

/// How often each is run with a tap in the line.
const TAPPED: usize = 7;

/// What goes by, for those who read it.
const LAYERS: [(Layer, &str); 4] = [
    (Layer::Start, "the process starts and opens the port"),
    (
        Layer::Board,
        "the board and the line, until it has answered",
    ),
    (Layer::Tool, "the tool, between answers"),
    (Layer::End, "after the last byte, until all is done"),
];

/// Measures both lines; false where a promise is broken. Promises are of the pseudo-terminal: on the slow line the bytes
/// themselves take most of the time, and the table says how far from the same numbers it is.
/// In a hurry everything is run once, and on the pseudo-terminal only.
pub fn deploy(effort: Effort) -> Result<bool> {
    let umqtt = umqtt()?;
    let folder = Effort::Whole.folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let tools = Tools {
        umqtt,
        mpremote: testkit::mpremote(&folder).map_err(anyhow::Error::msg)?,
        files: tempfile::tempdir().context("a folder for the files")?,
    };
    tools.write_files()?;
    let version = crate::output(Command::new(&tools.mpremote).arg("version"))?;
    println!("{version}; MicroPython 1.26 on QEMU's RISC-V board `virt`");
    let board = Emulator::start(Arch::Rv32imc, Line::Packets).map_err(anyhow::Error::msg)?;
    let device = PathBuf::from(board.port().to_string());
    let _open = slow_line::open(&device)?;
    let mut measured = tools.measure("pseudo-terminal", &device, None, effort)?;
    tools.add_layers(&mut measured, effort)?;
    if effort == Effort::Whole {
        let name = tools.files.path().join("serial-device");
        let slow = slow_line::before(&device, &name)?;
        let speed = Some(slow_line::BYTES_PER_SECOND);
        let line = "115,200 bits per second";
        measured.extend(tools.measure(line, &slow.device, speed, effort)?);
    }
    bench::write(effort, "deploy.json", &measured)?;
    Ok(measured.iter().all(|row| row.holds || !row.promised))
}

/// The command, built as the README says to run it: `cargo run --release`.
pub fn umqtt() -> Result<PathBuf> {
    let build = cargo()
        .args(["build", "--quiet", "--release", "--package", "umqtt-cli"])
        .status()?;
    if !build.success() {
        bail!("umqtt does not build");
    }
    built()
}

/// Where cargo put the command.
fn built() -> Result<PathBuf> {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => testkit::repository().join(folder),
        None => testkit::repository().join("target"),
    };
    let path = target.join("release/umqtt");
    if !path.is_file() {
        bail!("cargo did not leave {}", path.display());
    }
    Ok(path)
}

struct Tools {
    umqtt: PathBuf,
    mpremote: PathBuf,
    files: tempfile::TempDir,
}

impl Tools {
    fn write_files(&self) -> Result<()> {
        let mut state = 1u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        let here = self.files.path();
        let mut bytes = |count: usize| -> Vec<u8> { (0..count).map(|_| random()).collect() };
        std::fs::write(here.join("random.bin"), bytes(FILE_BYTES))?;
        let text = python_text(&testkit::repository().join("python"))?;
        if text.len() < FILE_BYTES {
            bail!("there are only {} bytes of Python to copy", text.len());
        }
        std::fs::write(here.join("text.py"), &text[..FILE_BYTES])?;
        for folder in [RANDOM, TEXT] {
            std::fs::create_dir(here.join(folder))?;
        }
        // What repeats is farther away than deflate looks back.
        let mut text = text.into_iter().cycle();
        for number in 0..FILES {
            let random = here.join(RANDOM).join(format!("file{number:02}.bin"));
            std::fs::write(random, bytes(SMALL_BYTES))?;
            let piece: Vec<u8> = text.by_ref().take(SMALL_BYTES).collect();
            std::fs::write(here.join(TEXT).join(format!("file{number:02}.py")), piece)?;
        }
        Ok(())
    }

    /// `speed`: of the line, bytes per second.
    fn measure(
        &self,
        line: &'static str,
        device: &Path,
        speed: Option<f64>,
        effort: Effort,
    ) -> Result<Vec<Measured>> {
        println!("{line}:");
        let mut rows = Vec::new();
        for task in &TASKS {
            let [umqtt, mpremote] = self.medians(task, device, speed.is_some(), effort)?;
            let times_faster = mpremote / umqtt;
            let holds = times_faster >= task.goal;
            let most_possible = speed
                .filter(|_| task.random > 0 && !holds)
                .map(|speed| mpremote / (task.random as f64 / speed))
                .filter(|most| *most < task.goal);
            let verdict = match most_possible {
                _ if holds => "holds".to_owned(),
                Some(most) => format!(
                    "cannot hold: {} bytes take this line {:.1} s, so at most {most:.1} times",
                    task.random,
                    mpremote / most,
                ),
                None if speed.is_some() => "not on this line".to_owned(),
                None => "DOES NOT HOLD".to_owned(),
            };
            println!(
                "  {:<42} umqtt {umqtt:>7.3} s  mpremote {mpremote:>8.3} s  {times_faster:>6.1} times faster; at least {}: {verdict}",
                task.name, task.goal,
            );
            rows.push(Measured {
                line,
                task: task.name,
                umqtt_seconds: umqtt,
                mpremote_seconds: mpremote,
                times_faster,
                goal: task.goal,
                holds,
                promised: speed.is_none(),
                most_possible,
                layers: None,
            });
        }
        Ok(rows)
    }

    /// Adds where the time goes on the fast line. The text that takes as long there as random bytes is left out.
    fn add_layers(&self, rows: &mut [Measured], effort: Effort) -> Result<()> {
        // The first board's line is read already.
        let board = Emulator::start(Arch::Rv32imc, Line::Packets).map_err(anyhow::Error::msg)?;
        let tap = Tap::before(&PathBuf::from(board.port().to_string()))?;
        let mut put = self.command(Kind::Folder(TEXT), &tap.device, true);
        crate::output(&mut put)?;
        for (task, row) in TASKS.iter().zip(rows) {
            let Some((floor, about)) = self.floor(task)? else {
                continue;
            };
            let mut runs: [Vec<[Duration; 4]>; 2] = Default::default();
            for _ in 0..effort.rounds(TAPPED) {
                for (ours, runs) in [false, true].into_iter().zip(&mut runs) {
                    self.prepare(task.kind, &tap.device)?;
                    tap.take();
                    let (started, ended) = if ours {
                        let mut command = self.command(task.kind, &tap.device, true);
                        time(&mut command, task.kind == Kind::Exec)?
                    } else {
                        floor.run(&tap.device)?
                    };
                    let mut spent = spent(started, &tap.take(), ended);
                    if !ours {
                        let (started, ended) = time(&mut Command::new("true"), false)?;
                        spent[Layer::Start as usize] += ended - started;
                    }
                    runs.push(spent);
                }
            }
            let layers = layers(task.name, about, runs.map(middle));
            println!("{}", layers.render());
            row.layers = Some(layers);
        }
        Ok(())
    }

    /// The least that does a task's work, and what that is.
    fn floor(&self, task: &Task) -> Result<Option<(Exchange, &'static str)>> {
        let here = self.files.path();
        let read = |name: &str| std::fs::read(here.join(name)).context(name.to_owned());
        let unchecked = "the same bytes, unchecked";
        Ok(match task.kind {
            Kind::Exec => Some((Exchange::print(), "prepared bytes")),
            Kind::Unchanged(folder) => {
                let name = format!("'{folder}/file%02d.py'%i");
                let about = "opening, reading, hashing";
                Some((Exchange::hash(&name, FILES), about))
            }
            Kind::File(name) if task.random > 0 => {
                let exchange = Exchange::write(None, &format!("'{name}'"), &[read(name)?]);
                Some((exchange, unchecked))
            }
            Kind::Folder(folder) if task.random > 0 => {
                let files = (0..FILES).map(|number| read(&format!("{folder}/file{number:02}.bin")));
                let files = files.collect::<Result<Vec<_>>>()?;
                let name = format!("'{folder}/file%02d.bin'%i");
                let exchange = Exchange::write(Some(folder), &name, &files);
                Some((exchange, unchecked))
            }
            Kind::File(_) | Kind::Folder(_) => None,
        })
    }

    /// Seconds of umqtt and mpremote, which take turns.
    fn medians(&self, task: &Task, device: &Path, slow: bool, effort: Effort) -> Result<[f64; 2]> {
        let mut times = [Vec::new(), Vec::new()];
        let runs = match effort {
            Effort::Whole => task.runs[usize::from(slow)],
            Effort::Hurried => 1,
        };
        for _ in 0..runs {
            for (ours, times) in [true, false].into_iter().zip(&mut times) {
                self.prepare(task.kind, device)?;
                let mut command = self.command(task.kind, device, ours);
                let (started, ended) = time(&mut command, task.kind == Kind::Exec)?;
                times.push((ended - started).as_secs_f64());
            }
        }
        Ok(times.map(bench::median))
    }

    /// Takes away what the task is to put there.
    fn prepare(&self, kind: Kind, device: &Path) -> Result<()> {
        let name = match kind {
            Kind::File(name) | Kind::Folder(name) => name,
            Kind::Unchanged(_) | Kind::Exec => return Ok(()),
        };
        let mut list = Command::new(&self.umqtt);
        list.args(["fs", "ls", "--port"]).arg(device);
        // The name comes last, after the size; a folder's has a slash.
        let mut lines = crate::output(&mut list)?;
        lines.push('\n');
        let there = lines
            .lines()
            .filter_map(|line| line.split_whitespace().last())
            .any(|last| last.trim_end_matches('/') == name);
        if there {
            let mut remove = Command::new(&self.umqtt);
            remove.args(["fs", "rm", "-r", name, "--port"]).arg(device);
            crate::output(&mut remove)?;
        }
        Ok(())
    }

    fn command(&self, kind: Kind, device: &Path, ours: bool) -> Command {
        let mut command = Command::new(if ours { &self.umqtt } else { &self.mpremote });
        command.current_dir(self.files.path());
        if !ours {
            command.arg("connect").arg(device);
        }
        match kind {
            Kind::Exec => command.args(["exec", "print(1)"]),
            Kind::File(name) => command.args(["fs", "cp", name, ":"]),
            Kind::Folder(name) | Kind::Unchanged(name) => {
                command.args(["fs", "cp", "-r", name, ":"])
            }
        };
        if ours {
            command.arg("--port").arg(device);
        }
        command
    }
}

/// The run that took neither more nor less than most: its layers add up to what it took.
fn middle(mut runs: Vec<[Duration; 4]>) -> [Duration; 4] {
    runs.sort_by_key(|run| run.iter().sum::<Duration>());
    runs[runs.len() / 2]
}

/// Of the floor and ours.
fn layers(task: &str, floor: &str, runs: [[Duration; 4]; 2]) -> Layers {
    let [floors, ours] = runs;
    let micros = |run: &[Duration; 4], layer: Layer| run[layer as usize].as_micros() as i64;
    let parties = LAYERS.map(|(layer, name)| {
        let parties = Parties {
            floor: micros(&floors, layer),
            ours: micros(&ours, layer),
            peer: 0,
        };
        (name.to_owned(), parties)
    });
    Layers {
        what: task.to_owned(),
        columns: Columns::new("Where the microseconds go", floor, None),
        parties: parties.into(),
    }
}

/// All Python below `folder`, file after file.
fn python_text(folder: &Path) -> Result<Vec<u8>> {
    let mut paths = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .with_context(|| format!("cannot read {}", folder.display()))?;
    paths.sort();
    let mut text = Vec::new();
    for path in paths {
        if path.is_dir() {
            text.extend(python_text(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            text.extend(std::fs::read(&path).with_context(|| path.display().to_string())?);
        }
    }
    Ok(text)
}

/// When the command began and when it was done, or gave its first output.
fn time(command: &mut Command, first_output: bool) -> Result<(Instant, Instant)> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let mut first = [0];
    let mut said = child.stdout.take().context("a pipe")?;
    let count = said.read(&mut first)?;
    let at_first = Instant::now();
    let output = {
        let mut rest = Vec::new();
        said.read_to_end(&mut rest)?;
        child.wait_with_output()?
    };
    let whole = Instant::now();
    if !output.status.success() || (first_output && count == 0) {
        bail!(
            "{} failed: {}",
            command.get_program().display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok((started, if first_output { at_first } else { whole }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_of_the_middle_run_add_up_to_what_it_took() {
        let run = |start, board| [start, board, 2, 4].map(Duration::from_millis);
        let ours = middle(vec![run(9, 99), run(1, 2), run(3, 4)]);
        assert_eq!(ours, run(3, 4));
        let layers = layers("a task", "least", [run(1, 1), ours]);
        let all = layers.all();
        assert_eq!((all.floor, all.ours), (8_000, 13_000));
        assert_eq!(layers.parties[1].1.ours, 4_000, "{layers:?}");
    }
}
