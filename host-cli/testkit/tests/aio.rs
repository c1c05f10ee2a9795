//! Decides whether umqtt.aio does for asyncio what umqtt.simple does: against Mosquitto, with several tasks at once, and
//! against peers that hang up, say nothing or break the protocol.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::{
    Access, Implementation, Interpreter, Module, Mosquitto, Peer, Program, Step, Version, need,
};

/// Fixed header, variable header and client identifier of the CONNECT that `aio.py` sends to a peer.
const CONNECT_SIZE: usize = 19;

fn module() -> Result<Module, String> {
    let module = Implementation::Ours.module()?;
    module.add(&testkit::repository().join("python/umqtt/aio.py"), "aio.py")?;
    Ok(module)
}

fn run(interpreter: &Interpreter, module: &Module, case: &str, address: SocketAddr) -> Vec<String> {
    let printed = Program::new(interpreter, module, "aio")
        .argument(case)
        .argument("127.0.0.1")
        .argument(address.port())
        .limit(Duration::from_secs(30))
        .run()
        .expect_success("aio.py");
    printed.lines().map(str::to_string).collect()
}

fn with_mosquitto(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, module());
    let broker = need!(test, Mosquitto::start(&Access::Anonymous));
    assert_eq!(
        run(&interpreter, &module, "broker", broker.address()),
        [
            "connected 0",
            "all came True",
            "big came True",
            "others ran True",
            "wait_msg 48 [(b'aio/last', b'x')]",
            "unsubscribed []",
            "closed (-1, 'not connected')",
        ]
    );
}

#[test]
fn aio_with_mosquitto_on_1_25() {
    with_mosquitto("aio_with_mosquitto_on_1_25", Version::V1_25);
}

#[test]
fn aio_with_mosquitto_on_1_26() {
    with_mosquitto("aio_with_mosquitto_on_1_26", Version::V1_26);
}

/// The same case on both versions; looks at what each connection received after its CONNECT.
fn with_peer(
    test: &str,
    case: &str,
    scripts: &[Vec<Step>],
    expected: &[&str],
    expected_bytes: &[&[u8]],
) {
    for version in [Version::V1_25, Version::V1_26] {
        let interpreter = need!(test, Interpreter::find(version));
        let module = need!(test, module());
        let connack = [
            Step::Read(CONNECT_SIZE),
            Step::Send(b"\x20\x02\x00\x00".to_vec()),
        ];
        let scripts = scripts
            .iter()
            .map(|steps| connack.iter().chain(steps).cloned().collect())
            .collect();
        let peer = Peer::start(scripts);
        assert_eq!(run(&interpreter, &module, case, peer.address()), expected);
        let received = peer.finish();
        let received: Vec<_> = received
            .iter()
            .map(|bytes| &bytes[CONNECT_SIZE..])
            .collect();
        assert_eq!(received, expected_bytes);
    }
}

/// A lost connection is made anew: the subscription is renewed, the message sent again.
#[test]
fn aio_connects_again() {
    let subscribed = [Step::Read(8), Step::Send(b"\x90\x03\x00\x01\x00".to_vec())];
    let first = subscribed
        .iter()
        .cloned()
        .chain([Step::Read(8), Step::Close, Step::ReadToEnd]);
    let second = vec![
        Step::Read(8 + 8),
        Step::Send(b"\x40\x02\x00\x02\x30\x05\x00\x01tok".to_vec()),
        Step::ReadToEnd,
    ];
    with_peer(
        "aio_connects_again",
        "lost",
        &[first.collect(), second],
        &["done [(b't', b'ok')]"],
        &[
            b"\x82\x06\x00\x01\x00\x01t\x00\x32\x06\x00\x01t\x00\x02a",
            b"\x3a\x06\x00\x01t\x00\x02a\x82\x06\x00\x03\x00\x01t\x00\xe0\x00",
        ],
    );
}

#[test]
fn aio_waits_have_a_limit() {
    with_peer(
        "aio_waits_have_a_limit",
        "silent",
        &[vec![Step::ReadToEnd]],
        &["OSError (110,)", "OSError (110,)", "in time True"],
        &[b"\x82\x06\x00\x01\x00\x01t\x00\x34\x06\x00\x01t\x00\x02a"],
    );
}

#[test]
fn aio_refuses_malformed_packets() {
    let malformed = vec![Step::Send(b"\x30\x03\x00\x05a".to_vec()), Step::ReadToEnd];
    with_peer(
        "aio_refuses_malformed_packets",
        "malformed",
        &[malformed],
        &["MQTTException bad length", "OSError"],
        &[b""],
    );
}
