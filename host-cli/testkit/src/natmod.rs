//! Decides how MicroPython's example modules in C are built, and how they are linked again by either linker: ours or
//! upstream's `tools/mpy_ld.py`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use mpy_link::Arch;

use crate::qemu::installed;

/// All examples that need nothing which Debian leaves out of the source (btree needs Berkeley DB).
pub const EXAMPLES: [&str; 10] = [
    "deflate",
    "features0",
    "features1",
    "features2",
    "features3",
    "features4",
    "framebuf",
    "heapq",
    "random",
    "re",
];

/// The architectures that Debian's gcc compiles them for, and that compiler.
pub const COMPILERS: [(Arch, &str); 5] = [
    (Arch::X64, "gcc"),
    (Arch::Armv6m, "arm-none-eabi-gcc"),
    (Arch::Armv7m, "arm-none-eabi-gcc"),
    (Arch::Xtensa, "xtensa-lx106-elf-gcc"),
    (Arch::Rv32imc, "riscv64-unknown-elf-gcc"),
];

/// The version of PyPI's `ar` that `mpy_ld.py` reads archives with; Debian has none.
pub const AR_VERSION: &str = "1.0.1";

/// Whether an example can be compiled: features2 adds floats, which upstream's makefile leaves out on some.
pub fn compiles(arch: Arch, example: &str) -> bool {
    example != "features2" || !matches!(arch, Arch::Rv32imc | Arch::Xtensa)
}

/// What a program prints, on both streams.
///
/// # Errors
/// Where it does not run or fails; with what it printed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .env_remove("MAKEFLAGS")
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(format!("{command:?} fails:\n{said}"))
    }
}

/// A linker's command, with the options of `mpy_ld.py`.
#[derive(Clone, Debug)]
pub struct Linker {
    words: Vec<String>,
    /// Where Python finds `ar`; empty for ours.
    python_path: String,
}

impl Linker {
    /// `mpy-link` at this path.
    pub fn ours(program: &Path) -> Linker {
        Linker {
            words: vec![program.display().to_string()],
            python_path: String::new(),
        }
    }

    /// `tools/mpy_ld.py` of a source folder, on the first Python that has what it needs.
    ///
    /// # Errors
    /// Where there is none; the text says how to get it.
    pub fn upstream(source: &Path) -> Result<Linker, String> {
        let python_path = ar_folder()?.display().to_string();
        let fits = |python: &&str| {
            run(Command::new(python)
                .args(["-c", "import elftools, ar"])
                .env("PYTHONPATH", &python_path))
            .is_ok()
        };
        let python = ["python3", "/usr/bin/python3"]
            .into_iter()
            .find(fits)
            .ok_or("no python3 with elftools and ar, which mpy_ld.py needs; `cargo xtask setup` installs them")?;
        let script = source.join("tools/mpy_ld.py");
        Ok(Linker {
            words: vec![python.to_owned(), script.display().to_string()],
            python_path,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        if !self.python_path.is_empty() {
            command.env("PYTHONPATH", &self.python_path);
        }
        command
    }
}

/// Where `cargo xtask setup` puts PyPI's `ar`.
///
/// # Errors
/// Where there is no cache folder.
pub fn ar_folder() -> Result<PathBuf, String> {
    Ok(crate::cache()?.join(format!("pypi/ar-{AR_VERSION}")))
}

/// MicroPython's cross compiler for the examples with Python in them, built once.
fn mpy_cross(source: &Path) -> Result<PathBuf, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        installed("make")?;
        let build = crate::cache()?.join("mpy-cross-1.26");
        let program = build.join("mpy-cross");
        if !program.is_file() {
            let argument = format!("BUILD={}", build.display());
            run(Command::new("make")
                .arg("-C")
                .arg(source.join("mpy-cross"))
                .args(["-j2", &argument]))?;
        }
        Ok(program)
    };
    BUILT.get_or_init(build).clone()
}

/// An example that was built.
#[derive(Clone, Debug)]
pub struct Natmod {
    pub name: &'static str,
    /// Where it was built; all paths below are relative to it.
    folder: PathBuf,
    /// The arguments of the linking step, the output's name missing.
    arguments: Vec<String>,
    /// The linked file.
    native: String,
    /// What Python code the module has beside that.
    python: Vec<PathBuf>,
    /// The finished module.
    pub module: Vec<u8>,
}

