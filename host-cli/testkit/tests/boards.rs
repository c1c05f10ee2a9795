//! The linker's cases on boards: each that says `//# boards` is compiled with Debian's cross compilers, linked and
//! imported by real MicroPython, and prints there what it prints on this computer.

use std::fs;
use std::path::{Path, PathBuf};

use mpy_link::{Arch, Input, LinkOptions};
use testkit::cross::Cross;
use testkit::need;
use testkit::qemu::{QEMU_MODELS, QemuBoard};

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

/// Runs all of them and compares; `run` takes a module and a script, and returns what was printed.
fn check(arch: Arch, ready: Vec<Ready>, mut run: impl FnMut(&[u8], &str) -> String) {
    let mut wrong = String::new();
    let count = ready.len();
    for case in ready {
        let printed = run(&case.mpy, &case.python);
        if printed != case.prints {
            wrong += &format!(
                "{} prints\n{printed}instead of\n{}\n",
                case.name, case.prints
            );
        }
    }
    assert!(wrong.is_empty(), "{}:\n{wrong}", arch.name());
    println!("{}: {count} modules", arch.name());
}

fn on_qemu(test: &str, arch: Arch, ready: Result<Vec<Ready>, String>) {
    let ready = need!(test, ready);
    let model = QEMU_MODELS
        .iter()
        .find(|model| model.arch == arch)
        .expect("a board of that architecture");
    let mut board = need!(test, QemuBoard::start(model));
    check(arch, ready, |mpy, python| {
        board.restart().expect("the board restarts");
        match board.put_module(mpy) {
            Ok(()) => board.run(python),
            Err(error) => error,
        }
    });
}

#[test]
fn c_on_armv7m() {
    on_qemu(
        "c_on_armv7m",
        Arch::Armv7m,
        c_cases(Cross::of(Arch::Armv7m)),
    );
}

#[test]
fn c_on_armv6m() {
    on_qemu(
        "c_on_armv6m",
        Arch::Armv6m,
        c_cases(Cross::of(Arch::Armv6m)),
    );
}

#[test]
fn c_on_armv6() {
    on_qemu("c_on_armv6", Arch::Armv6, c_cases(Cross::of(Arch::Armv6)));
}

#[test]
fn c_on_rv32imc() {
    on_qemu(
        "c_on_rv32imc",
        Arch::Rv32imc,
        c_cases(Cross::of(Arch::Rv32imc)),
    );
}

#[test]
fn rust_on_armv7m() {
    on_qemu(
        "rust_on_armv7m",
        Arch::Armv7m,
        rust_cases(Cross::of(Arch::Armv7m)),
    );
}

#[test]
fn rust_on_armv6m() {
    on_qemu(
        "rust_on_armv6m",
        Arch::Armv6m,
        rust_cases(Cross::of(Arch::Armv6m)),
    );
}

#[test]
fn rust_on_rv32imc() {
    on_qemu(
        "rust_on_rv32imc",
        Arch::Rv32imc,
        rust_cases(Cross::of(Arch::Rv32imc)),
    );
}
