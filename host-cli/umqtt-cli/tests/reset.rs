//! `umqtt reset` beyond Python's own restart: the simulated board, and a fake Pico that speaks the raw REPL, since none
//! is attached.
#![cfg(unix)]

mod common;

use std::sync::{Arc, Mutex};

use board_sim::{SimBoard, SimConfig};
use common::{Home, micropython};
use testkit::{FakePort, need};

/// A Pico as far as `umqtt reset` sees one: its raw REPL without raw-paste. It notes the code that it is sent, and after
/// `machine.bootloader()` or `machine.reset()` it says nothing any more.
fn pico(codes: Arc<Mutex<Vec<String>>>) -> FakePort {
    let mut code = Vec::new();
    let mut gone = false;
    FakePort::start(move |bytes| {
        let mut out = Vec::new();
        for byte in bytes {
            match byte {
                _ if gone => {}
                1 => {
                    code.clear();
                    out.extend(b"raw REPL; CTRL-B to exit\r\n>");
                }
                2 | 3 => code.clear(),
                4 => {
                    let text = String::from_utf8_lossy(&code).into_owned();
                    code.clear();
                    out.extend(b"OK");
                    if text.contains("machine.reset()") || text.contains("machine.bootloader()") {
                        gone = true;
                    } else if text.contains("_machine") {
                        out.extend(
                            b"\x1fname micropython\r\n\x1fversion 1 26 1\r\n\
                              \x1fmachine Raspberry Pi Pico W with RP2040\r\n",
                        );
                    }
                    if !gone {
                        out.extend(b"\x04\x04>");
                    }
                    codes.lock().expect("the codes").push(text);
                }
                _ => code.push(*byte),
            }
        }
        out
    })
    .expect("a pseudo-terminal")
}

#[test]
fn a_pico_is_reset_as_its_file_says() {
    for (option, call) in [
        ("--hard", "machine.reset()"),
        ("--bootloader", "machine.bootloader()"),
    ] {
        let home = Home::new();
        let codes = Arc::default();
        let port = pico(Arc::clone(&codes));
        let device = port.device().display().to_string();
        let done = home.run(["reset", option, "--port", &device, "--json"]);
        done.expect_status(0);
        let lines = done.json();
        let line = (lines.iter().find(|line| line["event"] == "reset")).expect("a line");
        assert_eq!(
            (&line["board"], &line["by"]),
            (&"pico-w".into(), &"python".into())
        );
        let last = codes.lock().expect("the codes").last().cloned();
        assert!(last.is_some_and(|code| code.contains(call)), "{codes:?}");
    }
    let home = Home::new();
    let port = pico(Arc::default());
    let device = port.device().display().to_string();
    let done = home.run(["reset", "--bootloader", "--port", &device]);
    done.expect_status(0);
    assert!(done.stdout.contains("umqtt flash"), "{done:#?}");
}

#[test]
fn a_port_that_cannot_reset_says_why_and_which_button_does() {
    let home = Home::new();
    // Nobody answers, and a pseudo-terminal has no lines.
    let port = FakePort::start(|_| Vec::new()).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    for (lang, words) in [
        ("en", ["Python does not answer", "no reset lines", "BOOT"]),
        (
            "es",
            ["Python no responde", "no tiene líneas de reinicio", "BOOT"],
        ),
    ] {
        let done = home.run(["reset", "--bootloader", "--port", &device, "--lang", lang]);
        done.expect_status(1);
        for word in words {
            assert!(done.stderr.contains(word), "{word}: {done:#?}");
        }
    }
}

#[test]
fn the_simulated_board_starts_anew_and_has_no_bootloader() {
    let micropython = need!(
        "the_simulated_board_starts_anew_and_has_no_bootloader",
        micropython()
    );
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    home.run(["exec", "left = 1", "--port", &device])
        .expect_status(0);
    home.run(["reset", "--hard", "--port", &device])
        .expect_status(0);
    let done = home.run(["exec", "print('left' in globals())", "--port", &device]);
    assert_eq!(done.stdout, "False\n");
    let done = home.run(["reset", "--bootloader", "--port", &device]);
    done.expect_status(1);
    assert!(done.stderr.contains("has no bootloader"), "{done:#?}");
}
