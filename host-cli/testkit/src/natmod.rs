//! Decides how the linker is tried in place of MicroPython's own: upstream's example modules build with
//! `make MPY_LD=…`, and pass upstream's tests of them. [`crate::mpy_ld`] links the same objects once more.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use mpy_link::Arch;

use crate::qemu::{installed, micropython_source};

/// All that need nothing which Debian leaves out of the source (btree needs Berkeley DB).
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

/// Whether an example can be compiled: features2 adds floats, which upstream's makefile leaves out on some.
pub fn compiles(arch: Arch, example: &str) -> bool {
    example != "features2" || !matches!(arch, Arch::Rv32imc | Arch::Xtensa)
}

/// Those that have tests, as `tests/run-natmodtests.py` has them.
const TESTED: [&str; 5] = ["deflate", "framebuf", "heapq", "random", "re"];

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

/// The linker's command, built once for all tests.
pub fn linker(scratch: &Path) -> PathBuf {
    static LINKER: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let target = scratch.join("natmod-linker");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo)
            .args(["build", "--quiet", "--package", "mpy-link", "--target-dir"])
            .arg(&target)
            .current_dir(crate::repository()))
        .unwrap_or_else(|error| panic!("{error}"));
        target.join("debug/mpy-link")
    };
    LINKER.get_or_init(build).clone()
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

/// Upstream's examples, built for an architecture.
#[derive(Debug)]
pub struct Natmods {
    arch: Arch,
    source: PathBuf,
    pub modules: Vec<Natmod>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Natmod {
    pub name: &'static str,
    /// The finished module.
    pub mpy: Vec<u8>,
    /// Where it was built.
    pub(crate) folder: PathBuf,
    /// The arguments that the linker got there, the output's name left out.
    pub(crate) arguments: Vec<String>,
    /// That output's name: the code alone.
    pub(crate) native: String,
    /// The modules in Python that are merged with it.
    pub(crate) python: Vec<PathBuf>,
}

impl Natmods {
    /// Builds them below `scratch` with a compiler, which upstream's makefile chooses.
    ///
    /// # Errors
    /// What is missing for that.
    ///
    /// # Panics
    /// Where one does not build.
    pub fn build(arch: Arch, compiler: &str, scratch: &Path) -> Result<Natmods, String> {
        Natmods::build_with(arch, compiler, scratch, None)
    }

    /// The same, for a computer without the ESP8266's ROM: upstream's makefiles take division from its fixed addresses,
    /// here it comes out of `library`.
    ///
    /// # Errors
    /// As [`Natmods::build`].
    ///
    /// # Panics
    /// As [`Natmods::build`].
    pub fn build_without_rom(
        arch: Arch,
        compiler: &str,
        scratch: &Path,
        library: &Path,
    ) -> Result<Natmods, String> {
        Natmods::build_with(arch, compiler, scratch, Some(library))
    }

    fn build_with(
        arch: Arch,
        compiler: &str,
        scratch: &Path,
        library: Option<&Path>,
    ) -> Result<Natmods, String> {
        let source = micropython_source()?;
        installed(compiler)?;
        installed("python3")?;
        let cross = mpy_cross(&source)?;
        let linker = linker(scratch);
        let mut folder = scratch.join(format!("natmod-{}", arch.name()));
        if library.is_some() {
            folder.set_extension("without-rom");
        }
        let modules = EXAMPLES
            .into_iter()
            .filter(|example| compiles(arch, example))
            .map(|example| {
                let tools = Tools {
                    source: &source,
                    cross: &cross,
                    linker: &linker,
                    library,
                };
                let natmod = tools.build(arch, example, &folder)?;
                let dump = mpy_link::dump(&natmod.mpy).expect("it can be read");
                assert_eq!(dump.arch, Some(arch.name()), "{example}");
                Ok(natmod)
            })
            .collect::<Result<_, String>>()
            .unwrap_or_else(|error| panic!("{error}"));
        Ok(Natmods {
            arch,
            source,
            modules,
        })
    }

