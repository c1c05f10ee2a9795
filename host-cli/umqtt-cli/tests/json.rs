//! `--json` on every command, done well and badly: each line of standard output is an object of the one shape that
//! `src/lines.rs` describes, and the last says how it ended.
#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};

use board_sim::{SimBoard, SimConfig};
use common::{Done, Home, finish, free_port, micropython, repository};
use serde_json::Value;
use testkit::need;

/// Holds every line to the shape, and gives the events.
#[track_caller]
fn events(done: &Done) -> Vec<String> {
    let lines = done.json();
    for line in &lines {
        assert!(line["t"].as_f64().is_some_and(|t| t >= 0.0), "{done:#?}");
        let wanted: &[&str] = match line["source"].as_str() {
            Some("script") => &["stream", "text"],
            Some("mqtt") => &["packet"],
            Some("umqtt") => &["event"],
            _ => panic!("{line} {done:#?}"),
        };
        for key in wanted {
            assert!(line[*key].is_string(), "{key} of {line}: {done:#?}");
        }
    }
    let end = lines.last().unwrap_or_else(|| panic!("no line: {done:#?}"));
    assert_eq!(
        (&end["event"], &end["status"]),
        (&"end".into(), &done.status.into()),
        "{done:#?}"
    );
    let events = lines.iter().filter_map(|line| line["event"].as_str());
    events.map(str::to_owned).collect()
}

/// The names under `Commands:` of a help.
fn commands(home: &Home, of: &[&str]) -> BTreeSet<String> {
    let help = home.run(of.iter().copied().chain(["--help"]));
    let (_, list) = help.stdout.split_once("Commands:\n").expect("a list");
    list.lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(|name| [of, &[name]].concat().join(" "))
        .collect()
}

