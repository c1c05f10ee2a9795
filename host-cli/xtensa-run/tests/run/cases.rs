//! The linker's own cases (`native-module/mpy-link/tests/cases`, explained in its `tests/linker/cases.rs`),
//! compiled for Xtensa. Those that print something must print the same as everywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::need;
use xtensa_run::Core;

use crate::support::{Kit, compile, kit};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../native-module/mpy-link/tests/cases")
}

/// A module may raise when it is imported.
const IMPORT: &str =
    "try:\n import case\nexcept Exception as error:\n print(type(error).__name__, error)\n";

/// What a case says about itself, as far as it matters here.
struct Case {
    file: PathBuf,
    variants: Vec<String>,
    with: Vec<String>,
    python: Vec<String>,
    prints: Vec<String>,
    /// It asks for something that only x64's tools do.
    elsewhere: bool,
}

fn read(file: PathBuf) -> Case {
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut case = Case {
        file,
        variants: Vec::new(),
        with: Vec::new(),
        python: Vec::new(),
        prints: Vec::new(),
        elsewhere: false,
    };
    for line in text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("//# "))
    {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        match key {
            "variants" => {
                case.variants = value
                    .split('|')
                    .map(|flags| flags.trim().to_owned())
                    .collect()
            }
            "with" => case.with = value.split_whitespace().map(str::to_owned).collect(),
            "python" => case.python.push(value.to_owned()),
            "prints" => case.prints.push(value.to_owned()),
            "archive" | "options" | "as" | "arch" => case.elsewhere = true,
            _ => {}
        }
    }
    if case.variants.is_empty() {
        case.variants.push(String::new());
    }
    case
}

fn check(kit: &Kit, case: &Case, variant: &str) -> Result<(), String> {
    let stem = case.file.file_stem().unwrap_or_default().to_string_lossy();
    let folder = kit.scratch(&format!("{stem}{}", variant.replace(['/', ' '], "")));
    let mut files = kit.support.clone();
    let sources = case.with.iter().map(|name| cases().join(name));
    for source in sources.chain([case.file.clone()]) {
        let object = folder
            .join(source.file_name().unwrap_or_default())
            .with_extension("o");
        // What a Rust case says is for rustc.
        let is_rust = |file: &Path| file.extension().is_some_and(|found| found == "rs");
        let flags = match is_rust(&case.file) && !is_rust(&source) {
            true => "-O2".split_whitespace(),
            false => variant.split_whitespace(),
        };
        if source
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            let mut rustc = kit.rust.rustc();
            compile(
                rustc
                    .args(flags)
                    .args(["--crate-type", "staticlib"])
                    .arg(&source)
                    .arg("-o")
                    .arg(&object),
            )?;
        } else {
            compile(
                c_compiler(kit.core)
                    .args([
                        "-w",
                        "-ffreestanding",
                        "-ffunction-sections",
                        "-fdata-sections",
                        "-c",
                    ])
                    .args(flags)
                    .arg(&source)
                    .arg("-o")
                    .arg(&object),
            )?;
        }
        files.push(object);
    }
    kit.link(&folder, "case", &files)?;
    let printed = kit.run(&folder, &format!("{IMPORT}{}", case.python.join("\n")));
    let expected: String = case.prints.iter().map(|line| format!("{line}\n")).collect();
    if printed == expected {
        Ok(())
    } else {
        Err(format!("prints\n{printed}instead of\n{expected}"))
    }
}

fn c_compiler(core: Core) -> Command {
    match core {
        Core::Windowed => {
            let mut command = Command::new("clang-22");
            command.arg("--target=xtensa-none-elf");
            for feature in ["density", "windowed", "mul32", "div32", "sext", "nsa"] {
                command.args([
                    "-Xclang",
                    "-target-feature",
                    "-Xclang",
                    &format!("+{feature}"),
                ]);
            }
            command
        }
        Core::Call0 => Command::new("xtensa-lx106-elf-gcc"),
    }
}

/// Cases that are about something else, with the compiler if it is about one, and the reason.
const ELSEWHERE: [(&str, Option<Core>, &str); 5] = [
    (
        "aligned.c",
        None,
        "asks for an alignment that only the unix port's text has",
    ),
    (
        "common.c",
        None,
        "prints the size of a struct with pointers of 64 bits",
    ),
    ("statics.c", None, "prints a number of 64 bits with %ld"),
    (
        "init_array.c",
        Some(Core::Call0),
        "gcc for lx106 has .ctors instead, which are refused",
    ),
    (
        "rust_differences.rs",
        None,
        "has assembly, which rustc takes for Xtensa in no Rust file",
    ),
];

/// Flags for x64's gcc, or that LLVM refuses on Xtensa.
const FOREIGN: [&str; 6] = [
    "-mavx",
    "-mno-red-zone",
    "-fno-plt",
    "-fno-toplevel-reorder",
    "-fno-function-sections",
    "-fpie",
];

/// Literals in sections of their own or between functions, calls by distance or by address.
const GNU: [&str; 3] = ["", "-mlongcalls", "-mtext-section-literals"];

/// Runs the cases whose files end so.
fn run_all(core: Core, extension: &str) {
    let test = format!("cases_{}_{extension}", core.arch().name());
    let kit = need!(&test, kit(core));
    let mut files: Vec<PathBuf> = fs::read_dir(cases())
        .expect("the cases folder")
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    // GNU's ways with literals and calls, in turn.
    let ways = match (core, extension) {
        (Core::Call0, "c") => &GNU[..],
        _ => &[""],
    };
    let mut failures = Vec::new();
    let mut run = 0;
    for case in files.into_iter().map(read) {
        let name = case.file.file_name().unwrap_or_default();
        let here = |only: &Option<Core>| only.is_none_or(|only| only == core);
        if ELSEWHERE
            .iter()
            .any(|(file, only, _)| name == *file && here(only))
        {
            continue;
        }
        if case.prints.is_empty()
            || case.elsewhere
            || case.with.iter().any(|name| name.ends_with(".S"))
        {
            continue;
        }
        for (index, variant) in case.variants.iter().enumerate() {
            if FOREIGN.iter().any(|flag| variant.contains(flag)) {
                continue;
            }
            run += 1;
            let variant = format!("{variant} {}", ways[index % ways.len()]);
            if let Err(problem) = check(kit, &case, variant.trim()) {
                failures.push(format!("{} [{variant}]: {problem}", case.file.display()));
            }
        }
    }
    assert!(run >= 10, "only {run} cases were found");
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn rust_on_windowed() {
    run_all(Core::Windowed, "rs");
}

#[test]
fn c_on_windowed() {
    run_all(Core::Windowed, "c");
}

#[test]
fn rust_on_call0() {
    run_all(Core::Call0, "rs");
}

#[test]
fn c_on_call0() {
    run_all(Core::Call0, "c");
}
