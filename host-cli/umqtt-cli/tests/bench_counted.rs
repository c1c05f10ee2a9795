//! What `umqtt bench` counts is what others count of the same run: strace the board's writes, tcpdump its segments,
//! mosquitto_sub its messages; and what it counts of a broker under load.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::{Broker, BrokerConfig};
use common::traffic::{Capture, Stream, traced, written};
use common::{Done, Home, finish_within, micropython};
use serde_json::Value;
use testkit::{Access, Certificates, Implementation, Mosquitto, need, strace};

/// Messages over which `umqtt bench` counts writes, and as many for segments.
const COUNTED: u64 = 10;
/// Two rounds of three messages each, before the rounds.
const PILOT: u64 = 6;
/// Ten messages while the heap is counted, and one before.
const HEAP: u64 = 11;
/// After which the heap is looked at; one goes before.
const ENDURED: u64 = 120;

/// Under strace every write waits for another process, and umqtt.simple 1.3.4 waits 40 ms for most messages.
const LIMIT: Duration = Duration::from_secs(600);

/// QoS and bytes of the payload.
type Kind = (u8, usize);

/// Mosquitto's own client, which counts the messages of `umqtt bench`.
struct Subscriber {
    child: Child,
    broker: SocketAddr,
    counting: JoinHandle<BTreeMap<(String, Kind), u64>>,
}

impl Subscriber {
    /// Returns when it is subscribed.
    fn start(broker: SocketAddr) -> Result<Subscriber, String> {
        // It is there before, and comes when the subscription is.
        publish(broker, &["-t", "begin", "-r"])?;
        let mut child = mosquitto("mosquitto_sub", broker)
            .args(["-q", "2", "-F", "%q %l %t"])
            .args(["-t", "begin", "-t", "bench/#", "-t", "end"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("mosquitto_sub does not run: {error}"))?;
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "1 1 begin\n");
        let counting = std::thread::spawn(move || {
            let mut counts = BTreeMap::new();
            for line in output.lines().map(|line| line.expect("UTF-8")) {
                let words: Vec<&str> = line.split(' ').collect();
                let [qos, size, topic] = words[..] else {
                    panic!("{line}");
                };
                if topic == "end" {
                    break;
                }
                let kind = (qos.parse().expect("a QoS"), size.parse().expect("a size"));
                *counts.entry((topic.to_owned(), kind)).or_default() += 1;
            }
            counts
        });
        Ok(Subscriber {
            child,
            broker,
            counting,
        })
    }

    /// Messages by topic and kind.
    fn finish(mut self) -> BTreeMap<(String, Kind), u64> {
        publish(self.broker, &["-t", "end"]).expect("the last message");
        let counts = self.counting.join().expect("no panic");
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
        counts
    }
}

fn mosquitto(program: &str, broker: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args([
        "-h",
        &broker.ip().to_string(),
        "-p",
        &broker.port().to_string(),
    ]);
    command
}

fn publish(broker: SocketAddr, arguments: &[&str]) -> Result<(), String> {
    let mut command = mosquitto("mosquitto_pub", broker);
    let done = command
        .args(["-q", "1", "-m", "x"])
        .args(arguments)
        .status();
    match done.map_err(|error| format!("mosquitto_pub does not run: {error}"))? {
        status if status.success() => Ok(()),
        status => Err(format!("mosquitto_pub: {status}")),
    }
}

/// The streams of one client of the run, by the end of its identifier.
fn of<'a>(streams: &'a [Stream], run: &str, who: &str) -> Vec<&'a Stream> {
    let name = format!("{run}{who}");
    let mine = |stream: &&Stream| stream.client().as_ref() == Some(&name);
    streams.iter().filter(mine).collect()
}

/// Messages, and the pieces that carried them; with QoS 2 those of PUBREL too.
fn messages(streams: &[&Stream]) -> BTreeMap<Kind, (u64, u64)> {
    let mut messages: BTreeMap<Kind, (u64, u64)> = BTreeMap::new();
    for stream in streams {
        let mut last = None;
        for packet in stream.packets() {
            let kind = match packet.first {
                0x62 => last,
                _ if packet.is_publish() => Some((packet.qos(), packet.payload())),
                _ => None,
            };
            if let Some(kind) = kind {
                let count = messages.entry(kind).or_default();
                count.0 += u64::from(packet.is_publish());
                count.1 += packet.pieces as u64;
                last = Some(kind);
            }
        }
    }
    messages
}

