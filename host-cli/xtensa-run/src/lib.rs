//! Runs native modules for Xtensa on real MicroPython, on this computer and without a board.
//!
//! No distribution has MicroPython for Xtensa, and no emulator a whole ESP32 with Wi-Fi. But `qemu-xtensa`
//! runs Linux programs for Xtensa's stock cores, and MicroPython's own sources make such a program:
//! `port/` is a port of MicroPython to Linux on Xtensa without a C library. Its objects are linked by
//! `mpy-link`, as one large module, and given an address and an ELF header (`image`).
//!
//! | architecture | compiler | QEMU's core | as on the board | not as on the board |
//! |---|---|---|---|---|
//! | xtensawin | clang 22 | `de233_fpu` | calls with register windows, the loader, text in memory of its own | QEMU's core has no MULUH, so what runs here is compiled without it; text may be read bytewise |
//! | xtensa | gcc for lx106 | `lx106`, the ESP8266's | the ABI, the core, the loader | float instead of object representation C; text is in RAM |
//!
//! What is upstream's: everything in `py`, `extmod` and `shared` (1.26), the loader of .mpy files among
//! it. What is ours: start, system calls, the garbage collector's view of the stack, and the module
//! `socket` (TCP over IPv4 to numeric addresses).

mod image;
mod interpreter;
mod rust;

pub use image::{ImageError, image};
pub use interpreter::Interpreter;
pub use rust::Rust;

use mpy_link::Arch;

/// What runs modules of an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// xtensawin.
    Windowed,
    /// xtensa.
    Call0,
}

impl Core {
    /// Both.
    pub const ALL: [Core; 2] = [Core::Windowed, Core::Call0];

    /// The modules' architecture.
    pub fn arch(self) -> Arch {
        match self {
            Core::Windowed => Arch::Xtensawin,
            Core::Call0 => Arch::Xtensa,
        }
    }

    /// QEMU's name of the core.
    fn qemu_cpu(self) -> &'static str {
        match self {
            Core::Windowed => "de233_fpu",
            Core::Call0 => "lx106",
        }
    }

    /// Instructions that the boards have and QEMU's core lacks, as LLVM turns them off.
    pub fn missing_in_qemu(self) -> &'static str {
        match self {
            Core::Windowed => ",-mul32high",
            Core::Call0 => "",
        }
    }
}

/// The last lines of what a program wrote, to show why it failed.
fn tail(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// Why there is no interpreter or compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Something is not installed; says what to do.
    Missing(String),
    /// All is there, but something went wrong.
    Failed(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Missing(text) | Error::Failed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// What the file system refuses.
fn io(path: &std::path::Path) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::Failed(format!("{}: {error}", path.display()))
}

/// Runs a command to its end.
fn run(command: &mut std::process::Command) -> Result<Vec<u8>, Error> {
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| {
            let program = command.get_program().display();
            Error::Failed(format!("{program} cannot be started: {error}"))
        })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::Failed(format!(
        "{} failed ({}):\n{}",
        command.get_program().display(),
        output.status,
        tail(&[output.stdout, output.stderr].concat())
    )))
}
