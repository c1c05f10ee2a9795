//! Each way a run can go wrong: a clear message, the right exit status, nothing left behind.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Done, Home, expect_no_process, finish, micropython};
use testkit::need;

fn run(home: &Home, text: impl AsRef<[u8]>) -> Done {
    home.script("main.py", text);
    home.run(["run", "main.py", "--json"])
}

#[track_caller]
fn expect_error(done: &Done, status: i32, parts: &[&str]) {
    done.expect_status(status);
    for part in parts {
        assert!(done.stderr.contains(part), "{part:?} is missing: {done:#?}");
    }
    assert_eq!(
        done.stderr.lines().count(),
        2,
        "what failed and why, then what to try: {done:#?}"
    );
}

/// Where there is not even a MicroPython to be had, what is wrong with the command line comes first.
#[test]
fn what_is_missing_here_is_said_before_a_board_is_reached() {
    let home = Home::new();
    home.script("main.py", "");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["install", "nothing.mpy"], 1, "nothing.mpy cannot be read"),
        (&["check", "nothing.mpy"], 1, "nothing.mpy cannot be read"),
        (&["deploy", "nothing.py"], 2, "no script nothing.py"),
        (&["deploy", "nothing.zip"], 1, "nothing.zip cannot be read"),
        (
            &["deploy", "main.py", "--settings", "nothing.toml"],
            1,
            "the settings nothing.toml",
        ),
        (&["run", "nothing.py"], 2, "no script nothing.py"),
        (
            &["mount", "nothing", "--exec", "1"],
            2,
            "the folder nothing",
        ),
        (&["fs", "cp", "nothing", ":"], 1, "nothing cannot be read"),
        (&["fs", "rm", "-r", "/"], 2, "root folder cannot be removed"),
        (&["fs", "cat"], 2, "a path on the board is missing"),
    ];
    for (arguments, status, words) in cases {
        let mut command = home.umqtt(arguments.iter().chain(&["--port", "sim"]));
        command.env(
            board_sim::micropython::PROGRAM_VARIABLE,
            home.path().join("no-micropython"),
        );
        let done = finish(command.spawn().expect("umqtt starts"));
        expect_error(&done, *status, &[words, "try: "]);
    }
    let done = home.run(["package", "main.py"]);
    expect_error(&done, 2, &["main.py is no folder"]);
}

#[test]
fn a_missing_script_and_a_folder_are_usage_errors() {
    let home = Home::new();
    home.script("other.py", "");
    expect_error(
        &home.run(["run", "main.py"]),
        2,
        &["there is no script main.py", "try:", "other.py"],
    );
    expect_error(
        &home.run(["run", "other"]),
        2,
        &["there is no script other", "umqtt run other.py"],
    );
    expect_error(
        &home.run(["run", "nowhere/main.py"]),
        2,
        &["no folder nowhere"],
    );
    expect_error(&home.run(["run", "."]), 2, &[". is a folder"]);
    let spanish = home.run(["run", "main.py", "--lang", "es"]);
    expect_error(
        &spanish,
        2,
        &["no existe el programa main.py", "prueba:", "other.py"],
    );
}

#[test]
fn a_script_that_is_no_text_is_refused_with_its_line() {
    let home = Home::new();
    home.script("main.py", b"print(1)\nprint('caf\xe9')\n");
    expect_error(
        &home.run(["run", "main.py"]),
        1,
        &["main.py is not UTF-8", "line 2", "0xe9"],
    );
}

