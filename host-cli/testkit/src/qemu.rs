//! Decides how boards are had without boards: MicroPython's QEMU port, built from Debian's source package into the
//! cache, and run behind a pseudo-terminal.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use board_link::{Board, PortSpec, Timeouts, open};
use board_sim::micropython::{FindOptions, source_package};
use mpy_link::Arch;

/// A board that QEMU emulates and MicroPython's QEMU port is for.
#[derive(Debug)]
pub struct QemuModel {
    /// As its folder in `ports/qemu/boards` is called.
    pub name: &'static str,
    /// What its firmware loads.
    pub arch: Arch,
    emulator: &'static str,
    arguments: &'static [&'static str],
    compiler: &'static str,
    /// Arguments of each `make`, which are made in this order.
    builds: &'static [&'static [&'static str]],
}

/// One for each instruction set.
pub const QEMU_MODELS: [QemuModel; 4] = [
    QemuModel {
        name: "MPS2_AN385",
        arch: Arch::Armv7m,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "mps2-an385"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&[]],
    },
    QemuModel {
        name: "MICROBIT",
        arch: Arch::Armv6m,
        emulator: "qemu-system-arm",
        arguments: &[
            "-machine",
            "microbit",
            "-global",
            "nrf51-soc.flash-size=1048576",
            "-global",
            "nrf51-soc.sram-size=262144",
        ],
        compiler: "arm-none-eabi-gcc",
        // The port leaves native code out for this one board.
        builds: &[&["CFLAGS_EXTRA=-DMICROPY_EMIT_THUMB=1 -DMICROPY_EMIT_INLINE_THUMB=1"]],
    },
    QemuModel {
        name: "SABRELITE",
        arch: Arch::Armv6,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "sabrelite"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&[]],
    },
    QemuModel {
        name: "VIRT_RV32",
        arch: Arch::Rv32imc,
        emulator: "qemu-system-riscv32",
        arguments: &["-machine", "virt", "-bios", "none"],
        compiler: "riscv64-unknown-elf-gcc",
        // Debian 12's assembler wants the name of the extension, its linker's libraries do not know it.
        builds: &[
            &["RV32_ARCH=rv32imac_zicsr", "--keep-going"],
            &["RV32_ARCH=rv32imac"],
        ],
    },
];

/// The source of MicroPython 1.26: what `UMQTT_MICROPYTHON_SRC_1_26` names, else the cache.
///
/// # Errors
/// Where there is none; the text says what fetches it.
pub fn micropython_source() -> Result<PathBuf, String> {
    if let Some(folder) = std::env::var_os("UMQTT_MICROPYTHON_SRC_1_26") {
        return Ok(folder.into());
    }
    let options = FindOptions {
        offline: true,
        ..FindOptions::default()
    };
    source_package("micropython", "1.26", &options, &mut |_| {})
        .map(|package| package.path)
        .map_err(|error| {
            format!("no source of MicroPython 1.26: {error}; `cargo xtask setup` fetches it")
        })
}

/// Whether a program can be started.
///
/// # Errors
/// Where it is not installed, in words.
pub fn installed(program: &str) -> Result<(), String> {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map(drop)
        .map_err(|_| format!("{program} is not installed"))
}

/// An emulated board, stopped on drop.
pub struct QemuBoard {
    child: Child,
    board: Board,
}

impl QemuBoard {
    /// Builds the firmware unless the cache has it, and starts it.
    ///
    /// # Errors
    /// What is missing for that.
    pub fn start(model: &QemuModel) -> Result<QemuBoard, String> {
        Self::launch(model, &[])
    }

    /// As [`QemuBoard::start`], with a clock that counts instructions: each takes a nanosecond of the board's time.
    ///
    /// # Errors
    /// What is missing for that.
    pub fn counting(model: &QemuModel) -> Result<QemuBoard, String> {
        Self::launch(model, &["-icount", "shift=0,sleep=off"])
    }

