//! Boards that lie or never stop talking: every command gives up in bounded time and memory, and says what it heard and
//! what to try. No MicroPython would do this; the boards here are played on a pseudo-terminal.
#![cfg(target_os = "linux")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{Home, finish};
use testkit::FakePort;

/// All time-outs of one command together, on a busy machine.
const LIMIT: Duration = Duration::from_secs(80);

/// More than the command ever takes, KiB, and less than what these boards send.
const MEMORY: u64 = 40 * 1024;

/// What a played board does.
#[derive(Clone, Copy)]
struct Lie {
    /// What it says to raw-paste.
    window: &'static [u8],
    /// What it says when code has been sent.
    taken: &'static [u8],
    /// What it then says again and again.
    endless: &'static [u8],
}

/// A board that keeps to the protocol so far.
const HONEST: Lie = Lie {
    window: b"R\x01\x80\x00\x01",
    taken: b"\x04",
    endless: b"",
};

/// Of what is said again and again, so much at once, bytes, and so long between.
const AT_ONCE: usize = 4096;
const PAUSE: Duration = Duration::from_millis(2);

/// Plays it.
fn player(lie: Lie) -> impl FnMut(&[u8]) -> Vec<u8> {
    let (mut line, mut pasting, mut floods) = (Vec::new(), false, false);
    move |typed| {
        let mut said = Vec::new();
        for byte in typed {
            match byte {
                1 if line == b"\x05A" => {
                    said.extend(lie.window);
                    pasting = true;
                    line.clear();
                    // Who lies about the window does it all the time.
                    floods = lie.taken.is_empty();
                }
                1 => {
                    said.extend(b"raw REPL; CTRL-B to exit\r\n>");
                    (pasting, floods) = (false, false);
                    line.clear();
                }
                2 => said.extend(b"\r\n>>> "),
                3 => line.clear(),
                4 => {
                    said.extend(lie.taken);
                    line.clear();
                    floods = true;
                }
                other => {
                    line.push(*other);
                    if pasting && line.len() % 128 == 0 {
                        said.push(1);
                    }
                }
            }
        }
        if floods && !lie.endless.is_empty() {
            // As fast as USB; the test's own processor time is not what is tested.
            std::thread::sleep(PAUSE);
            said.extend(lie.endless.iter().cycle().take(AT_ONCE));
        }
        said
    }
}

/// Runs it; the highest memory it had, KiB.
fn run(home: &Home, arguments: &[&str], device: &str) -> (common::Done, u64) {
    let child = (home.umqtt(arguments.iter().copied().chain(["--port", device])))
        .spawn()
        .expect("umqtt starts");
    let status = format!("/proc/{}/status", child.id());
    let (ended, highest) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let watcher = {
        let (ended, highest) = (ended.clone(), highest.clone());
        std::thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                let text = std::fs::read_to_string(&status).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
                highest.fetch_max(number.unwrap_or(0), Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    let done = finish(child);
    ended.store(true, Ordering::SeqCst);
    watcher.join().expect("it only reads");
    (done, highest.load(Ordering::SeqCst))
}

type Player = Box<dyn FnMut(&[u8]) -> Vec<u8> + Send>;

/// Each command fails on its board, with a reason and what to try. All at once: they wait for time-outs mostly.
fn refused(cases: impl IntoIterator<Item = (Player, &'static [&'static str])>) {
    std::thread::scope(|scope| {
        for (play, arguments) in cases {
            scope.spawn(move || {
                let home = Home::new();
                home.script("main.py", "print(1)\n");
                std::fs::create_dir(home.path().join("shared")).expect("a folder");
                std::fs::copy(
                    home.path().join("main.py"),
                    home.path().join("shared/main.py"),
                )
                .expect("a lesson");
                home.script("esp32.bin", esp(&ESP32));
                home.script("esp8266.bin", esp(&ESP8266));
                if arguments.contains(&"lesson.zip") {
                    let pack = ["package", "shared", "-o", "lesson.zip", "--board", "sim"];
                    home.run(pack).expect_status(0);
                }
                let port = FakePort::start(play).expect("a pseudo-terminal");
                let device = port.device().display().to_string();
                let (done, memory) = run(&home, arguments, &device);
                println!("{arguments:?}: {:?}, {memory} KiB", done.elapsed);
                assert!(done.elapsed < LIMIT, "{arguments:?}: {done:#?}");
                assert!(
                    matches!(done.status, Some(1 | 3)),
                    "{arguments:?} {done:#?}"
                );
                // A doctor says it among what it found.
                let said = format!("{}{}", done.stderr, done.stdout);
                assert!(said.contains("  try: "), "{arguments:?}: {done:#?}");
                assert!(done.stderr.len() < 4096, "{arguments:?}: {done:#?}");
                assert!(memory < MEMORY, "{arguments:?}: {memory} KiB");
                // A command that is over at once is over before it can be looked at.
                assert!(
                    memory > 1024 || done.elapsed < Duration::from_secs(1),
                    "nothing was measured"
                );
            });
        }
    });
}

fn played(lie: Lie) -> Player {
    Box::new(player(lie))
}

/// How images for these chips begin.
const ESP32: [u8; 16] = [0xe9, 3, 2, 0x20, 0, 0, 8, 0x40, 0xee, 0, 0, 0, 0, 0, 0, 0];
const ESP8266: [u8; 16] = [
    0xe9, 1, 2, 0x40, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 0x80, 8, 0, 0,
];

fn esp(head: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x5a; 8192];
    bytes[..head.len()].copy_from_slice(head);
    bytes
}