#[test]
fn a_syntax_error_names_the_script_and_the_line() {
    need!(
        "a_syntax_error_names_the_script_and_the_line",
        micropython()
    );
    let home = Home::new();
    let done = run(&home, "print('never')\nfor\n");
    done.expect_status(1);
    assert_eq!(done.script_output(), "");
    assert!(
        done.stdout.contains(r#"File \"main.py\", line 2"#),
        "{done:#?}"
    );
    assert!(done.stdout.contains("SyntaxError"), "{done:#?}");
    expect_no_process();
}

#[test]
fn a_script_that_raises_shows_its_own_lines() {
    need!("a_script_that_raises_shows_its_own_lines", micropython());
    let home = Home::new();
    home.script(
        "main.py",
        "def f():\n    return 1 / 0\n\nprint('before')\nf()\n",
    );
    let done = home.run(["run", "main.py"]);
    done.expect_status(1);
    let expected = "script | before\n\
                    script | Traceback (most recent call last):\n\
                    script |   File \"main.py\", line 5, in <module>\n\
                    script |   File \"main.py\", line 2, in f\n\
                    script | ZeroDivisionError: divide by zero\n";
    assert!(done.stdout.ends_with(expected), "{done:#?}");
    assert_eq!(done.stderr, "");
    expect_no_process();
}

#[test]
fn sys_exit_is_a_good_end() {
    need!("sys_exit_is_a_good_end", micropython());
    let home = Home::new();
    let done = run(
        &home,
        "import sys\nprint('before')\nsys.exit(3)\nprint('never')\n",
    );
    done.expect_status(0);
    assert_eq!(done.script_output(), "before\n");
    expect_no_process();
}

#[test]
fn scripts_arrive_as_they_are() {
    need!("scripts_arrive_as_they_are", micropython());
    let home = Home::new();
    let done = run(
        &home,
        "\u{feff}if __name__ == \"__main__\":\r\n    print('''a\r\nñ''')\r\n",
    );
    done.expect_status(0);
    assert_eq!(done.script_output(), "a\nñ\n");
    let done = run(
        &home,
        "# no line end, and\ttabs\nif 1:\n\tprint(len('''\t'''), end='')",
    );
    done.expect_status(0);
    assert_eq!(done.script_output(), "1");
    let long: String = (0..3000)
        .map(|number| format!("x{number} = {number}\n"))
        .collect();
    let done = run(&home, format!("{long}print(x2999)\n"));
    done.expect_status(0);
    assert_eq!(done.script_output(), "2999\n");
}

#[test]
fn a_script_that_prints_much_loses_nothing() {
    need!("a_script_that_prints_much_loses_nothing", micropython());
    let home = Home::new();
    let done = run(&home, "for i in range(20000):\n    print('línea', i)\n");
    done.expect_status(0);
    let expected: String = (0..20000)
        .map(|number| format!("línea {number}\n"))
        .collect();
    assert!(done.script_output() == expected);
}

#[test]
fn seconds_end_an_endless_script() {
    need!("seconds_end_an_endless_script", micropython());
    let home = Home::new();
    let text =
        "import time\ntry:\n    while True:\n        time.sleep(1)\nfinally:\n    print('bye')\n";
    home.script("main.py", text);
    let done = home.run(["run", "main.py", "--json", "--seconds", "1.5"]);
    done.expect_status(0);
    assert_eq!(done.script_output(), "bye\n");
    let lines = done.json();
    let end = lines.last().expect("an end");
    assert_eq!(
        (&end["event"], &end["ending"], &end["status"]),
        (&"end".into(), &"stopped".into(), &0.into())
    );
    expect_no_process();
}

#[test]
fn a_script_that_ignores_ctrl_c_is_ended_all_the_same() {
    need!(
        "a_script_that_ignores_ctrl_c_is_ended_all_the_same",
        micropython()
    );
    let home = Home::new();
    let text = "while True:\n    try:\n        while True:\n            pass\n    except KeyboardInterrupt:\n        pass\n";
    home.script("main.py", text);
    let done = home.run(["run", "main.py", "--seconds", "1"]);
    expect_error(&done, 1, &["Ctrl-C"]);
    expect_no_process();
}

#[test]
fn a_board_that_crashes_is_lost() {
    need!("a_board_that_crashes_is_lost", micropython());
    let home = Home::new();
    let done = run(&home, "import machine\nprint('before')\nmachine.reset()\n");
    assert!(done.script_output().starts_with("before\n"), "{done:#?}");
    expect_error(&done, 3, &["restarted"]);
    expect_no_process();
}

#[test]
fn a_port_without_a_board_is_status_3() {
    let home = Home::new();
    home.script("main.py", "");
    expect_error(
        &home.run(["run", "main.py", "--port", "/dev/does-not-exist"]),
        3,
        &["/dev/does-not-exist"],
    );
    expect_error(
        &home.run(["install", "--port", "socket://127.0.0.1:1"]),
        3,
        &["127.0.0.1:1"],
    );
    expect_error(
        &home.run(["install", "--port", "id:none-such"]),
        3,
        &["none-such"],
    );
    expect_error(
        &home.run(["run", "main.py", "--port", "http://x"]),
        2,
        &["http://x"],
    );
}

#[test]
fn a_full_flash_is_told() {
    need!("a_full_flash_is_told", micropython());
    let home = Home::new();
    // The simulated board's filesystem has 2 MB.
    std::fs::write(home.flash().join("big"), vec![0; 2 << 20]).expect("a big file");
    expect_error(&run(&home, "print('never')\n"), 1, &["filesystem is full"]);
    expect_no_process();
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let home = Home::new();
    home.script("main.py", "");
    home.script("file", "");
    need!("a_folder_that_cannot_be_made_is_told", micropython());
    let command = home
        .umqtt(["run", "main.py"])
        .env("UMQTT_SIM_ROOT", home.path().join("file/flash"))
        .spawn();
    expect_error(
        &finish(command.expect("umqtt starts")),
        1,
        &["file/flash", "UMQTT_SIM_ROOT"],
    );
}

#[test]
fn without_a_network_the_first_fetch_says_so() {
    if !Path::new("/usr/bin/apt-get").exists() {
        return testkit::skip(
            "without_a_network_the_first_fetch_says_so",
            "this system has no apt",
        );
    }
    let home = Home::new();
    home.script("main.py", "");
    let command = home
        .umqtt(["run", "main.py"])
        .env_remove("UMQTT_MICROPYTHON")
        .env("PATH", "/usr/bin:/bin")
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        // Nobody listens on port 1: what a computer without a network looks like to apt.
        .env("http_proxy", "http://127.0.0.1:1")
        .env("https_proxy", "http://127.0.0.1:1")
        .spawn();
    if micropython().is_ok_and(|found| found.program().starts_with("/usr/bin")) {
        return testkit::skip(
            "without_a_network_the_first_fetch_says_so",
            "MicroPython is installed on this system",
        );
    }
    let done = finish(command.expect("umqtt starts"));
    done.expect_status(1);
    assert!(done.stderr.contains("could not be fetched"), "{done:#?}");
    expect_no_process();
}

#[test]
fn a_micropython_that_is_none_is_told() {
    let home = Home::new();
    home.script("main.py", "");
    let command = home
        .umqtt(["run", "main.py"])
        .env("UMQTT_MICROPYTHON", "/bin/true")
        .spawn();
    let done = finish(command.expect("umqtt starts"));
    done.expect_status(1);
    assert!(
        done.stderr.contains("/bin/true") && done.stderr.contains("UMQTT_MICROPYTHON"),
        "{done:#?}"
    );
}

#[test]
fn an_outside_broker_that_is_not_there_is_told() {
    let home = Home::new();
    home.script("main.py", "");
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .expect("a port")
        .local_addr()
        .expect("its address");
    let done = home.run([
        "run",
        "main.py",
        "--port",
        "sim",
        "--broker",
        &closed.to_string(),
    ]);
    expect_error(&done, 1, &[&closed.to_string(), "nobody listens"]);
    let done = home.run(["run", "main.py", "--broker", "ws://host"]);
    expect_error(&done, 2, &["ws://host"]);
}

#[test]
fn two_runs_at_once_do_not_hurt_each_other() {
    need!("two_runs_at_once_do_not_hurt_each_other", micropython());
    let home = Home::new();
    let script = |name: &str| {
        let text = format!(
            "import time\nfrom umqtt.simple import MQTTClient\nc = MQTTClient('{name}', 'broker.hivemq.com')\nc.connect()\n\
             for i in range(10):\n    c.publish('{name}', str(i))\n    time.sleep(0.2)\n"
        );
        home.script(&format!("{name}.py"), text);
        home.umqtt(["run", &format!("{name}.py"), "--json"])
            .spawn()
            .expect("umqtt starts")
    };
    let (one, two) = (script("one"), script("two"));
    for (name, child) in [("one", one), ("two", two)] {
        let done = finish(child);
        done.expect_status(0);
        let published = done.published("to_broker");
        assert_eq!(published.len(), 10, "{done:#?}");
        assert!(
            published.iter().all(|(topic, _)| topic == name),
            "each sees its own broker: {done:#?}"
        );
    }
    expect_no_process();
}

#[test]
fn a_taken_port_is_said_and_another_one_found() {
    need!("a_taken_port_is_said_and_another_one_found", micropython());
    let home = Home::new();
    // Other tests have it now and then; a program of the computer may have it all the time, which does
    // as well.
    let deadline = Instant::now() + Duration::from_secs(60);
    let _taken = loop {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 1883));
        if taken.is_ok() || Instant::now() > deadline {
            break taken;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let done = run(
        &home,
        "from umqtt.simple import MQTTClient\nc = MQTTClient('c', 'test.mosquitto.org')\nc.connect()\nc.publish('t', 'x')\n",
    );
    done.expect_status(0);
    assert!(done.stdout.contains("port 1883 belongs to"), "{done:#?}");
    assert_eq!(
        done.published("to_broker"),
        [("t".to_owned(), "x".to_owned())]
    );
}

#[test]
fn output_that_nobody_reads_ends_the_run() {
    need!("output_that_nobody_reads_ends_the_run", micropython());
    let home = Home::new();
    home.script("main.py", "while True:\n    print('x' * 50)\n");
    let mut child = home
        .umqtt(["run", "main.py"])
        .spawn()
        .expect("umqtt starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    while !line.starts_with("script") {
        line.clear();
        output.read_line(&mut line).expect("a line");
    }
    drop(output);
    finish(child).expect_status(0);
    expect_no_process();
}
