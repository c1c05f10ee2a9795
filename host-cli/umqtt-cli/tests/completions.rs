//! Completions as a shell gets them: the script for each shell, and a real bash that asks for the words.
#![cfg(unix)]

mod common;

use std::process::Command;

use common::Home;

#[test]
fn every_shell_has_its_script() {
    let home = Home::new();
    for (shell, word) in [
        ("bash", "complete"),
        ("zsh", "compdef"),
        ("fish", "complete"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let done = home.run(["completions", shell]);
        done.expect_status(0);
        assert!(
            done.stdout.contains(word) && done.stdout.contains("umqtt"),
            "{done:#?}"
        );
    }
    home.run(["completions", "csh"]).expect_status(2);
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_umqtt");
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <('{program}' completions bash)\n\
         COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; COMP_LINE='x'\n\
         _clap_complete_umqtt umqtt '{}' ''\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1,
        words[words.len() - 1],
    );
    let run = Command::new("bash")
        .args(["-c", &script])
        .output()
        .expect("bash starts");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let offered: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    assert!(
        !offered.is_empty(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    offered
}

#[test]
fn bash_offers_commands_boards_and_ports() {
    assert_eq!(offered(&["umqtt", "doc"]), ["doctor"]);
    assert_eq!(offered(&["umqtt", "mou"]), ["mount"]);
    assert_eq!(offered(&["umqtt", "mount", "--re"]), ["--read-only"]);
    assert_eq!(
        offered(&["umqtt", "boards", "esp32-c"]),
        ["esp32-c3", "esp32-c6"]
    );
    assert_eq!(
        offered(&["umqtt", "flash", "--board", "pico-2"]),
        ["pico-2-w"]
    );
    assert_eq!(offered(&["umqtt", "run", "--port", "si"]), ["sim"]);
    assert_eq!(
        offered(&["umqtt", "build", "--arch", "xtensaw"]),
        ["xtensawin"]
    );
    assert!(offered(&["umqtt", "package", "--bo"]).contains(&"--board".to_owned()));
}
