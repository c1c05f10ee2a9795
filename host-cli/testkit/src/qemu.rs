//! Decides how boards are had without boards: MicroPython's QEMU port, built from Debian's source package into the
//! cache, and run behind a pseudo-terminal.

use std::fs::{DirEntry, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use board_link::{Board, PortSpec, Timeouts, open};
use board_sim::micropython::{FindOptions, source_package};
use mpy_link::Arch;

use crate::emulator::additions;

/// A board that QEMU emulates and MicroPython's QEMU port is for.
#[derive(Debug)]
pub struct QemuModel {
    /// As people call it; its folder in the port's `boards` has this name too, unless it is one of ours.
    pub name: &'static str,
    /// The folder of the board in this crate's `boards`, where the port does not have it.
    ours: Option<&'static str>,
    /// What its firmware loads.
    pub arch: Arch,
    pub(crate) emulator: &'static str,
    pub(crate) arguments: &'static [&'static str],
    compiler: &'static str,
    /// Arguments of each `make`, which are made in this order.
    builds: &'static [&'static [&'static str]],
}

/// One for each architecture that MicroPython runs on in QEMU.
pub const QEMU_MODELS: [QemuModel; 8] = [
    QemuModel {
        name: "MPS2_AN385",
        ours: None,
        arch: Arch::Armv7m,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "mps2-an385"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&[]],
    },
    QemuModel {
        name: "MICROBIT",
        ours: None,
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
        ours: None,
        arch: Arch::Armv6,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "sabrelite"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&[]],
    },
    QemuModel {
        name: "VIRT_RV32",
        ours: None,
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
    // A Cortex-M4 whose floating-point unit is left alone.
    QemuModel {
        name: "MPS2_AN386, without FPU",
        ours: Some("MPS2"),
        arch: Arch::Armv7em,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "mps2-an386"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&["MACHINE=mps2-an386", "CPU=-mcpu=cortex-m4 -mfloat-abi=soft"]],
    },
    QemuModel {
        name: "MPS2_AN386",
        ours: Some("MPS2"),
        arch: Arch::Armv7emsp,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "mps2-an386"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&[
            "MACHINE=mps2-an386",
            "CPU=-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
        ]],
    },
    QemuModel {
        name: "MPS2_AN500",
        ours: Some("MPS2"),
        arch: Arch::Armv7emdp,
        emulator: "qemu-system-arm",
        arguments: &["-machine", "mps2-an500"],
        compiler: "arm-none-eabi-gcc",
        builds: &[&[
            "MACHINE=mps2-an500",
            "CPU=-mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard",
        ]],
    },
    QemuModel {
        name: "VIRT_RV64, which MicroPython 1.26 does not know",
        ours: Some("VIRT_RV64"),
        arch: Arch::Rv64imc,
        emulator: "qemu-system-riscv64",
        arguments: &["-machine", "virt", "-bios", "none"],
        compiler: "riscv64-unknown-elf-gcc",
        builds: &[&[]],
    },
];

impl QemuModel {
    /// The board for an architecture; `None` where there is none.
    pub fn of(arch: Arch) -> Option<&'static QemuModel> {
        QEMU_MODELS.iter().find(|model| model.arch == arch)
    }

    /// As the folder of its definition is called.
    fn board(&self) -> &'static str {
        self.ours.unwrap_or(self.name)
    }
}

/// The folder of the boards that MicroPython's QEMU port does not have.
const OUR_BOARDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/boards");

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

