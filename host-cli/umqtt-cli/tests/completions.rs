//! Completions as a shell gets them: the script for each shell, a real bash, zsh and fish that ask for the words, and the
//! call that PowerShell would make.
#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::process::Command;

use board_sim::{SimBoard, SimConfig};
use common::terminal::Terminal;
use common::{Home, micropython};
use testkit::need;
use testkit::qemu::installed;

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
         COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9; COMP_LINE='{}'\n\
         _umqtt_complete umqtt '{}' ''\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1,
        words.join(" "),
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

/// A board with files, whose names have what shells take apart.
fn board(home: &Home, micropython: board_sim::MicroPython) -> SimBoard {
    std::fs::create_dir(home.flash().join("datos")).expect("a folder");
    for name in ["main.py", "mundo.py", "datos/uno.csv", "datos/una=cosa.txt"] {
        std::fs::write(home.flash().join(name), "").expect("a file");
    }
    SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board")
}

/// What a person types and what a real bash makes of it at the Tab.
#[test]
fn bash_completes_the_boards_files() {
    let micropython = need!("bash_completes_the_boards_files", micropython());
    let home = Home::new();
    let board = board(&home, micropython);
    let program = env!("CARGO_BIN_EXE_umqtt");
    let mut bash = std::process::Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"])
        .current_dir(home.path())
        .env("PS1", "$ ")
        .env("UMQTT_PORTS", board.device());
    let mut terminal = Terminal::of(bash, 200);
    terminal.next("$ ");
    let setup = format!(
        "bind 'set enable-bracketed-paste off'; source <('{program}' completions bash); echo do''ne\r"
    );
    terminal.type_in(setup.as_bytes());
    terminal.next("done\r\n$ ");
    for (typed, wanted) in [
        ("umqtt fs cat :/ma", "umqtt fs cat :/main.py "),
        ("umqtt fs cat mu", "umqtt fs cat mundo.py "),
        ("umqtt fs ls /da", "umqtt fs ls /datos/"),
        ("umqtt fs cp :datos/una", "umqtt fs cp :datos/una=cosa.txt "),
        ("umqtt fs mv :/datos/uno", "umqtt fs mv :/datos/uno.csv "),
        ("umqtt doct", "umqtt doctor "),
    ] {
        terminal.type_in(typed.as_bytes());
        terminal.type_in(b"\t");
        terminal.next(wanted);
        terminal.type_in(b"\x15");
        terminal.type_in(b"echo do''ne\r");
        terminal.next("done\r\n$ ");
    }
}

/// What a person types and what a real zsh makes of it at the Tab.
#[test]
fn zsh_completes_the_boards_files() {
    const NAME: &str = "zsh_completes_the_boards_files";
    need!(NAME, installed("zsh"));
    let micropython = need!(NAME, micropython());
    let home = Home::new();
    let board = board(&home, micropython);
    let program = env!("CARGO_BIN_EXE_umqtt");
    let mut zsh = Command::new("zsh");
    zsh.args(["-f", "-i"])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("PS1", "$ ")
        .env("UMQTT_PORTS", board.device());
    let mut terminal = Terminal::of(zsh, 200);
    terminal.next("$ ");
    let setup = format!(
        "autoload -U compinit; compinit -D -u; source <('{program}' completions zsh); unsetopt PROMPT_SP; echo do''ne\r"
    );
    terminal.type_in(setup.as_bytes());
    terminal.next("done\r\n");
    for (typed, wanted) in [
        ("umqtt fs cat :/ma", "umqtt fs cat :/main.py"),
        ("umqtt fs cat mu", "umqtt fs cat mundo.py"),
        ("umqtt fs ls /da", "umqtt fs ls /datos/"),
        ("umqtt fs mv :/datos/uno", "umqtt fs mv :/datos/uno.csv"),
        ("umqtt doct", "umqtt doctor"),
    ] {
        // What zsh draws at the Tab is meant for a cursor; what the line is then, it says itself;
        // the space that it adds is gone with the next key.
        let line = format!("{typed}\t\x01print -r -- \"<\x05>\"\r");
        terminal.type_in(line.as_bytes());
        terminal.next(&format!("\n<{wanted}>"));
    }
}

