//! Decides whether 100,000 messages of 0 to 100,000 bytes survive both ways on a heap of 128 KB, with the collector
//! running at random moments.
//!
//! The peer here speaks just enough MQTT to be independent of our own codec. It sends each message with the hash in its
//! topic; `python/tests/soak.py` checks it, and sends it back under the same topic, which the peer checks again.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use testkit::{Implementation, Interpreter, Program, Version, need};

/// Messages each way.
const MESSAGES: usize = 100_000;
/// Bytes of the largest.
const LARGEST: usize = 100_000;
/// Bytes of messages that may be on their way at once, unless a single one is larger.
const WINDOW: usize = 4_000;

/// A generator of the same numbers every time (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n
    }

    /// A size of 0 to [`LARGEST`]: as often one of two digits as of four, now and then the extremes.
    fn size(&mut self) -> usize {
        match self.below(1000) {
            0 => LARGEST,
            1 => LARGEST - self.below(1000),
            2..20 => 0,
            _ => {
                let digits = 1 + self.below(5);
                self.below(10usize.pow(digits as u32))
            }
        }
    }
}

/// One control packet: its first byte and what follows the remaining length.
fn read_packet(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let first = byte[0];
    let mut length = 0;
    let mut shift = 0;
    loop {
        stream.read_exact(&mut byte)?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((first, body))
}

fn publish(topic: &[u8], message: &[u8], packet_id: Option<u16>) -> Vec<u8> {
    let mut packet = vec![if packet_id.is_some() { 0x32 } else { 0x30 }];
    let mut length = 2 + topic.len() + packet_id.map_or(0, |_| 2) + message.len();
    while length > 0x7f {
        packet.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend((topic.len() as u16).to_be_bytes());
    packet.extend(topic);
    if let Some(packet_id) = packet_id {
        packet.extend(packet_id.to_be_bytes());
    }
    packet.extend(message);
    packet
}

/// A message on its way there and back.
struct Travelling {
    topic: Vec<u8>,
    message: Vec<u8>,
}

/// Plays the broker on one connection; returns the number of bytes that came back unchanged.
fn serve(stream: TcpStream) -> io::Result<u64> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut input = BufReader::with_capacity(1 << 17, stream.try_clone()?);
    let mut output = stream;
    let mut random = Random(0x1234_5678_9abc_def1);
    let pool: Vec<u8> = (0..LARGEST * 2).map(|_| random.next() as u8).collect();
    let (first, _) = read_packet(&mut input)?;
    assert_eq!(first, 0x10, "the first packet is CONNECT");
    output.write_all(b"\x20\x02\x00\x00")?;

    let mut travelling: VecDeque<Travelling> = VecDeque::new();
    let (mut sent, mut back, mut bytes, mut awaited_acks) = (0, 0, 0, 0);
    // Drawn before it is known whether there is room, so that large ones are as frequent as they should be.
    let mut size = random.size();
    while back < MESSAGES {
        let mut batch = Vec::new();
        let mut on_the_way: usize = travelling.iter().map(|one| one.message.len() + 100).sum();
        while sent < MESSAGES && travelling.len() < 10 {
            if !travelling.is_empty() && on_the_way + size + 100 > WINDOW {
                break;
            }
            on_the_way += size + 100;
            let from = random.below(LARGEST);
            let message = pool[from..from + size].to_vec();
            let hash = ring::digest::digest(&ring::digest::SHA256, &message);
            let hex: String = hash.as_ref()[..8]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let topic = format!("{}/{hex}", random.below(2)).into_bytes();
            let packet_id = (random.below(2) == 0).then_some((sent % 65535 + 1) as u16);
            awaited_acks += usize::from(packet_id.is_some());
            batch.extend(publish(&topic, &message, packet_id));
            travelling.push_back(Travelling { topic, message });
            sent += 1;
            size = random.size();
        }
        output.write_all(&batch)?;
        let (first, body) = read_packet(&mut input)?;
        match first {
            0x40 => awaited_acks -= 1,
            0x30 | 0x32 => {
                let topic_end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
                let mut at = topic_end;
                if first == 0x32 {
                    output.write_all(&[0x40, 2, body[at], body[at + 1]])?;
                    at += 2;
                }
                let expected = travelling
                    .pop_front()
                    .expect("nothing comes back that was not sent");
                assert_eq!(
                    body[2..topic_end],
                    expected.topic,
                    "message {back} came back under another topic"
                );
                assert!(
                    body[at..] == expected.message,
                    "message {back} of {} bytes came back changed",
                    expected.message.len()
                );
                assert_eq!(
                    expected.topic[0] == b'1',
                    first == 0x32,
                    "message {back} came back with another QoS"
                );
                bytes += expected.message.len() as u64;
                back += 1;
            }
            other => panic!("unexpected packet {other:#04x} after {back} messages"),
        }
    }
    assert_eq!(
        awaited_acks, 0,
        "messages of QoS 1 that were not acknowledged"
    );
    output.write_all(&publish(b"end", b"", None))?;
    let (first, _) = read_packet(&mut input)?;
    assert_eq!(first, 0xe0, "the last packet is DISCONNECT");
    Ok(bytes)
}

fn soak(test: &str, version: Version) {
    let interpreter = need!(test, Interpreter::find(version));
    let module = need!(test, Implementation::Ours.module());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let peer = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        serve(stream).map_err(|error| format!("the connection broke: {error}"))
    });
    let finished = Program::new(&interpreter, &module, "soak")
        .argument("127.0.0.1")
        .argument(port)
        .heap("128k")
        .limit(Duration::from_secs(600))
        .run();
    let elapsed = finished.elapsed;
    let printed = finished.expect_success("the soak");
    let bytes = peer
        .join()
        .expect("the peer")
        .expect("the peer's connection");
    println!(
        "{MESSAGES} messages, {} MB each way, in {elapsed:.1?}; {}",
        bytes / 1_000_000,
        printed.trim()
    );
}

#[test]
fn soak_on_1_25() {
    soak("soak_on_1_25", Version::V1_25);
}

#[test]
fn soak_on_1_26() {
    soak("soak_on_1_26", Version::V1_26);
}
