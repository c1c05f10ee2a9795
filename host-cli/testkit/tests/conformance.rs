//! Decides whether the client gets along with real brokers, Debian's Mosquitto and the embedded one: every pair of QoS,
//! sessions, retained messages, wills, takeover, and all packet identifiers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use broker::{Broker, BrokerConfig};
use testkit::{Access, Implementation, Interpreter, Mosquitto, Program, Version, need};

/// Runs one subject of `python/tests/conformance.py` against a fresh broker of each kind on each version, and compares
/// what it prints.
fn agree(test: &str, subject: &str, expected: &[&str]) {
    for version in Version::ALL {
        let mosquitto = need!(test, Mosquitto::start(&Access::Anonymous));
        compare(
            test,
            subject,
            expected,
            version,
            "Mosquitto",
            mosquitto.address(),
        );
        let embedded = Broker::start(BrokerConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            ..BrokerConfig::default()
        })
        .expect("the embedded broker");
        compare(
            test,
            subject,
            expected,
            version,
            "the embedded broker",
            embedded.addr(),
        );
    }
}

fn compare(
    test: &str,
    subject: &str,
    expected: &[&str],
    version: Version,
    broker: &str,
    address: SocketAddr,
) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let finished = Program::new(&interpreter, &module, "conformance")
        .argument(address.ip())
        .argument(address.port())
        .argument(subject)
        .limit(Duration::from_secs(60))
        .run();
    let what = format!("{subject} against {broker} on {}", version.name());
    let printed = finished.expect_success(&what);
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{what}");
}

#[test]
fn quality_of_service() {
    let mut expected = Vec::new();
    for subscribed in 0..3 {
        for published in 0..3 {
            let arrives = subscribed.min(published);
            expected.push(format!(
                "published {published} subscribed {subscribed} arrives [{arrives}] True True"
            ));
        }
    }
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    agree("quality_of_service", "qualities", &expected);
}

#[test]
fn sessions() {
    agree(
        "sessions",
        "sessions",
        &[
            "clean session present 0",
            "first kept session present 0",
            "kept session present 1",
            "got [(1, b'while away 1'), (2, b'while away 2')] True",
            "still subscribed [b'there']",
            "session present after a break 1",
            "got [b'after a break'] True",
            "cleaned session present 0",
            "session after cleaning present 0 True",
        ],
    );
}

#[test]
fn retained_messages() {
    agree(
        "retained_messages",
        "retained",
        &[
            "live, retain flags [0]",
            "late [(b'kept/0', b'new', 1, 0), (b'kept/1', b'new', 1, 1), (b'kept/2', b'new', 1, 2)] True",
            "after deleting True",
        ],
    );
}

#[test]
fn wills() {
    agree(
        "wills",
        "wills",
        &[
            "will/00 [(b'fin', 0)]",
            "will/01 [(b'fin', 0)]",
            "will/10 [(b'fin', 1)]",
            "will/11 [(b'fin', 1)]",
            "will/20 [(b'fin', 2)]",
            "will/21 [(b'fin', 2)]",
            "none after DISCONNECT True",
            "retained wills [b'will/01', b'will/11', b'will/21'] True",
        ],
    );
}

#[test]
fn takeover() {
    agree(
        "takeover",
        "takeover",
        &[
            "clean True present 0 the first sees OSError",
            "the second gets [b'mine']",
            "clean False present 1 the first sees OSError",
            "the second gets [b'mine']",
        ],
    );
}

#[test]
fn packet_identifiers() {
    agree(
        "packet_identifiers",
        "identifiers",
        &[
            "66000 messages: wraps 1 ids out of order 0 messages out of order 0",
            "[65531, 65532, 65533, 65534, 65535, 1, 2, 3]",
            "4 9",
        ],
    );
}
