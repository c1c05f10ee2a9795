//! Holds the broker to what its surroundings need: ports, ends, floods, and a tap that never slows it.

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use broker::{Broker, BrokerConfig, BrokerError, CloseReason, Direction, TapOptions, TapPacket};
use common::{RawClient, publish_packet, start};

fn listen(address: &str) -> Result<Broker, BrokerError> {
    let listen: SocketAddr = address.parse().expect("an address");
    Broker::start(BrokerConfig {
        listen,
        anonymous: true,
        ..BrokerConfig::default()
    })
}

#[test]
fn a_taken_port_is_an_error_that_names_address_and_program() {
    let broker = start();
    let error = listen(&broker.addr().to_string()).expect_err("the port is taken");
    let BrokerError::Taken { address, owner } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*address, broker.addr());
    if cfg!(target_os = "linux") {
        let owner = owner.as_ref().expect("a program of this user's");
        assert_eq!(owner.process, std::process::id());
        assert_eq!(
            owner.to_string(),
            format!("{} (process {})", owner.name, owner.process)
        );
        assert_eq!(
            owner.to_spanish(),
            format!("{} (proceso {})", owner.name, owner.process)
        );
    }
    let message = error.to_string();
    assert!(
        message.contains(&address.to_string()) && message.contains("--listen"),
        "{message}"
    );
}

#[test]
fn an_address_of_another_computer_is_an_error_that_says_so() {
    // 192.0.2.0/24 is kept for documentation (RFC 5737).
    let error = listen("192.0.2.1:0").expect_err("not an address of this computer");
    assert!(
        matches!(error, BrokerError::NoSuchAddress { .. }),
        "{error:?}"
    );
}

#[test]
fn two_brokers_do_not_share_messages() {
    let (first, second) = (start(), start());
    let mut here = RawClient::connected(&first, "c");
    let mut there = RawClient::connected(&second, "c");
    here.subscribe("#", 0);
    there.subscribe("#", 0);
    here.send(&publish_packet(0, "t", None, b"x"));
    here.expect(&publish_packet(0, "t", None, b"x"));
    there.expect_quiet();
}

#[test]
fn dropping_the_broker_frees_port_connections_and_threads() {
    for _ in 0..20 {
        let broker = start();
        let address = broker.addr();
        let mut client = RawClient::connected(&broker, "c");
        let tap = broker.tap(TapOptions::default());
        drop(broker);
        client.expect_end();
        assert!(
            tap.try_next(Duration::from_secs(5)).is_err(),
            "nothing more comes from a broker that is gone"
        );
        assert!(
            TcpStream::connect(address).is_err(),
            "nobody listens any more"
        );
        TcpListener::bind(address).expect("the port is free at once");
    }
    #[cfg(target_os = "linux")]
    {
        let names = std::fs::read_dir("/proc/self/task")
            .expect("/proc")
            .flatten();
        let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        // Other tests of this program may run brokers of their own at this moment, but not 20.
        assert!(names.filter(|name| name.trim() == "umqtt-broker").count() < 20);
    }
}