/// What `--json` says of a quantity.
fn counted<'a>(lines: &'a [Value], quantity: &str, (qos, size): Kind) -> &'a Value {
    let found = lines
        .iter()
        .find(|line| line["quantity"] == quantity && line["qos"] == qos && line["size"] == size);
    &found.unwrap_or_else(|| panic!("no {quantity}, {qos}, {size} in {lines:#?}"))["values"]
}

/// How many messages of this kind `--json` says that somebody sent to the broker, or got from another client.
fn said_to_be_sent(lines: &[Value], who: &str, (qos, size): Kind) -> u64 {
    let of = |line: &&Value| {
        line["event"] == "measured"
            && line["size"] == size
            && line["qos"].as_u64().unwrap_or(0) == u64::from(qos)
    };
    let measured: Vec<&Value> = lines.iter().filter(of).collect();
    let tasks: Vec<&str> = measured
        .iter()
        .filter_map(|line| line["task"].as_str())
        .collect();
    match qos {
        0 => assert_eq!(tasks, ["publish", "delivered", "round_trip", "receive"]),
        _ => assert_eq!(tasks, ["publish"]),
    }
    let rounds = measured
        .iter()
        .map(|line| line["runs"][who]["messages"].as_u64());
    let rounds: u64 = rounds.map(|messages| messages.expect("a number")).sum();
    let (smallest, endures) = (size == 16, qos == 0 && size == 16 && who != "floor");
    rounds
        + PILOT * measured.len() as u64
        + HEAP
        + if smallest || qos == 0 { COUNTED } else { 0 }
        + if endures { ENDURED + 1 } else { 0 }
}

/// What four witnesses saw of one run.
struct Counted {
    /// The port of Mosquitto.
    broker: u16,
    done: Done,
    /// mosquitto_sub's messages by topic and kind.
    received: BTreeMap<(String, Kind), u64>,
    /// tcpdump's segments by connection.
    captured: Vec<Stream>,
    /// strace's writes by connection.
    traced: Vec<Stream>,
}

/// Runs `umqtt bench` with `upstream` beside the native module while all watch; within, why tcpdump missed a packet.
///
/// # Errors
/// What is not installed, or not allowed.
fn watch(upstream: &str) -> Result<Result<Counted, String>, String> {
    let mosquitto = Mosquitto::start(&Access::Anonymous)?;
    let capture = Capture::start(mosquitto.address().port())?;
    let subscriber = Subscriber::start(mosquitto.address())?;
    let home = Home::new();
    let traces = tempfile::tempdir().expect("a folder");
    let address = mosquitto.address().to_string();
    let endured = ENDURED.to_string();
    let command = home.umqtt([
        "bench",
        "--port",
        "sim",
        "--broker",
        &address,
        "--baseline",
        upstream,
        "--sizes",
        "16,5000",
        "--rounds",
        "2",
        "--messages",
        &endured,
        "--json",
    ]);
    let traced_run = traced(&command, traces.path()).spawn();
    let done = finish_within(traced_run.expect("strace starts"), LIMIT);
    let received = subscriber.finish();
    Ok(capture.finish().map(|captured| Counted {
        broker: mosquitto.address().port(),
        done,
        received,
        captured,
        traced: written(traces.path()),
    }))
}

