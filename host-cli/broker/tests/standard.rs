//! Holds the broker to MQTT 3.1.1, rule by rule, with bytes written out by hand.

mod common;

use std::time::{Duration, Instant};

use common::{RawClient, connect_packet, packet, publish_packet, start, text};

#[test]
fn keep_alive_zero_is_served() {
    // The default of umqtt.simple; these are its very bytes.
    let broker = start();
    let mut client = RawClient::open(&broker);
    client.send(b"\x10\x1e\x00\x04MQTT\x04\x02\x00\x00\x00\x12micropython_client");
    client.expect(&[0x20, 2, 0, 0]);
    client.expect_quiet();
}

#[test]
fn topics_and_client_identifiers_may_hold_any_letter() {
    let broker = start();
    for _ in 0..3 {
        RawClient::connected(&broker, "aula/3+#$ñ");
    }
    let mut client = RawClient::connected(&broker, "ñ");
    client.subscribe("ñ/+", 0);
    let message = publish_packet(0, "ñ/°C", None, "23,5 °C".as_bytes());
    client.send(&message);
    client.expect(&message);
}

#[test]
fn each_qos_is_acknowledged_as_the_standard_says() {
    let broker = start();
    let mut subscriber = RawClient::connected(&broker, "s");
    subscriber.subscribe("t", 2);
    let mut publisher = RawClient::connected(&broker, "p");

    publisher.send(&publish_packet(0, "t", None, b"zero"));
    subscriber.expect(&publish_packet(0, "t", None, b"zero"));

    publisher.send(&publish_packet(0x02, "t", Some(7), b"one"));
    publisher.expect(&[0x40, 2, 0, 7]);
    subscriber.expect(&publish_packet(0x02, "t", Some(1), b"one"));
    subscriber.send(&[0x40, 2, 0, 1]);

    publisher.send(&publish_packet(0x04, "t", Some(8), b"two"));
    publisher.expect(&[0x50, 2, 0, 8]);
    // Sent again before PUBREL it is the same message, which must not arrive twice.
    publisher.send(&publish_packet(0x0c, "t", Some(8), b"two"));
    publisher.expect(&[0x50, 2, 0, 8]);
    publisher.send(&[0x62, 2, 0, 8]);
    publisher.expect(&[0x70, 2, 0, 8]);
    subscriber.expect(&publish_packet(0x04, "t", Some(2), b"two"));
    subscriber.send(&[0x50, 2, 0, 2]);
    subscriber.expect(&[0x62, 2, 0, 2]);
    subscriber.send(&[0x70, 2, 0, 2]);
    subscriber.expect_quiet();
    publisher.expect_quiet();
}

#[test]
fn the_lower_qos_counts() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    client.subscribe("low", 0);
    client.subscribe("high", 2);
    client.send(&publish_packet(0x02, "low", Some(1), b"x"));
    client.expect(&publish_packet(0, "low", None, b"x"));
    client.expect(&[0x40, 2, 0, 1]);
    client.send(&publish_packet(0, "high", None, b"x"));
    client.expect(&publish_packet(0, "high", None, b"x"));
}

#[test]
fn overlapping_filters_deliver_once() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    for (filter, qos) in [("a/#", 0), ("a/+", 1), ("a/b", 0)] {
        client.subscribe(filter, qos);
    }
    client.send(&publish_packet(0x02, "a/b", Some(3), b"x"));
    client.expect(&publish_packet(0x02, "a/b", Some(1), b"x"));
    client.expect(&[0x40, 2, 0, 3]);
    client.expect_quiet();
}

