//! No fault of the connection leads to a hang, a panic or a silent loss; a few hundred random
//! schedules, and a break at every byte position, against the model board.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use board_link::{Board, Clue, Ending, Event, Fault, Lang, LinkError, Timeouts};
use testkit::{Faults, Faulty, Random};

use crate::support::model::{ENDLESS, Firmware, Model, RESTART, printed_for};

/// For conversations that must succeed however busy the machine is.
fn long_timeouts() -> Timeouts {
    Timeouts {
        quiet: Duration::from_millis(3),
        ..Timeouts::default()
    }
}

/// Short, so that hundreds of time-outs pass in seconds.
fn timeouts() -> Timeouts {
    Timeouts {
        enter: Duration::from_millis(120),
        quiet: Duration::from_millis(3),
        reply: Duration::from_millis(60),
        boot: Duration::from_millis(60),
        exec: Duration::from_millis(60),
        stop: Duration::from_millis(60),
        write: Duration::from_millis(60),
    }
}

/// Longer than all time-outs of one conversation together, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const FIRMWARES: [Firmware; 5] = [
    Firmware::RawPaste { window: 128 },
    Firmware::RawPaste { window: 1 },
    Firmware::RawPaste { window: 65535 },
    Firmware::RefusesRawPaste,
    Firmware::Old,
];

/// Connects and runs code twice; what it printed.
fn converse(
    firmware: Firmware,
    faults: &Faults,
    seed: u64,
    code: &str,
    timeouts: Timeouts,
) -> Result<String, LinkError> {
    let model = Box::new(Model::new(firmware));
    let mut board = Board::connect(Faulty::new(model, faults.clone(), seed), timeouts)?;
    board.exec("first")?;
    let outcome = board.exec(code)?;
    board.soft_reset()?;
    board.exit_raw()?;
    outcome.into_stdout()
}

/// An error must name the port, say what to try, in both languages.
fn check_error(error: &LinkError) {
    assert!(!matches!(error.fault(), Fault::Usage), "{error:?}");
    for lang in [Lang::En, Lang::Es] {
        let message = error.message(lang);
        assert!(message.contains("model") || matches!(error, LinkError::Raised { .. }));
        assert!(error.help(lang).len() > 20, "{error:?}");
    }
    assert_ne!(error.message(Lang::En), error.message(Lang::Es));
}

/// Cut anywhere, delayed: the same result, on every firmware.
#[test]
fn crumbs_and_delays_change_nothing() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let firmware = FIRMWARES[random.below(FIRMWARES.len())];
        let faults = Faults {
            crumbs: 1 + random.below(5),
            delays: [0, 2, 3][random.below(3)],
            ..Faults::default()
        };
        let code = "x = 'año'\n".repeat(random.below(60) + 1);
        let printed = converse(firmware, &faults, seed, &code, long_timeouts());
        assert_eq!(
            printed.unwrap(),
            printed_for(&code),
            "seed {seed} {firmware:?} {faults:?}"
        );
    }
}

/// What other parts of a firmware print at any moment goes around the protocol's own bytes.
#[test]
fn noise_is_tolerated() {
    let mut calm = 0;
    for seed in 0..150 {
        let mut random = Random(seed);
        let firmware = FIRMWARES[random.below(FIRMWARES.len())];
        // Never inside the protocol's multi-byte answers: reads are whole.
        let faults = Faults {
            noise: 2 + random.below(6),
            ..Faults::default()
        };
        let code = "y = 2\n".repeat(random.below(100) + 1);
        match converse(firmware, &faults, seed, &code, timeouts()) {
            Ok(printed) => {
                let wanted = printed_for(&code);
                assert!(printed.contains(wanted.trim()), "seed {seed}: {printed:?}");
                calm += 1;
            }
            Err(error) => check_error(&error),
        }
    }
    assert!(
        calm >= 100,
        "only {calm} of 150 conversations survived the noise"
    );
}

/// Bytes lost on the way may spoil the work, never the program: an error in time, no panic.
#[test]
fn lost_bytes_end_in_an_error_in_time() {
    let mut failed = 0;
    for seed in 0..200 {
        let mut random = Random(seed);
        let firmware = FIRMWARES[random.below(FIRMWARES.len())];
        let faults = Faults {
            losses: 4 + random.below(60),
            crumbs: random.below(9),
            ..Faults::default()
        };
        let start = Instant::now();
        if let Err(error) = converse(firmware, &faults, seed, &"z = 3\n".repeat(80), timeouts()) {
            check_error(&error);
            failed += 1;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "seed {seed}: {:?}",
            start.elapsed()
        );
    }
    assert!(failed > 50, "the faults did nothing");
}

/// The cable pulled after every single byte, in both directions.
#[test]
fn a_break_at_every_position_is_a_lost_connection() {
    let code = "print(1)\n".repeat(20);
    for firmware in [FIRMWARES[0], Firmware::RefusesRawPaste, Firmware::Old] {
        for reading in [true, false] {
            let mut position = 0;
            loop {
                let faults = Faults {
                    break_after_read: reading.then_some(position),
                    break_after_written: (!reading).then_some(position),
                    ..Faults::default()
                };
                let start = Instant::now();
                match converse(firmware, &faults, 0, &code, long_timeouts()) {
                    // Beyond the conversation's last byte.
                    Ok(printed) => {
                        assert_eq!(printed, printed_for(&code));
                        break;
                    }
                    Err(error) => {
                        assert!(
                            matches!(error, LinkError::Lost { .. }),
                            "{position}: {error:?}"
                        );
                        check_error(&error);
                    }
                }
                assert!(start.elapsed() < PATIENCE);
                position += 1;
            }
            assert!(position > 150, "{firmware:?} ended after {position} bytes");
        }
    }
}

