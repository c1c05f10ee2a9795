//! Holds the broker to what it promises about who may come in and how much one client can do to the others.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, BrokerConfig, BrokerError, CloseReason, TapOptions, TapPacket, Users};
use common::{RawClient, connect_packet, packet, publish_packet, start, start_with, text};

/// CONNACK that refuses: not authorized (3.2.2.3).
const NOT_AUTHORIZED: [u8; 4] = [0x20, 2, 0, 5];
const ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];

fn users(entries: &[(&str, &str)]) -> (tempfile::TempDir, Arc<Users>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("users");
    for (user, password) in entries {
        broker::set_password(&path, user, password.as_bytes(), false).expect("a user");
    }
    (folder, Arc::new(Users::load(&path).expect("users")))
}

#[test]
fn only_users_with_their_password_come_in() {
    let (_folder, users) = users(&[("ana", "una clave"), ("eva", "otra")]);
    let broker = start_with(|config| config.users = Some(users));
    let mut ana = RawClient::with_login(&broker, "a", "ana", "una clave");
    ana.expect(&ACCEPTED);
    for (user, password) in [
        ("ana", "otra"),
        ("ana", ""),
        ("nadie", "una clave"),
        ("", ""),
    ] {
        let mut other = RawClient::with_login(&broker, "o", user, password);
        other.expect(&NOT_AUTHORIZED);
        other.expect_end();
    }
    let mut anonymous = RawClient::open(&broker);
    anonymous.send(&connect_packet("n", 0x02, 0, b""));
    anonymous.expect(&NOT_AUTHORIZED);
    anonymous.expect_end();
    ana.expect_quiet();
}

#[test]
fn who_gives_no_user_comes_in_where_that_is_asked_for() {
    let (_folder, users) = users(&[("ana", "una clave")]);
    let broker = start_with(|config| {
        config.users = Some(users);
        config.anonymous = true;
    });
    RawClient::connected(&broker, "n").expect_quiet();
    RawClient::with_login(&broker, "a", "ana", "una clave").expect(&ACCEPTED);
    RawClient::with_login(&broker, "b", "ana", "falsa").expect(&NOT_AUTHORIZED);
}

#[test]
fn nobody_gets_the_session_of_another_user() {
    let (_folder, users) = users(&[("ana", "una clave"), ("eva", "otra")]);
    let broker = start_with(|config| config.users = Some(users));
    let login = |user: &str, password: &str| [text(user), text(password)].concat();
    let mut ana = RawClient::open(&broker);
    ana.send(&connect_packet(
        "mesa-1",
        0xc0,
        0,
        &login("ana", "una clave"),
    ));
    ana.expect(&ACCEPTED);
    ana.subscribe("secreto", 1);
    for flags in [0xc0, 0xc2] {
        let mut eva = RawClient::open(&broker);
        eva.send(&connect_packet("mesa-1", flags, 0, &login("eva", "otra")));
        // Identifier rejected (3.2.2.3).
        eva.expect(&[0x20, 2, 0, 2]);
        eva.expect_end();
    }
    // Neither did it end her connection.
    ana.expect_quiet();
}

#[test]
fn an_address_that_others_reach_needs_passwords_or_a_word() {
    let open = |anonymous| {
        Broker::start(BrokerConfig {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            anonymous,
            ..BrokerConfig::default()
        })
    };
    assert!(matches!(open(false), Err(BrokerError::Open { .. })));
    assert!(open(true).is_ok());
    let (_folder, users) = users(&[("ana", "una clave")]);
    let with_users = Broker::start(BrokerConfig {
        listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        users: Some(users),
        ..BrokerConfig::default()
    });
    assert!(with_users.is_ok());
}

