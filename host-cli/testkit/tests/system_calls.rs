//! Decides how many system calls a message may cost, on the real interpreter under strace: what the protocol needs and no
//! more. Counts, not times: they are the same on every machine.
#![cfg(target_os = "linux")]

use std::time::Duration;

use testkit::{Implementation, Interpreter, Peer, Program, Step, Version, need, strace};

/// Fixed header, variable header and client identifier of the CONNECT that `system_calls.py` sends.
const CONNECT_SIZE: usize = 19;
const CONNACK: &[u8] = b"\x20\x02\x00\x00";

/// As many as `system_calls.py` receives.
const MESSAGES: usize = 10;

/// A PUBLISH at QoS 0 to the topic "t".
fn message(payload: usize) -> Vec<u8> {
    let remaining = 2 + 1 + payload;
    let mut packet = vec![0x30];
    // Section 2.2.3; no more than two bytes here.
    if remaining < 0x80 {
        packet.push(remaining as u8);
    } else {
        packet.extend([(remaining & 0x7f | 0x80) as u8, (remaining >> 7) as u8]);
    }
    packet.extend(b"\x00\x01t");
    packet.resize(packet.len() + payload, b'm');
    packet
}

/// The names of the system calls between the two marks.
fn between_marks(trace: &str) -> Vec<String> {
    let marked = |line: &&str, mark: &str| line.contains(&format!("/umqtt-no-such-folder/{mark}"));
    trace
        .lines()
        .skip_while(|line| !marked(line, "begin"))
        .skip(1)
        .take_while(|line| !marked(line, "end"))
        .filter_map(|line| line.split_once('('))
        .map(|(name, _)| name.to_owned())
        // Memory, which the message's objects may need at any time.
        .filter(|name| !matches!(name.as_str(), "brk" | "mmap" | "munmap"))
        .collect()
}

/// The case of `system_calls.py` makes these system calls while messages with so many bytes each come.
fn makes(case: &str, payload: usize, expected: &[&str]) {
    need!(case, strace());
    let module = need!(case, Implementation::Ours.module());
    for version in [Version::V1_25, Version::V1_26] {
        let interpreter = need!(case, Interpreter::find(version));
        // In one segment, so that no read finds half of it.
        let sent = if matches!(case, "publish" | "nothing") {
            Vec::new()
        } else {
            message(payload).repeat(MESSAGES)
        };
        let peer = Peer::start(vec![vec![
            Step::Read(CONNECT_SIZE),
            Step::Send(CONNACK.to_vec()),
            Step::Send(sent),
            Step::ReadToEnd,
        ]]);
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("trace");
        Program::new(&interpreter, &module, "system_calls")
            .argument(case)
            .argument("127.0.0.1")
            .argument(peer.address().port())
            .limit(Duration::from_secs(60))
            .traced(&trace)
            .run()
            .expect_success("system_calls.py");
        peer.finish();
        let trace = std::fs::read_to_string(&trace).expect("strace writes its file");
        assert_eq!(
            between_marks(&trace),
            expected,
            "{case}, {payload} bytes, MicroPython {}",
            version.name()
        );
    }
}

#[test]
fn publish_is_one_write() {
    makes("publish", 16, &["write"; MESSAGES]);
}

/// Two bytes, which every packet has, then the rest: nothing may be read past a packet.
#[test]
fn wait_msg_is_two_reads() {
    makes("wait", 16, &["read"; 2 * MESSAGES]);
}

/// The length's second byte is a read of its own.
#[test]
fn wait_msg_is_three_reads_from_128_bytes_on() {
    makes("wait", 256, &["read"; 3 * MESSAGES]);
}

/// The socket gets its two timeouts, for reading and for writing, once.
#[test]
fn a_timeout_costs_nothing_per_message() {
    let expected = [&["setsockopt"; 2][..], &["read"; 2 * MESSAGES]].concat();
    makes("timeout", 16, &expected);
}

/// The socket has its timeouts since the CONNACK was waited for.
#[test]
fn a_keepalive_costs_nothing_per_message() {
    makes("keepalive", 16, &["read"; 2 * MESSAGES]);
}

/// Before each read a look whether it would wait, and one at the end.
#[test]
fn check_msg_is_two_polls_and_two_reads() {
    let one = ["poll", "read", "poll", "read"];
    let expected = [one.repeat(MESSAGES), vec!["poll"]].concat();
    makes("check", 16, &expected);
}

#[test]
fn check_msg_with_nothing_there_is_one_poll() {
    makes("nothing", 0, &["poll"]);
}
