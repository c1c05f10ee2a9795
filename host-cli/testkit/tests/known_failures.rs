//! Decides whether each known failure of umqtt.simple and umqtt.robust 1.3.4 is gone: every test here fails on upstream,
//! which is run too, and passes on ours. The numbers are those of the list in `docs/CLIENT.md`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};
use testkit::{
    Certificates, Implementation, Interpreter, Module, Peer, Program, Step, Version, need,
};

/// Fixed header, variable header and client identifier of the CONNECT that `known_failures.py` sends.
const CONNECT_SIZE: usize = 19;
const CONNACK: &[u8] = b"\x20\x02\x00\x00";
const SESSION_PRESENT: &[u8] = b"\x20\x02\x01\x00";

/// How long upstream may take to fail; most of its failures are a wait for ever.
const UPSTREAM_LIMIT: Duration = Duration::from_secs(4);

fn send(bytes: &[u8]) -> Step {
    Step::Send(bytes.to_vec())
}

/// A connection that begins as all do, and is read to its end.
fn connection(steps: Vec<Step>) -> Vec<Step> {
    let mut script = vec![Step::Read(CONNECT_SIZE), send(CONNACK)];
    script.extend(steps);
    script.push(Step::ReadToEnd);
    script
}

/// Runs a case against scripted connections; `Ok` with what each connection received after its CONNECT.
fn run(
    interpreter: &Interpreter,
    module: &Module,
    case: &str,
    scripts: Vec<Vec<Step>>,
    limit: Duration,
) -> Result<Vec<Vec<u8>>, String> {
    let connections = scripts.len();
    let peer = Peer::start(scripts);
    let finished = Program::new(interpreter, module, "known_failures")
        .argument(case)
        .argument("127.0.0.1")
        .argument(peer.address().port())
        .limit(limit)
        .run();
    if finished.timed_out {
        return Err("waits for ever".into());
    }
    if finished.stdout.trim() != "fixed" {
        return Err(format!("{}{}", finished.stdout, finished.stderr));
    }
    // A peer whose connections were not all made would wait for them.
    let received = peer.finish();
    assert_eq!(received.len(), connections);
    Ok(received
        .into_iter()
        .map(|bytes| bytes.get(CONNECT_SIZE..).unwrap_or(&[]).to_vec())
        .collect())
}

/// The case `name` of `known_failures.py`: what must have arrived on ours, and on upstream a failure.
fn gone(name: &str, scripts: impl Fn() -> Vec<Vec<Step>>, expected: &[&[u8]]) {
    gone_where(name, scripts, |received| {
        let equal =
            received.len() == expected.len() && received.iter().zip(expected).all(|(a, b)| a == b);
        if equal {
            Ok(())
        } else {
            Err(format!("received {received:x?}, expected {expected:x?}"))
        }
    });
}

/// The same, with a look of its own at what arrived.
fn gone_where(
    name: &str,
    scripts: impl Fn() -> Vec<Vec<Step>>,
    check: impl Fn(&[Vec<u8>]) -> Result<(), String>,
) {
    let old = need!(name, Interpreter::find(Version::V1_25));
    let new = need!(name, Interpreter::find(Version::V1_26));
    let upstream = need!(name, Implementation::Upstream.module());
    let robust = need!(name, Implementation::Upstream.robust());
    need!(name, upstream.add(&robust, "robust.py"));
    let ours = need!(name, Implementation::Ours.module());
    let robust = need!(name, Implementation::Ours.robust());
    need!(name, ours.add(&robust, "robust.py"));

    for interpreter in [&old, &new] {
        let limit = Duration::from_secs(60);
        let received = run(interpreter, &ours, name, scripts(), limit)
            .unwrap_or_else(|error| panic!("{name} is still there: {error}"));
        check(&received).unwrap_or_else(|error| panic!("{name} is still there: {error}"));
    }
    let upstream = run(&old, &upstream, name, scripts(), UPSTREAM_LIMIT);
    match upstream.and_then(|received| check(&received)) {
        Ok(()) => panic!("{name}: umqtt.simple 1.3.4 passes, so the test shows nothing"),
        Err(error) => println!("{name}: upstream: {error}"),
    }
}

