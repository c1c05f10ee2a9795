//! `umqtt repl` as a person has it: on a terminal, with its keys.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use board_sim::{SimBoard, SimConfig};
use common::terminal::{Terminal, comparable};
use common::{Home, micropython};
use testkit::emulator::{Arch, Emulator, Line};
use testkit::need;

const LEAVE: &[u8] = b"\x1d";
const UP: &[u8] = b"\x1b[A";
const DOWN: &[u8] = b"\x1b[B";

/// A conversation at the board's prompt, with a history in this home.
fn talk(home: &Home, port: &str) -> Terminal {
    let mut command = home.umqtt(["repl", "--port", port]);
    command.env("XDG_DATA_HOME", home.path().join("data"));
    let mut terminal = Terminal::of(command, 100);
    terminal.next("Ctrl-] leaves");
    terminal.next(">>> ");
    // A board that has just started says its prompt more than once.
    terminal.type_in(b"# listo\r");
    terminal.next("# listo\r\n>>> ");
    terminal
}

/// Enters a line and waits for what it prints.
fn enter(terminal: &mut Terminal, line: &str, printed: &str) {
    terminal.type_in(line.as_bytes());
    terminal.type_in(b"\r");
    let printed = match printed {
        "" => "\r\n".to_owned(),
        printed => format!("\r\n{printed}\r\n"),
    };
    terminal.next(&(printed + ">>> "));
}

fn leave(mut terminal: Terminal) {
    terminal.type_in(LEAVE);
    let status = terminal.end_within(Duration::from_secs(60));
    assert_eq!(status, Some(0), "{}", terminal.heard);
}

#[test]
fn lines_of_this_session_and_of_earlier_ones_come_back() {
    let micropython = need!(
        "lines_of_this_session_and_of_earlier_ones_come_back",
        micropython()
    );
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    let mut terminal = talk(&home, &device);
    enter(&mut terminal, "x = 20", "");
    enter(&mut terminal, "print(x + 22)", "42");
    enter(&mut terminal, "wlan = 'my password'", "");
    // Three back and one forward is the second line; what was begun before is still there after the last.
    terminal.type_in(b"x = 1");
    terminal.next("x = 1");
    for key in [UP, UP, UP, DOWN] {
        terminal.type_in(key);
    }
    terminal.next("print(x + 22)");
    enter(&mut terminal, "", "42");
    for key in [UP, UP, DOWN, DOWN] {
        terminal.type_in(key);
    }
    enter(&mut terminal, "print('draft')", "draft");
    leave(terminal);

    let file = home.path().join("data/umqtt/repl_history");
    let mode = std::fs::metadata(&file).expect("a file").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600, "for its owner alone");
    let text = std::fs::read_to_string(&file).expect("a history");
    let kept = "# listo\nx = 20\nprint(x + 22)\nprint(x + 22)\nprint('draft')\n";
    assert_eq!(text, kept, "all but the password");

    // The board has forgotten, the history has not.
    home.run(["reset", "--hard", "--port", &device])
        .expect_status(0);
    let mut terminal = talk(&home, &device);
    for _ in 0..5 {
        terminal.type_in(UP);
    }
    enter(&mut terminal, "", "");
    for _ in 0..4 {
        terminal.type_in(UP);
    }
    enter(&mut terminal, "", "42");
    leave(terminal);
}

#[test]
fn ctrl_c_reaches_the_board_and_ctrl_bracket_gives_the_terminal_back() {
    let micropython = need!(
        "ctrl_c_reaches_the_board_and_ctrl_bracket_gives_the_terminal_back",
        micropython()
    );
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    let mut terminal = talk(&home, &device);
    assert_ne!(comparable(&terminal.settings()), terminal.before);
    terminal.type_in(b"while True: print('vuelta')\r\r");
    terminal.next("vuelta\r\nvuelta");
    terminal.press_ctrl_c();
    terminal.next("KeyboardInterrupt");
    terminal.next(">>> ");
    enter(&mut terminal, "print(6 * 7)", "42");
    // Ctrl-D starts Python anew, as on every MicroPython.
    terminal.type_in(b"\x04");
    terminal.next("soft reboot");
    terminal.next(">>> ");
    // A program that runs does not keep anybody from leaving, and goes on.
    terminal.type_in(b"while True: pass\r\r");
    terminal.type_in(LEAVE);
    assert_eq!(terminal.end_within(Duration::from_secs(60)), Some(0));
    assert_eq!(comparable(&terminal.settings()), terminal.before);
}

/// A program of 20 KB that knows what it must add up to.
fn program() -> (String, String) {
    let mut text = "t = 0\nfor i in range(1):\n".to_owned();
    let (mut sum, mut number) = (0_u64, 0_u64);
    while text.len() < 20_000 {
        number = (number * 7_919 + 104_729) % 1_000_003;
        sum += number;
        text.push_str(&format!("    t += {number}  # ñ\n"));
    }
    text.push_str("print('sum', t)\n");
    (text, format!("sum {sum}"))
}

fn paste(terminal: &mut Terminal) {
    let (text, sum) = program();
    terminal.type_in(format!("\x1b[200~{text}\x1b[201~").as_bytes());
    terminal.next(&sum);
    terminal.next(">>> ");
}

#[test]
fn twenty_kilobytes_that_are_pasted_arrive_whole() {
    let micropython = need!(
        "twenty_kilobytes_that_are_pasted_arrive_whole",
        micropython()
    );
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let mut terminal = talk(&home, &board.device().display().to_string());
    paste(&mut terminal);
    leave(terminal);
}

#[test]
fn twenty_kilobytes_arrive_at_an_emulated_board() {
    match Emulator::start(Arch::Armv7m, Line::Pty) {
        Ok(emulator) => {
            let home = Home::new();
            let mut terminal = talk(&home, &emulator.port().to_string());
            paste(&mut terminal);
            leave(terminal);
        }
        Err(reason) => testkit::skip("twenty_kilobytes_arrive_at_an_emulated_board", reason),
    }
}

#[test]
fn a_board_that_comes_back_is_talked_to_again() {
    const NAME: &str = "a_board_that_comes_back_is_talked_to_again";
    let micropython = need!(NAME, micropython());
    let home = Home::new();
    // What the system calls a port by, as /dev/serial/by-id does.
    let port = home.path().join("board");
    let start = || {
        let config = SimConfig::new(home.flash(), micropython.clone());
        let board = SimBoard::start(config).expect("a board");
        symlink(board.device(), &port).expect("a name");
        board
    };
    let board = start();
    let mut terminal = talk(&home, &port.display().to_string());
    enter(&mut terminal, "print(6 * 7)", "42");
    std::fs::remove_file(&port).expect("the name goes");
    drop(board);
    terminal.next("the board is gone");
    // Another terminal may get the old number meanwhile; the name is what counts.
    let _other = testkit::FakePort::start(|_| b"not this one".to_vec()).expect("a port");
    let _board = start();
    terminal.next("it is back");
    enter(&mut terminal, "print(6 * 8)", "48");
    leave(terminal);
}
