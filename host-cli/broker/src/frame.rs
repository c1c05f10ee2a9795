//! Decides where one packet ends and the next begins, and refuses what MQTT 3.1.1 forbids but the
//! decoder of `rumqttc` would let through: wrong flags, wrong lengths, reserved bits.

use bytes::BytesMut;
use rumqttc::mqttbytes::{self, v4::Packet};
use thiserror::Error;

/// Why the bytes of a client are no MQTT 3.1.1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// CONNECT with another protocol level, or with the name `MQIsdp` of MQTT 3.1 (3.1.2.2).
    #[error("protocol level {level}; this broker speaks level 4, MQTT 3.1.1")]
    ProtocolLevel { level: u8 },
    /// A packet larger than the broker takes, in bytes after the fixed header.
    #[error("a packet of {length} bytes; this broker takes up to {limit}")]
    TooLarge { length: usize, limit: usize },
    /// Anything else that the standard forbids.
    #[error("{0}")]
    Malformed(String),
}

/// Bytes that the buffer is enlarged by at a time.
const RESERVED: usize = 256 << 10;

fn malformed(reason: impl Into<String>) -> FrameError {
    FrameError::Malformed(reason.into())
}

/// Takes the next whole packet off `buffer`; `None` means that more bytes are needed.
///
/// `limit` is the largest packet in bytes after the fixed header. The first bytes are judged as soon
/// as they are there, so that garbage is refused before its promised length has been waited for.
pub fn next_packet(buffer: &mut BytesMut, limit: usize) -> Result<Option<Packet>, FrameError> {
    let Some(&first) = buffer.first() else {
        return Ok(None);
    };
    check_first_byte(first)?;
    let Some((length, header)) = remaining_length(&buffer[1..])? else {
        return Ok(None);
    };
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    check_length(first, length)?;
    let whole = 1 + header + length;
    if buffer.len() < whole {
        // What is still missing, but not all of what was merely promised, so that large packets take few steps and
        // empty promises little memory.
        buffer.reserve((whole - buffer.len()).min(RESERVED));
        return Ok(None);
    }
    check_body(first, &buffer[1 + header..whole])?;
    match Packet::read(buffer, limit) {
        Ok(packet) => check_packet(packet).map(Some),
        Err(error) => Err(describe(error)),
    }
}

/// The packet type and the flags that go with it (2.2.1, 2.2.2).
fn check_first_byte(first: u8) -> Result<(), FrameError> {
    let flags = first & 0x0f;
    let expected = match first >> 4 {
        3 => return check_publish_flags(flags),
        6 | 8 | 10 => 0b0010,
        1 | 4 | 5 | 7 | 12 | 14 => 0,
        2 | 9 | 11 | 13 => {
            return Err(malformed(format!(
                "first byte 0x{first:02x}: a packet that only a broker sends"
            )));
        }
        _ => {
            return Err(malformed(format!(
                "first byte 0x{first:02x}: no packet of MQTT 3.1.1"
            )));
        }
    };
    if flags == expected {
        Ok(())
    } else {
        Err(malformed(format!(
            "first byte 0x{first:02x}: its flags must be {expected:04b}"
        )))
    }
}

fn check_publish_flags(flags: u8) -> Result<(), FrameError> {
    match (flags >> 1) & 0b11 {
        3 => Err(malformed("PUBLISH with QoS 3")),
        0 if flags & 0b1000 != 0 => Err(malformed("PUBLISH with QoS 0 and the DUP flag")),
        _ => Ok(()),
    }
}

/// Remaining Length and the number of bytes that hold it; `None` while it is incomplete (2.2.3).
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
    let mut length = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    if bytes.len() >= 4 {
        return Err(malformed("a Remaining Length of more than four bytes"));
    }
    Ok(None)
}

