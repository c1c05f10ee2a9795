//! Holds the broker to going on while a thousand clients begin and do not go on, and a thousand more send what is wrong: on
//! its port for MQTT, in WebSockets there, and on its port for TLS.
#![cfg(unix)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, Trust};
use common::ways::{named, read_until, secure, trusting_config, ways};
use rumqttc::{Client, Packet, QoS};
use rustls::{ClientConnection, StreamOwned};

const EACH: usize = 1000;

/// Lets this process have as many connections as the test needs.
fn allow_descriptors(count: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        limit.current = Some(limit.maximum.map_or(count, |maximum| maximum.min(count)));
        setrlimit(Resource::Nofile, limit).expect("as many as the system allows");
    }
}

/// A connection of the load, whatever is inside it.
type Opened = Box<dyn ReadToEnd>;

trait ReadToEnd {
    /// Whether the broker ended it within a minute.
    fn is_ended(&mut self) -> bool;
}

impl<S: Read> ReadToEnd for (S, TcpStream) {
    fn is_ended(&mut self) -> bool {
        let limit = Some(Duration::from_secs(60));
        self.1.set_read_timeout(limit).expect("a timeout");
        let mut bytes = [0; 4096];
        loop {
            match self.0.read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    let waits = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::TimedOut];
                    return !waits.contains(&error.kind());
                }
            }
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).expect("a timeout");
    stream
}

/// A connection on which these bytes were sent. One that the broker has ended already takes none.
fn plain(address: SocketAddr, bytes: &[u8]) -> Opened {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    Box::new((stream.try_clone().expect("another descriptor"), stream))
}

/// One that got its WebSocket, and on it these bytes.
fn websocket(address: SocketAddr, bytes: &[u8]) -> Opened {
    let mut stream = connect(address);
    let request = "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let _ = stream.write_all(request.as_bytes());
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        answer.push(byte[0]);
    }
    let _ = stream.write_all(bytes);
    Box::new((stream.try_clone().expect("another descriptor"), stream))
}

/// One whose TLS handshake is done, and inside it these bytes.
fn inside_tls(address: SocketAddr, trust: &Trust, bytes: &[u8]) -> Opened {
    let name = "localhost".try_into().expect("a name");
    let client = ClientConnection::new(Arc::new(trusting_config(trust)), name).expect("a client");
    let stream = connect(address);
    let other = stream.try_clone().expect("another descriptor");
    let mut stream = StreamOwned::new(client, stream);
    let _ = stream.write_all(bytes).and_then(|()| stream.flush());
    // The handshake itself, where there are no bytes to carry it.
    if bytes.is_empty() {
        let _ = stream.conn.complete_io(&mut stream.sock);
    }
    Box::new((stream, other))
}

/// The load, and that a client from before and one that comes then are served, each by `way`.
fn loaded(
    way: &str,
    begin: impl Fn(&Broker, &Trust, usize) -> Opened,
    spoil: impl Fn(&Broker, &Trust, usize) -> Opened,
) {
    allow_descriptors(4096);
    let (broker, trust, _folder) = secure();
    let ways = ways(&broker, &trust);
    let (_, options) = ways
        .iter()
        .find(|(name, _)| *name == way)
        .expect("one of the ways");
    let (reader, mut messages) = Client::new(named(options, "r"), 10);
    reader
        .subscribe("t", QoS::ExactlyOnce)
        .expect("it is queued");
    read_until(way, &mut messages, |packet| {
        matches!(packet, Packet::SubAck(_))
    });
    let half_open: Vec<Opened> = (0..EACH)
        .map(|number| begin(&broker, &trust, number))
        .collect();
    let mut malformed: Vec<Opened> = (0..EACH)
        .map(|number| spoil(&broker, &trust, number))
        .collect();
    let send = |name: &str, text: &str| {
        let (writer, mut connection) = Client::new(named(options, name), 10);
        writer
            .publish("t", QoS::ExactlyOnce, false, text)
            .expect("it is queued");
        read_until(way, &mut connection, |packet| {
            matches!(packet, Packet::PubComp(_))
        });
    };
    let mut expect = |text: &str| {
        read_until(
            way,
            &mut messages,
            |packet| matches!(packet, Packet::Publish(publish) if publish.payload == text.as_bytes()),
        );
    };
    // A client among them gets through, and the one from before is still there.
    send("w", "among them");
    expect("among them");
    for (number, connection) in malformed.iter_mut().enumerate() {
        assert!(
            connection.is_ended(),
            "{way}: connection {number} stays open"
        );
    }
    drop(half_open);
    send("after", "after them");
    expect("after them");
}

#[test]
fn mqtt() {
    let begins: [&[u8]; 5] = [
        b"",
        b"\x10",
        b"\x10\x80\x80\x08\x00\x04MQTT",
        b"\x10\x0d\x00\x04MQTT\x04\x02",
        b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: web",
    ];
    let garbage: [&[u8]; 6] = [
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff\xff",
        b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x00\x00\x01c",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x30\xff\xff\xff\x7f",
    ];
    loaded(
        "TCP",
        |broker, _, number| plain(broker.addr(), begins[number % begins.len()]),
        |broker, _, number| plain(broker.addr(), garbage[number % garbage.len()]),
    );
}

/// Frames (RFC 6455, 5.2): final and binary 0x82, final and text 0x81; then the mask bit and the length.
#[test]
fn websockets() {
    let begins: [&[u8]; 4] = [
        b"",
        b"\x82",
        b"\x82\xfe\x01\x00\x00\x00\x00\x00half",
        b"\x82\x86\x00\x00\x00\x00\x10\x0d\x00\x04MQ",
    ];
    let garbage: [&[u8]; 6] = [
        b"\x81\x82\x00\x00\x00\x00hi",
        // Not masked.
        b"\x82\x02\xc0\x00",
        // As long as can be said.
        b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00",
        // An opcode that there is not, and reserved bits.
        b"\xf3\x80\x00\x00\x00\x00",
        b"\x82\x84\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x82\x85\x00\x00\x00\x00\x30\xff\xff\xff\x7f",
    ];
    loaded(
        "WebSocket",
        |broker, _, number| websocket(broker.addr(), begins[number % begins.len()]),
        |broker, _, number| websocket(broker.addr(), garbage[number % garbage.len()]),
    );
}

#[test]
fn tls() {
    let begins: [&[u8]; 4] = [
        b"",
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x16\x03\x01\x40\x00\x01",
    ];
    let begins_inside: [&[u8]; 2] = [b"", b"\x10\x0d\x00\x04MQTT\x04\x02"];
    // MQTT and HTTP without TLS, a handshake that is none, data and an alert before the handshake, no known type.
    let garbage: [&[u8]; 6] = [
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01c",
        b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff",
        b"\x17\x03\x03\x00\x01x",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\xff\xff\xff\xff\xff\xff",
    ];
    let garbage_inside: [&[u8]; 2] = [
        b"\x00\x00\x00\x00",
        b"GET /etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    let address = |broker: &Broker| broker.tls_addr().expect("TLS");
    // A handshake costs both sides milliseconds; every tenth connection does one.
    loaded(
        "TLS",
        |broker, trust, number| match number % 10 {
            9 => inside_tls(address(broker), trust, begins_inside[number / 10 % 2]),
            _ => plain(address(broker), begins[number % begins.len()]),
        },
        |broker, trust, number| match number % 10 {
            9 => inside_tls(address(broker), trust, garbage_inside[number / 10 % 2]),
            _ => plain(address(broker), garbage[number % garbage.len()]),
        },
    );
}
