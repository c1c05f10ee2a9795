//! Decides whether messages survive a network that drops the connection every few hundred packets: nothing lost at QoS
//! 1, nothing lost or doubled at QoS 2, and as much free heap at the end as at the start.
//!
//! Publisher and subscriber are the same client, Mosquitto is behind the network. `UMQTT_SOAK_MESSAGES` sets how many
//! messages go each way; `cargo xtask soak` sets it to a million.

use std::time::Duration;

use testkit::{
    Access, Implementation, Interpreter, LossyNetwork, Mosquitto, Program, Version, need,
};

/// Messages each way and for each QoS in an ordinary run.
const MESSAGES: usize = 10_000;
/// Bytes that a connection carries at least and half of what it carries at most, for each QoS: some 200 to 400 packets,
/// which are the smaller the more of them are acknowledgements.
const BYTES: [usize; 3] = [12_000, 7_000, 4_000];
/// Bytes by which the free heap may be smaller at the end: one block that the collector's conservative marking keeps.
const HEAP: i64 = 256;

fn messages() -> usize {
    match std::env::var("UMQTT_SOAK_MESSAGES") {
        Ok(number) => number.parse().expect("UMQTT_SOAK_MESSAGES is a number"),
        Err(_) => MESSAGES,
    }
}

fn soak(test: &str, version: Version, qos: u8) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let broker = need!(test, Mosquitto::start(&Access::Anonymous));
    let network = LossyNetwork::start(broker.address(), BYTES[usize::from(qos)]);
    let messages = messages();
    let finished = Program::new(&interpreter, &module, "soak_link")
        .argument(network.address().ip())
        .argument(network.address().port())
        .argument(qos)
        .argument(messages)
        .heap("512k")
        .limit(Duration::from_secs(60 + messages as u64 / 250))
        .run();
    let elapsed = finished.elapsed;
    let printed = finished.expect_success("soak_link.py");
    let numbers: Vec<i64> = printed
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let [arrived, doubled, damaged, heap] = numbers[..] else {
        panic!("soak_link.py printed {printed}");
    };
    println!(
        "QoS {qos}: {messages} messages each way over {} lost connections in {elapsed:.1?}: {}",
        network.dropped(),
        printed.trim()
    );
    let sent = i64::try_from(messages).expect("so many");
    assert!(
        network.dropped() > messages / 1000,
        "only {} connections were lost",
        network.dropped()
    );
    assert_eq!(damaged, 0, "damaged messages");
    assert!(heap >= -HEAP, "{} bytes of heap are gone", -heap);
    match qos {
        // What was on its way when the link broke is lost, the rest is not.
        0 => assert!(
            arrived > sent / 10 * 8 && doubled == 0,
            "{arrived} of {sent}"
        ),
        1 => assert_eq!(arrived, sent, "lost at QoS 1"),
        _ => assert_eq!((arrived, doubled), (sent, 0), "lost or doubled at QoS 2"),
    }
}

#[test]
fn qos_0_on_1_26() {
    soak("qos_0_on_1_26", Version::V1_26, 0);
}

#[test]
fn qos_1_on_1_26() {
    soak("qos_1_on_1_26", Version::V1_26, 1);
}

#[test]
fn qos_2_on_1_26() {
    soak("qos_2_on_1_26", Version::V1_26, 2);
}

#[test]
fn qos_2_on_1_25() {
    soak("qos_2_on_1_25", Version::V1_25, 2);
}