#[test]
fn five_hundred_retained_messages_reach_a_new_subscriber_at_each_qos() {
    let broker = start();
    let mut publisher = RawClient::connected(&broker, "p");
    for number in 0..500 {
        publisher.send(&publish_packet(
            0x05,
            &format!("r/{number:03}"),
            Some(number + 1),
            b"kept",
        ));
        publisher.expect(&[0x50, 2, ((number + 1) >> 8) as u8, (number + 1) as u8]);
        publisher.send(&[0x62, 2, ((number + 1) >> 8) as u8, (number + 1) as u8]);
        publisher.next().expect("PUBCOMP");
    }
    for qos in 0..=2u8 {
        let mut subscriber = RawClient::connected(&broker, "s");
        subscriber.subscribe("r/#", qos);
        let mut number = 0;
        while number < 500 {
            let message = subscriber.next().expect("a retained message");
            if message[0] == 0x62 {
                subscriber.send(&[0x70, 2, message[2], message[3]]);
                continue;
            }
            assert_eq!(
                message[0],
                0x31 | (qos << 1),
                "retained, with the QoS of the subscription"
            );
            assert_eq!(&message[4..9], format!("r/{number:03}").as_bytes());
            match qos {
                0 => {}
                1 => subscriber.send(&[0x40, 2, message[9], message[10]]),
                _ => subscriber.send(&[0x50, 2, message[9], message[10]]),
            }
            number += 1;
        }
    }
}

#[test]
fn a_retained_message_is_cleared_by_an_empty_retained_one_only() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    let kept = publish_packet(0x01, "t", None, b"kept");
    client.send(&kept);
    client.send(&publish_packet(0, "t", None, b""));
    client.subscribe("t", 0);
    client.expect(&kept);
    // Subscribing again sends it again (3.8.4).
    client.subscribe("t", 0);
    client.expect(&kept);
    client.send(&publish_packet(0x01, "t", None, b""));
    client.expect(&publish_packet(0, "t", None, b""));
    client.subscribe("t", 0);
    client.expect_quiet();
}

#[test]
fn live_messages_lose_the_retain_flag() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    client.subscribe("t", 0);
    client.send(&publish_packet(0x01, "t", None, b"x"));
    client.expect(&publish_packet(0, "t", None, b"x"));
}

#[test]
fn unsubscribe_is_always_answered_once() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    client.subscribe("a", 0);
    let mut body = vec![0, 7];
    body.extend(text("a"));
    body.extend(text("never/subscribed"));
    client.send(&packet(0xa2, &body));
    client.expect(&[0xb0, 2, 0, 7]);
    client.send(&publish_packet(0, "a", None, b"x"));
    client.expect_quiet();
}

#[test]
fn an_impossible_filter_fails_alone() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    let mut body = vec![0, 5];
    for (filter, qos) in [("a/#/b", 0), ("a/b", 1)] {
        body.extend(text(filter));
        body.push(qos);
    }
    client.send(&packet(0x82, &body));
    client.expect(&[0x90, 4, 0, 5, 0x80, 1]);
}

/// CONNECT flags of a will with QoS 1, retained, in a clean session (3.1.2).
const WILL: u8 = 0b0010_1110;

fn will(topic: &str, message: &str) -> Vec<u8> {
    [text(topic), text(message)].concat()
}

#[test]
fn the_will_goes_out_unless_the_client_says_goodbye() {
    let broker = start();
    let mut observer = RawClient::connected(&broker, "o");
    observer.subscribe("will", 1);

    let mut client = RawClient::open(&broker);
    client.send(&connect_packet("polite", WILL, 0, &will("will", "never")));
    client.expect(&[0x20, 2, 0, 0]);
    client.send(&[0xe0, 0]);
    client.expect_end();
    observer.expect_quiet();

    let mut client = RawClient::open(&broker);
    client.send(&connect_packet("rude", WILL, 0, &will("will", "gone")));
    client.expect(&[0x20, 2, 0, 0]);
    drop(client);
    observer.expect(&publish_packet(0x02, "will", Some(1), b"gone"));
    observer.send(&[0x40, 2, 0, 1]);
    // It was retained.
    observer.subscribe("will", 0);
    observer.expect(&publish_packet(0x01, "will", None, b"gone"));

    // A protocol error is no goodbye.
    let mut client = RawClient::open(&broker);
    client.send(&connect_packet("wrong", WILL, 0, &will("will", "broken")));
    client.expect(&[0x20, 2, 0, 0]);
    client.send(&[0xff, 0]);
    client.expect_end();
    observer.expect(&publish_packet(0, "will", None, b"broken"));
}