/// A port where nobody answers, and one that talks but has no REPL.
#[test]
fn a_port_without_a_board() {
    struct Port(&'static [u8]);
    impl board_link::Transport for Port {
        fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> std::io::Result<usize> {
            std::thread::sleep(timeout.min(Duration::from_millis(2)));
            buffer[..self.0.len()].copy_from_slice(self.0);
            Ok(self.0.len())
        }
        fn write(&mut self, _: &[u8], _: Duration) -> std::io::Result<()> {
            Ok(())
        }
        fn describe(&self) -> String {
            "model".to_owned()
        }
    }
    let heard = |bytes| {
        let start = Instant::now();
        let error = Board::connect(Box::new(Port(bytes)), timeouts())
            .err()
            .unwrap();
        check_error(&error);
        assert!(start.elapsed() < PATIENCE);
        error
    };
    assert!(matches!(heard(b""), LinkError::Silent { .. }));
    for (bytes, expected) in [
        (&b"temp 21.5\r\n"[..], Clue::Text),
        (b"\xf8\x00\x91\x80\xfe", Clue::Garbage),
        (
            b"rst:0x1,boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n",
            Clue::Bootloader,
        ),
        (b"invalid header: 0xffffffff\r\n", Clue::NoFirmware),
    ] {
        match heard(bytes) {
            LinkError::NoPrompt { clue, .. } => assert_eq!(clue, expected),
            other => panic!("{other:?}"),
        }
    }
}

/// A board that takes nothing any more: writing ends in time.
#[test]
fn a_full_line_is_a_timeout() {
    struct Stuck;
    impl board_link::Transport for Stuck {
        fn read(&mut self, _: &mut [u8], timeout: Duration) -> std::io::Result<usize> {
            std::thread::sleep(timeout);
            Ok(0)
        }
        fn write(&mut self, _: &[u8], _: Duration) -> std::io::Result<()> {
            Err(std::io::ErrorKind::TimedOut.into())
        }
        fn describe(&self) -> String {
            "model".to_owned()
        }
    }
    let error = Board::connect(Box::new(Stuck), timeouts()).err().unwrap();
    assert!(matches!(error, LinkError::TimedOut { .. }), "{error:?}");
    check_error(&error);
}

/// A busy board, one with half a line typed, and a stop request before, during and after.
#[test]
fn stopping() {
    let board = |model: Model| Board::connect(Box::new(model), long_timeouts()).unwrap();
    let mut one = board(Model::new(FIRMWARES[0]).busy());
    let run = one
        .exec_streaming(ENDLESS, &mut |_| {}, &AtomicBool::new(true))
        .unwrap();
    assert_eq!(run.ending, Ending::Stopped);
    assert_eq!(one.exec("a").unwrap().stdout, printed_for("a"));

    for firmware in FIRMWARES {
        let mut board = board(Model::new(firmware));
        let error = board
            .exec_within(ENDLESS, Duration::from_millis(20))
            .unwrap_err();
        assert!(matches!(error, LinkError::TimedOut { .. }), "{error:?}");
        assert_eq!(board.exec("a").unwrap().stdout, printed_for("a"));
    }
}

/// An exception is the program's outcome, in order: output first, traceback separate.
#[test]
fn an_exception_comes_on_its_own_channel() {
    let mut board = Board::connect(Box::new(Model::new(FIRMWARES[0])), long_timeouts()).unwrap();
    let mut events = Vec::new();
    let mut note = |event: Event<'_>| {
        events.push(match event {
            Event::Stdout(text) => format!("out {text}"),
            Event::Stderr(text) => format!("err {text}"),
        });
    };
    let run = board
        .exec_streaming("raise", &mut note, &AtomicBool::new(false))
        .unwrap();
    assert_eq!(run.ending, Ending::Raised);
    assert_eq!(events[0], format!("out {}", printed_for("raise")));
    assert_eq!(events[1], format!("err {}", run.stderr));
    assert!(run.stderr.ends_with("ValueError: \n"), "{:?}", run.stderr);
}

/// The raw REPL cannot carry its own control characters; a byte order mark is left out.
#[test]
fn code_that_cannot_be_sent_as_it_is() {
    let mut board = Board::connect(Box::new(Model::new(FIRMWARES[0])), long_timeouts()).unwrap();
    match board.exec("a = 1\nb = '\x04'\n") {
        Err(error @ LinkError::ControlCharacter { line: 2, byte: 4 }) => {
            assert_eq!(error.fault(), Fault::Usage);
            assert!(error.help(Lang::En).contains("\\x04"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(board.exec("\u{feff}a").unwrap().stdout, printed_for("a"));
    assert_eq!(board.raw_paste(), Some(true));
}

/// A program that restarts the board (`machine.reset()`): its output ends with the ordinary
/// REPL's prompt. The run ends by itself instead of waiting for ever, and the board is usable.
#[test]
fn a_restart_ends_the_run() {
    let mut board = Board::connect(Box::new(Model::new(FIRMWARES[0])), long_timeouts()).unwrap();
    let run = board
        .exec_streaming(RESTART, &mut |_| {}, &AtomicBool::new(false))
        .unwrap();
    assert_eq!(run.ending, Ending::Restarted);
    assert_eq!(board.exec("a").unwrap().stdout, printed_for("a"));
}