/// 1
#[test]
fn lengths_count_bytes() {
    gone(
        "lengths_count_bytes",
        || vec![connection(vec![])],
        &["\x30\x0d\x00\x04t/ñ23.5°C".as_bytes()]
            .map(|packet| [packet, b"\xe0\x00"].concat())
            .each_ref()
            .map(Vec::as_slice),
    );
}

/// 2
#[test]
fn packet_identifiers_wrap() {
    let exchange = || {
        vec![connection(vec![
            Step::Read(8),
            send(b"\x40\x02\xff\xff"),
            Step::Read(8),
            send(b"\x40\x02\x00\x01"),
        ])]
    };
    gone(
        "packet_identifiers_wrap",
        exchange,
        &[b"\x32\x06\x00\x01t\xff\xffa\x32\x06\x00\x01t\x00\x01b"],
    );
}

/// 3
#[test]
fn acknowledgements_are_matched() {
    let exchange = || {
        vec![connection(vec![
            Step::Read(8),
            // Of a subscription and of a message that nobody knows.
            send(b"\x90\x03\x00\x63\x80\x40\x02\x00\x02\x90\x03\x00\x01\x00"),
            Step::Read(8),
            send(b"\x90\x03\x00\x62\x00\xb0\x02\x00\x02\x40\x02\x00\x02"),
        ])]
    };
    gone(
        "acknowledgements_are_matched",
        exchange,
        &[b"\x82\x06\x00\x01\x00\x01t\x00\x32\x06\x00\x01t\x00\x02a"],
    );
}

/// 4
#[test]
fn robust_sends_again() {
    let exchange = || {
        vec![
            connection(vec![Step::Read(8), Step::Close]),
            vec![
                Step::Read(CONNECT_SIZE),
                send(SESSION_PRESENT),
                Step::Read(8),
                send(b"\x40\x02\x00\x01"),
                Step::ReadToEnd,
            ],
        ]
    };
    gone(
        "robust_sends_again",
        exchange,
        &[b"\x32\x06\x00\x01t\x00\x01a", b"\x3a\x06\x00\x01t\x00\x01a"],
    );
}

/// 5
#[test]
fn pings_are_sent_in_time() {
    let exchange = || {
        vec![connection(vec![
            Step::Read(2),
            send(b"\xd0\x00"),
            Step::Read(2),
            send(b"\xd0\x00\x30\x08\x00\x01talive"),
        ])]
    };
    gone("pings_are_sent_in_time", exchange, &[b"\xc0\x00\xc0\x00"]);
}

/// 6
#[test]
fn waits_have_a_limit() {
    gone(
        "waits_have_a_limit",
        || vec![connection(vec![])],
        &[b"\x82\x06\x00\x01\x00\x01t\x00\x32\x06\x00\x01t\x00\x02a\xe0\x00"],
    );
}

/// 7
#[test]
fn disconnect_does_not_stall() {
    let exchange = || {
        vec![vec![
            Step::Read(CONNECT_SIZE),
            send(CONNACK),
            // For longer than any of them may take.
            Step::Stall(Duration::from_secs(3600)),
        ]]
    };
    gone("disconnect_does_not_stall", exchange, &[b""]);
}

/// 8: a message whose first byte comes in one TLS record and whose rest in another, of which in turn a part comes late.
#[test]
fn check_msg_over_tls() {
    const NAME: &str = "check_msg_over_tls";
    let certificates = need!(NAME, Certificates::generate());
    let run = |version: Version, implementation: Implementation, limit: Duration| {
        let interpreter = Interpreter::find(version)?;
        let module = implementation.module()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let configuration = certificates.server();
        let peer = std::thread::spawn(move || serve_tls(&listener, configuration));
        let finished = Program::new(&interpreter, &module, "known_failures")
            .argument(NAME)
            .argument("127.0.0.1")
            .argument(port)
            .limit(limit)
            .run();
        Ok::<_, String>((finished, peer.join().expect("the TLS peer")))
    };
    for version in [Version::V1_25, Version::V1_26] {
        let limit = Duration::from_secs(60);
        let (finished, served) = need!(NAME, run(version, Implementation::Ours, limit));
        assert_eq!(finished.expect_success("known_failures.py").trim(), "fixed");
        assert_eq!(served, 4, "so many parts were sent");
    }
    let (finished, served) = need!(
        NAME,
        run(Version::V1_25, Implementation::Upstream, UPSTREAM_LIMIT)
    );
    assert!(served >= 2, "upstream, too, must come to the message");
    assert_ne!(
        finished.stdout.trim(),
        "fixed",
        "upstream passes, so the test shows nothing"
    );
    println!("{NAME}: upstream: {}{}", finished.stdout, finished.stderr);
}