/// Lengths that the packet type fixes.
fn check_length(first: u8, length: usize) -> Result<(), FrameError> {
    let valid = match first >> 4 {
        4..=7 => length == 2,
        12 | 14 => length == 0,
        // Protocol name, level, flags, keep alive and the length of the client identifier.
        1 => length >= 12,
        // A packet identifier, and at least one filter of one byte.
        8 => length >= 6,
        10 => length >= 5,
        // The length of the topic name and one byte of it.
        3 => length >= 3,
        _ => true,
    };
    if valid {
        Ok(())
    } else {
        Err(malformed(format!(
            "first byte 0x{first:02x} with a Remaining Length of {length}"
        )))
    }
}

/// Reserved bits inside the packet, which the decoder does not look at.
fn check_body(first: u8, body: &[u8]) -> Result<(), FrameError> {
    match first >> 4 {
        1 => check_connect(body),
        8 => check_subscribe(body),
        _ => Ok(()),
    }
}

fn check_connect(body: &[u8]) -> Result<(), FrameError> {
    // MQTT 3.1 is the one other name in use; it is answered like another level.
    if body.starts_with(b"\x00\x06MQIsdp") {
        return Err(FrameError::ProtocolLevel {
            level: body.get(8).copied().unwrap_or(3),
        });
    }
    let (Some(b"\x00\x04MQTT"), Some(&level), Some(&flags)) =
        (body.get(..6), body.get(6), body.get(7))
    else {
        return Err(malformed("CONNECT without the protocol name MQTT"));
    };
    if level != 4 {
        return Err(FrameError::ProtocolLevel { level });
    }
    if flags & 1 != 0 {
        return Err(malformed("CONNECT with its reserved flag set"));
    }
    if flags & 0b1100_0000 == 0b0100_0000 {
        return Err(malformed("CONNECT with a password and no user name"));
    }
    Ok(())
}

fn check_subscribe(body: &[u8]) -> Result<(), FrameError> {
    let mut rest = body.get(2..).unwrap_or_default();
    while !rest.is_empty() {
        let length = rest
            .first_chunk()
            .map(|bytes| usize::from(u16::from_be_bytes(*bytes)));
        let Some(options) = length.and_then(|length| rest.get(2 + length)) else {
            return Err(malformed("SUBSCRIBE that ends inside a topic filter"));
        };
        if options & 0b1111_1100 != 0 || *options == 3 {
            return Err(malformed(format!(
                "SUBSCRIBE with the requested QoS byte 0x{options:02x}"
            )));
        }
        rest = &rest[2 + length.unwrap_or_default() + 1..];
    }
    Ok(())
}

/// What can be judged on the decoded packet alone.
fn check_packet(packet: Packet) -> Result<Packet, FrameError> {
    let identifier = match &packet {
        Packet::Subscribe(subscribe) => Some(subscribe.pkid),
        Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.pkid),
        Packet::PubAck(ack) => Some(ack.pkid),
        Packet::PubRec(ack) => Some(ack.pkid),
        Packet::PubRel(ack) => Some(ack.pkid),
        Packet::PubComp(ack) => Some(ack.pkid),
        _ => None,
    };
    if identifier == Some(0) {
        return Err(malformed("a packet identifier of 0"));
    }
    if let Packet::Connect(connect) = &packet
        && connect.client_id.contains('\0')
    {
        return Err(malformed("a client identifier with a null character"));
    }
    Ok(packet)
}

