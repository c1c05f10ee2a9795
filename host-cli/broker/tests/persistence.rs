//! Holds the broker to what it keeps over its own end: retained messages, and sessions with all that is owed in them.

mod common;

use std::path::Path;

use broker::{Broker, BrokerConfig, BrokerError, StoreError};
use common::{RawClient, connect_packet, publish_packet, start_with};

fn keeping(folder: &Path) -> Broker {
    start_with(|config| config.persist = Some(folder.to_owned()))
}

#[test]
fn retained_messages_come_back_and_cleared_ones_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = keeping(folder.path());
    let mut client = RawClient::connected(&broker, "c");
    for (topic, payload) in [("casa/ñ", "1"), ("old", "x"), ("casa/ñ", "2"), ("old", "")] {
        client.send(&publish_packet(1, topic, None, payload.as_bytes()));
    }
    client.send(&publish_packet(0, "not", None, b"x"));
    client.expect_quiet();
    drop(broker);
    for _ in 0..2 {
        let broker = keeping(folder.path());
        let mut reader = RawClient::connected(&broker, "r");
        reader.subscribe("#", 0);
        reader.expect(&publish_packet(1, "casa/ñ", None, b"2"));
        reader.expect_quiet();
    }
}

#[test]
fn a_session_goes_on_where_it_was_in_every_exchange() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = keeping(folder.path());
    let mut client = RawClient::persistent(&broker, "s", false);
    client.subscribe("t/#", 2);
    client.subscribe("gone", 1);
    // UNSUBSCRIBE from one of them (3.10).
    client.send(b"\xa2\x08\x00\x02\x00\x04gone");
    client.expect(&[0xb0, 2, 0, 2]);
    // A QoS 2 message of its own whose PUBREL does not come (4.3.3).
    client.send(&publish_packet(4, "other", Some(70), b"x"));
    client.expect(&[0x50, 2, 0, 70]);
    let mut writer = RawClient::connected(&broker, "w");
    for number in 1..=4_u16 {
        let flags = if number == 1 { 2 } else { 4 };
        let topic = format!("t/{number}");
        writer.send(&publish_packet(flags, &topic, Some(number), b"x"));
        writer.next();
        if flags == 4 {
            writer.send(&[0x62, 2, 0, number as u8]);
            writer.expect(&[0x70, 2, 0, number as u8]);
        }
        client.expect(&publish_packet(flags, &topic, Some(number), b"x"));
    }
    // 1 is sent and not acknowledged, 2 has PUBREC, 3 is done, 4 is sent.
    client.send(&[0x50, 2, 0, 2]);
    client.expect(&[0x62, 2, 0, 2]);
    client.send(&[0x50, 2, 0, 3]);
    client.expect(&[0x62, 2, 0, 3]);
    client.send(&[0x70, 2, 0, 3]);
    client.expect_quiet();
    drop(client);
    // 5 comes while it is away, and a QoS 0 message that nobody keeps.
    writer.send(&publish_packet(2, "t/5", Some(9), b"away"));
    writer.expect(&[0x40, 2, 0, 9]);
    writer.send(&publish_packet(0, "t/6", None, b"lost"));
    writer.send(&publish_packet(2, "gone", Some(9), b"x"));
    writer.expect(&[0x40, 2, 0, 9]);
    // The second time the log was written anew.
    drop(broker);
    for dup in [false, true] {
        let broker = keeping(folder.path());
        let mut client = RawClient::persistent(&broker, "s", true);
        client.expect(&publish_packet(2 | 8, "t/1", Some(1), b"x"));
        client.expect(&[0x62, 2, 0, 2]);
        client.expect(&publish_packet(4 | 8, "t/4", Some(4), b"x"));
        let flags = if dup { 2 | 8 } else { 2 };
        client.expect(&publish_packet(flags, "t/5", Some(5), b"away"));
        client.expect_quiet();
        // The message that it had sent comes again and is known.
        let mut reader = RawClient::connected(&broker, "r");
        reader.subscribe("other", 0);
        client.send(&publish_packet(4 | 8, "other", Some(70), b"x"));
        client.expect(&[0x50, 2, 0, 70]);
        reader.expect_quiet();
    }
    let broker = keeping(folder.path());
    let mut client = RawClient::persistent(&broker, "s", true);
    for _ in 0..4 {
        client.next();
    }
    client.send(&[0x40, 2, 0, 1]);
    client.send(&[0x70, 2, 0, 2]);
    client.send(&[0x50, 2, 0, 4]);
    client.expect(&[0x62, 2, 0, 4]);
    client.send(&[0x70, 2, 0, 4]);
    client.send(&[0x40, 2, 0, 5]);
    client.send(&[0x62, 2, 0, 70]);
    client.expect(&[0x70, 2, 0, 70]);
    drop(broker);
    let broker = keeping(folder.path());
    let mut client = RawClient::persistent(&broker, "s", true);
    client.expect_quiet();
    let mut reader = RawClient::connected(&broker, "r");
    reader.subscribe("other", 0);
    // Released, so this is another message.
    client.send(&publish_packet(4, "other", Some(70), b"y"));
    client.expect(&[0x50, 2, 0, 70]);
    reader.expect(&publish_packet(0, "other", None, b"y"));
}

