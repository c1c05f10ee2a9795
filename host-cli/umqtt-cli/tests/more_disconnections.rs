//! The line breaks or falls silent under the commands that do more than one thing with a board, or only look: `ports` and
//! `doctor`, `repl`, `mount` with its interpreter, `deploy --all`, `deploy --watch`. As for the others: no hang, what to try, no half file.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

use common::breaking::{LIMIT, board_and_line, expect_no_board, expect_works, places};
use common::{Done, Home, finish, micropython};
use testkit::{Break, How, Proxy, need};

/// Places where each conversation breaks, either way.
const BREAKS: usize = 6;

/// Breaks one conversation everywhere, and at some places falls silent, which only time can tell; `judge` looks at what came of each.
fn everywhere(
    home: &Home,
    proxy: &Proxy,
    talk: impl Fn() -> Done,
    judge: impl Fn(&Done, bool, &str),
) {
    proxy.arm(Break::Never, How::HangUp);
    let whole = talk();
    judge(&whole, false, "unbroken");
    let mut broken = 0;
    for (number, at) in places(proxy.passed(), BREAKS).into_iter().enumerate() {
        let silence = (number % 4 == 1).then_some(How::Silence);
        for how in [Some(How::HangUp), silence].into_iter().flatten() {
            proxy.arm(at, how);
            let done = talk();
            let what = format!("{at:?} {how:?}");
            assert!(done.elapsed < LIMIT, "{what}: {done:#?}");
            judge(&done, proxy.broke(), &what);
            broken += usize::from(proxy.broke());
            expect_works(home, proxy, &what);
        }
    }
    assert!(broken >= BREAKS, "only {broken} broke");
}

#[test]
fn looking_at_a_board() {
    let micropython = need!("looking_at_a_board", micropython());
    let home = Home::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (_board, proxy) = board_and_line(&home, 0, &micropython);
            let port = proxy.port();
            let talk = || home.run(["ports", "--port", &port, "--json"]);
            everywhere(&home, &proxy, talk, |done, broke, what| {
                done.expect_status(0);
                let state = done.said("port")["state"].clone();
                let known = match broke {
                    false => ["prompt"].as_slice(),
                    // What was heard until then may be enough.
                    true => &["prompt", "failed", "silent", "running", "garbage"],
                };
                assert!(
                    known.contains(&state.as_str().unwrap_or_default()),
                    "{what}: {done:#?}"
                );
            });
        });
        scope.spawn(|| {
            let (_board, proxy) = board_and_line(&home, 1, &micropython);
            let port = proxy.port();
            // A board that has just got its power believes that it is 2000, which a doctor does not call well.
            let clock = ["exec", "import ntptime; ntptime.settime()", "--port", &port];
            home.run(clock).expect_status(0);
            let talk = || home.run(["doctor", "--port", &port]);
            everywhere(&home, &proxy, talk, |done, broke, what| {
                if done.status == Some(0) {
                    // What broke was nothing that it still needed.
                    assert!(
                        done.stdout.contains("nothing stands in the way"),
                        "{what}: {done:#?}"
                    );
                    return;
                }
                assert!(broke, "{what}: {done:#?}");
                assert!(matches!(done.status, Some(1 | 3)), "{what}: {done:#?}");
                let said = format!("{}{}", done.stdout, done.stderr);
                assert!(said.contains("  try: "), "{what}: {done:#?}");
            });
        });
    });
}

/// Talk has come to its answer, or its line broke; what did not end well said so.
#[track_caller]
fn expect_answer_or_no_board(done: &Done, broke: bool, what: &str) {
    if done.status == Some(0) {
        // A board that falls silent has nothing more to say, and the input is at its end.
        assert!(
            broke || done.stdout.contains("it is 42"),
            "{what}: {done:#?}"
        );
        return;
    }
    assert!(broke, "{what}: {done:#?}");
    expect_no_board(done, what);
}