/// Sends what the client is to look at, a part whenever the client has said by a PINGREQ that it has come back from looking.
/// Returns how many parts that were.
fn serve_tls(listener: &TcpListener, configuration: Arc<ServerConfig>) -> usize {
    let (mut stream, _) = listener.accept().expect("a connection");
    stream.set_nodelay(true).expect("TCP");
    let mut tls = ServerConnection::new(configuration).expect("a connection");
    let mut sent = 0;
    let mut said = vec![0; CONNECT_SIZE];
    for part in [CONNACK, b"\x30", b"\x07\x00\x01tslow"] {
        let mut records = Vec::new();
        // The last one in two parts.
        for half in 0..=usize::from(part.len() > 4) {
            if rustls::Stream::new(&mut tls, &mut stream)
                .read_exact(&mut said)
                .is_err()
            {
                return sent;
            }
            said = vec![0; b"\xc0\x00".len()];
            if half == 0 {
                tls.writer().write_all(part).expect("memory");
                while tls.wants_write() {
                    tls.write_tls(&mut records).expect("memory");
                }
            }
            let now = if part.len() > 4 && half == 0 {
                records.drain(..records.len() / 2).collect()
            } else {
                std::mem::take(&mut records)
            };
            if stream.write_all(&now).is_err() {
                return sent;
            }
            sent += 1;
        }
    }
    // Until the client hangs up.
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    sent
}

/// 9: the peer goes on when the client has said by a PINGREQ that it has come back from looking.
#[test]
fn check_msg_does_not_wait() {
    let exchange = || {
        vec![connection(vec![
            send(b"\x30"),
            Step::Read(2),
            send(b"\x07\x00\x01ts"),
            Step::Read(2),
            send(b"low\x30\x04\x00\x01t1\x30\x04\x00\x01t2\x30\x04\x00\x01t3"),
        ])]
    };
    gone("check_msg_does_not_wait", exchange, &[b"\xc0\x00\xc0\x00"]);
}

/// 10
#[test]
fn robust_check_msg_returns() {
    // The link is down: what connects again gets no answer.
    let exchange = || vec![connection(vec![Step::Close])];
    gone("robust_check_msg_returns", exchange, &[b""]);
}

/// 11: the CONNECT after the loss asks for a clean session as the first one did, and its answer may take no longer.
#[test]
fn robust_keeps_what_connect_was_told() {
    let exchange = || {
        let clean = connection(vec![Step::Close]);
        let mut answered = vec![Step::Read(0), Step::Read(10), Step::Read(CONNECT_SIZE - 10)];
        answered.extend([send(CONNACK), send(b"\x30\x04\x00\x01tx"), Step::ReadToEnd]);
        vec![clean, answered]
    };
    const NAME: &str = "robust_keeps_what_connect_was_told";
    // What arrived before the client identifier is cut off by `run`; a will or user would lengthen the packet, a persistent
    // session would not: so the flag is looked at by a peer of its own.
    let interpreter = need!(NAME, Interpreter::find(Version::V1_25));
    for (implementation, clean) in [
        (Implementation::Ours, true),
        (Implementation::Upstream, false),
    ] {
        let module = need!(NAME, implementation.module());
        let robust = need!(NAME, implementation.robust());
        need!(NAME, module.add(&robust, "robust.py"));
        let peer = Peer::start(exchange());
        let printed = Program::new(&interpreter, &module, "known_failures")
            .argument(NAME)
            .argument("127.0.0.1")
            .argument(peer.address().port())
            .run()
            .expect_success("known_failures.py");
        assert_eq!(printed.trim(), "fixed");
        let received = peer.finish();
        assert_eq!(received[0][9], 2, "{implementation:?}");
        assert_eq!(received[1][9] == 2, clean, "{implementation:?}");
    }
}

