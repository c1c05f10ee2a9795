//! What takes more than a second shows on a terminal that it moves, and is gone from it at the end; elsewhere nothing of
//! it is written. The line to the board is slowed down so that it does take that long on every computer.
#![cfg(target_os = "linux")]

mod common;

use std::time::Duration;

use board_link::PortSpec;
use board_sim::{SimBoard, SimConfig};
use common::terminal::Terminal;
use common::{Home, micropython};
use testkit::{Proxy, need};

/// What a bar draws, and what takes a line of a terminal away again.
const BAR: &str = "[===";
const CLEARED: &str = "\x1b[2K";

/// A file that no compression makes small.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    (0..size)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// Runs it on a terminal to its end; what it drew and said.
fn on_a_terminal(home: &Home, arguments: &[&str]) -> String {
    let mut terminal = Terminal::run(home, 100, arguments);
    let status = terminal.end_within(Duration::from_secs(90));
    assert_eq!(status, Some(0), "{arguments:?}: {}", terminal.heard);
    terminal.heard.clone()
}

#[test]
fn what_takes_long_shows_that_it_moves() {
    const NAME: &str = "what_takes_long_shows_that_it_moves";
    let micropython = need!(NAME, micropython());
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = PortSpec::Device(board.device().display().to_string());
    let proxy = Proxy::start(device).expect("a TCP port");
    let port = proxy.port();
    home.script("noise.bin", noise(60_000));
    let letters: String = noise(60_000)
        .iter()
        .map(|n| char::from(b'a' + n % 26))
        .collect();
    std::fs::write(home.flash().join("letters.txt"), format!("HOLA{letters}")).expect("a file");
    home.script("lesson.py", format!("X = {:?}\n", noise(20_000)));

    // Many files that take no second each.
    std::fs::create_dir(home.flash().join("folder")).expect("a folder");
    for number in 0..30 {
        let file = home.flash().join(format!("folder/{number}.bin"));
        std::fs::write(file, noise(2_000)).expect("a file");
    }

    // So long for each 256 bytes to the board; what comes from it waits for fewer answers.
    let cases: [(u64, &[&str]); 4] = [
        (
            15,
            &["fs", "cp", "noise.bin", ":/noise.bin", "--port", &port],
        ),
        (
            300,
            &["fs", "cp", ":/noise.bin", "back.bin", "--port", &port],
        ),
        (
            300,
            &["fs", "cp", "-r", ":/folder", "copied", "--port", &port],
        ),
        (15, &["deploy", "lesson.py", "--port", &port]),
    ];
    for (pause, arguments) in cases {
        proxy.slow_down(Duration::from_millis(pause));
        let drawn = on_a_terminal(&home, arguments);
        let bars: Vec<&str> = drawn.split(BAR).collect();
        assert!(bars.len() > 3, "it did not move: {arguments:?}: {drawn:?}");
        // How much of how much, how fast, and how long it will take.
        assert!(
            bars[1].contains("B/s") && !drawn.contains("/0 B"),
            "{arguments:?}: {drawn:?}"
        );
        let after = bars.last().copied().unwrap_or_default();
        assert!(
            after.contains(CLEARED),
            "it stays: {arguments:?}: {drawn:?}"
        );
    }
    assert_eq!(
        std::fs::read(home.path().join("back.bin")).expect("the copy"),
        noise(60_000)
    );

    // How much a file that is printed will be is not asked for.
    proxy.slow_down(Duration::from_millis(400));
    let drawn = on_a_terminal(&home, &["fs", "cat", "/letters.txt", "--port", &port]);
    let drawn = drawn.split("HOLA").next().unwrap_or_default();
    assert!(
        drawn.contains("B/s") && !drawn.contains("/0 B") && drawn.ends_with(CLEARED),
        "{drawn:?}"
    );

    // Nobody can tell how much is left of a list; that it goes on is shown all the same.
    proxy.slow_down(Duration::from_millis(400));
    let drawn = on_a_terminal(&home, &["fs", "tree", "/", "--port", &port]);
    assert!(
        ["⠁", "⠂", "⠄", "⠈", "⠉", "⠋", "⠙", "⠹", "⠸"]
            .iter()
            .any(|sign| drawn.contains(sign))
            && drawn.contains(CLEARED),
        "{drawn:?}"
    );

    // Into a file or a pipe goes none of it.
    proxy.slow_down(Duration::from_millis(15));
    home.script("noise.bin", noise(50_000));
    let done = home.run(["fs", "cp", "noise.bin", ":/noise.bin", "--port", &port]);
    done.expect_status(0);
    assert!(
        !done.stderr.contains('[') && !done.stderr.contains('\x1b'),
        "{done:#?}"
    );

    // What is done at once needs no bar.
    proxy.slow_down(Duration::ZERO);
    home.script("small.txt", "hola");
    let drawn = on_a_terminal(
        &home,
        &["fs", "cp", "small.txt", ":/s.txt", "--port", &port],
    );
    assert!(!drawn.contains('['), "{drawn:?}");
}