impl Natmod {
    /// Builds an example as upstream's makefile does, in a fresh folder below `folder`, with `mpy-link` at `linker`.
    ///
    /// # Errors
    /// Where a tool is missing or fails.
    pub fn build(
        arch: Arch,
        example: &'static str,
        source: &Path,
        folder: &Path,
        linker: &Path,
    ) -> Result<Natmod, String> {
        let (_, compiler) = COMPILERS
            .iter()
            .find(|(known, _)| *known == arch)
            .ok_or_else(|| format!("no compiler of Debian's for {}", arch.name()))?;
        installed(compiler)?;
        installed("python3")?;
        let cross = mpy_cross(source)?;
        let work = folder.join(example);
        let told = |error: std::io::Error| format!("{}: {error}", work.display());
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).map_err(told)?;
        for file in fs::read_dir(source.join("examples/natmod").join(example)).map_err(told)? {
            let file = file.map_err(told)?;
            if file.path().is_file() {
                fs::copy(file.path(), work.join(file.file_name())).map_err(told)?;
            }
        }
        // Upstream's linker keeps what it reads of archives in the folder it runs in: let modules share it.
        let cache = ".mpy_ld_cache";
        fs::create_dir_all(folder.join(cache)).map_err(told)?;
        symlink(Path::new("..").join(cache), work.join(cache)).map_err(told)?;
        // Notes what the makefile asks the linker for, one argument a line.
        let log = work.join("link.log");
        let recorder = work.join("link.sh");
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' --- \"$@\" >> '{}'\nexec '{}' \"$@\"\n",
            log.display(),
            linker.display()
        );
        fs::write(&recorder, script).map_err(told)?;
        fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755)).map_err(told)?;
        run(Command::new("make")
            .arg("-C")
            .arg(&work)
            .arg(format!("MPY_DIR={}", source.display()))
            .arg(format!("MPY_LD={}", recorder.display()))
            .arg(format!("MPY_CROSS={}", cross.display()))
            .arg(format!("ARCH={}", arch.name())))?;

        let log = fs::read_to_string(log).map_err(told)?;
        let steps = log.split("---\n").skip(1);
        let step = steps
            .map(|step| step.lines().map(str::to_owned).collect::<Vec<String>>())
            .find(|step| step.iter().all(|argument| argument != "--preprocess"))
            .ok_or_else(|| format!("{example}: nothing was linked"))?;
        let at = step.iter().position(|argument| argument == "-o");
        let at = at.ok_or_else(|| format!("{example}: the linker was given no -o"))?;
        let mut arguments = step.clone();
        let native = arguments.drain(at..at + 2).nth(1).unwrap_or_default();
        let mut python = Vec::new();
        for file in fs::read_dir(work.join("build")).map_err(told)? {
            let file = file.map_err(told)?.path();
            let name = file.to_string_lossy();
            if name.ends_with(".mpy") && !name.ends_with(".native.mpy") {
                python.push(file.clone());
            }
        }
        python.sort();
        // `deflate_armv7m.mpy` for some, `features0.mpy` for others.
        let names = [
            format!("{example}_{}.mpy", arch.name()),
            format!("{example}.mpy"),
        ];
        let module = names
            .iter()
            .find_map(|name| fs::read(work.join(name)).ok())
            .ok_or_else(|| format!("{example} made no module"))?;
        Ok(Natmod {
            name: example,
            folder: work,
            arguments,
            native,
            python,
            module,
        })
    }

    /// The command that links it again with `linker`, to the file that is returned too. Both linkers give the module
    /// the output file's name, so each has a folder of its own.
    ///
    /// # Errors
    /// Where that folder cannot be made.
    pub fn link_command(&self, linker: &Linker, who: &str) -> Result<(Command, PathBuf), String> {
        let folder = self.folder.join(who);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = Path::new(&self.native).file_name().unwrap_or_default();
        let output = folder.join(name);
        let mut command = linker.command();
        command
            .args(&self.arguments)
            .arg("-o")
            .arg(&output)
            .current_dir(&self.folder);
        Ok((command, output))
    }

    /// Links it again. Returns the linked file's bytes.
    ///
    /// # Errors
    /// Where the linker fails; with what it printed.
    pub fn link(&self, linker: &Linker, who: &str) -> Result<Vec<u8>, String> {
        let (mut command, output) = self.link_command(linker, who)?;
        run(&mut command)?;
        fs::read(&output).map_err(|error| format!("{}: {error}", output.display()))
    }

    /// Makes a finished module of what [`Natmod::link`] linked before, as the makefile does.
    ///
    /// # Errors
    /// Where `mpy-tool.py` fails.
    pub fn finish(&self, source: &Path, who: &str) -> Result<Vec<u8>, String> {
        let name = Path::new(&self.native).file_name().unwrap_or_default();
        let module = self.folder.join(who).join("module.mpy");
        run(Command::new("python3")
            .arg(source.join("tools/mpy-tool.py"))
            .args(["--merge", "-o"])
            .arg(&module)
            .arg(self.folder.join(who).join(name))
            .args(&self.python))?;
        fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))
    }

    /// Whether libraries are linked too.
    pub fn takes_archives(&self) -> bool {
        self.arguments
            .iter()
            .any(|argument| argument.starts_with("-l"))
    }

    /// Lets upstream's linker forget what it knows of archives, so that it reads them anew.
    pub fn forget_archives(&self) {
        let _ = fs::remove_file(self.folder.join(".mpy_ld_cache"));
    }
}
