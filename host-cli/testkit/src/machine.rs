//! Decides what runs a module of an architecture in tests: MicroPython as a program of this computer, or a board in QEMU.

use std::time::Duration;

use mpy_link::Arch;
use tempfile::TempDir;

use crate::qemu::{QemuBoard, QemuModel};
use crate::{Interpreter, Version, printed};

/// Runs modules of one architecture on real MicroPython, each in one that knows nothing of those before. Not for
/// Xtensa, which `xtensa-run` runs.
pub struct Machine(Kind);

enum Kind {
    Program {
        interpreter: Interpreter,
        folder: TempDir,
        what: &'static str,
    },
    Board {
        board: Box<QemuBoard>,
        model: &'static QemuModel,
    },
}

impl Machine {
    /// What there is for an architecture, ready.
    ///
    /// # Errors
    /// What is missing for that.
    pub fn start(arch: Arch) -> Result<Machine, String> {
        let program = |interpreter, what| {
            let folder = TempDir::new().map_err(|error| format!("no scratch folder: {error}"))?;
            Ok(Machine(Kind::Program {
                interpreter,
                folder,
                what,
            }))
        };
        match arch {
            Arch::X64 => program(Interpreter::find(Version::V1_26)?, "MicroPython 1.26"),
            Arch::X86 => program(Interpreter::x86()?, "MicroPython 1.26 for 32-bit x86"),
            _ => {
                let model = QemuModel::of(arch)
                    .ok_or_else(|| format!("no board in QEMU for {}", arch.name()))?;
                let board = Box::new(QemuBoard::start(model)?);
                Ok(Machine(Kind::Board { board, model }))
            }
        }
    }

    /// What it is, for people.
    pub fn what(&self) -> String {
        match &self.0 {
            Kind::Program { what, .. } => (*what).to_owned(),
            Kind::Board { model, .. } => format!("QEMU, {}", model.name),
        }
    }

    /// Runs Python that finds the module by `import case`. Returns what it printed, and how it ended if not well.
    pub fn run(&mut self, mpy: &[u8], python: &str) -> String {
        match &mut self.0 {
            Kind::Program {
                interpreter,
                folder,
                ..
            } => run_program(interpreter, folder, mpy, python),
            Kind::Board { board, model } => {
                // A program that raised SystemExit took the emulated board with it.
                if board.restart().is_err() {
                    match QemuBoard::start(model) {
                        Ok(started) => **board = started,
                        Err(error) => return error,
                    }
                }
                match board.put_module(mpy) {
                    Ok(()) => board.run(python),
                    Err(error) => error,
                }
            }
        }
    }
}

fn run_program(interpreter: &Interpreter, folder: &TempDir, mpy: &[u8], python: &str) -> String {
    /// Far more than any of them takes; a module that loops forever must not stop the tests.
    const LIMIT: Duration = Duration::from_secs(60);
    let path = folder.path();
    std::fs::write(path.join("case.mpy"), mpy).expect("the module can be written");
    let mut command = interpreter.command();
    printed(command.args(["-c", python]), path, LIMIT)
}
