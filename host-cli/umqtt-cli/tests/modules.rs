//! A module of one's own, from `umqtt new` to the board: what its README says, word by word, and what does not fit.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Done, Home, expect_no_process, finish, micropython, repository};
use testkit::need;

/// `umqtt` in a folder of this home.
fn umqtt_in(home: &Home, folder: &Path, arguments: &[&str]) -> Done {
    let mut command: Command = home.umqtt(arguments);
    // Builds go into the project's own folder, wherever the tests' own build goes.
    command.current_dir(folder).env_remove("CARGO_TARGET_DIR");
    finish(command.spawn().expect("umqtt starts"))
}

/// The command lines of the README's first block.
fn lines_of(readme: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(readme).expect("a README");
    let block = text
        .split_once("```sh\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(block, _)| block)
        .expect("a block of commands");
    block
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn project(home: &Home, lang: &str) -> PathBuf {
    home.run(["new", "mi-modulo", "--lang", lang])
        .expect_status(0);
    home.path().join("mi-modulo")
}

#[test]
fn a_new_project_works_as_its_readme_says() {
    need!("a_new_project_works_as_its_readme_says", micropython());
    for lang in ["en", "es"] {
        let home = Home::new();
        let folder = project(&home, lang);
        let lines = lines_of(&folder.join("README.md"));
        assert_eq!(lines.len(), 3, "build, install, run: {lines:?}");
        let mut last = None;
        for line in lines {
            assert_eq!(line[0], "umqtt", "{line:?}");
            let arguments: Vec<&str> = line[1..].iter().map(String::as_str).collect();
            let done = umqtt_in(&home, &folder, &arguments);
            done.expect_status(0);
            last = Some(done);
        }
        let last = last.expect("commands");
        assert!(last.stdout.contains("mi_modulo: ok"), "{last:#?}");
        expect_no_process();
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    need!(
        "what_does_not_fit_is_refused_with_the_reason",
        micropython()
    );
    let home = Home::new();
    let prebuilt = repository().join("native-module/prebuilt");
    let file = |arch: &str| {
        let path = prebuilt.join(arch).join("umqtt/simple.mpy");
        path.display().to_string()
    };

    let done = home.run(["check", &file("x64"), "--port", "sim", "--json"]);
    done.expect_status(0);
    let lines = done.json();
    assert_eq!(done.said("verdict")["fits"], true);
    let aspects: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "finding")
        .map(|line| line["aspect"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(aspects, ["version", "architecture", "flags", "memory"]);

    let done = home.run(["check", &file("rv32imc"), "--port", "sim"]);
    done.expect_status(1);
    assert!(
        done.stderr
            .contains("the board is x64, the file is for rv32imc"),
        "{done:#?}"
    );

    let done = home.run(["install", &file("rv32imc"), "--port", "sim", "--lang", "es"]);
    done.expect_status(1);
    assert!(done.stderr.contains("la placa es x64"), "{done:#?}");
    assert!(
        !home.flash().join("simple.mpy").exists(),
        "nothing was written"
    );

    let text = home.script("text.mpy", "print(1)");
    let done = home.run(["check", &text.display().to_string(), "--port", "sim"]);
    done.expect_status(1);
    assert!(done.stderr.contains("not a .mpy file"), "{done:#?}");
    expect_no_process();
}

#[test]
fn a_module_that_finds_no_room_is_refused() {
    need!("a_module_that_finds_no_room_is_refused", micropython());
    let home = Home::new();
    // The least that is a module of 100 MB of bss: header of x64, one qstr, four bytes of text, flag 0x40, the size.
    let head = [
        b'M',
        6,
        2 << 2 | 3,
        31,
        1,
        0,
        2,
        b'x',
        0,
        4 << 3 | 2,
        0xc3,
        0,
        0,
        0,
    ];
    let bytes = [&head[..], &[0x40, 0xaf, 0xd7, 0xc2, 0x00]].concat();
    let file = home.path().join("big.mpy");
    std::fs::write(&file, bytes).expect("a file");
    let done = home.run(["install", "big.mpy", "--port", "sim"]);
    done.expect_status(1);
    assert!(done.stderr.contains("4 + 100000000 bytes"), "{done:#?}");
    assert!(
        !home.flash().join("big.mpy").exists(),
        "nothing was written"
    );
}

#[test]
fn the_same_bytes_come_from_two_folders() {
    let files = [Home::new(), Home::new()].map(|home| {
        let folder = project(&home, "en");
        umqtt_in(&home, &folder, &["build", "--arch", "x64"]).expect_status(0);
        let bytes = std::fs::read(folder.join("release/x64/mi_modulo.mpy")).expect("the module");
        let machine = home.path().display().to_string();
        let root = repository().display().to_string();
        for place in [&machine, &root] {
            let seen = bytes
                .windows(place.len())
                .any(|window| window == place.as_bytes());
            assert!(!seen, "{place} is in the module");
        }
        bytes
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn what_cannot_be_built_is_said_so() {
    let home = Home::new();
    let done = home.run(["build"]);
    done.expect_status(1);
    assert!(
        done.stderr.contains("no Cargo.toml") && done.stderr.contains("umqtt new"),
        "{done:#?}"
    );
    let folder = project(&home, "en");
    let done = umqtt_in(&home, &folder, &["build", "--arch", "z80"]);
    done.expect_status(2);
    assert!(done.stderr.contains("xtensawin"), "{done:#?}");
    // What is there already is nobody's to write over.
    let done = home.run(["new", "mi-modulo"]);
    done.expect_status(1);
    assert!(done.stderr.contains("mi-modulo here already"), "{done:#?}");
    home.run(["new", "fn"]).expect_status(2);

    std::fs::write(folder.join("src/lib.rs"), "#![no_std]\nfn broken(").expect("a source");
    let done = umqtt_in(&home, &folder, &["build", "--lang", "es"]);
    done.expect_status(1);
    assert!(
        done.stderr.contains("no compila para x64") && done.stderr.contains("src/lib.rs"),
        "{done:#?}"
    );
}