#[test]
fn talking_to_a_board() {
    let micropython = need!("talking_to_a_board", micropython());
    let home = Home::new();
    let (_board, proxy) = board_and_line(&home, 0, &micropython);
    let port = proxy.port();
    let talk = || {
        let mut command = home.umqtt(["repl", "--port", &port]);
        common::feed(&mut command, "x = 6\nprint('it is', x * 7)\n")
    };
    everywhere(&home, &proxy, talk, |done, broke, what| {
        expect_answer_or_no_board(done, broke, what);
        let gone = done.stderr.contains("the board is gone");
        assert!(gone || done.status == Some(0), "{what}: {done:#?}");
    });
}

/// The same with a folder that the board uses, which a line that breaks leaves whole.
#[test]
fn talking_to_a_board_that_uses_a_folder() {
    let micropython = need!("talking_to_a_board_that_uses_a_folder", micropython());
    let home = Home::new();
    let (_board, proxy) = board_and_line(&home, 0, &micropython);
    let port = proxy.port();
    let shared = home.path().join("shared");
    std::fs::create_dir(&shared).expect("a folder");
    std::fs::write(shared.join("dato.py"), "N = 42\n").expect("a file");
    let talk = || {
        let mut command = home.umqtt(["mount", "shared", "--port", &port]);
        common::feed(&mut command, "import dato\nprint('it is', dato.N)\n")
    };
    everywhere(&home, &proxy, talk, |done, broke, what| {
        let whole = std::fs::read_to_string(shared.join("dato.py"));
        assert_eq!(whole.expect("it is there"), "N = 42\n", "{what}");
        expect_answer_or_no_board(done, broke, what);
    });
}

fn lesson(home: &Home, word: &str) {
    home.script(
        "main.py",
        format!("import beside\nprint('it says {word}')\nwhile True:\n    pass\n"),
    );
    home.script("beside.py", format!("A = '{word}'\n"));
}

/// Every file of the lesson is one of these two, or not there yet.
fn nothing_is_half(flash: &std::path::Path, words: [&str; 2], what: &str) {
    for file in ["main.py", "beside.py"] {
        let Ok(text) = std::fs::read_to_string(flash.join(file)) else {
            continue;
        };
        let whole = words.iter().any(|word| match file {
            "main.py" => text.contains(&format!("it says {word}')\nwhile True:\n    pass\n")),
            _ => text == format!("A = '{word}'\n"),
        });
        assert!(whole, "{what}: {file} is {text:?}");
    }
}

/// One board of three goes away: the others are ready, and it is said which one is not.
#[test]
fn one_of_several_boards_goes_away() {
    let micropython = need!("one_of_several_boards_goes_away", micropython());
    let home = Home::new();
    let boards = [0, 1, 2].map(|number| board_and_line(&home, number, &micropython));
    let proxy = &boards[0].1;
    let empty = |number: usize| {
        for entry in std::fs::read_dir(home.flash_of(number))
            .expect("it")
            .flatten()
        {
            let path = entry.path();
            let done = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            done.expect("it can be removed");
        }
    };
    let ports = boards.each_ref().map(|(_, proxy)| proxy.port());
    let deploy = || {
        let mut command = home.umqtt(["deploy", "main.py", "--all", "--json"]);
        command.env("UMQTT_PORTS", ports.join(" "));
        finish(command.spawn().expect("umqtt starts"))
    };
    lesson(&home, "uno");
    proxy.arm(Break::Never, How::HangUp);
    deploy().expect_status(0);
    let places = places(proxy.passed(), BREAKS);
    let mut broken = 0;
    for at in places {
        (0..3).for_each(empty);
        proxy.arm(at, How::HangUp);
        let done = deploy();
        assert!(done.elapsed < LIMIT, "{at:?}: {done:#?}");
        let summary = done.said("summary");
        for number in 1..3 {
            let main = std::fs::read_to_string(home.flash_of(number).join("main.py"));
            assert!(
                main.is_ok_and(|main| main.contains("uno")),
                "{at:?}: {number}"
            );
        }
        nothing_is_half(&home.flash_of(0), ["uno", "uno"], &format!("{at:?}"));
        if done.status == Some(0) {
            assert_eq!(summary["ready"], 3, "{at:?}: {done:#?}");
        } else {
            broken += 1;
            done.expect_status(3);
            assert_eq!(
                (&summary["ready"], &summary["failed"]),
                (&2.into(), &1.into()),
                "{at:?}: {done:#?}"
            );
            assert_eq!(done.said("failed")["port"], ports[0].as_str());
            assert!(done.stderr.contains("  try: "), "{at:?}: {done:#?}");
        }
        // The next one finishes it.
        proxy.arm(Break::Never, How::HangUp);
        deploy().expect_status(0);
        let main = std::fs::read_to_string(home.flash_of(0).join("main.py")).expect("main.py");
        assert!(main.contains("uno"), "{at:?}");
    }
    assert!(broken >= BREAKS, "only {broken} broke");
}

