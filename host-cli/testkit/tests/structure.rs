//! The rules of docs/ARCHITECTURE.md that a program can check.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Which workspace crates a crate may depend on, tests included. A new arrow is a decision: take it here and in
/// docs/ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("micropython-sys", &[]),
    (
        "micropython",
        &["micropython-sys", "micropython-macros", "xtensa-rt"],
    ),
    ("micropython-macros", &["micropython-source", "micropython"]),
    ("micropython-source", &[]),
    ("mqtt-core", &[]),
    ("umqtt", &["micropython", "mqtt-core"]),
    ("testmodule", &["micropython"]),
    ("mpy-link", &["micropython-sys"]),
    ("xtensa-rt", &[]),
    (
        "xtensa-run",
        &[
            "board-sim",
            "micropython-sys",
            "mpy-link",
            "native-build",
            "testkit",
        ],
    ),
    ("bench-report", &["board-link"]),
    ("board-data", &["micropython-sys"]),
    ("board-flash", &["board-data", "testkit"]),
    ("board-link", &["testkit"]),
    ("board-sim", &["board-link", "testkit"]),
    ("broker", &["testkit"]),
    (
        "lab",
        &["board-link", "board-sim", "broker", "testkit", "weather"],
    ),
    ("native-build", &["mpy-link"]),
    (
        "testkit",
        &[
            "board-link",
            "board-sim",
            "broker",
            "mpy-link",
            "native-build",
            "weather",
        ],
    ),
    (
        "umqtt-cli",
        &[
            "bench-report",
            "board-data",
            "board-flash",
            "board-link",
            "board-sim",
            "broker",
            "lab",
            "mpy-link",
            "native-build",
            "testkit",
            "weather",
        ],
    ),
    ("weather", &["testkit"]),
    (
        "xtask",
        &["board-sim", "mpy-link", "native-build", "testkit"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the workspace is two folders up")
        .to_owned()
}

/// The tracked files of the repository with these endings.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    assert!(listing.status.success(), "git ls-files failed");
    String::from_utf8(listing.stdout)
        .expect("file names are UTF-8")
        .lines()
        .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
        .map(|name| root().join(name))
        .filter(|path| path.is_file())
        .collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn crates_depend_only_on_those_they_may() {
    let metadata = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo describes the workspace");
    let metadata: serde_json::Value =
        serde_json::from_slice(&metadata.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    assert_eq!(
        names.len(),
        ARROWS.len(),
        "ARROWS lists every crate: {names:?}"
    );
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let (_, allowed) = ARROWS
            .iter()
            .find(|(from, _)| *from == name)
            .unwrap_or_else(|| panic!("{name} is not in ARROWS"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["name"].as_str().expect("a name");
            assert!(
                !names.contains(&to) || allowed.contains(&to),
                "{name} must not depend on {to}"
            );
        }
    }
}

#[test]
fn files_say_what_they_decide_and_fit_one_sitting() {
    let sources = files(&[".rs"]);
    assert!(sources.len() > 50, "the sources are found");
    for path in sources {
        let text = read(&path);
        // A linker's test case opens with what it expects instead.
        assert!(
            text.starts_with("//!") || text.starts_with("//# "),
            "{} does not open with //!",
            path.display()
        );
        let lines = text.lines().count();
        assert!(lines <= 800, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_mqtt_core_has_no_unsafe_code_and_no_std() {
    let text = read(&root().join("native-module/mqtt-core/src/lib.rs"));
    assert!(text.contains("#![forbid(unsafe_code)]") && text.contains("#![no_std]"));
}

#[test]
fn every_foreign_call_of_the_safe_layer_says_whether_it_can_raise() {
    for path in files(&[".rs"]) {
        if !path.starts_with(root().join("native-module/micropython/src")) {
            continue;
        }
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            if !calls_through_table(line) {
                continue;
            }
            let before = lines[i.saturating_sub(8)..=i].join("\n");
            assert!(
                before.contains("SAFETY") && before.contains("EXCEPTION"),
                "{}:{}: a foreign call without SAFETY and EXCEPTION",
                path.display(),
                i + 1
            );
        }
    }
}

/// True for `(table().entry)(…)`, which is how the safe layer makes a foreign call.
fn calls_through_table(line: &str) -> bool {
    line.split_once("(table().").is_some_and(|(_, rest)| {
        rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
            .starts_with(")(")
    })
}