#[test]
fn every_command_says_all_in_one_shape() {
    let micropython = need!("every_command_says_all_in_one_shape", micropython());
    let home = Home::new();
    let board = SimBoard::start(SimConfig::new(home.flash(), micropython)).expect("a board");
    let device = board.device().display().to_string();
    home.script("main.py", "print('año')\n");
    home.script("raises.py", "print(1)\n1/0\n");
    std::fs::create_dir(home.path().join("lesson")).expect("a folder");
    std::fs::write(home.path().join("lesson/main.py"), "print(1)\n").expect("a script");
    let module = repository().join("native-module/prebuilt/x64/umqtt/simple.mpy");
    let module = module.to_str().expect("a path");
    let all: BTreeSet<String> = (commands(&home, &[]).into_iter())
        .flat_map(|name| match name.as_str() {
            "fs" => commands(&home, &["fs"]),
            _ => [name].into(),
        })
        .collect();
    assert!(all.contains("fs ls") && all.contains("run"), "{all:?}");

    // What is run, what it must say, how it ends.
    let well: &[(&[&str], &str, bool)] = &[
        (&["run", "main.py"], "note", true),
        (&["install"], "installed", true),
        (&["check", module], "verdict", true),
        (&["doctor"], "check", true),
        (&["deploy", "main.py", "--dry-run"], "plan", true),
        (&["deploy", "main.py"], "deployed", true),
        (&["fs", "ls"], "entry", true),
        (&["fs", "tree", "/"], "entry", true),
        (&["fs", "df"], "room", true),
        (&["fs", "mkdir", "/d"], "made", true),
        (&["fs", "cp", "main.py", ":/d/a.py"], "copied", true),
        (&["fs", "cat", "/d/a.py"], "content", true),
        (&["fs", "sha256", "/d/a.py"], "checksum", true),
        (&["fs", "edit", "/d/a.py"], "edited", true),
        (&["fs", "mv", "/d/a.py", "/d/b.py"], "moved", true),
        (&["fs", "rm", "-r", "/d"], "removed", true),
        (&["exec", "print(1)"], "end", true),
        (
            &["mount", "lesson", "--exec", "import main"],
            "mounted",
            true,
        ),
        (&["reset"], "reset", true),
        (&["ports"], "port", true),
        (&["boards"], "board", false),
        (&["boards", "pico-w"], "board", false),
        (&["package", "lesson"], "package", false),
        (&["new", "mimodulo"], "created", false),
        (
            &[
                "bench",
                "--port",
                "sim",
                "--baseline",
                "none",
                "--sizes",
                "16",
                "--qos",
                "0",
                "--rounds",
                "1",
                "--messages",
                "0",
            ],
            "measured",
            false,
        ),
    ];
    let run = |arguments: &[&str], on_board: bool| {
        let port = ["--port", &device];
        let port = port.iter().filter(|_| on_board);
        let arguments = arguments.iter().chain(port).chain(&["--json"]);
        let mut command = home.umqtt(arguments);
        command.env("VISUAL", "true");
        finish(command.spawn().expect("umqtt starts"))
    };
    let mut seen = BTreeSet::new();
    let mut note = |arguments: &[&str]| {
        let names = [
            arguments[0].to_owned(),
            arguments[..arguments.len().min(2)].join(" "),
        ];
        seen.extend(names.into_iter().filter(|name| all.contains(name)));
    };
    // A board that has just got its power believes that it is 2000, which a doctor does not call well.
    run(&["exec", "import ntptime; ntptime.settime()"], true).expect_status(0);
    for (arguments, event, on_board) in well {
        note(arguments);
        let done = run(arguments, *on_board);
        done.expect_status(0);
        let events = events(&done);
        assert!(events.iter().any(|said| said == event), "{done:#?}");
    }
    // What fails: its words are in the last line as on standard error.
    let badly: &[(&[&str], bool)] = &[
        (&["run", "none.py"], true),
        (&["install", "none.mpy"], true),
        (&["new", "mimodulo"], false),
        (&["build", "none"], false),
        (&["check", "none.mpy"], true),
        (&["flash", "--firmware", "none.bin"], true),
        (&["package", "none"], false),
        (&["boards", "none"], false),
        (&["deploy", "none.py"], true),
        (&["fs", "cat", "/none"], true),
        (&["fs", "ls", "/none"], true),
        (&["fs", "mv", "/none", "/more"], true),
        (&["fs", "rm", "/none"], true),
        (&["exec", "print('\x01')"], true),
        (&["reset", "--bootloader"], true),
        (&["broker", "--listen", "nowhere"], false),
        (&["lab", "--listen", "0.0.0.0:0"], false),
        (&["broker", "passwd", "users", "a:b"], false),
        (&["monitor", "ws://h"], false),
        (&["pub", "-t", "t/#", "-m", "x"], false),
        (&["sub", "-t", "a/#/b"], false),
        (&["repl"], true),
        (&["mount", "lesson"], true),
        (&["mount", "none", "--exec", "1"], true),
        (&["completions", "bash"], false),
        (&["bench", "--html", "none/report.html"], false),
        (&["run"], false),
        (&["nonsense"], false),
    ];
    for (arguments, on_board) in badly {
        note(arguments);
        let done = run(arguments, *on_board);
        assert!(matches!(done.status, Some(1..=3)), "{done:#?}");
        events(&done);
        let lines = done.json();
        let end = lines.last().expect("an end");
        let error = end["error"].as_str().unwrap_or_else(|| panic!("{done:#?}"));
        assert!(done.stderr.contains(error), "{done:#?}");
    }
    let missing = home.run(["exec", "1", "--port", "/dev/none", "--json"]);
    missing.expect_status(3);
    events(&missing);
    // A traceback is the script's, and is told where the script's output is.
    for arguments in [&["run", "raises.py"], &["exec", "print(1)\n1/0"]] {
        let done = run(arguments, true);
        done.expect_status(1);
        events(&done);
        let lines = done.json();
        let text = |stream: &str| -> String {
            (lines.iter())
                .filter(|line| line["stream"] == stream)
                .filter_map(|line| line["text"].as_str())
                .collect()
        };
        assert_eq!(text("stdout"), "1\n", "{done:#?}");
        assert!(text("stderr").contains("ZeroDivisionError"), "{done:#?}");
    }
    seen.insert("broker".to_owned());
    assert_eq!(seen, all, "a command that is not tried here");
}

#[test]
fn the_broker_says_all_in_the_same_shape() {
    let home = Home::new();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut child = home
        .umqtt(["broker", "--listen", &listen, "--json"])
        .spawn()
        .expect("umqtt starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    // SAFETY: sends a signal to a child of ours that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let mut stdout = line;
    for line in output.lines() {
        stdout.push_str(&format!("{}\n", line.expect("a line")));
    }
    let done = Done {
        stdout,
        ..finish(child)
    };
    done.expect_status(0);
    assert_eq!(events(&done).last().map(String::as_str), Some("end"));
}

#[test]
fn a_simulated_board_of_our_own_is_told_of_in_the_same_shape() {
    need!(
        "a_simulated_board_of_our_own_is_told_of_in_the_same_shape",
        micropython()
    );
    let home = Home::new();
    let done = home.run(["exec", "print(1)", "--port", "sim", "--json"]);
    done.expect_status(0);
    assert!(events(&done).contains(&"note".to_owned()), "{done:#?}");
    assert_eq!(done.stderr, "");
    let printed: Vec<Value> = done.json();
    assert!(
        printed
            .iter()
            .any(|line| line["source"] == "script" && line["text"] == "1\n"),
        "{done:#?}"
    );
}