#[test]
fn silence_beyond_one_and_a_half_keep_alives_ends_the_connection() {
    let broker = start();
    let mut observer = RawClient::connected(&broker, "o");
    observer.subscribe("will", 0);
    let mut client = RawClient::open(&broker);
    let begin = Instant::now();
    client.send(&connect_packet("c", WILL, 1, &will("will", "silent")));
    client.expect(&[0x20, 2, 0, 0]);
    client.expect_end();
    let passed = begin.elapsed();
    assert!(
        passed >= Duration::from_millis(1450) && passed < Duration::from_millis(4000),
        "{passed:?}"
    );
    observer.expect(&publish_packet(0, "will", None, b"silent"));
}

#[test]
fn pings_keep_a_connection_alive() {
    let broker = start();
    let mut client = RawClient::open(&broker);
    client.send(&connect_packet("c", 0x02, 1, b""));
    client.expect(&[0x20, 2, 0, 0]);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(700));
        client.expect_quiet();
    }
}

#[test]
fn a_second_client_of_the_same_name_takes_over() {
    let broker = start();
    let mut observer = RawClient::connected(&broker, "o");
    observer.subscribe("will", 0);
    let mut old = RawClient::open(&broker);
    old.send(&connect_packet("same", WILL, 0, &will("will", "replaced")));
    old.expect(&[0x20, 2, 0, 0]);
    let mut new = RawClient::connected(&broker, "same");
    old.expect_end();
    observer.expect(&publish_packet(0, "will", None, b"replaced"));
    new.expect_quiet();
}

#[test]
fn a_persistent_session_keeps_subscriptions_and_messages() {
    let broker = start();
    let mut publisher = RawClient::connected(&broker, "p");
    let mut client = RawClient::persistent(&broker, "c", false);
    client.subscribe("t", 1);
    publisher.send(&publish_packet(0x02, "t", Some(1), b"unacknowledged"));
    publisher.expect(&[0x40, 2, 0, 1]);
    client.expect(&publish_packet(0x02, "t", Some(1), b"unacknowledged"));
    drop(client);
    // A message of QoS 0 may be lost on one who is away, those of QoS 1 may not.
    std::thread::sleep(Duration::from_millis(100));
    publisher.send(&publish_packet(0, "t", None, b"not kept"));
    publisher.send(&publish_packet(0x02, "t", Some(2), b"kept"));
    publisher.expect(&[0x40, 2, 0, 2]);

    let mut client = RawClient::persistent(&broker, "c", true);
    client.expect(&publish_packet(0x0a, "t", Some(1), b"unacknowledged"));
    client.expect(&publish_packet(0x02, "t", Some(2), b"kept"));
    client.send(&[0x40, 2, 0, 1]);
    client.send(&[0x40, 2, 0, 2]);
    client.expect_quiet();
    drop(client);

    // A clean session forgets all of it.
    let mut client = RawClient::connected(&broker, "c");
    publisher.send(&publish_packet(0x02, "t", Some(3), b"nobody"));
    publisher.expect(&[0x40, 2, 0, 3]);
    client.expect_quiet();
    drop(client);
    std::thread::sleep(Duration::from_millis(100));
    RawClient::persistent(&broker, "c", false);
}

#[test]
fn subscriptions_end_with_their_session() {
    let broker = start();
    let mut publisher = RawClient::connected(&broker, "p");
    let mut publish_to_both = || {
        publisher.send(&publish_packet(0, "a/b", None, b"gone"));
        publisher.send(&publish_packet(0, "end", None, b""));
    };
    let end = publish_packet(0, "end", None, b"");
    let filters = ["a/b", "a/+", "#"];
    // A clean session, taken over by another or ended with its connection.
    for says_goodbye in [false, true] {
        let mut client = RawClient::connected(&broker, "c");
        for filter in filters {
            client.subscribe(filter, 2);
        }
        if says_goodbye {
            client.send(&[0xe0, 0]);
            assert_eq!(client.next(), None);
        }
        let mut client = RawClient::connected(&broker, "c");
        client.subscribe("end", 0);
        publish_to_both();
        client.expect(&end);
    }
    // One that outlives its connection, and ends when its client wants a clean one.
    let mut kept = RawClient::persistent(&broker, "k", false);
    for filter in filters {
        kept.subscribe(filter, 0);
    }
    let mut kept = RawClient::persistent(&broker, "k", true);
    publish_to_both();
    kept.expect(&publish_packet(0, "a/b", None, b"gone"));
    kept.expect(&end);
    let mut clean = RawClient::connected(&broker, "k");
    clean.subscribe("end", 0);
    publish_to_both();
    clean.expect(&end);
    clean.expect_quiet();
}

