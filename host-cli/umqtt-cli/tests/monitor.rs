//! `umqtt monitor` against the embedded broker, of which it shows everything, and against Mosquitto, of which it shows
//! what an observer gets; in lines, as JSON, and on a terminal.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, TapOptions, TapPacket};
use common::{Home, finish};
use rustix::termios::Winsize;
use serde_json::Value;
use testkit::{Access, Mosquitto, need};

fn embedded() -> Broker {
    let mut config = BrokerConfig::default();
    config.listen.set_port(0);
    Broker::start(config).expect("a broker on a free port")
}

fn publish(home: &Home, port: u16, arguments: &[&str]) {
    let port = port.to_string();
    let done = home.run(
        ["pub", "-h", "127.0.0.1", "-p", &port]
            .iter()
            .chain(arguments),
    );
    done.expect_status(0);
}

/// A running monitor and its lines; killed when the test is over.
struct Monitor {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Monitor {
    fn start(home: &Home, port: u16, arguments: &[&str]) -> Self {
        let broker = format!("127.0.0.1:{port}");
        let mut command = home.umqtt(["monitor", &broker]);
        let mut child = command.args(arguments).spawn().expect("umqtt starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, output }
    }

    /// Reads lines until one is `wanted`; all of them.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| wanted(line)) {
            let mut line = String::new();
            let count = self.output.read_line(&mut line).expect("a line");
            assert!(count > 0, "it ended: {lines:#?}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn of_the_embedded_broker_it_shows_everything() {
    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    publish(
        &home,
        port,
        &["-t", "casa/kept", "-m", "21,5 °C", "-r", "-q", "1"],
    );
    let tap = broker.tap(TapOptions::default());
    let arguments = [
        "sub",
        "-h",
        "127.0.0.1",
        "-i",
        "lector",
        "-t",
        "casa/#",
        "-q",
        "2",
        "-W",
        "80",
        "-p",
    ];
    let mut subscriber = home
        .umqtt(arguments)
        .arg(port.to_string())
        .spawn()
        .expect("umqtt starts");
    while !matches!(
        tap.next(Duration::from_secs(60))
            .expect("it subscribes")
            .packet,
        TapPacket::SubAck { .. }
    ) {}
    let mut monitor = Monitor::start(&home, port, &[]);
    monitor.until(|line| line.contains("casa/kept: 21,5 °C ®"));
    let mut json = Monitor::start(&home, port, &["--json"]);
    let begin = json.until(|line| line.contains("\"retained\"")).join("\n");
    assert!(
        begin.contains("\"client_id\":\"lector\"") && begin.contains("[[\"casa/#\",2]]"),
        "{begin}"
    );
    publish(
        &home,
        port,
        &["-i", "autora", "-t", "casa/luz", "-m", "ON", "-q", "2"],
    );
    let lines = monitor.until(|line| line.contains("autora:")).join("\n");
    for word in [
        "CONNECT autora",
        "PUBLISH casa/luz: ON (QoS 2",
        "PUBREC #",
        "PUBREL #",
        "PUBCOMP #",
    ] {
        assert!(lines.contains(word), "{word}: {lines}");
    }
    let lines = json.until(|line| line.contains("CLOSED") && line.contains("autora"));
    let packets: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of_author: Vec<_> = packets
        .iter()
        .filter(|packet| packet["client_id"] == "autora")
        .filter_map(|packet| packet["packet"].as_str())
        .collect();
    assert_eq!(
        of_author,
        [
            "CONNECT",
            "CONNACK",
            "PUBLISH",
            "PUBREC",
            "PUBREL",
            "PUBCOMP",
            "DISCONNECT",
            "CLOSED"
        ],
        "{lines:#?}"
    );
    subscriber.kill().expect("it is ended");
    subscriber.wait().expect("its end");
}

#[test]
fn of_another_broker_it_shows_messages_and_says_that_there_is_more() {
    let name = "of_another_broker_it_shows_messages_and_says_that_there_is_more";
    let mosquitto = need!(name, Mosquitto::start(&Access::Anonymous));
    let home = Home::new();
    let port = mosquitto.address().port();
    let mut monitor = Monitor::start(&home, port, &["--lang", "es"]);
    monitor.until(|line| line.contains("ni clientes, ni suscripciones"));
    publish(&home, port, &["-t", "casa/luz", "-m", "ON", "-q", "1"]);
    monitor.until(|line| line.contains("PUBLISH casa/luz: ON (QoS 1)"));
}

#[test]
fn what_is_no_broker_is_said() {
    let home = Home::new();
    let port = common::free_port().to_string();
    for (broker, status, words) in [
        (format!("127.0.0.1:{port}"), 1, "nobody listens"),
        ("ws://h".to_owned(), 2, "mqtt://"),
        ("embedded".to_owned(), 2, "umqtt broker"),
    ] {
        let done = home.run(["monitor", &broker]);
        done.expect_status(status);
        assert!(done.stderr.contains(words), "{done:#?}");
    }
}

#[test]
fn on_a_terminal_it_draws_heeds_keys_and_leaves_all_as_it_was() {
    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    publish(
        &home,
        port,
        &["-t", "casa/salón/luz", "-m", "ON", "-r", "-q", "1"],
    );
    let master =
        rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY)
            .expect("a pty");
    rustix::pty::grantpt(&master).expect("the pty's permission");
    rustix::pty::unlockpt(&master).expect("the pty unlocked");
    let name = rustix::pty::ptsname(&master, Vec::new()).expect("its name");
    let slave = rustix::fs::open(
        name,
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
        rustix::fs::Mode::empty(),
    )
    .expect("its other end");
    let size = Winsize {
        ws_row: 30,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&master, size).expect("a size");
    let before = rustix::termios::tcgetattr(&slave).expect("its settings");
    let stdio = || Stdio::from(slave.try_clone().expect("another descriptor"));
    let child = home
        .umqtt(["monitor", &format!("127.0.0.1:{port}"), "--lang", "es"])
        .stdin(stdio())
        .stdout(stdio())
        .env("TERM", "xterm")
        .spawn()
        .expect("umqtt starts");
    let mut master = File::from(master);
    let mut reader = master.try_clone().expect("another descriptor");
    let (sender, output) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut heard = Vec::new();
    let mut wait_for = |words: &str| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !String::from_utf8_lossy(&heard).contains(words) {
            assert!(
                Instant::now() < deadline,
                "no {words}: {}",
                String::from_utf8_lossy(&heard)
            );
            if let Ok(bytes) = output.recv_timeout(Duration::from_millis(100)) {
                heard.extend(bytes);
            }
        }
    };
    wait_for("\u{1b}[?1049h");
    wait_for("luz: ON (×0 ®)");
    wait_for("Intercambios");
    publish(
        &home,
        port,
        &["-i", "autora", "-t", "casa/luz", "-m", "1", "-q", "2"],
    );
    wait_for("autora casa/luz QoS 2: →PUBLISH ←PUBREC →PUBREL ←PUBCOMP ✓");
    master.write_all(b"p").expect("a key");
    wait_for("en pausa");
    master.write_all(b"q").expect("a key");
    wait_for("\u{1b}[?1049l");
    let done = finish(child);
    done.expect_status(0);
    let after = rustix::termios::tcgetattr(&slave).expect("its settings");
    assert_eq!(
        (before.local_modes, before.input_modes, before.output_modes),
        (after.local_modes, after.input_modes, after.output_modes)
    );
}