/// What a command that goes on by itself says, line by line.
struct Following {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
    heard: String,
}

impl Following {
    fn start(mut command: std::process::Command) -> Self {
        let mut child = command.spawn().expect("umqtt starts");
        let stdout = child.stdout.take().expect("its output");
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            heard: String::new(),
        }
    }

    /// Whether it says this before it ends.
    fn says(&mut self, words: &str) -> bool {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => {
                    self.heard.push_str(&line);
                    self.heard.push('\n');
                    if line.contains(words) {
                        return true;
                    }
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return false,
                Err(_) => assert!(Instant::now() < deadline, "{words}: {}", self.heard),
            }
        }
    }

    fn interrupt(self) -> Done {
        let id = rustix::process::Pid::from_child(&self.child);
        // One that has ended by itself needs none.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::INT);
        self.end()
    }

    fn end(self) -> Done {
        let mut done = finish(self.child);
        done.stdout = self.heard;
        done
    }
}

/// `deploy --watch` twice over: the line breaks anywhere from the first deploy to what the second one prints.
#[test]
fn watching_while_the_line_breaks() {
    let micropython = need!("watching_while_the_line_breaks", micropython());
    let home = Home::new();
    let (_board, proxy) = board_and_line(&home, 0, &micropython);
    let flash = home.flash_of(0);
    let port = proxy.port();
    let watch = || {
        for file in ["main.py", "beside.py"] {
            // It may not have got there.
            let _ = std::fs::remove_file(flash.join(file));
        }
        lesson(&home, "uno");
        Following::start(home.umqtt(["deploy", "main.py", "--watch", "--port", &port]))
    };
    proxy.arm(Break::Never, How::HangUp);
    let mut whole = watch();
    assert!(whole.says("it says uno"), "{}", whole.heard);
    lesson(&home, "dos");
    assert!(whole.says("it says dos"), "{}", whole.heard);
    whole.interrupt().expect_status(0);
    let mut broken = 0;
    for at in places(proxy.passed(), BREAKS) {
        proxy.arm(at, How::HangUp);
        let mut following = watch();
        let first = following.says("it says uno");
        lesson(&home, "dos");
        let second = first && following.says("it says dos");
        let done = match second {
            // The last bytes are those of its end.
            true => following.interrupt(),
            false => following.end(),
        };
        let what = format!("{at:?}");
        nothing_is_half(&flash, ["uno", "dos"], &format!("{what}: {done:#?}"));
        if done.status == Some(0) {
            assert!(second, "{what}: {done:#?}");
        } else {
            broken += 1;
            expect_no_board(&done, &what);
        }
        expect_works(&home, &proxy, &what);
    }
    assert!(broken >= BREAKS, "only {broken} broke");
}