/// 12
#[test]
fn subscriptions_are_renewed() {
    let exchange = || {
        let subscribed = |and_then: Vec<Step>| {
            let mut steps = vec![Step::Read(8), send(b"\x90\x03\x00\x01\x00")];
            steps.extend(and_then);
            connection(steps)
        };
        vec![
            subscribed(vec![Step::Close]),
            subscribed(vec![send(b"\x30\x08\x00\x01tafter")]),
        ]
    };
    gone(
        "subscriptions_are_renewed",
        exchange,
        &[
            b"\x82\x06\x00\x01\x00\x01t\x00",
            b"\x82\x06\x00\x02\x00\x01t\x00",
        ],
    );
}

/// 13
#[test]
fn a_closed_connection_is_an_oserror() {
    let exchange = || {
        vec![vec![
            Step::Read(CONNECT_SIZE),
            send(b"\x20\x02"),
            Step::Close,
            Step::ReadToEnd,
        ]]
    };
    gone("a_closed_connection_is_an_oserror", exchange, &[b""]);
}

/// 14
#[test]
fn qos_2() {
    let exchange = || {
        vec![connection(vec![
            Step::Read(8),
            send(b"\x50\x02\x00\x01"),
            Step::Read(4),
            send(b"\x70\x02\x00\x01"),
            send(b"\x34\x09\x00\x01t\x00\x07once"),
            Step::Read(4),
            // Once more, as after a lost PUBREC; then released.
            send(b"\x3c\x09\x00\x01t\x00\x07once"),
            Step::Read(4),
            send(b"\x62\x02\x00\x07"),
            Step::Read(4),
            send(b"\x34\x09\x00\x01t\x00\x07last"),
            Step::Read(4 + 2),
            send(b"\xd0\x00"),
        ])]
    };
    let parts: [&[u8]; 5] = [
        b"\x34\x06\x00\x01t\x00\x01a\x62\x02\x00\x01",
        b"\x50\x02\x00\x07\x50\x02\x00\x07",
        b"\x70\x02\x00\x07",
        b"\x50\x02\x00\x07",
        b"\xc0\x00",
    ];
    gone("qos_2", exchange, &[&parts.concat()]);
}

/// 15
#[test]
fn publishing_in_the_callback_does_not_recurse() {
    // All three messages are there before the first answer is acknowledged.
    let exchange = || {
        vec![connection(vec![
            send(b"\x30\x04\x00\x01t1\x30\x04\x00\x01t2\x30\x04\x00\x01t3"),
            Step::Read(13),
            send(b"\x40\x02\x00\x01"),
            Step::Read(13),
            send(b"\x40\x02\x00\x02"),
            Step::Read(13),
            send(b"\x40\x02\x00\x03"),
        ])]
    };
    let parts: [&[u8]; 3] = [
        b"\x32\x0b\x00\x06answer\x00\x011",
        b"\x32\x0b\x00\x06answer\x00\x022",
        b"\x32\x0b\x00\x06answer\x00\x033",
    ];
    gone("no_recursion", exchange, &[&parts.concat()]);
}

/// 16
#[test]
fn a_missing_pingresp_is_noticed() {
    gone(
        "a_missing_pingresp_is_noticed",
        || vec![connection(vec![])],
        &[b"\xc0\x00"],
    );
}

/// 17
#[test]
fn a_payload_has_a_limit() {
    let exchange = || {
        let mut large = b"\x32\xa5\x8d\x06\x00\x01t\x00\x07".to_vec();
        large.resize(4 + 100_005, b'x');
        vec![connection(vec![
            send(&large),
            Step::Read(4),
            send(b"\x30\x08\x00\x01tsmall"),
        ])]
    };
    gone("a_payload_has_a_limit", exchange, &[b"\x40\x02\x00\x07"]);
}

/// 18
#[test]
fn malformed_packets_are_refused() {
    // A topic that is longer than its packet, and the next packet.
    let exchange = || {
        vec![connection(vec![send(
            b"\x30\x03\x00\x05a\x30\x04\x00\x01tx",
        )])]
    };
    gone("malformed_packets_are_refused", exchange, &[b""]);
}

/// 19
#[test]
fn a_packet_is_one_write() {
    gone("a_packet_is_one_write", || vec![connection(vec![])], &[b""]);
}
