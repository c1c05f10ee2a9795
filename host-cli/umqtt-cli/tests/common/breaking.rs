//! Where the line to a board breaks under a command, and what must hold whatever broke: an end in time, what to try, and
//! a board that answers the next command.

use std::time::Duration;

use board_link::PortSpec;
use board_sim::{MicroPython, SimBoard};
use testkit::{Break, How, Proxy};

use super::{Done, Home};

/// All time-outs of one command together, on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(80);

/// A board on the flash of this number, and the line to it.
pub fn board_and_line(home: &Home, number: usize, micropython: &MicroPython) -> (SimBoard, Proxy) {
    let board = home.board(number, micropython);
    let proxy = line_to(home, &board);
    (board, proxy)
}

/// The line to a board. What the board says when it starts has gone through: it belongs to no command's conversation.
pub fn line_to(home: &Home, board: &SimBoard) -> Proxy {
    let device = PortSpec::Device(board.device().display().to_string());
    let proxy = Proxy::start(device).expect("a TCP port");
    expect_works(home, &proxy, "the first time");
    proxy
}

/// Once the line is whole again, the board does what it is told.
#[track_caller]
pub fn expect_works(home: &Home, proxy: &Proxy, what: &str) {
    proxy.arm(Break::Never, How::HangUp);
    let done = home.run(["exec", "print(6 * 7)", "--port", &proxy.port()]);
    assert!(done.elapsed < LIMIT, "{what}: {done:#?}");
    assert_eq!(done.stdout, "42\n", "{what}: {done:#?}");
    done.expect_status(0);
}

/// The command said in time that the board is gone, and what to try.
#[track_caller]
pub fn expect_no_board(done: &Done, what: &str) {
    assert!(done.elapsed < LIMIT, "{what}: {done:#?}");
    assert_eq!(done.status, Some(3), "{what}: {done:#?}");
    assert!(done.stderr.contains("  try: "), "{what}: {done:#?}");
}

/// Where to break a conversation of so many bytes from the board and to it: at `count` places (two or more) of each, evenly,
/// the first and the last byte among them.
pub fn places((from_board, to_board): (usize, usize), count: usize) -> Vec<Break> {
    let even = |bytes: usize| {
        let last = bytes.saturating_sub(1);
        (0..count).map(move |number| last * number / (count - 1))
    };
    let from = even(from_board).map(Break::FromBoard);
    from.chain(even(to_board).map(Break::ToBoard)).collect()
}
