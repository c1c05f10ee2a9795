//! A board at a port of this computer, as a real one is reached. A second simulated board stands in for the hardware:
//! the laboratory knows no more of it than its serial device.

use board_link::PortSpec;
use board_sim::{SimBoard, SimConfig};
use lab::Lab;
use serde_json::{Value, json};
use testkit::need;

use crate::client::{Page, config, micropython};

#[test]
fn a_board_at_a_port_runs_programs_and_its_parts_are_its_own() {
    let maker = need!("a board at a port", micropython());
    let flash = tempfile::tempdir().expect("a folder");
    let attached = SimBoard::start(SimConfig::new(flash.path(), maker.micropython.clone()))
        .expect("the board that stands in");
    let device = attached.device().display().to_string();
    let mut config = config(None);
    config.boards = vec![PortSpec::Device(device.clone())];
    let lab = Lab::start(config).expect("a laboratory");
    let mut page = Page::open(&lab);
    let board = page.wait_for_board();
    let mut page = Page::open(&lab);
    let hello = page.next();
    let shown = &hello["boards"][0];
    assert_eq!(
        (&shown["kind"], &shown["port"], &shown["network"]),
        (&json!("real"), &json!(device), &Value::Null)
    );
    page.run(
        board,
        "import machine\nprint('en la placa')\nmachine.Pin(4, machine.Pin.OUT).on()\n",
    );
    page.wait_for_text(board, "en la placa");
    assert_eq!(page.wait_for_end(board)["how"], "finished");
    let pins = attached.peripherals().snapshot().pins;
    assert!(pins.iter().any(|pin| pin.pin == 4 && pin.level), "{pins:?}");
    // Its button is pressed by hand.
    page.send(&json!({"type": "press", "board": board, "pin": 0, "pressed": true}));
    page.wait("notice", |notice| notice["level"] == "error");
    // A program that runs on is stopped when the laboratory ends, and the board is at its prompt.
    page.run(board, "print('sin fin')\nwhile True:\n    pass\n");
    page.wait_for_text(board, "sin fin");
    // The same port a second time is refused.
    page.send(&json!({"type": "add_board", "kind": "real", "port": device}));
    page.wait("notice", |notice| notice["level"] == "error");
    drop(page);
    drop(lab);
    let again = board_link::open(&PortSpec::Device(device)).expect("the port is free");
    let timeouts = board_link::Timeouts {
        enter: crate::client::LONG,
        ..board_link::Timeouts::default()
    };
    let mut link = board_link::Board::connect(again, timeouts).expect("a board");
    assert!(!link.found_running(), "the program was stopped");
    let answer = link.exec("print(1 + 1)").expect("it answers");
    assert_eq!(answer.stdout, "2\n");
}

#[test]
fn a_port_without_a_board_is_told_and_the_laboratory_goes_on() {
    let mut config = config(None);
    config.boards = vec![PortSpec::Device("/dev/no-hay-placa".to_owned())];
    let lab = Lab::start(config).expect("a laboratory");
    let mut page = Page::open(&lab);
    loop {
        let message = page.next();
        let boards = match message["type"].as_str() {
            Some("hello") => message["boards"].as_array().expect("boards").clone(),
            Some("board") => vec![message],
            _ => continue,
        };
        if boards.iter().any(|board| board["state"] == "gone") {
            break;
        }
    }
    page.send(&json!({"type": "reset", "board": 1}));
    let notice = page.wait("notice", |notice| notice["board"] == 1);
    assert!(
        notice["text"]
            .as_str()
            .is_some_and(|text| text.contains("/dev/no-hay-placa")),
        "{notice}"
    );
}
