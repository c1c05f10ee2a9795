//! Decides what a shell offers where the cursor is: ports, boards, architectures, and the files of the board. The shell
//! asks this program itself, by the protocol of clap_complete.

use std::ffi::OsStr;
use std::time::Duration;

use board_link::{Board, Lang, PortSpec, PortState, Timeouts};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use mpy_link::Arch;

use crate::cli;

/// The environment variable by which the shell asks.
pub const VARIABLE: &str = "COMPLETE";

/// How long a board may take to say that it waits at its prompt: whoever presses Tab waits as well.
const PATIENCE: Duration = Duration::from_millis(700);

/// Answers the shell and ends the program, if it is the shell that asks.
pub fn answer(lang: Lang) {
    clap_complete::CompleteEnv::with_factory(move || with_values(cli::description(lang), false))
        .var(VARIABLE)
        .complete();
}

/// The description with what may stand for each value; `of_files` below `fs`, whose paths are the board's.
fn with_values(command: clap::Command, of_files: bool) -> clap::Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let mut command = command.mut_args(|argument| {
        let words: fn() -> Vec<CompletionCandidate> = match argument.get_id().as_str() {
            "port" => ports,
            "board" | "boards" => boards,
            "arch" => archs,
            "paths" | "from" | "to" if of_files => {
                return argument.add(ArgValueCompleter::new(on_board));
            }
            _ => return argument,
        };
        argument.add(ArgValueCompleter::new(move |current: &OsStr| {
            starting(current, words())
        }))
    });
    for name in names {
        let of_files = of_files || name == "fs";
        let list = name == "boards";
        command = command.mut_subcommand(&name, |below| {
            let below = with_values(below, of_files);
            if !list {
                return below;
            }
            below.mut_arg("name", |argument| {
                argument.add(ArgValueCompleter::new(|current: &OsStr| {
                    starting(current, boards())
                }))
            })
        });
    }
    command
}

fn starting(current: &OsStr, candidates: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    candidates
        .into_iter()
        .filter(|candidate| {
            candidate
                .get_value()
                .to_string_lossy()
                .starts_with(&*current)
        })
        .collect()
}

fn ports() -> Vec<CompletionCandidate> {
    let listed = board_link::list().unwrap_or_default();
    let ports = listed.into_iter().filter(|port| port.usb.is_some());
    ports
        .map(|port| {
            let help = port.usb.as_ref().and_then(|usb| usb.product.clone());
            CompletionCandidate::new(port.device).help(help.map(Into::into))
        })
        .chain(["sim", "auto"].map(CompletionCandidate::new))
        .collect()
}

fn boards() -> Vec<CompletionCandidate> {
    let candidate = |board: &board_data::Board| {
        CompletionCandidate::new(board.name.clone()).help(Some(board.title.clone().into()))
    };
    board_data::all().iter().map(candidate).collect()
}

fn archs() -> Vec<CompletionCandidate> {
    let names = Arch::ALL.into_iter().map(Arch::name).chain(["all"]);
    names.map(CompletionCandidate::new).collect()
}

/// Files on the board; for `fs cp`, whose other paths are this computer's, they have a colon in front.
fn on_board(current: &OsStr) -> Vec<CompletionCandidate> {
    let arguments: Vec<String> = std::env::args().collect();
    let copies = arguments.iter().any(|argument| argument == "cp");
    let text = current.to_string_lossy();
    match (copies, text.strip_prefix(':')) {
        (true, None) => PathCompleter::any().complete(current),
        (true, Some(path)) => named(&arguments, path, ":"),
        (false, _) => named(&arguments, &text, ""),
    }
}

fn named(arguments: &[String], path: &str, front: &str) -> Vec<CompletionCandidate> {
    let port = port_in(arguments).unwrap_or("auto");
    let spec = port
        .parse()
        .ok()
        .and_then(|spec| board_link::resolve(&spec).ok());
    let found = spec.map(|spec| files(&spec, path)).unwrap_or_default();
    found
        .into_iter()
        .map(|name| CompletionCandidate::new(format!("{front}{name}")))
        .collect()
}