#[test]
fn one_client_more_than_the_limit_is_told_so() {
    let broker = start_with(|config| config.limits.clients = 3);
    let mut clients: Vec<_> = (0..3)
        .map(|number| RawClient::connected(&broker, &number.to_string()))
        .collect();
    let mut extra = RawClient::open(&broker);
    extra.send(&connect_packet("extra", 0x02, 0, b""));
    // Server unavailable (3.2.2.3).
    extra.expect(&[0x20, 2, 0, 3]);
    extra.expect_end();
    // One that comes again takes its own place.
    let again = RawClient::connected(&broker, "1");
    clients[1].expect_end();
    clients[1] = again;
    // One that goes makes room.
    clients[0].send(&[0xe0, 0]);
    clients[0].expect_end();
    RawClient::connected(&broker, "extra").expect_quiet();
}

#[test]
fn a_packet_beyond_the_limit_ends_the_connection() {
    let broker = start_with(|config| config.limits.packet = 1000);
    let mut client = RawClient::connected(&broker, "c");
    client.send(&publish_packet(0, "t", None, &[b'x'; 990]));
    client.expect_quiet();
    client.send_whatever(&publish_packet(0, "t", None, &[b'x'; 1000]));
    client.expect_end();
    // Before CONNECT no packet is as large as later ones may be.
    let broker = start();
    let mut client = RawClient::open(&broker);
    client.send_whatever(&[0x10, 0xff, 0xff, 0x7f]);
    client.expect_end();
}

#[test]
fn a_client_that_publishes_too_fast_is_slowed_and_loses_nothing() {
    let broker = start_with(|config| config.limits.rate = NonZeroU32::new(20));
    let mut reader = RawClient::connected(&broker, "r");
    reader.subscribe("t", 0);
    let mut writer = RawClient::connected(&broker, "w");
    let started = std::time::Instant::now();
    for number in 0..40_u8 {
        writer.send(&publish_packet(0, "t", None, &[number]));
    }
    for number in 0..40_u8 {
        assert_eq!(reader.next(), Some(publish_packet(0, "t", None, &[number])));
    }
    // Twenty at once, and one in each twentieth of a second: no machine can be faster than that.
    assert!(started.elapsed() >= Duration::from_millis(900));
}

#[test]
fn what_is_retained_has_a_limit() {
    let broker = start_with(|config| config.limits.retained = 2);
    let tap = broker.tap(TapOptions::default());
    let mut client = RawClient::connected(&broker, "c");
    for topic in ["a", "b", "c"] {
        client.send(&publish_packet(1, topic, None, b"x"));
    }
    client.expect_quiet();
    let refused = std::iter::from_fn(|| tap.next(Duration::from_secs(60))).find_map(|event| {
        match event.packet {
            TapPacket::NotRetained { topic, .. } => Some(topic),
            _ => None,
        }
    });
    assert_eq!(refused.as_deref(), Some("c"));
    let mut reader = RawClient::connected(&broker, "r");
    reader.subscribe("#", 0);
    for topic in ["a", "b"] {
        reader.expect(&publish_packet(1, topic, None, b"x"));
    }
    reader.expect_quiet();
}

#[test]
fn who_does_not_finish_connecting_is_put_out() {
    let broker = start_with(|config| config.limits.connect_within = Duration::from_millis(300));
    let tap = broker.tap(TapOptions::default());
    let mut silent = RawClient::open(&broker);
    let mut begun = RawClient::open(&broker);
    begun.send(&connect_packet("c", 0x02, 0, b"")[..8]);
    let mut websocket = RawClient::open(&broker);
    websocket.send(b"GET /mqtt HTTP/1.1\r\n");
    for client in [&mut silent, &mut begun, &mut websocket] {
        client.expect_end();
    }
    let mut reasons = Vec::new();
    while reasons.len() < 3 {
        let event = tap.next(Duration::from_secs(60)).expect("an event");
        if let TapPacket::Closed { reason } = event.packet {
            reasons.push(reason);
        }
    }
    assert_eq!(reasons, vec![CloseReason::NoConnect; 3]);
    // Who has connected may be silent.
    let mut client = RawClient::connected(&broker, "c");
    std::thread::sleep(Duration::from_millis(600));
    client.expect_quiet();
    client.send(&packet(0xe0, b""));
}