#[test]
fn the_tap_shows_every_packet_of_both_directions() {
    let broker = start();
    let tap = broker.tap(TapOptions {
        payload_limit: 4,
        ..TapOptions::default()
    });
    let mut client = RawClient::open(&broker);
    client.send(b"\x10\x18\x00\x04MQTT\x04\xc2\x00\x3c\x00\x01c\x00\x03ana\x00\x04clav");
    client.expect(&[0x20, 2, 0, 0]);
    client.subscribe("t", 1);
    client.send(&publish_packet(0x02, "t", Some(3), b"0123456789"));
    client.expect(&publish_packet(0x02, "t", Some(1), b"0123456789"));
    client.expect(&[0x40, 2, 0, 3]);
    client.send(&[0xff, 0x01]);
    client.expect_end();

    use Direction::{ToBroker, ToClient};
    let publish = |packet_id| TapPacket::Publish {
        topic: "t".to_owned(),
        payload: bytes::Bytes::from_static(b"0123"),
        length: 10,
        qos: 1,
        retain: false,
        duplicate: false,
        packet_id: Some(packet_id),
    };
    let expected = [
        (
            ToBroker,
            TapPacket::Connect {
                clean_session: true,
                keep_alive: 60,
                user: Some("ana".to_owned()),
                will: None,
            },
        ),
        (
            ToClient,
            TapPacket::ConnAck {
                session_present: false,
                code: 0,
            },
        ),
        (
            ToBroker,
            TapPacket::Subscribe {
                packet_id: 9,
                filters: vec![("t".to_owned(), 1)],
            },
        ),
        (
            ToClient,
            TapPacket::SubAck {
                packet_id: 9,
                codes: vec![1],
            },
        ),
        (ToBroker, publish(3)),
        (ToClient, publish(1)),
        (ToClient, TapPacket::PubAck { packet_id: 3 }),
    ];
    let opened = tap.next(Duration::from_secs(5)).expect("the connection");
    assert!(matches!(opened.packet, TapPacket::Opened { .. }) && opened.client_id.is_empty());
    for (direction, packet) in expected {
        let event = tap
            .next(Duration::from_secs(5))
            .expect("an event for each packet");
        assert_eq!((event.direction, event.packet), (direction, packet));
        assert_eq!(
            (event.connection, &*event.client_id),
            (opened.connection, "c")
        );
    }
    let malformed = tap
        .next(Duration::from_secs(5))
        .expect("the malformed bytes");
    assert!(
        matches!(&malformed.packet, TapPacket::Malformed { bytes, .. } if *bytes == [0xff, 0x01]),
        "{malformed:?}"
    );
    let closed = tap.next(Duration::from_secs(5)).expect("the end");
    assert!(
        matches!(
            &closed.packet,
            TapPacket::Closed {
                reason: CloseReason::Protocol(_)
            }
        ),
        "{closed:?}"
    );
    assert_eq!(tap.dropped(), 0);
}

#[test]
fn a_tap_that_nobody_reads_counts_what_it_lost_and_slows_nothing() {
    let broker = start();
    let tap = broker.tap(TapOptions {
        capacity: 10,
        ..TapOptions::default()
    });
    let mut client = RawClient::connected(&broker, "c");
    client.subscribe("t", 0);
    let message = publish_packet(0, "t", None, b"x");
    for _ in 0..1000 {
        client.send(&message);
        client.expect(&message);
    }
    // Opened, CONNECT, CONNACK, SUBSCRIBE, SUBACK and two for each message, of which 10 were kept.
    assert_eq!(tap.dropped(), 5 + 2000 - 10);
}

#[test]
fn a_subscriber_that_never_reads_does_not_stop_the_others() {
    let broker = start();
    let tap = broker.tap(TapOptions {
        capacity: 100_000,
        payload_limit: 0,
    });
    let mut deaf = RawClient::connected(&broker, "deaf");
    deaf.subscribe("t", 0);
    let mut listener = RawClient::connected(&broker, "listener");
    listener.subscribe("t", 0);
    let mut publisher = RawClient::connected(&broker, "p");
    let message = publish_packet(0, "t", None, &[7; 100_000]);
    let begin = Instant::now();
    for _ in 0..500 {
        publisher.send(&message);
        assert!(listener.next() == Some(message.clone()));
    }
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "{:?}",
        begin.elapsed()
    );
    let mut dropped = 0;
    while let Some(event) = tap.next(Duration::from_millis(200)) {
        if matches!(event.packet, TapPacket::Dropped { .. }) {
            assert_eq!(&*event.client_id, "deaf");
            dropped += 1;
        }
    }
    assert!(dropped > 0, "50 MB for one who does not read are not kept");
}
