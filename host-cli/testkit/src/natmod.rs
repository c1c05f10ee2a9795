//! Decides how the linker is tried in place of MicroPython's own: upstream's example modules build with
//! `make MPY_LD=…`, and pass upstream's tests of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use mpy_link::Arch;

use crate::qemu::{installed, micropython_source};

/// All that need nothing which Debian leaves out of the source (btree needs Berkeley DB).
const EXAMPLES: [&str; 10] = [
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

/// Those that have tests, as `tests/run-natmodtests.py` has them.
const TESTED: [&str; 5] = ["deflate", "framebuf", "heapq", "random", "re"];

fn run(command: &mut Command) -> Result<String, String> {
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
fn linker(scratch: &Path) -> PathBuf {
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
    /// One module for each.
    folder: PathBuf,
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
        let folder = build(arch, compiler, &source, scratch, library)?;
        Ok(Natmods {
            arch,
            source,
            folder,
        })
    }

    /// Runs upstream's tests; `run_on` takes a module and a program that imports it as `case`, and returns what was
    /// printed.
    ///
    /// # Panics
    /// Where one prints something else than upstream says.
    pub fn check(&self, run_on: impl FnMut(&[u8], &str) -> String) {
        test(self.arch, &self.folder, &self.source, run_on);
    }
}

fn build(
    arch: Arch,
    compiler: &str,
    source: &Path,
    scratch: &Path,
    library: Option<&Path>,
) -> Result<PathBuf, String> {
    installed(compiler)?;
    installed("python3")?;
    let cross = mpy_cross(source)?;
    let mut linker = linker(scratch).display().to_string();
    let mut folder = scratch.join(format!("natmod-{}", arch.name()));
    let mut more = None;
    if let Some(library) = library {
        linker += &format!(" -l {}", library.display());
        folder.set_extension("without-rom");
        more = Some("MPY_EXTERN_SYM_FILE=");
    }
    for example in EXAMPLES {
        if matches!(arch, Arch::Rv32imc | Arch::Xtensa) && example == "features2" {
            // It adds floats, which upstream's makefile leaves out on these architectures.
            continue;
        }
        let work = folder.join(example);
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).expect("the test folder can be made");
        let from = source.join("examples/natmod").join(example);
        for file in fs::read_dir(from).expect("the example") {
            let file = file.expect("a file").path();
            if file.is_file() {
                let name = file.file_name().expect("a name");
                fs::copy(&file, work.join(name)).expect("it can be copied");
            }
        }
        run(Command::new("make")
            .arg("-C")
            .arg(&work)
            .arg(format!("MPY_DIR={}", source.display()))
            .arg(format!("MPY_LD={linker}"))
            .arg(format!("MPY_CROSS={}", cross.display()))
            .arg(format!("ARCH={}", arch.name()))
            .args(more))?;
        // `deflate_armv7m.mpy` for some, `features0.mpy` for others.
        let names = [
            format!("{example}_{}.mpy", arch.name()),
            format!("{example}.mpy"),
        ];
        let built = names.iter().map(|name| work.join(name));
        let built = built.into_iter().find(|file| file.is_file());
        let built = built.unwrap_or_else(|| panic!("{example} made no module"));
        let bytes = fs::read(built).expect("the module");
        let dump = mpy_link::dump(&bytes).expect("it can be read");
        assert_eq!(dump.arch, Some(arch.name()), "{example}");
        fs::write(folder.join(format!("{example}.mpy")), bytes).expect("it can be written");
    }
    Ok(folder)
}

fn test(arch: Arch, folder: &Path, source: &Path, mut run_on: impl FnMut(&[u8], &str) -> String) {
    let mut wrong = String::new();
    let (mut passed, mut skipped) = (0, 0);
    for module in TESTED {
        let mpy = fs::read(folder.join(format!("{module}.mpy"))).expect("the module");
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
            let printed = run_on(&mpy, &text);
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
