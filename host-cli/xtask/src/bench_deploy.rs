//! Decides what the project promises about moving files to a board, and measures it beside mpremote of PyPI, in one run
//! on the same emulated board: over its pseudo-terminal, and over a line of 115,200 bits per second.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use testkit::emulator::{Arch, Emulator, Line};

use crate::{cargo, slow_line};

/// What is measured: its name, how many times faster umqtt must be, how often each is run.
struct Task {
    name: &'static str,
    goal: f64,
    runs: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A file that is not there yet.
    File(&'static str),
    /// A folder that is not there yet.
    Folder,
    /// A folder that is there already.
    Unchanged,
    /// From the start of the command to the first byte of output.
    Exec,
}

const TASKS: [Task; 5] = [
    Task {
        name: "exec \"print(1)\": start to first output",
        goal: 3.0,
        runs: 5,
        kind: Kind::Exec,
    },
    Task {
        name: "one file of 100 KB, random bytes",
        goal: 5.0,
        runs: 1,
        kind: Kind::File("random.bin"),
    },
    Task {
        name: "one file of 100 KB, Python text",
        goal: 5.0,
        runs: 1,
        kind: Kind::File("text.py"),
    },
    Task {
        name: "50 files of 4 KB, random bytes",
        goal: 5.0,
        runs: 1,
        kind: Kind::Folder,
    },
    Task {
        name: "the same 50 files, unchanged",
        goal: 10.0,
        runs: 3,
        kind: Kind::Unchanged,
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
}

/// Measures both lines; false where a promise is broken.
pub fn deploy() -> Result<bool> {
    // The profile is that of `cargo run`, which is how students start the command.
    if !cargo()
        .args(["build", "--quiet", "--package", "umqtt-cli"])
        .status()?
        .success()
    {
        bail!("umqtt does not build");
    }
    let folder = testkit::repository().join("target/bench");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let tools = Tools {
        umqtt: built()?,
        mpremote: testkit::mpremote(&folder).map_err(anyhow::Error::msg)?,
        files: tempfile::tempdir().context("a folder for the files")?,
    };
    tools.write_files()?;
    let version = crate::output(Command::new(&tools.mpremote).arg("version"))?;
    println!("{version}; MicroPython 1.26 on an emulated Cortex-M3 (QEMU)");
    let board = Emulator::start(Arch::Armv7m, Line::Pty).map_err(anyhow::Error::msg)?;
    let device = PathBuf::from(board.port().to_string());
    let mut measured = tools.measure("pseudo-terminal", &device)?;
    let slow = slow_line::before(&device)?;
    measured.extend(tools.measure("115,200 bits per second", &slow.device)?);
    let path = folder.join("deploy.json");
    std::fs::write(&path, serde_json::to_string_pretty(&measured)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(measured.iter().all(|row| row.holds))
}

/// Where cargo put the command.
fn built() -> Result<PathBuf> {
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => testkit::repository().join(folder),
        None => testkit::repository().join("target"),
    };
    let path = target.join("debug/umqtt");
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
        std::fs::write(here.join("random.bin"), bytes(100_000))?;
        // Real code rather than one line many times.
        let source = testkit::repository().join("python");
        let mut text = Vec::new();
        for name in ["umqtt/robust.py", "upip.py", "tests/layer.py"] {
            text.extend(std::fs::read(source.join(name)).with_context(|| name.to_owned())?);
        }
        let text: Vec<u8> = text.iter().copied().cycle().take(100_000).collect();
        std::fs::write(here.join("text.py"), text)?;
        let folder = here.join("folder");
        std::fs::create_dir(&folder)?;
        for number in 0..50 {
            std::fs::write(folder.join(format!("file{number:02}.bin")), bytes(4096))?;
        }
        Ok(())
    }

    fn measure(&self, line: &'static str, device: &Path) -> Result<Vec<Measured>> {
        println!("{line}:");
        let mut rows = Vec::new();
        for task in &TASKS {
            let umqtt = self.median(task, device, true)?;
            let mpremote = self.median(task, device, false)?;
            let times_faster = mpremote.as_secs_f64() / umqtt.as_secs_f64();
            let holds = times_faster >= task.goal;
            println!(
                "  {:<42} umqtt {:>7.3} s  mpremote {:>8.3} s  {times_faster:>6.1} times faster; at least {}: {}",
                task.name,
                umqtt.as_secs_f64(),
                mpremote.as_secs_f64(),
                task.goal,
                if holds { "holds" } else { "DOES NOT HOLD" }
            );
            rows.push(Measured {
                line,
                task: task.name,
                umqtt_seconds: umqtt.as_secs_f64(),
                mpremote_seconds: mpremote.as_secs_f64(),
                times_faster,
                goal: task.goal,
                holds,
            });
        }
        Ok(rows)
    }

    fn median(&self, task: &Task, device: &Path, ours: bool) -> Result<Duration> {
        let mut times = Vec::new();
        for _ in 0..task.runs {
            self.prepare(task.kind, device)?;
            let mut command = self.command(task.kind, device, ours);
            times.push(time(&mut command, task.kind == Kind::Exec)?);
        }
        times.sort();
        Ok(times[times.len() / 2])
    }

    /// Takes away what the task is to put there.
    fn prepare(&self, kind: Kind, device: &Path) -> Result<()> {
        let name = match kind {
            Kind::File(name) => name,
            Kind::Folder => "folder",
            Kind::Unchanged | Kind::Exec => return Ok(()),
        };
        let mut list = Command::new(&self.umqtt);
        list.args(["fs", "ls", "--port"]).arg(device);
        if crate::output(&mut list)?.contains(name) {
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
            Kind::Folder | Kind::Unchanged => command.args(["fs", "cp", "-r", "folder", ":"]),
        };
        if ours {
            command.arg("--port").arg(device);
        }
        command
    }
}

/// How long the command takes, or how long until its first output.
fn time(command: &mut Command, first_output: bool) -> Result<Duration> {
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
    let at_first = started.elapsed();
    let output = {
        let mut rest = Vec::new();
        said.read_to_end(&mut rest)?;
        child.wait_with_output()?
    };
    let whole = started.elapsed();
    if !output.status.success() || (first_output && count == 0) {
        bail!(
            "{} failed: {}",
            command.get_program().display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(if first_output { at_first } else { whole })
}