fn describe(error: mqttbytes::Error) -> FrameError {
    use mqttbytes::Error;
    malformed(match error {
        Error::TopicNotUtf8 => "a text that is not UTF-8".to_owned(),
        Error::BoundaryCrossed(length) => {
            format!("a text of {length} bytes that goes beyond its packet")
        }
        Error::PacketIdZero => "a packet identifier of 0".to_owned(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn read(bytes: &[u8]) -> Result<Option<Packet>, FrameError> {
        next_packet(&mut BytesMut::from(bytes), LIMIT)
    }

    /// CONNECT as in figure 3.6 of the standard: user, password, will, keep alive 10.
    const CONNECT: &[u8] =
        b"\x10\x1c\x00\x04MQTT\x04\xce\x00\x0a\x00\x01c\x00\x01w\x00\x01m\x00\x01u\x00\x04pass";

    #[test]
    fn packets_arrive_whole_however_they_are_cut() {
        let mut stream = CONNECT.to_vec();
        stream.extend(b"\x32\x08\x00\x03a/b\x00\x0ax\xc0\x00\xe0\x00");
        let mut buffer = BytesMut::new();
        let mut packets = Vec::new();
        for byte in stream {
            buffer.extend_from_slice(&[byte]);
            while let Some(packet) = next_packet(&mut buffer, LIMIT).expect("a valid stream") {
                packets.push(packet);
            }
        }
        assert!(
            matches!(
                &packets[..],
                [Packet::Connect(connect), Packet::Publish(publish), Packet::PingReq, Packet::Disconnect]
                    if connect.keep_alive == 10 && publish.topic == "a/b" && publish.pkid == 10 && publish.payload == "x"
            ),
            "{packets:?}"
        );
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        let cases: [(&[u8], &str); 20] = [
            (b"\x00\x00", "no packet"),
            (b"\xf0\x00", "no packet"),
            (b"\x20\x02\x00\x00", "only a broker"),
            (b"\x11", "flags"),
            (b"\x36\x05\x00\x01a\x00\x01", "QoS 3"),
            (b"\x38\x03\x00\x01a", "DUP"),
            (b"\x30\xff\xff\xff\xff", "four bytes"),
            (b"\x30\x02\x00\x00", "Remaining Length"),
            (b"\x40\x03\x00\x01\x00", "Remaining Length"),
            (b"\xc0\x01\x00", "Remaining Length"),
            (b"\x40\x02\x00\x00", "identifier of 0"),
            (b"\x32\x05\x00\x01a\x00\x00", "identifier of 0"),
            (b"\x82\x06\x00\x00\x00\x01a\x00", "identifier of 0"),
            (b"\x82\x06\x00\x01\x00\x01a\x03", "requested QoS"),
            (b"\x82\x06\x00\x01\x00\x01a\x81", "requested QoS"),
            (b"\x82\x06\x00\x01\x00\x09a\x00", "ends inside"),
            (b"\x30\x04\x00\x02\xc3\x28", "UTF-8"),
            (b"\x30\x04\x00\x09aa", "beyond its packet"),
            (b"\x10\x0d\x00\x04MQTT\x04\x03\x00\x00\x00\x01c", "reserved"),
            (b"\x10\x0d\x00\x04MQTT\x04\x42\x00\x00\x00\x01c", "no user"),
        ];
        for (bytes, expected) in cases {
            let error = read(bytes).expect_err(&format!("{bytes:02x?}")).to_string();
            assert!(error.contains(expected), "{bytes:02x?}: {error}");
        }
    }

    #[test]
    fn other_protocol_versions_are_named() {
        let v5 = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x01c";
        assert_eq!(read(v5), Err(FrameError::ProtocolLevel { level: 5 }));
        let v31 = b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x00\x00\x01c";
        assert_eq!(read(v31), Err(FrameError::ProtocolLevel { level: 3 }));
    }

    #[test]
    fn a_promised_length_beyond_the_limit_is_refused_at_once() {
        assert_eq!(
            next_packet(&mut BytesMut::from(&b"\x30\xff\xff\xff\x7f"[..]), 1000),
            Err(FrameError::TooLarge {
                length: 268_435_455,
                limit: 1000
            })
        );
    }

    #[test]
    fn no_bytes_make_it_panic() {
        // A small generator is enough: the same bytes at each run, so that a failure can be repeated.
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..200_000 {
            let mut bytes = if random() % 2 == 0 {
                CONNECT.to_vec()
            } else {
                Vec::new()
            };
            for _ in 0..random() % 40 {
                let value = random() as u8;
                let place = random() as usize % (bytes.len() + 1);
                bytes.insert(place, value);
            }
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = next_packet(&mut buffer, LIMIT) {}
        }
    }
}
