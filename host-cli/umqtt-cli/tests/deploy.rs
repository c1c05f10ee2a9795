//! `umqtt deploy` on several boards at once, and again and again: `--all`, several `--port`, `--watch`.
#![cfg(target_os = "linux")]

mod common;

use std::time::Duration;

use board_sim::{MicroPython, SimBoard};
use common::terminal::Terminal;
use common::{Done, Home, finish, micropython};
use testkit::need;

/// Boards, each on a flash of its own, and their devices.
fn boards(home: &Home, count: usize, micropython: &MicroPython) -> Vec<(SimBoard, String)> {
    (0..count)
        .map(|number| {
            let board = home.board(number, micropython);
            let device = board.device().display().to_string();
            (board, device)
        })
        .collect()
}

/// What the summary says of boards, how many are ready and how many failed; and every board's files and program.
fn expect(home: &Home, done: &Done, boards: &[(SimBoard, String)], failed: u64) {
    let summary = done.said("summary");
    let all = boards.len() as u64 + failed;
    assert_eq!(
        (&summary["boards"], &summary["ready"], &summary["failed"]),
        (&all.into(), &(boards.len() as u64).into(), &failed.into()),
        "{done:#?}"
    );
    for (number, (_, device)) in boards.iter().enumerate() {
        let lines = done.json();
        let deployed = lines
            .iter()
            .find(|line| line["event"] == "deployed" && line["port"] == device.as_str());
        assert!(deployed.is_some(), "{device}: {done:#?}");
        let flash = home.flash_of(number);
        for file in ["main.py", "beside.py", "umqtt/simple.mpy"] {
            assert!(flash.join(file).is_file(), "{file} on board {number}");
        }
        // It was started; it may still be on its way to that.
        let started = flash.join("started");
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while !started.exists() {
            assert!(std::time::Instant::now() < deadline, "board {number}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn lesson(home: &Home) {
    home.script(
        "main.py",
        "import beside\nopen('/started', 'w').close()\nwhile True:\n    pass\n",
    );
    home.script("beside.py", "A = 1\n");
}

#[test]
fn several_ports_are_served_at_once_and_the_one_that_fails_is_named() {
    let micropython = need!(
        "several_ports_are_served_at_once_and_the_one_that_fails_is_named",
        micropython()
    );
    let home = Home::new();
    lesson(&home);
    let boards = boards(&home, 3, &micropython);
    let missing = home.path().join("none").display().to_string();
    let mut arguments = vec!["deploy", "main.py"];
    for (_, device) in &boards {
        arguments.extend(["--port", device]);
    }
    arguments.extend(["--port", &missing]);
    let done = home.run(arguments.iter().chain(&["--json"]));
    // The worst of them is the whole's.
    done.expect_status(3);
    expect(&home, &done, &boards, 1);
    let failed = done.said("failed");
    assert_eq!(failed["port"], missing.as_str());
    assert!(done.stderr.contains(&missing), "{done:#?}");

    let done = home.run(&arguments);
    done.expect_status(3);
    assert!(
        done.stdout.contains("3 of 4 boards are ready, 1 failed")
            && done.stdout.matches("nothing changed").count() == 3,
        "{done:#?}"
    );
    let done = home.run(
        arguments[..arguments.len() - 2]
            .iter()
            .chain(&["--lang", "es"]),
    );
    done.expect_status(0);
    assert!(done.stdout.contains("3 de 3 placas listas"), "{done:#?}");
}

#[test]
fn all_boards_that_are_attached_or_named_are_served() {
    let micropython = need!(
        "all_boards_that_are_attached_or_named_are_served",
        micropython()
    );
    let home = Home::new();
    lesson(&home);
    let boards = boards(&home, 3, &micropython);
    let names: Vec<&str> = boards.iter().map(|(_, device)| device.as_str()).collect();
    let mut command = home.umqtt(["deploy", "main.py", "--all", "--json"]);
    command.env("UMQTT_PORTS", names.join(" "));
    let done = finish(command.spawn().expect("umqtt starts"));
    done.expect_status(0);
    expect(&home, &done, &boards, 0);
    let mut command = home.umqtt(["ports", "--json"]);
    command.env("UMQTT_PORTS", names.join(" "));
    let done = finish(command.spawn().expect("umqtt starts"));
    let ports = done.json();
    let running = ports.iter().filter(|line| line["state"] == "silent");
    assert_eq!(running.count(), 3, "{done:#?}");
    // With several, no board is meant by itself.
    let mut command = home.umqtt(["exec", "print(1)"]);
    command.env("UMQTT_PORTS", names.join(" "));
    let done = finish(command.spawn().expect("umqtt starts"));
    done.expect_status(3);
    assert!(
        names.iter().all(|name| done.stderr.contains(name)),
        "{done:#?}"
    );
    let mut command = home.umqtt(["deploy", "main.py", "--all"]);
    command.env("UMQTT_PORTS", "");
    let done = finish(command.spawn().expect("umqtt starts"));
    done.expect_status(3);
    assert!(done.stderr.contains("no board is attached"), "{done:#?}");
}

#[test]
fn a_file_that_changes_is_deployed_and_started_again() {
    let micropython = need!(
        "a_file_that_changes_is_deployed_and_started_again",
        micropython()
    );
    let home = Home::new();
    let boards = boards(&home, 1, &micropython);
    let device = &boards[0].1;
    home.script(
        "main.py",
        "from beside import WORD\nprint('it says', WORD)\nwhile True:\n    pass\n",
    );
    home.script("beside.py", "WORD = 'uno'\n");
    let arguments = ["deploy", "main.py", "--watch", "--port", device];
    let mut terminal = Terminal::run(&home, 60, &arguments);
    terminal.next("it says uno");
    // What is imported is watched as well.
    home.script("beside.py", "WORD = 'dos'\n");
    terminal.next("/beside.py");
    terminal.next("it says dos");
    home.script("main.py", "print('quite another')\n");
    terminal.next("/main.py");
    terminal.next("quite another");
    // An editor that is in the middle of its work is said, and waited for.
    std::fs::remove_file(home.path().join("main.py")).expect("it goes");
    terminal.next("main.py");
    home.script("main.py", "print('back again')\nwhile True:\n    pass\n");
    terminal.next("back again");
    terminal.press_ctrl_c();
    assert_eq!(terminal.end_within(Duration::from_secs(60)), Some(0));
    // The board goes on with the last one.
    let main = std::fs::read_to_string(home.path().join("flash0/main.py")).expect("it is there");
    assert!(main.contains("back again"), "{main}");
    let done = home.run(["ports", "--port", device, "--json"]);
    assert_eq!(done.said("port")["state"], "silent", "{done:#?}");
    // A simulated board that ends with the command is not said to run.
    let done = home.run(["deploy", "main.py", "--port", "sim"]);
    done.expect_status(0);
    assert!(done.stdout.contains("not started"), "{done:#?}");
}

#[test]
fn a_password_goes_to_the_board_and_nowhere_else() {
    const PASSWORD: &str = "clave-muy-secreta-0123456789";
    let micropython = need!(
        "a_password_goes_to_the_board_and_nowhere_else",
        micropython()
    );
    let home = Home::new();
    let boards = boards(&home, 1, &micropython);
    let device = &boards[0].1;
    home.script(
        "main.py",
        "from settings import WIFI_PASSWORD\nprint(len(WIFI_PASSWORD))\n",
    );
    let settings = format!("wifi_ssid = 'Aula'\nwifi_password = '{PASSWORD}'\n");
    home.script("wifi.toml", settings);
    let deploy = |extra: &[&str]| {
        let arguments = [
            "deploy",
            "main.py",
            "--settings",
            "wifi.toml",
            "--port",
            device,
        ];
        home.run(arguments.iter().chain(extra))
    };
    for extra in [
        ["--dry-run", "-vv", "--trace", "plan.txt"].as_slice(),
        &["--json", "-vv", "--trace", "first.txt"],
        &["-vv", "--trace", "again.txt"],
    ] {
        let done = deploy(extra);
        done.expect_status(0);
        let trace = home.path().join(extra[extra.len() - 1]);
        let trace = std::fs::read_to_string(trace).expect("a transcript");
        assert!(trace.contains("raw REPL"), "{trace}");
        // What went over the wire in pieces is looked at as a whole.
        let wire: String = (trace.lines())
            .filter_map(|line| Some(line.split_once(&format!("> {device} "))?.1))
            .collect();
        for part in PASSWORD.as_bytes().windows(6) {
            let part = str::from_utf8(part).expect("letters");
            for text in [&done.stdout, &done.stderr, &wire, &trace] {
                assert!(!text.contains(part), "{part}: {text}");
            }
        }
    }
    let there = std::fs::read_to_string(home.path().join("flash0/settings.py")).expect("settings");
    assert!(there.contains(PASSWORD));
    // Of the wrong type it is refused, unseen, before a board is touched.
    home.script(
        "wifi.toml",
        "wifi_ssid = 'Aula'\nwifi_password = 123456789\n",
    );
    for (lang, words) in [("en", "must be a text"), ("es", "debe ser un texto")] {
        let done = deploy(&["--lang", lang, "--json"]);
        done.expect_status(1);
        assert!(done.stderr.contains(words), "{done:#?}");
        for text in [&done.stdout, &done.stderr] {
            assert!(!text.contains("123456789"), "{text}");
        }
    }
}
