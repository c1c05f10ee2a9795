//! The linker's cases on boards: each that says `//# boards` is compiled with Debian's cross compilers, linked and
//! imported by real MicroPython, and prints there what it prints on this computer. `must_hold` is among them in C and
//! in Rust, `rust_with_c` in both.

use std::fs;
use std::path::{Path, PathBuf};

use mpy_link::{Arch, Input, LinkOptions};
use native_build::Target;
use testkit::cross::Cross;
use testkit::{Machine, need};

/// What a case says about itself.
struct Case {
    file: PathBuf,
    variants: Vec<String>,
    with: Vec<PathBuf>,
    python: String,
    prints: String,
}

fn cases_folder() -> PathBuf {
    testkit::repository().join("native-module/mpy-link/tests/cases")
}

/// The cases for boards, of the kind that ends so.
fn cases(extension: &str) -> Vec<Case> {
    let mut files: Vec<PathBuf> = fs::read_dir(cases_folder())
        .expect("the cases")
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    let cases: Vec<Case> = files.into_iter().filter_map(case).collect();
    assert!(cases.len() >= 7, "only {} cases", cases.len());
    cases
}

fn case(file: PathBuf) -> Option<Case> {
    let text = fs::read_to_string(&file).expect("a case");
    let said = |wanted: &str| -> Vec<String> {
        text.lines()
            .filter_map(|line| line.strip_prefix("//# ")?.split_once(": "))
            .filter(|(key, _)| *key == wanted)
            .map(|(_, value)| format!("{value}\n"))
            .collect()
    };
    if !text.lines().any(|line| line == "//# boards") {
        return None;
    }
    let files = [said("with").concat(), said("archive").concat()].concat();
    let prints = said("prints").concat();
    assert!(!prints.is_empty(), "{} prints nothing", file.display());
    let variants = said("variants").concat();
    Some(Case {
        variants: variants
            .trim()
            .split('|')
            .map(|flags| flags.trim().to_owned())
            .collect(),
        with: files
            .split_whitespace()
            .map(|name| cases_folder().join(name))
            .collect(),
        python: format!(
            "try:\n import case\nexcept Exception as error:\n print(type(error).__name__, error)\n{}",
            said("python").concat()
        ),
        prints,
        file,
    })
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("the test folder can be made");
    folder
}

/// A case that is ready to run.
struct Ready {
    name: String,
    mpy: Vec<u8>,
    python: String,
    prints: String,
}

fn link(arch: Arch, case: &Case, variant: &str, files: &[PathBuf]) -> Ready {
    let name = case.file.file_name().expect("a file").to_string_lossy();
    let name = format!("{name} [{variant}]");
    let inputs: Vec<Input> = files
        .iter()
        .map(|file| Input {
            name: file.display().to_string(),
            bytes: fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        })
        .collect();
    let linked = mpy_link::link(&LinkOptions::new(arch, "case.py"), &inputs)
        .unwrap_or_else(|error| panic!("{name} for {}: {error}", arch.name()));
    Ready {
        name,
        mpy: linked.mpy,
        python: case.python.clone(),
        prints: case.prints.clone(),
    }
}

fn c_cases(cross: &Cross) -> Result<Vec<Ready>, String> {
    let mut ready = Vec::new();
    for case in cases("c") {
        for variant in &case.variants {
            let folder = scratch(&format!("boards-{}", cross.arch.name()));
            let flags: Vec<&str> = variant.split_whitespace().collect();
            let mut files = Vec::new();
            for source in [&case.file].into_iter().chain(&case.with) {
                files.push(cross.gcc(&folder, source, &flags)?);
            }
            files.push(cross.library());
            ready.push(link(cross.arch, &case, variant, &files));
        }
    }
    Ok(ready)
}

