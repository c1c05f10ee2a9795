//! Decides how the instructions that a board in QEMU executes are counted, function by function. QEMU writes down each
//! one while a program runs that calls `hash` where counting begins and ends; so a count is exact, and the same in every
//! run, however busy the computer is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::qemu::{QemuBoard, QemuModel};

/// The firmware's function behind `hash`.
const MARK: &str = "mp_builtin_hash";

/// How long QEMU may take to write down the last of what it executed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many instructions of each of the firmware's functions were executed. What is outside of the firmware, which is a
/// native module's code, goes by the name [`NATIVE`].
pub type Counts = BTreeMap<String, u64>;

/// The name of what is no function of the firmware.
pub const NATIVE: &str = "";

/// An emulated board whose instructions can be counted.
pub struct TracedBoard {
    board: QemuBoard,
    monitor: UnixStream,
    folder: tempfile::TempDir,
}

impl TracedBoard {
    /// Starts a board.
    ///
    /// # Errors
    /// What is missing for that.
    pub fn start(model: &QemuModel) -> Result<TracedBoard, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no scratch folder: {error}"))?;
        let socket = folder.path().join("monitor");
        let address = format!("unix:{},server=on,wait=off", socket.display());
        let mut options = one_by_one(model)?;
        options.extend(["-monitor", &address]);
        let board = QemuBoard::launch(model, &options)?;
        let monitor = UnixStream::connect(&socket)
            .and_then(|monitor| {
                monitor.set_read_timeout(Some(PATIENCE))?;
                Ok(monitor)
            })
            .map_err(|error| format!("QEMU's monitor: {error}"))?;
        let mut traced = TracedBoard {
            board,
            monitor,
            folder,
        };
        traced.prompt()?;
        Ok(traced)
    }

    /// The board itself.
    pub fn board(&mut self) -> &mut QemuBoard {
        &mut self.board
    }

    /// Runs Python that prints nothing and calls `hash` twice so many times, and counts what is executed from each first
    /// to each second call. QEMU writes down what the board does before and after, too: one long program takes less time
    /// than several short ones.
    ///
    /// # Errors
    /// What the program raises or prints, or where QEMU writes nothing down.
    pub fn count(&mut self, code: &str, times: usize) -> Result<Vec<Counts>, String> {
        // A pipe with a name: what QEMU writes lies nowhere, and goes nowhere should this process end before it.
        let pipe = self.folder.path().join("executed");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).map_err(|error| {
            format!("no pipe {} for what QEMU executes: {error}", pipe.display())
        })?;
        let (counted, counts) = std::sync::mpsc::channel();
        let from = pipe.clone();
        std::thread::spawn(move || {
            let mut log = match File::open(from) {
                Ok(log) => BufReader::new(log),
                Err(error) => return drop(counted.send(Err(error))),
            };
            let _ = counted.send(between_marks(&mut log, times));
            // QEMU may close its end much later, and must not wait for a reader until then.
            let _ = std::io::copy(&mut log, &mut std::io::sink());
        });
        self.command(&format!("logfile {}", pipe.display()))?;
        self.command("log exec,nochain")?;
        let printed = self.board.run(code);
        self.command("log none")?;
        if !printed.is_empty() {
            return Err(format!("the board said {printed}"));
        }
        let counts = counts
            .recv_timeout(PATIENCE)
            .map_err(|_| "QEMU does not come to the end of what it executed".to_owned())?
            .map_err(|error| format!("{}: {error}", pipe.display()))?;
        std::fs::remove_file(&pipe).map_err(|error| format!("{}: {error}", pipe.display()))?;
        if counts.len() != times {
            let found = counts.len();
            return Err(format!(
                "QEMU has written down {found} pairs of calls of `hash`, not {times}"
            ));
        }
        Ok(counts)
    }

    fn command(&mut self, line: &str) -> Result<(), String> {
        writeln!(self.monitor, "{line}").map_err(|error| format!("QEMU's monitor: {error}"))?;
        self.prompt()
    }

    /// Reads until the monitor asks for a command.
    fn prompt(&mut self) -> Result<(), String> {
        let mut said = Vec::new();
        let mut part = [0; 1024];
        // It echoes the command, and what it draws meanwhile never ends so.
        while !said.ends_with(b"\n(qemu) ") {
            match self.monitor.read(&mut part) {
                Ok(0) => return Err("QEMU has ended".to_owned()),
                Ok(n) => said.extend_from_slice(&part[..n]),
                Err(error) => return Err(format!("QEMU's monitor: {error}")),
            }
        }
        Ok(())
    }
}

/// The arguments that make QEMU translate each instruction by itself: their name changed with version 8.1.
fn one_by_one(model: &QemuModel) -> Result<Vec<&'static str>, String> {
    let output = Command::new(model.emulator).arg("--version").output();
    let output = output.map_err(|error| format!("{}: {error}", model.emulator))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text
        .split_once("version ")
        .map_or("", |(_, rest)| rest)
        .split('.')
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Ok(if version < (8, 1) {
        vec!["-singlestep"]
    } else {
        vec!["-accel", "tcg,one-insn-per-tb=on"]
    })
}

/// What was executed between the first mark and the second, the third and the fourth, and so on, so many times or to the
/// end.
fn between_marks(log: &mut impl BufRead, times: usize) -> std::io::Result<Vec<Counts>> {
    let mut line = Vec::new();
    let (mut all, mut counts) = (Vec::new(), Counts::new());
    let (mut marks, mut was_mark) = (0, false);
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line)? == 0 {
            return Ok(all);
        }
        let Some(function) = function(&line) else {
            continue;
        };
        let is_mark = function == MARK;
        if is_mark && !was_mark {
            marks += 1;
            if marks % 2 == 0 {
                all.push(std::mem::take(&mut counts));
                if all.len() == times {
                    return Ok(all);
                }
            }
        }
        was_mark = is_mark;
        if marks % 2 == 1 {
            match counts.get_mut(function) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(function.to_owned(), 1);
                }
            }
        }
    }
}

/// The function of a line `Trace 0: 0x7f… [00000000/00019f24/00000110/ff020000] mp_map_lookup`.
fn function(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let (_, name) = line.strip_prefix("Trace ")?.split_once("] ")?;
    Some(name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_marks_is_counted_by_function() {
        let line = |name: &&str| {
            format!("Trace 0: 0x7f0012 [00000000/00019f24/00000110/ff020000] {name}\n")
        };
        let write = |names: &[&str]| {
            let text: String = names.iter().map(line).collect();
            let text = format!("something else\n{text}");
            between_marks(&mut text.as_bytes(), 2).expect("readable")
        };
        let counted = write(&[
            "before", MARK, MARK, "a", "", "a", "", MARK, "between", MARK, "b", MARK, "behind",
        ]);
        let counts = |of: &[(&str, u64)]| {
            of.iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect()
        };
        let expected: [Counts; 2] = [
            counts(&[("a", 2), ("", 2), (MARK, 2)]),
            counts(&[("b", 1), (MARK, 1)]),
        ];
        assert_eq!(counted, expected);
        assert!(write(&["before", MARK, "a"]).is_empty());
    }
}