#[test]
fn strace_tcpdump_and_mosquitto_sub_count_the_same() {
    let test = "strace_tcpdump_and_mosquitto_sub_count_the_same";
    need!(test, micropython());
    need!(test, strace());
    let upstream = need!(test, Implementation::Upstream.file());
    // A computer that is busy may keep a packet from tcpdump; what it counted then proves nothing.
    let mut attempts = 0;
    let seen = loop {
        attempts += 1;
        match need!(test, watch(upstream.to_str().expect("UTF-8"))) {
            Ok(seen) => break seen,
            Err(said) => assert!(attempts < 5, "tcpdump never saw all packets: {said}"),
        }
    };
    let Counted {
        broker,
        done,
        received,
        captured,
        traced,
    } = seen;
    done.expect_status(0);
    let lines = done.json();
    // The run's name is in the client identifiers, which other tests' runs do not have.
    let mut clients = traced.iter().filter_map(Stream::client);
    let run = clients.find_map(|client| Some(client.strip_suffix("floor")?.to_owned()));
    let run = run.expect("a connection of the bare socket");

    for who in ["floor", "baseline", "native"] {
        let (mine, seen) = (of(&traced, &run, who), of(&captured, &run, who));
        let written = messages(&mine);
        for kind in [(0, 16), (1, 16), (2, 16), (0, 5000), (1, 5000), (2, 5000)] {
            let what = format!("{who}, QoS and size {kind:?}");
            if (who, kind.0) == ("baseline", 2) {
                // 1.3.4 writes it, and only then finds that it cannot.
                continue;
            }
            // The topic is the client's own, which another client writes to where receiving is measured.
            let came: u64 = (received.iter())
                .filter(|((topic, of), _)| *of == kind && topic.contains(&format!("{run}/{who}")))
                .map(|(_, count)| count)
                .sum();
            assert_eq!(
                said_to_be_sent(&lines, who, kind),
                came,
                "{what}: {done:#?}"
            );
            let to_broker: Vec<&Stream> =
                traced.iter().filter(|stream| stream.to == broker).collect();
            let sent = to_broker.iter().flat_map(|stream| stream.packets());
            let sent = sent.filter(|packet| {
                packet.is_publish()
                    && (packet.qos(), packet.payload()) == kind
                    && packet.topic().contains(&format!("{run}/{who}"))
            });
            assert_eq!(sent.count() as u64, came, "{what}");

            if kind.1 == 5000 && kind.0 > 0 {
                continue;
            }
            // Every message of the run is written alike, so the mean over all is the one over ten.
            let (sent, pieces) = written[&kind];
            let writes = counted(&lines, "writes_per_message", kind);
            let said = writes[who]
                .as_f64()
                .unwrap_or_else(|| panic!("{what}: {writes}"));
            assert_eq!(said * sent as f64, pieces as f64, "{what}: {sent} messages");

            // The peer that counts segments is not the broker. Behind CONNECT come the messages, and a segment with DISCONNECT.
            let counting: Vec<_> = (seen.iter())
                .filter(|stream| stream.to != broker)
                .filter_map(|stream| {
                    let (sent, _) = messages(&[stream]).get(&kind).copied()?;
                    Some((sent, stream.pieces_behind_first() - 1))
                })
                .collect();
            let segments = counted(&lines, "segments_per_message", kind);
            let said = segments[who]
                .as_f64()
                .unwrap_or_else(|| panic!("{what}: {segments}"));
            let said = (said * COUNTED as f64).round() as usize;
            assert_eq!(counting, [(COUNTED, said)], "{what}: messages and segments");
        }
    }
    for quantity in ["writes_per_message", "segments_per_message"] {
        assert_eq!(counted(&lines, quantity, (2, 16))["baseline"], Value::Null);
    }
}

#[test]
fn files_are_as_large_as_the_file_system_says() {
    let test = "files_are_as_large_as_the_file_system_says";
    need!(test, micropython());
    let upstream = need!(test, Implementation::Upstream.file());
    let home = Home::new();
    let done = home.run([
        "bench",
        "--port",
        "sim",
        "--baseline",
        upstream.to_str().expect("UTF-8"),
        "--sizes",
        "16",
        "--qos",
        "0",
        "--rounds",
        "1",
        "--messages",
        "0",
        "--json",
    ]);
    done.expect_status(0);
    let lines = done.json();
    let sizes = lines.iter().find(|line| line["quantity"] == "file_size");
    let sizes = &sizes.expect("sizes")["values"];
    let bytes = |file: &std::path::Path| std::fs::metadata(file).expect("the file").len();
    assert_eq!(sizes["baseline"], bytes(&upstream) as f64);
    // One of the committed modules is what went on the board.
    let folder = common::repository().join("native-module/prebuilt");
    let committed = std::fs::read_dir(folder).expect("the modules").flatten();
    let committed: Vec<u64> = (committed.map(|arch| arch.path().join("umqtt/simple.mpy")))
        .filter(|file| file.is_file())
        .map(|file| bytes(&file))
        .collect();
    let native = sizes["native"].as_f64().expect("a size") as u64;
    assert!(committed.contains(&native), "{native}: {committed:?}");
}

