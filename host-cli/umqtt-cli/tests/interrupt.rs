//! Ctrl-C at any moment, on a terminal: the script is interrupted, no process stays, the terminal is
//! as it was.
#![cfg(target_os = "linux")]

mod common;

use std::time::{Duration, Instant};

use common::terminal::{Terminal, comparable};
use common::{Home, children_of, expect_no_process, micropython};
use testkit::need;

const SCRIPT: &str = "import time\nfrom umqtt.simple import MQTTClient\n\
                      client = MQTTClient('c', 'test.mosquitto.org')\nclient.connect()\nprint('running')\n\
                      try:\n    while True:\n        client.publish('t', 'x')\n        time.sleep(0.02)\n\
                      finally:\n    client.disconnect()\n    print('bye')\n";

#[test]
fn ctrl_c_at_twenty_moments() {
    need!("ctrl_c_at_twenty_moments", micropython());
    let home = Home::new();
    home.script("main.py", SCRIPT);
    // How long it takes until the script runs decides which moments are worth a try.
    let begin = Instant::now();
    let mut first = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
    first.wait_for("running");
    let start = begin.elapsed();
    let board = children_of(first.child.id());
    assert!(
        !board.is_empty(),
        "the board's process is seen while it runs"
    );
    first.press_ctrl_c();
    assert_eq!(
        first.end_within(Duration::from_secs(10)),
        Some(0),
        "{}",
        first.heard
    );
    for text in ["bye", "KeyboardInterrupt", "DISCONNECT"] {
        first.expect_heard(text);
    }
    expect_no_process();

    for moment in 0..20_u32 {
        let mut terminal = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
        // From the first millisecond to well into the script.
        std::thread::sleep(start * moment / 14);
        terminal.press_ctrl_c();
        let status = terminal.end_within(Duration::from_secs(15));
        // Before the handler stands, Ctrl-C ends the process as it ends any (no status); between that
        // and the script's first line nothing was done (1); then the run ends well.
        match status {
            None => assert!(
                terminal.heard.trim_start_matches("^C").trim().is_empty(),
                "moment {moment}: {}",
                terminal.heard
            ),
            Some(0) => {}
            Some(1) => terminal.expect_heard("interrupted"),
            Some(status) => panic!("moment {moment}: status {status}: {}", terminal.heard),
        }
        assert_eq!(
            comparable(&terminal.settings()),
            terminal.before,
            "moment {moment}"
        );
        expect_no_process();
    }
}

#[test]
fn two_columns_on_a_wide_terminal_and_lines_on_a_narrow_one() {
    need!(
        "two_columns_on_a_wide_terminal_and_lines_on_a_narrow_one",
        micropython()
    );
    let home = Home::new();
    home.script("main.py", SCRIPT.replace("while True", "for _ in range(3)"));
    for (columns, expected) in [(100, "│ → PUBLISH t: x"), (60, "mqtt   | → PUBLISH t: x")] {
        let mut terminal = Terminal::run(&home, columns, &["run", "main.py", "--port", "sim"]);
        assert_eq!(
            terminal.end_within(Duration::from_secs(60)),
            Some(0),
            "{}",
            terminal.heard
        );
        terminal.expect_heard("bye");
        let plain = terminal.heard.replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert!(plain.contains(expected), "{plain}");
        assert!(
            !plain.contains('\x1b'),
            "no other escape sequences: {plain:?}"
        );
    }
}

#[test]
fn a_closed_terminal_leaves_no_process() {
    need!("a_closed_terminal_leaves_no_process", micropython());
    let home = Home::new();
    home.script("main.py", SCRIPT);
    let mut terminal = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
    terminal.wait_for("running");
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&terminal.child),
        rustix::process::Signal::HUP,
    )
    .expect("a signal");
    assert_eq!(
        terminal.end_within(Duration::from_secs(10)),
        Some(0),
        "{}",
        terminal.heard
    );
    expect_no_process();
}

#[test]
fn a_killed_umqtt_leaves_no_process() {
    need!("a_killed_umqtt_leaves_no_process", micropython());
    let home = Home::new();
    home.script("main.py", "print('running')\nwhile True:\n    pass\n");
    let mut terminal = Terminal::run(&home, 100, &["run", "main.py", "--port", "sim"]);
    terminal.wait_for("running");
    terminal.child.kill().expect("it is killed");
    terminal.child.wait().expect("it is gone");
    expect_no_process();
}
