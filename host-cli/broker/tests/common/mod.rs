//! A client that writes and reads raw bytes, so that the broker is held to the standard and not to the
//! encoder of a library.
#![allow(
    unused,
    reason = "each test program uses its own part of these helpers"
)]

pub mod ways;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use broker::{Broker, BrokerConfig};

/// A broker on a free port.
pub fn start() -> Broker {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Broker::start(BrokerConfig {
        listen,
        ..BrokerConfig::default()
    })
    .expect("a broker on a free port")
}

/// A broker on free ports with what `change` sets.
pub fn start_with(change: impl FnOnce(&mut BrokerConfig)) -> Broker {
    let mut config = BrokerConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        ..BrokerConfig::default()
    };
    change(&mut config);
    Broker::start(config).expect("a broker on a free port")
}

/// CONNECT with the given connect flags (3.1.2.3) and a payload that begins after the client identifier.
pub fn connect_packet(client_id: &str, flags: u8, keep_alive: u16, rest: &[u8]) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04".to_vec();
    body.push(flags);
    body.extend(keep_alive.to_be_bytes());
    body.extend(text(client_id));
    body.extend(rest);
    packet(0x10, &body)
}

/// A text with its length before it (1.5.3).
pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len())
        .expect("a short text")
        .to_be_bytes()
        .to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// A packet with its Remaining Length (2.2.3).
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length % 128).expect("below 128");
        length /= 128;
        if length == 0 {
            bytes.push(low);
            break;
        }
        bytes.push(low | 0x80);
    }
    bytes.extend(body);
    bytes
}

pub fn publish_packet(flags: u8, topic: &str, packet_id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = text(topic);
    body.extend(packet_id.map(u16::to_be_bytes).into_iter().flatten());
    body.extend(payload);
    packet(0x30 | flags, &body)
}

pub struct RawClient {
    stream: TcpStream,
    read: Vec<u8>,
}

impl RawClient {
    /// A TCP connection and nothing sent on it.
    pub fn open(broker: &Broker) -> Self {
        let stream = TcpStream::connect(broker.addr()).expect("a TCP connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// A client whose CONNECT (clean session, no keep alive) was accepted.
    pub fn connected(broker: &Broker, client_id: &str) -> Self {
        let mut client = Self::open(broker);
        client.send(&connect_packet(client_id, 0x02, 0, b""));
        client.expect(&[0x20, 2, 0, 0]);
        client
    }

    /// The same with a session that outlives the connection.
    pub fn persistent(broker: &Broker, client_id: &str, session_present: bool) -> Self {
        let mut client = Self::open(broker);
        client.send(&connect_packet(client_id, 0x00, 0, b""));
        client.expect(&[0x20, 2, u8::from(session_present), 0]);
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the broker takes the bytes");
    }

    /// Sends what the broker may cut off at any byte.
    pub fn send_whatever(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The same for a client that says who it is.
    pub fn with_login(broker: &Broker, client_id: &str, user: &str, password: &str) -> Self {
        let mut client = Self::open(broker);
        let login = [text(user), text(password)].concat();
        client.send(&connect_packet(client_id, 0xc2, 0, &login));
        client
    }

    pub fn subscribe(&mut self, filter: &str, qos: u8) {
        let mut body = vec![0, 9];
        body.extend(text(filter));
        body.push(qos);
        self.send(&packet(0x82, &body));
        self.expect(&[0x90, 3, 0, 9, qos]);
    }

    /// The next whole packet; `None` when the broker ended the connection.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        self.next_within(Duration::from_secs(60))
            .expect("a packet within a minute")
    }

    fn next_within(&mut self, limit: Duration) -> Result<Option<Vec<u8>>, ()> {
        self.stream
            .set_read_timeout(Some(limit))
            .expect("a timeout");
        loop {
            if let Some(length) = whole_packet(&self.read) {
                return Ok(Some(self.read.drain(..length).collect()));
            }
            let mut bytes = [0; 16384];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Ok(None),
                Ok(count) => self.read.extend(&bytes[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Err(());
                }
                Err(_) => return Ok(None),
            }
        }
    }

    pub fn expect(&mut self, bytes: &[u8]) {
        assert_eq!(self.next().as_deref(), Some(bytes));
    }

    /// The broker answers a ping, and sent nothing before the answer.
    pub fn expect_quiet(&mut self) {
        self.send(&[0xc0, 0]);
        self.expect(&[0xd0, 0]);
    }

    pub fn expect_end(&mut self) {
        assert_eq!(self.next(), None, "the connection should have ended");
    }
}

fn whole_packet(bytes: &[u8]) -> Option<usize> {
    let mut length = 0;
    for index in 0..4 {
        let byte = *bytes.get(1 + index)?;
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let whole = 2 + index + length;
            return (bytes.len() >= whole).then_some(whole);
        }
    }
    None
}