/// Words again and again, as fast as USB.
fn flood(words: &'static [u8]) -> Player {
    Box::new(move |_| {
        std::thread::sleep(PAUSE);
        words.iter().copied().cycle().take(AT_ONCE).collect()
    })
}

const LS: &[&str] = &["fs", "ls", "/"];
const COPY: &[&str] = &["fs", "cp", "main.py", ":/main.py"];
const EXEC: &[&str] = &["exec", "print(1)", "--seconds", "1"];
const MOUNT: &[&str] = &["mount", "shared", "--exec", "import os; os.listdir()"];

#[test]
fn a_board_that_never_stops_talking() {
    let commands: [&[&str]; 9] = [
        LS,
        EXEC,
        &["deploy", "main.py"],
        &["deploy", "lesson.zip"],
        &["deploy", "main.py", "--watch"],
        &["reset"],
        &["doctor"],
        &["flash", "--firmware", "esp32.bin"],
        &["flash", "--firmware", "esp8266.bin"],
    ];
    refused(commands.map(|command| (flood(b"x"), command)));
}

/// Answers to what nobody asked, in the bootloader's own frames: too short, too long, of another command, never ending.
#[test]
fn a_bootloader_that_lies() {
    let lies: [&[u8]; 4] = [
        b"\xc0\x01\xc0",
        b"\xc0\x01\x08\xff\xff\x00\x00\x00\x00\xc0",
        b"\xc0\x01\x0a\x02\x00\x01\x02\x03\x04\x00\x00\xc0",
        b"\xc0\x01\x08\x02\x00\x00\x00\x00\x00",
    ];
    refused(lies.into_iter().flat_map(|words| {
        [
            (
                flood(words),
                ["flash", "--firmware", "esp32.bin"].as_slice(),
            ),
            (flood(words), &["flash", "--firmware", "esp8266.bin"]),
        ]
    }));
}

/// Looking at such a port ends by itself; talking to it does when the user says so. Neither keeps what it hears.
#[test]
fn ports_and_repl_on_a_board_that_never_stops_talking() {
    let home = Home::new();
    let port = FakePort::start(flood(b"hola\r\n")).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    let (done, memory) = run(&home, &["ports", "--json"], &device);
    done.expect_status(0);
    assert_eq!(done.said("port")["state"], "running", "{done:#?}");
    assert!(done.elapsed < LIMIT && memory < MEMORY, "{memory} KiB");

    let child = (home.umqtt(["repl", "--port", &device]))
        .spawn()
        .expect("umqtt starts");
    let id = rustix::process::Pid::from_child(&child);
    let status = format!("/proc/{}/status", child.id());
    let stop = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(4));
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
        text
    });
    let done = finish(child);
    let text = stop.join().expect("it only waits");
    done.expect_status(0);
    assert!(done.stdout.len() > 100_000, "{}", done.stdout.len());
    let highest = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let highest: Option<u64> = highest.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    assert!(highest.is_some_and(|memory| memory < MEMORY), "{text}");
}

#[test]
fn code_that_prints_without_end_and_does_not_stop() {
    let lie = Lie {
        endless: b"y",
        ..HONEST
    };
    let commands = [LS, COPY, EXEC, MOUNT, &["install"]];
    refused(commands.map(|command| (played(lie), command)));
}

#[test]
fn windows_that_are_lies() {
    // None, more than anything holds and nothing taken, one after the other without end, not one.
    let lies = [
        (&b"R\x01\x00\x00"[..], &b""[..]),
        (b"R\x01\xff\xff", b""),
        (b"R\x01\x80\x00", b"\x01"),
        (b"R\x01\x01\x00", b"noise"),
        (b"R\x02\x80\x00", b""),
    ];
    refused(lies.into_iter().flat_map(|(window, endless)| {
        let taken: &[u8] = b"";
        let lie = Lie {
            window,
            taken,
            endless,
        };
        [(played(lie), EXEC), (played(lie), LS)]
    }));
}

#[test]
fn replies_and_requests_without_end() {
    let lies: [(&[u8], _); 7] = [
        // The agent is ready; then it answers what nobody asked, lists without end, acknowledges what nobody sent.
        (b"\x1fI13 1\n\x1fK\n", COPY),
        (b"\x1fI13 1\n\x1fN0 1 61\n\x1fN0 1 62\n\x1fN0 1 63\n", LS),
        (b"\x1fI13 1\n\x06\x06\x06", COPY),
        (b"\x1fI99 9\n", COPY),
        // Requests of a mount that nobody made, garbled ones, one without an end.
        (b"\x1eumqtt AAAAAAAA\x1f", MOUNT),
        (b"\x1eumqtt AAAAAAAAAAAAAAAA", MOUNT),
        (b"\x1eumqtt ", LS),
    ];
    refused(lies.map(|(endless, command)| {
        let lie = Lie { endless, ..HONEST };
        (played(lie), command)
    }));
}
