//! What needs no board: the command line, `umqtt boards`, `umqtt broker`.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout};
use std::time::Duration;

use common::{Home, finish, free_port};
use serde_json::Value;

#[test]
fn help_is_there_in_both_languages() {
    let home = Home::new();
    let english = home.run(["--help"]);
    english.expect_status(0);
    for word in [
        "run",
        "install",
        "new",
        "build",
        "check",
        "flash",
        "doctor",
        "package",
        "boards",
        "ports",
        "broker",
        "monitor",
        "pub",
        "sub",
        "Examples:",
        "Exit status",
    ] {
        assert!(
            english.stdout.contains(word),
            "{word} is missing: {english:#?}"
        );
    }
    let by_locale = finish(
        home.umqtt(["--help"])
            .env("LC_ALL", "es_ES.UTF-8")
            .spawn()
            .expect("umqtt starts"),
    );
    let by_option = home.run(["--help", "--lang", "es"]);
    assert_eq!(by_locale.stdout, by_option.stdout);
    assert!(
        by_option.stdout.contains("Órdenes:") && by_option.stdout.contains("Ejemplos:"),
        "{by_option:#?}"
    );
    for command in [
        "run",
        "install",
        "new",
        "build",
        "check",
        "completions",
        "flash",
        "doctor",
        "package",
        "boards",
        "ports",
        "broker",
        "monitor",
        "pub",
        "sub",
    ] {
        for lang in ["en", "es"] {
            home.run([command, "--help", "--lang", lang])
                .expect_status(0);
        }
    }
    home.run(["--version"]).expect_status(0);
}

#[test]
fn wrong_usage_is_status_2() {
    let home = Home::new();
    for arguments in [
        &[][..],
        &["rnu"],
        &["run"],
        &["run", "main.py", "--nothing"],
        &["run", "main.py", "--seconds", "-3"],
        &["run", "main.py", "--port"],
        &["broker", "--listen", "nowhere"],
        &["ports", "--lang", "fr"],
        &["ports", "extra"],
    ] {
        let done = home.run(arguments);
        done.expect_status(2);
        assert!(
            done.stdout.is_empty() && !done.stderr.is_empty(),
            "{done:#?}"
        );
    }
}

#[test]
fn boards_are_listed_and_described() {
    let home = Home::new();
    let list = home.run(["boards"]);
    list.expect_status(0);
    for word in ["esp32-s3", "pico-2-w", "RPI_PICO_W", "xtensawin", "sim"] {
        assert!(list.stdout.contains(word), "{word} is missing: {list:#?}");
    }
    let done = home.run(["boards", "ESP32-C3", "--lang", "es"]);
    done.expect_status(0);
    assert!(
        done.stdout
            .contains("se graba con: umqtt flash --board esp32-c3")
            && done.stdout.contains("botón"),
        "{done:#?}"
    );
    let mut objects = home.run(["boards", "--json"]).json();
    objects.retain(|object| object["event"] == "board");
    assert_eq!(objects.len(), 9);
    let pico = objects.iter().find(|board| board["name"] == "pico-2-w");
    assert_eq!(
        pico.map(|board| board["flash"]["family"].clone()),
        Some(0xe48b_ff59_u32.into())
    );
    let unknown = home.run(["boards", "esp64"]);
    unknown.expect_status(2);
    assert!(unknown.stderr.contains("esp32-c6"), "{unknown:#?}");
}

/// `umqtt broker --json` on a free port, listening.
fn broker(home: &Home) -> (Child, BufReader<ChildStdout>, u16) {
    let port = free_port();
    let mut child = home
        .umqtt(["broker", "--json", "--listen", &port.to_string()])
        .spawn()
        .expect("umqtt starts");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let note = next(&mut output);
    assert!(
        note["message"]
            .as_str()
            .is_some_and(|text| text.contains(&port.to_string())),
        "{note}"
    );
    (child, output, port)
}

fn next(output: &mut impl BufRead) -> Value {
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[test]
fn the_broker_shows_packets_as_json() {
    let home = Home::new();
    let (mut child, mut output, port) = broker(&home);
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    client.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01c\x30\x05\x00\x01t\xc3\xb1\x30\x04\x00\x01t\xff\xe0\x00").expect("packets");
    let mut lines = Vec::new();
    while lines
        .last()
        .is_none_or(|line: &Value| line["packet"] != "CLOSED")
    {
        lines.push(next(&mut output));
    }
    // What the command itself has to say is not of interest here.
    lines.retain(|line| line["source"] == "mqtt");
    child.kill().expect("it is ended");
    finish(child);
    let names: Vec<_> = lines
        .iter()
        .map(|line| line["packet"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        names,
        [
            "OPENED",
            "CONNECT",
            "CONNACK",
            "PUBLISH",
            "PUBLISH",
            "DISCONNECT",
            "CLOSED"
        ]
    );
    assert_eq!(
        (&lines[3]["topic"], &lines[3]["payload"]),
        (&"t".into(), &"ñ".into())
    );
    assert_eq!(lines[4]["payload_base64"], "/w==");
    assert!(
        lines.iter().all(|line| line["source"] == "mqtt"
            && line["connection"] == 1
            && line["t"].is_number())
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_broker_well() {
    let home = Home::new();
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let (child, _output, port) = broker(&home);
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal)
            .expect("a signal");
        let done = finish(child);
        done.expect_status(0);
        assert!(done.elapsed < Duration::from_secs(5), "{done:#?}");
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(),
            "nobody listens any more"
        );
    }
}

#[test]
fn a_taken_port_is_told_in_both_languages() {
    let home = Home::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for (lang, words) in [
        ("en", "already uses that port"),
        ("es", "ya usa ese puerto"),
    ] {
        let done = home.run(["broker", "--listen", &address, "--lang", lang]);
        done.expect_status(1);
        assert!(
            done.stderr.contains(&address) && done.stderr.contains(words),
            "{done:#?}"
        );
        assert!(done.stderr.contains("--listen"), "{done:#?}");
    }
}