    fn launch(model: &QemuModel, options: &[&str]) -> Result<QemuBoard, String> {
        installed(model.emulator)?;
        let firmware = firmware(model)?;
        let mut child = Command::new(model.emulator)
            .args(model.arguments)
            .args(options)
            .args(["-nographic", "-monitor", "none", "-semihosting"])
            .args(["-serial", "pty", "-kernel"])
            .arg(firmware)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", model.emulator))?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let device = BufReader::new(stdout).lines().find_map(|line| {
            let line = line.ok()?;
            let (_, rest) = line.split_once("redirected to ")?;
            rest.split(' ').next().map(str::to_owned)
        });
        let connected = device
            .ok_or_else(|| "QEMU names no pseudo-terminal".to_owned())
            .and_then(|device| {
                let transport =
                    open(&PortSpec::Device(device)).map_err(|error| error.to_string())?;
                Board::connect(transport, Timeouts::default()).map_err(|error| error.to_string())
            });
        match connected {
            Ok(board) => Ok(QemuBoard { child, board }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("{} does not answer: {error}", model.name))
            }
        }
    }

    /// Runs Python. Returns what it prints, its traceback behind.
    pub fn run(&mut self, code: &str) -> String {
        self.run_within(code, Timeouts::default().exec)
    }

    /// As [`QemuBoard::run`], for code that may take so long.
    pub fn run_within(&mut self, code: &str, limit: Duration) -> String {
        match self.board.exec_within(code, limit) {
            Ok(done) => done.stdout + &done.stderr,
            Err(error) => format!("[{error}]\n"),
        }
    }

    /// Restarts MicroPython, so that nothing is left of what ran before.
    ///
    /// # Errors
    /// Where it does not come back.
    pub fn restart(&mut self) -> Result<(), String> {
        self.board
            .soft_reset()
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Puts a module where `import case` finds it, in a file system made of one file in memory: the port has no disk.
    ///
    /// # Errors
    /// Where the board does not take it.
    pub fn put_module(&mut self, mpy: &[u8]) -> Result<(), String> {
        const FILE_SYSTEM: &str = include_str!("one_file.py");
        /// Of the module's bytes in one program.
        const PART: usize = 1024;
        let mut programs = vec![FILE_SYSTEM.to_owned()];
        for part in mpy.chunks(PART) {
            let literal: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            programs.push(format!("content += bytes.fromhex('{literal}')\n"));
        }
        for program in programs {
            let printed = self.run(&program);
            if !printed.is_empty() {
                return Err(format!("the module cannot be put on the board: {printed}"));
            }
        }
        Ok(())
    }
}

impl Drop for QemuBoard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn firmware(model: &QemuModel) -> Result<PathBuf, String> {
    for program in [model.compiler, "make", "python3"] {
        installed(program)?;
    }
    let source = micropython_source()?;
    let port = source.join("ports/qemu");
    let mut hasher = DefaultHasher::new();
    (&source, model.name, model.builds).hash(&mut hasher);
    for file in [
        "py/mpconfig.h",
        "py/persistentcode.c",
        "ports/qemu/Makefile",
    ] {
        std::fs::read(source.join(file))
            .map_err(|error| format!("{file} of MicroPython: {error}"))?
            .hash(&mut hasher);
    }
    let cache = crate::cache()?;
    let folder = cache.join(format!("qemu-{}-{:016x}", model.name, hasher.finish()));
    let elf = folder.join("firmware.elf");
    if elf.is_file() {
        return Ok(elf);
    }
    // Tests that run at the same time build each in their own folder; the last rename wins.
    let work = folder.with_extension(format!("part-{}", std::process::id()));
    let mut said = String::new();
    for arguments in model.builds {
        said = make(&port, model.name, &work, arguments)?;
    }
    let built = work.join("firmware.elf");
    if !built.is_file() {
        return Err(format!("building {} failed:\n{said}", model.name));
    }
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::rename(built, &elf))
        .and_then(|()| std::fs::remove_dir_all(&work))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(elf)
}

fn make(port: &Path, board: &str, build: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("make")
        .arg("-C")
        .arg(port)
        .args(["-j2", "FROZEN_MANIFEST="])
        .arg(format!("BOARD={board}"))
        .arg(format!("BUILD={}", build.display()))
        .args(arguments)
        .env_remove("MAKEFLAGS")
        .output()
        .map_err(|error| format!("make: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
