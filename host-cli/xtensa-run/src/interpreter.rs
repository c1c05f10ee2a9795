//! Builds MicroPython for Xtensa from upstream's sources and the port in this folder, and starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use board_sim::micropython::{FindOptions, source_package};
use mpy_link::{Input, LinkOptions};

use crate::{Core, Error, Rust, image, io, run};

/// The version whose sources are used.
const VERSION: &str = "1.26";
/// Where its unpacked source is, if not in the cache.
const SOURCE: &str = "UMQTT_MICROPYTHON_SRC_1_26";
/// What the ESP32's core has and QEMU's too, as clang calls it.
const FEATURES: [&str; 9] = [
    "clamps", "density", "div32", "minmax", "mul16", "mul32", "nsa", "sext", "windowed",
];
/// The C headers of Debian's `picolibc-xtensa-lx106-elf`; nothing of them is particular to the ESP8266.
const HEADERS: &str = "/usr/lib/xtensa-lx106-elf/include";
/// ELF's number for Xtensa.
const EM_XTENSA: u16 = 94;

/// MicroPython for Xtensa, ready to run.
#[derive(Clone, Debug)]
pub struct Interpreter {
    program: PathBuf,
    core: Core,
}

impl Interpreter {
    /// Compiles what has changed and links it, below `folder`, with the functions of `rust`'s compiler.
    ///
    /// # Errors
    /// What is missing or fails; the text says what to install.
    pub fn build(core: Core, rust: &Rust, folder: &Path) -> Result<Interpreter, Error> {
        let source = source()?;
        let objects_folder = folder.join(core.arch().name()).join("micropython");
        fs::create_dir_all(&objects_folder).map_err(io(&objects_folder))?;
        require("qemu-xtensa", "qemu-user")?;
        require("make", "make")?;
        if !Path::new(HEADERS).is_dir() {
            let text = "no C headers for Xtensa: apt install picolibc-xtensa-lx106-elf";
            return Err(Error::Missing(text.to_owned()));
        }
        let port = Path::new(env!("CARGO_MANIFEST_DIR")).join("port");
        let (compiler, flags) = compiler(core)?;
        run(Command::new("make")
            .arg("-C")
            .arg(&port)
            .args(["--no-print-directory", "-j2", "objects"])
            .arg(format!("TOP={}", source.display()))
            .arg(format!("BUILD={}", objects_folder.display()))
            .arg(format!("CC={compiler}"))
            .arg(format!("CPP={compiler} -E"))
            .arg("PYTHON=python3")
            .arg(format!("TARGET_CFLAGS={flags}")))?;
        let assembled = objects_folder.join("start.o");
        assemble(core, &port, &assembled)?;

        let mut files = Vec::new();
        objects(&objects_folder, &mut files)?;
        // Division, floating point: libgcc for the ESP8266 has none, because the chip's ROM has.
        files.push(rust.compiler_builtins().to_owned());
        files.sort();
        let inputs = files
            .into_iter()
            .map(|file| {
                Ok(Input {
                    bytes: fs::read(&file).map_err(io(&file))?,
                    name: file.display().to_string(),
                })
            })
            .collect::<Result<Vec<Input>, Error>>()?;
        let mut options = LinkOptions::new(core.arch(), "micropython");
        options.entry = "_start".to_owned();
        let failed = |error: &dyn std::error::Error| Error::Failed(error.to_string());
        let linked = mpy_link::link(&options, &inputs).map_err(|error| failed(&error))?;
        let file = image(&linked.mpy, EM_XTENSA).map_err(|error| failed(&error))?;
        let program = objects_folder.join("micropython");
        write_program(&program, &file)?;
        Ok(Interpreter { program, core })
    }

    /// A command that starts it; append the script and its arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new("qemu-xtensa");
        command
            .args(["-cpu", self.core.qemu_cpu()])
            .arg(&self.program);
        command
    }
}

/// The sources that `cargo xtask setup` fetches, or those that the variable names.
fn source() -> Result<PathBuf, Error> {
    if let Some(folder) = std::env::var_os(SOURCE).filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    let options = FindOptions {
        offline: true,
        ..FindOptions::default()
    };
    source_package("micropython", VERSION, &options, &mut |_| {})
        .map(|package| package.path)
        .map_err(|error| {
            Error::Missing(format!("no source of MicroPython {VERSION}: {error}; `cargo xtask setup` fetches it, or set {SOURCE}"))
        })
}

/// Checks that a program is on PATH.
pub(crate) fn require(program: &str, package: &str) -> Result<(), Error> {
    Command::new(program)
        .arg("--version")
        .output()
        .map(drop)
        .map_err(|error| Error::Missing(format!("{program}: {error}; apt install {package}")))
}

/// The C compiler with its target, and its flags.
fn compiler(core: Core) -> Result<(&'static str, String), Error> {
    match core {
        Core::Windowed => {
            require("clang-22", "clang-22")?;
            let mut flags = String::from("-D__XTENSA_WINDOWED_ABI__ -isystem ");
            flags.push_str(HEADERS);
            for feature in FEATURES {
                flags.push_str(&format!(" -Xclang -target-feature -Xclang +{feature}"));
            }
            Ok(("clang-22 --target=xtensa-none-elf", flags))
        }
        Core::Call0 => {
            require("xtensa-lx106-elf-gcc", "gcc-xtensa-lx106")?;
            Ok((
                "xtensa-lx106-elf-gcc",
                format!("-mlongcalls -isystem {HEADERS}"),
            ))
        }
    }
}

fn assemble(core: Core, port: &Path, object: &Path) -> Result<(), Error> {
    let mut command = match core {
        Core::Windowed => {
            require("llvm-mc-22", "llvm-22")?;
            let mut command = Command::new("llvm-mc-22");
            command
                .args(["--arch=xtensa", "--mcpu=esp32", "-filetype=obj"])
                .arg(port.join("windowed.s"));
            command
        }
        Core::Call0 => {
            let mut command = Command::new("xtensa-lx106-elf-gcc");
            command.arg("-c").arg(port.join("call0.s"));
            command
        }
    };
    run(command.arg("-o").arg(object)).map(drop)
}

/// Every object below `folder`.
fn objects(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(io(folder))?;
    for entry in entries {
        let path = entry.map_err(io(folder))?.path();
        if path.is_dir() {
            objects(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "o") {
            found.push(path);
        }
    }
    Ok(())
}

/// Another test may run the old one at this moment, so the new one takes its place at once.
fn write_program(program: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let part = program.with_extension(format!("part{}", std::process::id()));
    let failed = io(program);
    fs::write(&part, bytes).map_err(&failed)?;
    fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).map_err(&failed)?;
    fs::rename(&part, program).map_err(&failed)
}