#[test]
fn a_qos_2_exchange_goes_on_where_it_stopped() {
    let broker = start();
    let mut client = RawClient::persistent(&broker, "c", false);
    client.subscribe("t", 2);
    client.send(&publish_packet(0x04, "t", Some(5), b"x"));
    client.expect(&publish_packet(0x04, "t", Some(1), b"x"));
    client.expect(&[0x50, 2, 0, 5]);
    client.send(&[0x50, 2, 0, 1]);
    client.expect(&[0x62, 2, 0, 1]);
    drop(client);
    std::thread::sleep(Duration::from_millis(100));
    let mut client = RawClient::persistent(&broker, "c", true);
    client.expect(&[0x62, 2, 0, 1]);
    client.send(&[0x70, 2, 0, 1]);
    // The message of identifier 5 was not released, so it is still the same one.
    client.send(&publish_packet(0x0c, "t", Some(5), b"x"));
    client.expect(&[0x50, 2, 0, 5]);
    client.send(&[0x62, 2, 0, 5]);
    client.expect(&[0x70, 2, 0, 5]);
    client.expect_quiet();
}

#[test]
fn connect_is_refused_with_the_code_of_the_reason() {
    let broker = start();
    let cases: [(Vec<u8>, &[u8]); 4] = [
        // No client identifier needs a clean session (3.1.3.1).
        (connect_packet("", 0x00, 0, b""), &[0x20, 2, 0, 2]),
        // Level 6 does not exist, MQTT 3.1 has another name, and MQTT 5 has its own CONNACK.
        (
            b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x00\x00\x01c".to_vec(),
            &[0x20, 2, 0, 1],
        ),
        (
            b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01c".to_vec(),
            &[0x20, 2, 0, 1],
        ),
        (
            b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01c".to_vec(),
            &[0x20, 3, 0, 0x84, 0],
        ),
    ];
    for (connect, answer) in cases {
        let mut client = RawClient::open(&broker);
        client.send(&connect);
        client.expect(answer);
        client.expect_end();
    }
    let mut client = RawClient::open(&broker);
    client.send(&connect_packet("", 0x02, 0, b""));
    client.expect(&[0x20, 2, 0, 0]);
}

#[test]
fn what_is_no_mqtt_ends_the_connection() {
    let broker = start();
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[0xc0, 0],
        &publish_packet(0, "t", None, b"x"),
    ] {
        let mut client = RawClient::open(&broker);
        client.send(bytes);
        client.expect_end();
    }
    let second_connect = connect_packet("c", 0x02, 0, b"");
    let wildcard = publish_packet(0, "a/+", None, b"x");
    for bytes in [
        &second_connect[..],
        &wildcard,
        b"\x30\x02\x00\x00",
        b"\x20\x02\x00\x00",
        b"\x80\x06\x00\x01\x00\x01a\x00",
    ] {
        let mut client = RawClient::connected(&broker, "c");
        client.send(bytes);
        client.expect_end();
    }
    RawClient::connected(&broker, "c").expect_quiet();
}

#[test]
fn messages_of_every_length_field_arrive_whole() {
    let broker = start();
    let mut client = RawClient::connected(&broker, "c");
    client.subscribe("t", 0);
    for length in [
        0, 1, 124, 125, 16_380, 16_381, 65_535, 65_536, 2_097_148, 2_097_149, 10_000_000,
    ] {
        let payload: Vec<u8> = (0..length)
            .map(|index: usize| (index * 31 % 251) as u8)
            .collect();
        let message = publish_packet(0, "t", None, &payload);
        client.send(&message);
        assert!(
            client.next() == Some(message),
            "a payload of {length} bytes was changed"
        );
    }
}