fn rust_cases(cross: &Cross) -> Result<Vec<Ready>, String> {
    let folder = scratch(&format!("boards-rust-{}", cross.arch.name()));
    let cases = cases("rs");
    let sources: Vec<PathBuf> = cases.iter().map(|case| case.file.clone()).collect();
    let archives = cross.rust(&folder, &sources)?;
    let mut ready = Vec::new();
    for (case, archive) in cases.iter().zip(archives) {
        let mut files = vec![archive];
        for source in &case.with {
            files.push(cross.gcc(&folder, source, &["-Os"])?);
        }
        ready.push(link(cross.arch, case, "release", &files));
    }
    Ok(ready)
}

/// Runs all of them on what there is for the architecture, and compares.
fn check(test: &str, arch: Arch, ready: Result<Vec<Ready>, String>) {
    let ready = need!(test, ready);
    let mut machine = need!(test, Machine::start(arch));
    let mut wrong = String::new();
    let count = ready.len();
    for case in ready {
        let printed = machine.run(&case.mpy, &case.python);
        if printed != case.prints {
            wrong += &format!(
                "{} prints\n{printed}instead of\n{}\n",
                case.name, case.prints
            );
        }
    }
    assert!(wrong.is_empty(), "{}:\n{wrong}", arch.name());
    println!("{}: {count} modules on {}", arch.name(), machine.what());
}

macro_rules! boards {
    ($($c:ident, $rust:ident: $arch:ident;)*) => {
        $(
            #[test]
            fn $c() {
                check(stringify!($c), Arch::$arch, c_cases(Cross::of(Arch::$arch)));
            }

            #[test]
            fn $rust() {
                check(stringify!($rust), Arch::$arch, rust_cases(Cross::of(Arch::$arch)));
            }
        )*

        /// The architectures that cases run on here.
        const HERE: &[Arch] = &[$(Arch::$arch),*];
    };
}

boards! {
    c_on_x86, rust_on_x86: X86;
    c_on_armv6m, rust_on_armv6m: Armv6m;
    c_on_armv7m, rust_on_armv7m: Armv7m;
    c_on_armv7em, rust_on_armv7em: Armv7em;
    c_on_armv7emsp, rust_on_armv7emsp: Armv7emsp;
    c_on_armv7emdp, rust_on_armv7emdp: Armv7emdp;
    c_on_rv32imc, rust_on_rv32imc: Rv32imc;
    c_on_rv64imc, rust_on_rv64imc: Rv64imc;
}

/// ARM instructions: no board of ours, and Rust has no target for them.
#[test]
fn c_on_armv6() {
    check("c_on_armv6", Arch::Armv6, c_cases(Cross::of(Arch::Armv6)));
}

#[test]
fn every_architecture_runs_the_cases_somewhere() {
    // mpy-link's own tests run them on x64, those of xtensa-run on both Xtensa.
    let elsewhere = [Arch::X64, Arch::Xtensa, Arch::Xtensawin];
    for target in Target::all() {
        assert!(
            HERE.contains(&target.arch) || elsewhere.contains(&target.arch),
            "{} runs nowhere",
            target.arch.name()
        );
    }
    // What must hold everywhere, in C, in Rust and in both.
    for (extension, name) in [
        ("c", "must_hold"),
        ("rs", "must_hold"),
        ("rs", "rust_with_c"),
    ] {
        let case = cases(extension)
            .into_iter()
            .find(|case| case.file.file_stem().is_some_and(|stem| stem == name))
            .unwrap_or_else(|| panic!("no case {name}.{extension} for boards"));
        assert!(case.prints.lines().count() >= 2, "{name} prints little");
    }
    let prints = |extension| {
        let cases = cases(extension).into_iter();
        cases
            .filter(|case| {
                case.file
                    .file_stem()
                    .is_some_and(|stem| stem == "must_hold")
            })
            .map(|case| case.prints)
            .collect::<String>()
    };
    assert_eq!(prints("c"), prints("rs"), "C and Rust must print the same");
}