    /// Runs upstream's tests; `run_on` takes a module and a program that imports it as `case`, and returns what was
    /// printed.
    ///
    /// # Panics
    /// Where one prints something else than upstream says.
    pub fn check(&self, run_on: impl FnMut(&[u8], &str) -> String) {
        test(self.arch, &self.modules, &self.source, run_on);
    }

    /// MicroPython's source, which they are part of.
    pub fn source(&self) -> &Path {
        &self.source
    }
}

/// What builds an example.
struct Tools<'a> {
    source: &'a Path,
    /// MicroPython's compiler.
    cross: &'a Path,
    linker: &'a Path,
    /// Taken in place of the ROM.
    library: Option<&'a Path>,
}

impl Tools<'_> {
    /// Builds as upstream's makefile does, in a fresh folder below `folder`.
    fn build(&self, arch: Arch, example: &'static str, folder: &Path) -> Result<Natmod, String> {
        let work = folder.join(example);
        let told = |error: std::io::Error| format!("{}: {error}", work.display());
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).map_err(told)?;
        for file in fs::read_dir(self.source.join("examples/natmod").join(example)).map_err(told)? {
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
        let library = self
            .library
            .map(|library| format!("-l '{}' ", library.display()));
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' --- \"$@\" >> '{}'\nexec '{}' {}\"$@\"\n",
            log.display(),
            self.linker.display(),
            library.unwrap_or_default()
        );
        fs::write(&recorder, script).map_err(told)?;
        fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755)).map_err(told)?;
        run(Command::new("make")
            .arg("-C")
            .arg(&work)
            .arg(format!("MPY_DIR={}", self.source.display()))
            .arg(format!("MPY_LD={}", recorder.display()))
            .arg(format!("MPY_CROSS={}", self.cross.display()))
            .arg(format!("ARCH={}", arch.name()))
            .args(self.library.map(|_| "MPY_EXTERN_SYM_FILE=")))?;

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
        let mpy = names
            .iter()
            .find_map(|name| fs::read(work.join(name)).ok())
            .ok_or_else(|| format!("{example} made no module"))?;
        Ok(Natmod {
            name: example,
            mpy,
            folder: work,
            arguments,
            native,
            python,
        })
    }
}

fn test(
    arch: Arch,
    modules: &[Natmod],
    source: &Path,
    mut run_on: impl FnMut(&[u8], &str) -> String,
) {
    let mut wrong = String::new();
    let (mut passed, mut skipped) = (0, 0);
    for module in TESTED {
        let natmod = modules.iter().find(|natmod| natmod.name == module);
        let mpy = &natmod.expect("it was built").mpy;
        let mut programs: Vec<PathBuf> = fs::read_dir(source.join("tests/extmod"))
            .expect("upstream's tests")
            .map(|entry| entry.expect("a test").path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let rest = name
                    .strip_suffix(".py")
                    .and_then(|name| name.strip_prefix(module));
                rest.is_some_and(|rest| rest.starts_with(['_', '1', '2', '4', '8']))
            })
            .collect();
        programs.sort();
        for program in programs {
            let text = fs::read_to_string(&program).expect("a test");
            let text = format!("import sys, case\nsys.modules['{module}'] = case\n{text}");
            let printed = run_on(mpy, &text);
            if printed.contains("SKIP\n") {
                skipped += 1;
                continue;
            }
            let mut expected = program.clone().into_os_string();
            expected.push(".exp");
            let expected = fs::read_to_string(&expected).or_else(|_| {
                // Where no output is written down, Python's own counts.
                run(Command::new("python3").arg(&program))
            });
            match expected {
                Ok(expected) if expected == printed => passed += 1,
                Ok(expected) => {
                    wrong += &format!("{}:\n{printed}instead of\n{expected}\n", program.display());
                }
                Err(error) => wrong += &format!("{}: {error}\n", program.display()),
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{wrong}", arch.name());
    assert!(passed >= 25, "only {passed} passed");
    println!(
        "{}: {passed} of upstream's tests, {skipped} not for this board",
        arch.name()
    );
}
