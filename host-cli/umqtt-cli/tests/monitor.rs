//! `umqtt monitor` against the embedded broker, of which it shows everything, and against Mosquitto, of which it shows
//! what an observer gets; in lines, as JSON, and on a terminal.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};
use std::time::Duration;

use broker::{Broker, BrokerConfig, TapOptions, TapPacket};
use common::Home;
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

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_it_draws_heeds_keys_and_leaves_all_as_it_was() {
    use common::terminal::{Terminal, comparable};

    let home = Home::new();
    let broker = embedded();
    let port = broker.addr().port();
    publish(
        &home,
        port,
        &["-t", "casa/salón/luz", "-m", "ON", "-r", "-q", "1"],
    );
    let command = home.umqtt(["monitor", &format!("127.0.0.1:{port}"), "--lang", "es"]);
    let mut terminal = Terminal::of(command, 120);
    terminal.wait_for("\u{1b}[?1049h");
    terminal.wait_for("luz: ON (×0 ®)");
    terminal.wait_for("Intercambios");
    publish(
        &home,
        port,
        &["-i", "autora", "-t", "casa/luz", "-m", "1", "-q", "2"],
    );
    terminal.wait_for("autora casa/luz QoS 2: →PUBLISH ←PUBREC →PUBREL ←PUBCOMP ✓");
    terminal.type_in(b"p");
    terminal.wait_for("en pausa");
    terminal.type_in(b"q");
    assert_eq!(terminal.end_within(Duration::from_secs(60)), Some(0));
    terminal.expect_heard("\u{1b}[?1049l");
    assert_eq!(comparable(&terminal.settings()), terminal.before);
}
