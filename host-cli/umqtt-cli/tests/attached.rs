//! A board that is attached: `--port` with a device. Here it is a simulated one that the test started,
//! which for the command is a serial device like any other.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};

use board_sim::{SimBoard, SimConfig};
use common::{Home, expect_no_process, finish, micropython};
use testkit::need;

/// A board on this home's flash, and its device.
fn board(home: &Home, micropython: board_sim::MicroPython) -> (SimBoard, String) {
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    (board, device)
}

#[test]
fn install_writes_what_differs_and_nothing_twice() {
    let micropython = need!(
        "install_writes_what_differs_and_nothing_twice",
        micropython()
    );
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    let install = || {
        let done = home.run(["install", "--port", &device]);
        done.expect_status(0);
        done.stdout
    };
    assert_eq!(
        install(),
        "umqtt  | written: /umqtt/simple.mpy, /umqtt/robust.py, /umqtt/aio.py, /upip.py\n"
    );
    assert_eq!(
        install(),
        "umqtt  | umqtt was there already, nothing was written\n"
    );
    std::fs::write(home.flash().join("umqtt/robust.py"), "# changed\n").expect("a changed file");
    assert_eq!(install(), "umqtt  | written: /umqtt/robust.py\n");
    let wanted = std::fs::read(common::repository().join("python/umqtt/robust.py")).expect("ours");
    assert!(std::fs::read(home.flash().join("umqtt/robust.py")).expect("the board's") == wanted);
}

#[test]
fn scripts_run_one_after_the_other_each_on_a_fresh_interpreter() {
    let micropython = need!(
        "scripts_run_one_after_the_other_each_on_a_fresh_interpreter",
        micropython()
    );
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    home.script("main.py", "print('left' in globals())\nleft = 1\n");
    for _ in 0..3 {
        let done = home.run(["run", "main.py", "--port", &device, "--json"]);
        done.expect_status(0);
        assert_eq!(done.script_output(), "False\n");
    }
    // A script that is still running is stopped for the next one.
    home.script("endless.py", "while True:\n    pass\n");
    home.run(["run", "endless.py", "--port", &device, "--seconds", "0.5"])
        .expect_status(0);
    home.run(["run", "main.py", "--port", &device])
        .expect_status(0);
}

#[test]
fn a_board_that_goes_away_is_status_3() {
    let micropython = need!("a_board_that_goes_away_is_status_3", micropython());
    let home = Home::new();
    let (board, device) = board(&home, micropython);
    home.script("main.py", "print('running')\nwhile True:\n    pass\n");
    let mut child = home
        .umqtt(["run", "main.py", "--port", &device])
        .spawn()
        .expect("umqtt starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.contains("running") {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).expect("a line"),
            0,
            "it ended before the script ran"
        );
    }
    drop(board);
    let done = finish(child);
    done.expect_status(3);
    assert!(
        done.stderr.contains(&device) && done.stderr.contains("try:"),
        "{done:#?}"
    );
    expect_no_process();
}

#[test]
fn public_brokers_are_this_computer_unless_online() {
    need!(
        "public_brokers_are_this_computer_unless_online",
        micropython()
    );
    let home = Home::new();
    // Only asked for, not connected to: a test has no business on a public broker.
    home.script(
        "main.py",
        "import socket\ntry:\n    print(socket.getaddrinfo('broker.hivemq.com', 1883)[0][-1])\nexcept OSError:\n    print('unknown')\n",
    );
    let local = home.run(["run", "main.py", "--port", "sim", "--json"]);
    local.expect_status(0);
    assert!(local.script_output().contains("127.0.0.1"), "{local:#?}");
    let online = home.run(["run", "main.py", "--port", "sim", "--online", "--json"]);
    online.expect_status(0);
    assert!(!online.script_output().contains("127.0.0.1"), "{online:#?}");
}

#[test]
fn the_embedded_broker_says_where_attached_boards_find_it() {
    let micropython = need!(
        "the_embedded_broker_says_where_attached_boards_find_it",
        micropython()
    );
    let home = Home::new();
    let (_board, device) = board(&home, micropython);
    home.script("main.py", "print('done')\n");
    let done = home.run([
        "run", "main.py", "--port", &device, "--broker", "embedded", "--json",
    ]);
    done.expect_status(0);
    assert!(done.stdout.contains("no password"), "{done:#?}");
    let done = home.run(["run", "main.py", "--port", &device]);
    done.expect_status(0);
    assert!(
        done.stdout.contains("--broker shows what arrives there"),
        "{done:#?}"
    );
}
