//! The raw REPL of real MicroPython (QEMU): from any state in, everything out, always stoppable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use board_link::{Board, Ending, Event, Fault, LinkError, Run, Traceback, open};
use sha2::{Digest, Sha256};
use testkit::{Faults, Faulty};

use crate::support::patient;
use crate::support::qemu::QemuBoard;

fn connect(qemu: &QemuBoard) -> Board {
    let transport = open(&qemu.spec).expect("the board's port opens");
    Board::connect(transport, patient()).expect("the board answers")
}

fn connect_with(qemu: &QemuBoard, faults: Faults) -> Board {
    let transport = open(&qemu.spec).expect("the board's port opens");
    Board::connect(Faulty::new(transport, faults, 1), patient()).expect("the board answers")
}

/// Runs `code`; sets the stop request when `stop_at` has been printed.
fn run_until(board: &mut Board, code: &str, stop_at: &str) -> Result<(Run, String), LinkError> {
    let stop = AtomicBool::new(false);
    let mut printed = String::new();
    let mut note = |event: Event<'_>| {
        if let Event::Stdout(text) = event {
            printed.push_str(text);
            if printed.contains(stop_at) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    let run = board.exec_streaming(code, &mut note, &stop)?;
    Ok((run, printed))
}

/// What a terminal user or a dead program may have left behind, as bytes on the line.
const STATES: [(&str, &[u8]); 10] = [
    ("friendly prompt", b"\x02"),
    ("half a line typed", b"\x02left = 1"),
    ("a block begun", b"\x02if True:\rleft = 1\r"),
    ("paste mode", b"\x02\x05left = 1\r"),
    ("already raw", b"\x01"),
    ("raw with half a program", b"\x01left = 1\n"),
    ("raw-paste with half a program", b"\x01\x05A\x01left = 1\n"),
    ("a program that runs", b"\x01while True: pass\n\x04"),
    (
        "a program that prints without end",
        b"\x01while True: print('x' * 50)\n\x04",
    ),
    ("a program that waits for input", b"\x01input('?')\n\x04"),
];

/// Whatever state the board is in, entering works, stops it, and runs nothing half typed.
#[test]
fn enter_from_any_state() {
    let Some(qemu) = QemuBoard::on_pty("enter_from_any_state") else {
        return;
    };
    for (state, bytes) in STATES {
        let mut transport = connect(&qemu).into_transport();
        transport.write(bytes, Duration::from_secs(2)).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        let mut board =
            Board::connect(transport, patient()).unwrap_or_else(|error| panic!("{state}: {error}"));
        let taken = start.elapsed();
        let outcome = board.exec("print('left' in globals())").unwrap();
        assert_eq!(outcome.stdout, "False\n", "{state}");
        assert!(taken < Duration::from_secs(30), "{state}: {taken:?}");
    }
}

/// 200 KB with letters beyond ASCII arrive unchanged, in crumbs as well, with flow control.
#[test]
fn large_programs_arrive_whole() {
    let Some(qemu) = QemuBoard::on_socket("large_programs_arrive_whole") else {
        return;
    };
    let old: &[u8] = b"\x01";
    let unsupported: &[u8] = b"\x05B\x01";
    for (raw_paste_becomes, size, crumbs) in [
        (None, 200_000, 0),
        (None, 20_000, 3),
        (Some(old), 20_000, 0),
        (Some(unsupported), 20_000, 0),
    ] {
        let faults = Faults {
            crumbs,
            raw_paste_becomes,
            ..Faults::default()
        };
        let mut board = connect_with(&qemu, faults);
        let text: String = ('!'..='~')
            .filter(|&c| c != '\\' && c != '\'')
            .chain("áéñ€😀\n".chars())
            .cycle()
            .take(size)
            .collect();
        let code = format!(
            "import hashlib\ns='''{text}'''\nprint(hashlib.sha256(s.encode()).digest().hex())\ndel s\n"
        );
        let start = Instant::now();
        let outcome = board.exec(&code).unwrap();
        let hash: String = Sha256::digest(&text)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(outcome.stdout.trim(), hash, "{raw_paste_becomes:?}");
        assert_eq!(board.raw_paste(), Some(raw_paste_becomes.is_none()));
        println!("{} bytes in {:?}", code.len(), start.elapsed());
        // And the board is at its prompt, with every byte accounted for.
        assert_eq!(board.exec("print(1)").unwrap().stdout, "1\n");
    }
}

/// An exception's place and text; a syntax error in front of 100 KB that nobody reads any more.
#[test]
fn exceptions() {
    let Some(qemu) = QemuBoard::on_socket("exceptions") else {
        return;
    };
    let mut board = connect(&qemu);
    let outcome = board
        .exec("print('antes')\ndef f():\n  raise ValueError('mal año')\nf()\n")
        .unwrap();
    assert_eq!(outcome.ending, Ending::Raised);
    assert_eq!(outcome.stdout, "antes\n");
    let traceback = Traceback::parse(&outcome.stderr, "examples/uno/main.py", 0);
    assert_eq!(
        traceback.to_string(),
        "Traceback (most recent call last):\n  \
         File \"examples/uno/main.py\", line 4, in <module>\n  \
         File \"examples/uno/main.py\", line 3, in f\nValueError: mal año"
    );
    assert_eq!(
        (traceback.exception.as_str(), traceback.message.as_str()),
        ("ValueError", "mal año")
    );
    match outcome.into_stdout() {
        Err(error @ LinkError::Raised { .. }) => {
            assert_eq!(error.fault(), Fault::Script);
            assert!(error.to_string().contains("ValueError: mal año"));
        }
        other => panic!("{other:?}"),
    }

    let wrong = format!(
        "a = 1\nif a\n{}",
        "b = 'xxxxxxxxxxxxxxxxxxxxxxx'\n".repeat(3500)
    );
    let outcome = board.exec(&wrong).unwrap();
    let traceback = Traceback::parse(&outcome.stderr, "main.py", 0);
    assert_eq!(traceback.exception, "SyntaxError");
    assert_eq!(traceback.line_in("main.py"), Some(2));
    assert_eq!(board.exec("print(2)").unwrap().stdout, "2\n");

    // A syntax error in the very last byte, when the end is already on its way.
    let outcome = board.exec("print(1)\nif a").unwrap();
    assert_eq!(
        (outcome.ending, outcome.stdout.as_str()),
        (Ending::Raised, "")
    );
    assert_eq!(board.exec("print(3)").unwrap().stdout, "3\n");
}

/// Characters cut at any byte, and a carriage return that the program meant.
#[test]
fn output_is_text_wherever_it_is_cut() {
    let Some(qemu) = QemuBoard::on_socket("output_is_text_wherever_it_is_cut") else {
        return;
    };
    let faults = Faults {
        crumbs: 1,
        delays: 3,
        ..Faults::default()
    };
    let mut board = connect_with(&qemu, faults);
    let outcome = board
        .exec("for i in range(40): print('año €5 😀 ' * i)\nprint('10%', end='\\r')\nprint('20%')")
        .unwrap();
    let mut expected: String = (0..40)
        .map(|i| format!("{}\n", "año €5 😀 ".repeat(i)))
        .collect();
    expected.push_str("10%\r20%\n");
    assert_eq!(outcome.stdout, expected);
}

/// Ctrl-C reaches the board's program, output goes on until it has ended, and the board is usable.
#[test]
fn stopping_programs() {
    let Some(qemu) = QemuBoard::on_socket("stopping_programs") else {
        return;
    };
    let mut board = connect(&qemu);
    let start = Instant::now();
    for endless in [
        "print('go')\nwhile True: pass",
        "while True: print('go' * 40)",
        "print('go')\nx=input()",
        "print('go')\ntry:\n while True: pass\nfinally:\n print('clean')",
    ] {
        let (run, printed) = run_until(&mut board, endless, "go").unwrap();
        assert_eq!(run.ending, Ending::Stopped, "{endless}");
        assert!(
            run.stderr.ends_with("KeyboardInterrupt: \n"),
            "{:?}",
            run.stderr
        );
        assert_eq!(printed.contains("clean"), endless.contains("clean"));
        assert_eq!(board.exec("print(1)").unwrap().stdout, "1\n", "{endless}");
    }
    // A program that catches it, cleans up and ends is stopped too.
    let polite = "print('go')\ntry:\n while True: pass\nexcept KeyboardInterrupt:\n print('bye')";
    let (run, printed) = run_until(&mut board, polite, "go").unwrap();
    assert_eq!((run.ending, run.stderr.as_str()), (Ending::Stopped, ""));
    assert_eq!(printed, "go\nbye\n");
    // One that catches the first and goes on gets a second.
    let stubborn = format!("{polite}\nwhile True: pass");
    let (run, _) = run_until(&mut board, &stubborn, "go").unwrap();
    assert_eq!(run.ending, Ending::Stopped);
    println!("six programs stopped after {:?}", start.elapsed());

    // A stop request while the code is still on its way.
    let long = "x = 'xxxxxxxxxxxxxxxxxxxx'\n".repeat(4000);
    let stop = AtomicBool::new(true);
    let run = board.exec_streaming(&long, &mut |_| {}, &stop).unwrap();
    assert_eq!(run.ending, Ending::Stopped);
    assert_eq!(board.exec("print(2)").unwrap().stdout, "2\n");

    // A limit: stopped, reported, usable.
    let error = board
        .exec_within("while True: print('x')", Duration::from_millis(300))
        .unwrap_err();
    assert!(matches!(error, LinkError::TimedOut { .. }), "{error:?}");
    assert_eq!(board.exec("print(3)").unwrap().stdout, "3\n");

    // One that catches everything for ever cannot be stopped, and that is said in time.
    board.timeouts_mut().stop = Duration::from_secs(1);
    let deaf = "print('go')\nwhile True:\n try:\n  while True: pass\n except: pass";
    let start = Instant::now();
    let error = run_until(&mut board, deaf, "go").unwrap_err();
    assert!(matches!(error, LinkError::Unstoppable { .. }), "{error:?}");
    assert!(error.help(board_link::Lang::Es).contains("except:"));
    assert!(start.elapsed() < Duration::from_secs(3));
}

/// Soft reset forgets variables; SystemExit is told apart from an ordinary end.
#[test]
fn soft_reset_and_system_exit() {
    let Some(qemu) = QemuBoard::on_socket("soft_reset_and_system_exit") else {
        return;
    };
    let mut board = connect(&qemu);
    board.exec("left = 1").unwrap();
    board.soft_reset().unwrap();
    assert_eq!(
        board.exec("print('left' in globals())").unwrap().stdout,
        "False\n"
    );

    let outcome = board
        .exec("left = 1\nprint('a')\nimport sys\nsys.exit()\n")
        .unwrap();
    assert_eq!(
        (outcome.ending, outcome.stdout.as_str()),
        (Ending::Exited, "a\n")
    );
    assert!(outcome.into_stdout().is_err());
    assert_eq!(
        board.exec("print('left' in globals())").unwrap().stdout,
        "False\n"
    );

    board.exit_raw().unwrap();
    assert_eq!(board.exec("print(4)").unwrap().stdout, "4\n");
}

/// What the board is.
#[test]
fn info() {
    let Some(qemu) = QemuBoard::on_socket("info") else {
        return;
    };
    let info = connect(&qemu).info().unwrap();
    assert_eq!(info.implementation, "micropython");
    assert_eq!(info.version, (1, 26, 1));
    assert_eq!(info.platform, "qemu");
    assert_eq!(info.machine, "mps2-an385 with Cortex-M3");
    // MicroPython calls every Thumb-2 core without an FPU armv7em (py/persistentcode.h).
    assert_eq!(info.mpy.unwrap().to_string(), "6.3 armv7em");
    assert!(info.free_heap.unwrap() > 1_000_000);
}

/// The board disappears while its program runs, and when it resets itself.
#[test]
fn a_lost_board() {
    let Some(mut qemu) = QemuBoard::on_pty("a_lost_board") else {
        return;
    };
    let mut board = connect(&qemu);
    let start = Instant::now();
    let error = board
        .exec_streaming(
            "print('go')\nwhile True: pass",
            &mut |_| qemu.unplug(),
            &AtomicBool::new(false),
        )
        .unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
    assert_eq!(error.fault(), Fault::Lost);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(matches!(board.exec("1"), Err(LinkError::Lost { .. })));

    drop(qemu);
    // On this port a reset ends the emulator: the device goes away as native USB does.
    let Some(qemu) = QemuBoard::on_pty("a_lost_board") else {
        return;
    };
    let error = connect(&qemu)
        .exec("import machine\nmachine.reset()")
        .unwrap_err();
    assert!(matches!(error, LinkError::Lost { .. }), "{error:?}");
}

/// Two programs on one port, a device that is not there, and one that is no terminal.
#[test]
fn ports_that_do_not_open() {
    let Some(qemu) = QemuBoard::on_pty("ports_that_do_not_open") else {
        return;
    };
    let board = connect(&qemu);
    match open(&qemu.spec).err().unwrap() {
        LinkError::PortBusy { port, .. } => assert_eq!(port, qemu.device()),
        other => panic!("{other:?}"),
    }
    drop(board);
    open(&qemu.spec).expect("free again");

    let device = |path: &str| {
        open(&board_link::PortSpec::Device(path.to_owned()))
            .err()
            .unwrap()
    };
    assert!(matches!(
        device("/dev/ttyNONE7"),
        LinkError::PortMissing { .. }
    ));
    assert!(matches!(device("/dev/null"), LinkError::PortFailed { .. }));
    assert!(matches!(
        open(&board_link::PortSpec::Sim),
        Err(LinkError::Simulated)
    ));
}