/// No PowerShell is to be had here, so this is not PowerShell: it makes the call that the script makes, and takes the
/// answer apart as the script does. Whether PowerShell takes the script is not known.
#[test]
fn what_powershells_script_asks_is_answered_as_it_expects() {
    let micropython = need!(
        "what_powershells_script_asks_is_answered_as_it_expects",
        micropython()
    );
    let home = Home::new();
    let board = board(&home, micropython);
    let script = home.run(["completions", "powershell"]).stdout;
    let call = (script.lines())
        .find_map(|line| line.strip_prefix("& ")?.strip_suffix(" -- $args"))
        .expect("the call");
    assert_eq!(call.trim_matches('\''), env!("CARGO_BIN_EXE_umqtt"));
    // The end of a here-string stands at the beginning of a line, and what is opened is closed.
    assert!(script.contains("Invoke-Expression @\"\n& ") && script.contains("\n\"@;\n"));
    for (open, close) in [('{', '}'), ('(', ')'), ('[', ']')] {
        assert_eq!(script.matches(open).count(), script.matches(close).count());
    }
    let variable = (script.lines())
        .find_map(|line| {
            line.trim()
                .strip_prefix("$env:")?
                .strip_suffix(" = \"powershell\";")
        })
        .expect("the variable by which the program knows who asks");
    let offered = |words: &[&str]| -> Vec<String> {
        let mut command = home.umqtt(["--", "umqtt"].iter().chain(words));
        command
            .env(variable, "powershell")
            .env("UMQTT_PORTS", board.device());
        let done = common::finish(command.spawn().expect("umqtt starts"));
        done.expect_status(0);
        (done.stdout.lines())
            .map(|line| {
                let columns: Vec<&str> = line.split('\t').collect();
                assert!(columns.len() <= 2, "{line:?}");
                columns[0].to_owned()
            })
            .collect()
    };
    assert_eq!(offered(&["doct"]), ["doctor"]);
    assert_eq!(offered(&["boards", "esp32-c"]), ["esp32-c3", "esp32-c6"]);
    assert_eq!(offered(&["fs", "cat", ":/m"]), [":/main.py", ":/mundo.py"]);
    // The script puts '' where no word has begun.
    assert!(offered(&["fs", ""]).contains(&"tree".to_owned()));

    // A path with a blank is one word to PowerShell too.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("with blank");
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("umqtt");
    let _ = std::fs::remove_file(&program);
    std::fs::hard_link(env!("CARGO_BIN_EXE_umqtt"), &program).expect("another name");
    let run = Command::new(&program)
        .args(["completions", "powershell"])
        .output()
        .expect("umqtt starts");
    let script = String::from_utf8_lossy(&run.stdout).into_owned();
    let call = format!("\n& '{}' -- $args\n", program.display());
    assert!(script.contains(&call), "{script}");
    std::fs::remove_file(&program).expect("the name goes");
}

#[test]
fn fish_completes_the_boards_files() {
    const NAME: &str = "fish_completes_the_boards_files";
    need!(NAME, installed("fish"));
    let micropython = need!(NAME, micropython());
    let home = Home::new();
    let board = board(&home, micropython);
    let program = env!("CARGO_BIN_EXE_umqtt");
    let offered = |line: &str| {
        let script = format!("'{program}' completions fish | source; complete -C '{line}'");
        let run = Command::new("fish")
            .args(["--no-config", "-c", &script])
            .env("HOME", home.path())
            .env("UMQTT_PORTS", board.device())
            .output()
            .expect("fish starts");
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let words = text.lines().filter_map(|line| line.split('\t').next());
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        words.sort();
        words
    };
    assert_eq!(offered("umqtt fs cat :/m"), [":/main.py", ":/mundo.py"]);
    assert_eq!(
        offered("umqtt fs cp :datos/u"),
        [":datos/una=cosa.txt", ":datos/uno.csv"]
    );
    assert_eq!(offered("umqtt doct"), ["doctor"]);
}
