//! Decides whether umqtt.robust works over our umqtt.simple when the link is lost again and again: upstream's own
//! umqtt.robust as PyPI has it, which asks for no clean session, and ours, which asks for what the program asked for.

use std::time::Duration;

use testkit::{Implementation, Interpreter, Peer, Program, Step, Version, need};

/// The first connection is subscribed and broken after one message, the second inside a message, the third at once;
/// the fourth holds.
fn scripts(connect_size: usize) -> Vec<Vec<Step>> {
    let hello = [
        Step::Read(connect_size),
        Step::Send(b"\x20\x02\x01\x00".to_vec()),
    ];
    let script = |steps: Vec<Step>| hello.iter().cloned().chain(steps).collect::<Vec<_>>();
    vec![
        script(vec![
            Step::Read(8),
            Step::Send(b"\x90\x03\x00\x01\x00".to_vec()),
            Step::Send(b"\x30\x06\x00\x01tuno".to_vec()),
            Step::Close,
            Step::ReadToEnd,
        ]),
        script(vec![
            Step::Send(b"\x30\x06\x00\x01tdos".to_vec()),
            Step::Close,
            Step::ReadToEnd,
        ]),
        script(vec![Step::Close, Step::ReadToEnd]),
        script(vec![
            Step::Send(b"\x30\x07\x00\x01ttres".to_vec()),
            // QoS 0 "zero" and QoS 1 "one" to "out", with packet identifier 2.
            Step::Read(11 + 12),
            Step::Send(b"\x40\x02\x00\x02".to_vec()),
            Step::ReadToEnd,
        ]),
    ]
}

/// `clean`: the CONNECT flag that asks for a clean session, as the connections after the first have it.
fn over_a_link_that_breaks(test: &str, version: Version, robust: Implementation, clean: u8) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let robust = need!(test, robust.robust());
    need!(test, module.add(&robust, "robust.py"));
    // 2 of fixed header, 10 of variable header, 2 + 6 of client identifier.
    let peer = Peer::start(scripts(20));
    let printed = Program::new(&interpreter, &module, "robust_link")
        .argument("127.0.0.1")
        .argument(peer.address().port())
        .limit(Duration::from_secs(30))
        .run()
        .expect_success("robust_link.py");
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "connect 1",
            "messages [(b't', b'uno'), (b't', b'dos'), (b't', b'tres')]",
            "reconnects 3",
            "done",
        ]
    );
    let received = peer.finish();
    let flags: Vec<u8> = received.iter().map(|bytes| bytes[9]).collect();
    assert_eq!(flags, [2, clean, clean, clean]);
    let sent = &received[3][20..];
    assert_eq!(
        sent,
        b"\x30\x09\x00\x03outzero\x32\x0a\x00\x03out\x00\x02one\xe0\x00"
    );
}

#[test]
fn upstreams_robust_on_1_25() {
    const TEST: &str = "upstreams_robust_on_1_25";
    over_a_link_that_breaks(TEST, Version::V1_25, Implementation::Upstream, 0);
}

#[test]
fn upstreams_robust_on_1_26() {
    const TEST: &str = "upstreams_robust_on_1_26";
    over_a_link_that_breaks(TEST, Version::V1_26, Implementation::Upstream, 0);
}

#[test]
fn our_robust_on_1_25() {
    const TEST: &str = "our_robust_on_1_25";
    over_a_link_that_breaks(TEST, Version::V1_25, Implementation::Ours, 2);
}

#[test]
fn our_robust_on_1_26() {
    const TEST: &str = "our_robust_on_1_26";
    over_a_link_that_breaks(TEST, Version::V1_26, Implementation::Ours, 2);
}