/// The value of the last `--port` on a command line.
fn port_in(arguments: &[String]) -> Option<&str> {
    let after = arguments
        .windows(2)
        .rfind(|pair| pair[0] == "--port")
        .map(|pair| pair[1].as_str());
    let within = arguments
        .iter()
        .rev()
        .find_map(|argument| argument.strip_prefix("--port="));
    within.or(after)
}

/// What on the board begins with `path`; folders end with `/`. Only a board that waits at its prompt is asked: a program
/// that runs must not be stopped by somebody's Tab. The simulated board is not started for it.
fn files(spec: &PortSpec, path: &str) -> Vec<String> {
    if *spec == PortSpec::Sim
        || !matches!(board_link::look(spec, PATIENCE), PortState::Prompt { .. })
    {
        return Vec::new();
    }
    let short = Timeouts {
        enter: Duration::from_secs(2),
        exec: Duration::from_secs(3),
        ..Timeouts::default()
    };
    let Some(mut board) = board_link::open(spec)
        .ok()
        .and_then(|transport| Board::connect(transport, short).ok())
    else {
        return Vec::new();
    };
    let (folder, begun) = path
        .rsplit_once('/')
        .map_or(("", path), |(folder, begun)| (folder, begun));
    let place = if path.starts_with('/') || !folder.is_empty() {
        format!("{folder}/")
    } else {
        String::new()
    };
    let asked = if folder.is_empty() { "/" } else { folder };
    let entries = board.ls(asked).unwrap_or_default();
    // Nobody is told if the prompt does not come back; the next command finds its way.
    let _ = board.exit_raw();
    entries
        .into_iter()
        .filter(|entry| entry.name.starts_with(begun))
        .map(|entry| {
            format!(
                "{place}{}{}",
                entry.name,
                if entry.is_folder { "/" } else { "" }
            )
        })
        .collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use board_sim::{FindOptions, MicroPython, SimBoard, SimConfig};
    use testkit::need;

    use super::*;

    #[test]
    fn the_boards_files_are_offered_while_it_waits() {
        let offline = FindOptions {
            offline: true,
            ..FindOptions::default()
        };
        let found = MicroPython::find(&offline, &mut |_| {}).map_err(|error| error.to_string());
        let micropython = need!("the_boards_files_are_offered_while_it_waits", found);
        let flash = tempfile::tempdir().expect("a folder");
        fs::create_dir(flash.path().join("datos")).expect("a folder");
        for name in ["main.py", "mañana.txt", "datos/uno.csv"] {
            fs::write(flash.path().join(name), "").expect("a file");
        }
        let board = SimBoard::start(SimConfig::new(flash.path(), micropython)).expect("a board");
        let spec = PortSpec::Device(board.device().display().to_string());
        let sorted = |path| {
            let mut names = files(&spec, path);
            names.sort();
            names
        };
        assert_eq!(sorted("ma"), ["main.py", "mañana.txt"]);
        assert_eq!(sorted("/da"), ["/datos/"]);
        assert_eq!(sorted("datos/"), ["datos/uno.csv"]);
        assert_eq!(sorted("nada/"), Vec::<String>::new());

        // A program runs now, and goes on.
        let mut port = board_link::open(&spec).expect("it opens");
        port.write(b"while True: print('vuelta')\r\r", Duration::from_secs(1))
            .expect("it takes it");
        drop(port);
        assert_eq!(sorted("ma"), Vec::<String>::new());
        assert!(matches!(
            board_link::look(&spec, PATIENCE),
            PortState::Running { .. }
        ));
    }

    #[test]
    fn the_port_is_the_one_on_the_line() {
        let port = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            port_in(&words).map(str::to_owned)
        };
        assert_eq!(port("umqtt fs ls --port COM3 /x").as_deref(), Some("COM3"));
        assert_eq!(port("umqtt fs ls --port=COM4").as_deref(), Some("COM4"));
        assert_eq!(port("umqtt fs ls"), None);
    }
}