#[test]
fn a_clean_session_ends_the_kept_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = keeping(folder.path());
    let mut client = RawClient::persistent(&broker, "s", false);
    client.subscribe("t", 1);
    let mut client = RawClient::connected(&broker, "s");
    client.subscribe("t", 1);
    drop((client, broker));
    let broker = keeping(folder.path());
    let mut client = RawClient::persistent(&broker, "s", false);
    client.expect_quiet();
}

#[test]
fn a_retained_message_that_waits_keeps_its_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = keeping(folder.path());
    let mut writer = RawClient::connected(&broker, "w");
    writer.send(&publish_packet(3, "t", Some(1), b"x"));
    writer.expect(&[0x40, 2, 0, 1]);
    let mut client = RawClient::persistent(&broker, "s", false);
    client.subscribe("t", 1);
    client.expect(&publish_packet(3, "t", Some(1), b"x"));
    drop((client, broker));
    let broker = keeping(folder.path());
    let mut client = RawClient::persistent(&broker, "s", true);
    client.expect(&publish_packet(3 | 8, "t", Some(1), b"x"));
}

#[test]
fn the_log_does_not_grow_with_what_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = keeping(folder.path());
    let mut client = RawClient::connected(&broker, "c");
    let payload = vec![b'x'; 1 << 20];
    // 40 MiB of values for one topic.
    for _ in 0..40 {
        client.send(&publish_packet(3, "t", Some(1), &payload));
        client.expect(&[0x40, 2, 0, 1]);
    }
    let length = |name: &str| std::fs::metadata(folder.path().join(name)).map(|file| file.len());
    let log = length("sessions").expect("a log");
    assert!(log < 14 << 20, "{log}");
    drop((client, broker));
    drop(keeping(folder.path()));
    let log = length("sessions").expect("a log");
    assert!(log < 2 << 20, "{log}");
}

#[test]
fn a_damaged_log_and_a_second_broker_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let mut config = BrokerConfig {
            persist: Some(folder.path().to_owned()),
            ..BrokerConfig::default()
        };
        config.listen.set_port(0);
        Broker::start(config)
    };
    let broker = start().expect("a broker");
    assert!(matches!(
        start(),
        Err(BrokerError::Store(StoreError::InUse { .. }))
    ));
    let mut client = RawClient::persistent(&broker, "s", false);
    client.subscribe("t", 1);
    drop((client, broker));
    let log = folder.path().join("sessions");
    let mut bytes = std::fs::read(&log).expect("a log");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&log, &bytes).expect("a log");
    let error = start().expect_err("it is damaged");
    assert!(error.to_string().contains("damaged at byte"), "{error}");
    assert_eq!(std::fs::read(&log).expect("a log"), bytes);
    std::fs::write(&log, "something else").expect("a file");
    assert!(matches!(
        start(),
        Err(BrokerError::Store(StoreError::Unknown { .. }))
    ));
    // What does not ask to be kept needs no CONNECT of its own kind.
    std::fs::remove_file(&log).expect("a file");
    let broker = start().expect("it begins with nothing");
    let mut client = RawClient::open(&broker);
    client.send(&connect_packet("s", 0x00, 0, b""));
    client.expect(&[0x20, 2, 0, 0]);
}
