//! Compiles test sources, links them and runs the modules on real MicroPython.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mpy_link::{Arch, Input, LinkError, LinkOptions, Linked};

/// A folder of its own under cargo's folder for test files, empty at first.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the test folder can be made");
    folder
}

pub fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn run(command: &mut Command) -> Output {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Compiles a C or assembly file of the cases folder to an object in `folder`.
pub fn gcc(folder: &Path, source: &str, flags: &[&str]) -> PathBuf {
    let object = folder.join(source).with_extension("o");
    run(Command::new("gcc")
        .args(["-c", "-w", "-fno-stack-protector"])
        .args(flags)
        .arg(cases().join(source))
        .arg("-o")
        .arg(&object));
    object
}

/// What compiles C for boards of an architecture.
pub struct BoardCompiler {
    /// As tests and their folders are called.
    pub name: &'static str,
    pub arch: Arch,
    program: &'static str,
    flags: &'static [&'static str],
}

/// Debian's cross compilers, and gcc for the 32-bit PC.
pub const BOARDS: [BoardCompiler; 6] = [
    BoardCompiler {
        name: "armv6",
        arch: Arch::Armv6,
        program: "arm-none-eabi-gcc",
        flags: &["-marm", "-march=armv6"],
    },
    BoardCompiler {
        name: "armv6m",
        arch: Arch::Armv6m,
        program: "arm-none-eabi-gcc",
        flags: &["-mthumb", "-mcpu=cortex-m0"],
    },
    BoardCompiler {
        name: "armv7m",
        arch: Arch::Armv7m,
        program: "arm-none-eabi-gcc",
        flags: &["-mthumb", "-mcpu=cortex-m3"],
    },
    BoardCompiler {
        name: "rv32imc",
        arch: Arch::Rv32imc,
        program: "riscv64-unknown-elf-gcc",
        flags: &["-march=rv32imac", "-mabi=ilp32", "-ffreestanding"],
    },
    BoardCompiler {
        name: "rv64imc",
        arch: Arch::Rv64imc,
        program: "riscv64-unknown-elf-gcc",
        flags: &["-march=rv64imac", "-mabi=lp64", "-ffreestanding"],
    },
    BoardCompiler {
        name: "x86",
        arch: Arch::X86,
        program: "gcc",
        flags: &["-m32"],
    },
];

/// The compiler for an architecture.
pub fn board(arch: Arch) -> &'static BoardCompiler {
    BOARDS
        .iter()
        .find(|board| board.arch == arch)
        .expect("a compiler is listed")
}

impl BoardCompiler {
    /// Compiles a file of the cases folder to an object in `folder`. `Err`: the compiler is not here.
    pub fn compile(&self, folder: &Path, source: &str, flags: &[&str]) -> Result<PathBuf, String> {
        self.compile_file(folder, &cases().join(source), flags)
    }

    /// Compiles assembly in GNU syntax. `Err`: the compiler is not here.
    pub fn assemble(&self, folder: &Path, text: &str, flags: &[&str]) -> Result<PathBuf, String> {
        let source = folder.join("input.S");
        fs::write(&source, text).expect("the test folder can be written");
        self.compile_file(folder, &source, flags)
    }

    fn compile_file(
        &self,
        folder: &Path,
        source: &Path,
        flags: &[&str],
    ) -> Result<PathBuf, String> {
        let found = Command::new(self.program)
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if found.is_err() {
            return Err(format!("{} is not installed", self.program));
        }
        let stem = source.file_stem().unwrap_or_default();
        let object = folder.join(stem).with_extension("o");
        run(Command::new(self.program)
            .args(["-c", "-w", "-fno-stack-protector"])
            .args(["-ffunction-sections", "-fdata-sections"])
            .args(self.flags)
            .args(flags)
            .arg(source)
            .arg("-o")
            .arg(&object));
        Ok(object)
    }

    /// The compiler's own library, for division and floats.
    pub fn library(&self) -> PathBuf {
        let output = run(Command::new(self.program)
            .args(self.flags)
            .arg("-print-libgcc-file-name"));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    }

    pub fn link(&self, files: &[PathBuf]) -> Result<Linked, LinkError> {
        mpy_link::link(&LinkOptions::new(self.arch, "case.py"), &inputs(files))
    }
}

/// Compiles a Rust file of the cases folder. `kind` is `staticlib`, `rlib` or an emit kind such as `obj`.
pub fn rustc(folder: &Path, source: &str, kind: &str, flags: &[&str]) -> PathBuf {
    let stem = Path::new(source)
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args([
        "--edition",
        "2024",
        "-C",
        "relocation-model=pic",
        "-C",
        "panic=abort",
    ]);
    let output = match kind {
        "staticlib" => folder.join(format!("lib{stem}.a")),
        "rlib" => folder.join(format!("lib{stem}.rlib")),
        emit => {
            command.arg(format!("--emit={emit}"));
            folder.join(format!("{stem}.{emit}"))
        }
    };
    command.arg("--crate-type").arg(if kind == "staticlib" {
        "staticlib"
    } else {
        "rlib"
    });
    run(command
        .args(flags)
        .arg(cases().join(source))
        .arg("-o")
        .arg(&output));
    output
}

pub fn archive(file: &Path, flags: &str, members: &[PathBuf]) {
    run(Command::new("ar").arg(flags).arg(file).args(members));
}

fn inputs(files: &[PathBuf]) -> Vec<Input> {
    files
        .iter()
        .map(|file| Input {
            name: file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            bytes: fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        })
        .collect()
}

pub fn link(name: &str, files: &[PathBuf], keep: &[&str]) -> Result<Linked, LinkError> {
    let inputs = inputs(files);
    let mut options = LinkOptions::new(Arch::X64, format!("{name}.py"));
    options.keep = keep.iter().map(|symbol| (*symbol).to_owned()).collect();
    mpy_link::link(&options, &inputs)
}

/// The MicroPython to run modules on: `UMQTT_MICROPYTHON`, else `micropython` on PATH.
pub fn micropython() -> Option<PathBuf> {
    if let Some(program) = env::var_os("UMQTT_MICROPYTHON").filter(|program| !program.is_empty()) {
        return Some(PathBuf::from(program));
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join("micropython"))
        .find(|program| program.is_file())
}

/// Says that a test could not run; with `UMQTT_REQUIRE_ALL` that is a failure.
pub fn skip(name: &str, reason: &str) {
    println!("skipped: {name}: {reason}");
    assert!(
        env::var_os("UMQTT_REQUIRE_ALL").is_none_or(|value| value.is_empty()),
        "{name} was skipped ({reason}) but UMQTT_REQUIRE_ALL is set"
    );
}

pub const NO_MICROPYTHON: &str =
    "no MicroPython: set UMQTT_MICROPYTHON to one with .mpy 6.3 (1.23 or later)";

/// Runs a script in `folder`. Returns what it printed, with what it wrote to stderr behind.
pub fn run_micropython(program: &Path, options: &[String], folder: &Path, script: &str) -> String {
    /// Far more than a case takes; a module that loops forever must not stop the tests.
    const LIMIT: Duration = Duration::from_secs(20);
    let output = folder.join("output.txt");
    let file = fs::File::create(&output).expect("the output file can be made");
    let mut child = Command::new(program)
        .args(options)
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a second handle"))
        .stderr(file)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            break status.to_string();
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("the child can be ended");
            child.wait().expect("the child can be waited for");
            break format!("no end within {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut text = String::from_utf8_lossy(&fs::read(&output).unwrap_or_default()).into_owned();
    if status != "exit status: 0" {
        text.push_str(&format!("[{status}]\n"));
    }
    text
}