/// Emulated boards never sleep, and several share this computer with compilers: what takes a second on a board may take
/// minutes here, and is not what is tested.
const PATIENT: Timeouts = Timeouts {
    enter: Duration::from_secs(120),
    quiet: Duration::from_millis(50),
    reply: Duration::from_secs(120),
    boot: Duration::from_secs(120),
    exec: Duration::from_secs(300),
    stop: Duration::from_secs(120),
    write: Duration::from_secs(120),
};

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

    /// The same with more of QEMU's options.
    pub(crate) fn launch(model: &QemuModel, options: &[&str]) -> Result<QemuBoard, String> {
        installed(model.emulator)?;
        let firmware = firmware(model, false)?;
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
                Board::connect(transport, PATIENT).map_err(|error| error.to_string())
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
        match self.board.exec(code) {
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
        /// Of the module's bytes in one program: 4 KiB of text, for the emulated line is slow.
        const PART: usize = 3072;
        let mut programs = vec![FILE_SYSTEM.to_owned()];
        for part in mpy.chunks(PART) {
            programs.push(format!(
                "content += a2b_base64('{}')\n",
                BASE64.encode(part)
            ));
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

/// The firmware of a board, with a disk, Ctrl-C, boot.py and main.py if `disk` (see `emulator`).
pub(crate) fn firmware(model: &QemuModel, disk: bool) -> Result<PathBuf, String> {
    for program in [model.compiler, "make", "python3"] {
        installed(program)?;
    }
    let source = micropython_source()?;
    let port = source.join("ports/qemu");
    let mut hasher = DefaultHasher::new();
    (&source, model.name, model.builds).hash(&mut hasher);
    let upstream = [
        "py/mpconfig.h",
        "py/persistentcode.c",
        "ports/qemu/Makefile",
    ];
    let mut files: Vec<PathBuf> = upstream.iter().map(|file| source.join(file)).collect();
    if disk {
        files.extend(additions::files());
        additions::FLAGS.hash(&mut hasher);
    }
    let ours = model.ours.map(|board| Path::new(OUR_BOARDS).join(board));
    if let Some(folder) = &ours {
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|error| format!("{}: {error}", folder.display()))?;
        files.extend(entries.iter().map(DirEntry::path));
        files.sort();
    }
    for file in files {
        std::fs::read(&file)
            .map_err(|error| format!("{}: {error}", file.display()))?
            .hash(&mut hasher);
    }
    let cache = crate::cache()?;
    let folder = cache.join(format!("qemu-{}-{:016x}", model.board(), hasher.finish()));
    let elf = folder.join("firmware.elf");
    // Tests that run at the same time want the same firmware; one of them builds it. The system lets go of the lock
    // with the file, also where this process dies.
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let lock = folder.join("lock");
    let lock = File::create(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    lock.lock().map_err(|error| error.to_string())?;
    if elf.is_file() {
        return Ok(elf);
    }
    let work = folder.join("build");
    // Whoever holds the lock is alone: this is of one that was killed.
    if work.exists() {
        std::fs::remove_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    }
    let mut said = String::new();
    for arguments in model.builds {
        said = make(&port, model, disk, ours.as_deref(), &work, arguments)?;
    }
    let built = work.join("firmware.elf");
    if !built.is_file() {
        // What a full disk or a kill left half written would break every later attempt.
        let _ = std::fs::remove_dir_all(&work);
        return Err(format!("building {} failed:\n{said}", model.name));
    }
    std::fs::rename(built, &elf)
        .and_then(|()| std::fs::remove_dir_all(&work))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(elf)
}

fn make(
    port: &Path,
    model: &QemuModel,
    disk: bool,
    ours: Option<&Path>,
    build: &Path,
    arguments: &[&str],
) -> Result<String, String> {
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(port)
        .args(["-j2", "FROZEN_MANIFEST="])
        .arg(format!("BOARD={}", model.board()))
        .arg(format!("BUILD={}", build.display()))
        .args(arguments)
        .env_remove("MAKEFLAGS");
    if let Some(folder) = ours {
        command.arg(format!("BOARD_DIR={}", folder.display()));
    }
    if disk {
        additions::add(&mut command, build, model.compiler.starts_with("arm-"))?;
    }
    let output = command.output().map_err(|error| format!("make: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}