/// Runs a load of a few boards; the events of `--json`, by broker.
fn load(home: &Home, boards: u64, messages: u64, qos: &str, brokers: &[String]) -> Vec<Value> {
    let (boards, messages) = (boards.to_string(), messages.to_string());
    let mut arguments = vec![
        "bench",
        "--scale",
        &boards,
        "--messages",
        &messages,
        "--qos",
        qos,
        "--json",
    ];
    for broker in brokers {
        arguments.extend(["--broker", broker]);
    }
    let started = home.umqtt(&arguments).spawn().expect("umqtt starts");
    let done = finish_within(started, LIMIT);
    done.expect_status(0);
    let loads = done.json().into_iter();
    let loads: Vec<Value> = loads.filter(|line| line["event"] == "load").collect();
    assert_eq!(loads.len(), brokers.len(), "{done:#?}");
    loads
}

/// The embedded broker and Mosquitto under the same load: what boards say came back is what mosquitto_sub gets from each.
#[test]
fn many_boards_send_what_mosquitto_sub_gets() {
    let test = "many_boards_send_what_mosquitto_sub_gets";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::Anonymous));
    let embedded = Broker::start(BrokerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..BrokerConfig::default()
    });
    let embedded = embedded.expect("a broker on a free port");
    let brokers = [embedded.addr(), mosquitto.address()];
    let subscribers: Vec<Subscriber> = brokers
        .into_iter()
        .map(|broker| Subscriber::start(broker).expect("mosquitto_sub"))
        .collect();
    let home = Home::new();
    let loads = load(&home, 3, 60, "1", &brokers.map(|broker| broker.to_string()));
    for (load, subscriber) in loads.iter().zip(subscribers) {
        assert_eq!(
            (&load["lost"], &load["doubled"], &load["messages"]),
            (&0.into(), &0.into(), &180.into()),
            "{load}"
        );
        let rounds = load["rounds"].as_u64().expect("a number");
        let counts = subscriber.finish();
        assert_eq!(counts.len(), 3, "a topic for each board: {counts:?}");
        // Messages of 64 bytes unless something else was said.
        for ((topic, kind), count) in counts {
            assert_eq!((kind, count), ((1, 64), 60 * rounds), "{topic}: {load}");
        }
        let latency = |name: &str| load["latency_us"][name].as_f64().expect("a number");
        let sorted = [latency("p50"), latency("p95"), latency("p99")];
        assert!(sorted.is_sorted() && sorted[0] > 0.0, "{load}");
        assert!(
            load["per_second"].as_f64().is_some_and(|rate| rate > 0.0),
            "{load}"
        );
    }
}

/// A fake, because no broker can be told to: of every client's messages it loses the 8th, 28th and 48th and sends the
/// 4th and 29th twice.
fn unreliable() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut messages = 0;
                // All packets of this test are shorter than 128 bytes: one byte says how long they are.
                let mut head = [0; 2];
                while stream.read_exact(&mut head).is_ok() {
                    let mut body = vec![0; usize::from(head[1])];
                    stream.read_exact(&mut body).expect("a whole packet");
                    let answer = match head[0] >> 4 {
                        1 => vec![0x20, 2, 0, 0],
                        8 => vec![0x90, 3, body[0], body[1], 0],
                        3 => {
                            messages += 1;
                            let times = match messages {
                                8 | 28 | 48 => 0,
                                4 | 29 => 2,
                                _ => 1,
                            };
                            [&head[..], &body].concat().repeat(times)
                        }
                        _ => Vec::new(),
                    };
                    stream.write_all(&answer).expect("it reads");
                }
            });
        }
    });
    address
}

#[test]
fn a_broker_is_loaded_over_tls() {
    let test = "a_broker_is_loaded_over_tls";
    need!(test, micropython());
    let certificates = need!(test, Certificates::generate());
    let mosquitto = need!(test, Mosquitto::start(&Access::Tls(&certificates)));
    let home = Home::new();
    let broker = format!("mqtts://localhost:{}", mosquitto.address().port());
    let loads = load(&home, 2, 50, "1", &[broker]);
    assert_eq!(
        (
            &loads[0]["messages"],
            &loads[0]["lost"],
            &loads[0]["doubled"]
        ),
        (&100.into(), &0.into(), &0.into()),
        "{loads:?}"
    );
}

#[test]
fn what_a_broker_loses_and_doubles_is_counted() {
    let test = "what_a_broker_loses_and_doubles_is_counted";
    need!(test, micropython());
    let home = Home::new();
    let loads = load(&home, 2, 50, "0", &[unreliable().to_string()]);
    let rounds = loads[0]["rounds"].as_u64().expect("a number");
    assert_eq!(loads[0]["lost"], 2 * 3 * rounds, "{loads:?}");
    assert_eq!(loads[0]["doubled"], 2 * 2 * rounds, "{loads:?}");
}
