//! Boards that start anew under a command that holds them: `mount` tells what became of the folder and brings it back, and
//! what the board starts with goes on.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use board_sim::{MicroPython, SimBoard, SimConfig};
use common::terminal::Terminal;
use common::{Home, micropython};
use testkit::need;

const LEAVE: &[u8] = b"\x1d";
const GONE: &str =
    "/remote is gone: Ctrl-C stops its program, if one runs, and brings the folder back";
const BACK: &str = "shared is /remote on the board";

/// Programs that never end, in ways that matter: quietly, slower and faster than anybody waits for a pause.
const ENDLESS: [&str; 3] = [
    "while True: pass\n",
    "import time\nwhile True:\n    print('tic')\n    time.sleep_ms(500)\n",
    "import time\nwhile True:\n    print('tic ' * 20)\n    time.sleep_ms(2)\n",
];

fn board(home: &Home, micropython: &MicroPython, main: &str) -> SimBoard {
    let shared = home.path().join("shared");
    std::fs::create_dir_all(&shared).expect("a folder");
    std::fs::write(shared.join("dato.txt"), "cuarenta y dos").expect("a file");
    std::fs::write(home.flash().join("main.py"), main).expect("main.py");
    SimBoard::start(SimConfig::new(home.flash(), micropython.clone())).expect("a board")
}

/// `umqtt mount` at the prompt of a board, whose program it has stopped.
fn talk(home: &Home, port: &str) -> Terminal {
    let mut command = home.umqtt(["mount", "shared", "--port", port]);
    command.env("XDG_DATA_HOME", home.path().join("data"));
    command.env("UMQTT_PATIENCE", "10");
    let mut terminal = Terminal::of(command, 200);
    expect_folder(&mut terminal);
    terminal
}

/// It is said that the board has the folder, and the board reads from it. What is printed is told from what is typed.
fn expect_folder(terminal: &mut Terminal) {
    terminal.next(BACK);
    terminal.next(">>> ");
    terminal.type_in(b"print('<' + open('/remote/dato.txt').read() + '>')\r");
    terminal.next("<cuarenta y dos>\r\n>>> ");
}

fn leave(terminal: &mut Terminal) {
    terminal.type_in(LEAVE);
    let status = terminal.end_within(Duration::from_secs(60));
    assert_eq!(status, Some(0), "{}", terminal.heard);
}

/// What `umqtt ports` calls the board's state: a program that prints nothing makes it silent.
fn state(home: &Home, port: &str) -> String {
    let done = home.run(["ports", "--port", port, "--json"]);
    done.expect_status(0);
    let state = done.said("port")["state"].clone();
    state.as_str().unwrap_or_default().to_owned()
}

/// The board is at its own program, one of the endless ones.
#[track_caller]
fn expect_own_program(home: &Home, port: &str, main: &str) {
    let now = state(home, port);
    let busy = ["running", "silent"].contains(&now.as_str());
    assert!(busy, "{main}: {now}");
}

/// Side by side, a board for each of the endless programs, which it starts with: its home, it, its port and the program.
fn with_each_endless_program(
    micropython: &MicroPython,
    test: impl Fn(&Home, &SimBoard, &str, &str) + Sync,
) {
    std::thread::scope(|scope| {
        for main in ENDLESS {
            let test = &test;
            scope.spawn(move || {
                let home = Home::new();
                let board = board(&home, micropython, main);
                let port = board.device().display().to_string();
                test(&home, &board, &port, main);
            });
        }
    });
}

/// Ctrl-D, `machine.reset()` and the reset button, into programs that never end: told, stopped by Ctrl-C, mounted again.
#[test]
fn a_restart_into_an_endless_program_is_told_and_ctrl_c_brings_the_folder_back() {
    let micropython = need!(
        "a_restart_into_an_endless_program_is_told_and_ctrl_c_brings_the_folder_back",
        micropython()
    );
    with_each_endless_program(&micropython, |home, board, port, main| {
        let mut terminal = talk(home, port);
        for restart in ["soft", "reset()", "button"] {
            match restart {
                "soft" => terminal.type_in(b"\x04"),
                "reset()" => terminal.type_in(b"import machine; machine.reset()\r"),
                _ => board.reset(),
            }
            terminal.next(GONE);
            terminal.press_ctrl_c();
            expect_folder(&mut terminal);
        }
        // Whoever leaves while the program runs leaves it running.
        terminal.type_in(b"\x04");
        terminal.next(GONE);
        leave(&mut terminal);
        expect_own_program(home, port, main);
    });
}

/// A program that ends by itself: the folder is back without a key.
#[test]
fn a_restart_into_a_program_that_ends_brings_the_folder_back() {
    let micropython = need!(
        "a_restart_into_a_program_that_ends_brings_the_folder_back",
        micropython()
    );
    let home = Home::new();
    let board = board(
        &home,
        &micropython,
        "import time\ntime.sleep(3)\nprint('fin')\n",
    );
    let device = board.device().display().to_string();
    // A program that is stopped is started anew at the end, so none is.
    let deadline = Instant::now() + Duration::from_secs(60);
    while state(&home, &device) != "prompt" {
        assert!(Instant::now() < deadline, "main.py does not end");
    }
    let mut terminal = talk(&home, &device);
    for restart in [&b"\x04"[..], b"import machine; machine.reset()\r"] {
        terminal.type_in(restart);
        terminal.next("\nfin\r\n");
        expect_folder(&mut terminal);
    }
    leave(&mut terminal);
    assert_eq!(state(&home, &device), "prompt");
}

/// A board with a USB of its own takes its port along when it starts anew, and its banner is said to nobody.
#[test]
fn a_board_that_was_away_has_the_folder_again_after_ctrl_c() {
    let micropython = need!(
        "a_board_that_was_away_has_the_folder_again_after_ctrl_c",
        micropython()
    );
    for main in [ENDLESS[0], ""] {
        let home = Home::new();
        let port = home.path().join("port");
        let first = board(&home, &micropython, main);
        symlink(first.device(), &port).expect("a name");
        let mut terminal = talk(&home, &port.display().to_string());
        std::fs::remove_file(&port).expect("the name goes");
        drop(first);
        terminal.next("the board is gone");
        let second = board(&home, &micropython, main);
        if main.is_empty() {
            // Somebody reads the banner before the command does.
            let device = second.device().display().to_string();
            home.run(["exec", "pass", "--port", &device])
                .expect_status(0);
        }
        symlink(second.device(), &port).expect("a name");
        terminal.next("it is back");
        terminal.next(GONE);
        terminal.press_ctrl_c();
        expect_folder(&mut terminal);
        leave(&mut terminal);
    }
}

/// Code that restarts the board ends there, whatever the board then prints, and its own program goes on.
#[test]
fn code_that_restarts_the_board_ends_and_its_program_goes_on() {
    let micropython = need!(
        "code_that_restarts_the_board_ends_and_its_program_goes_on",
        micropython()
    );
    with_each_endless_program(&micropython, |home, _board, port, main| {
        let code = "print(open('/remote/dato.txt').read())\nimport machine\nmachine.reset()";
        let mount = ["mount", "shared", "--exec", code, "--port", port];
        let done = home.run(mount);
        done.expect_status(0);
        assert!(done.stdout.starts_with("cuarenta y dos\n"), "{done:#?}");
        assert!(
            done.stderr.contains("the folder is not its own any more"),
            "{done:#?}"
        );
        expect_own_program(home, port, main);
        let done = home.run(["exec", "import machine; machine.reset()", "--port", port]);
        done.expect_status(0);
        expect_own_program(home, port, main);
    });
}
