//! Packets that a client sends, written to the caller's buffer.
//!
//! Every function returns the number of bytes written. None allocates. After an error the sink may hold part of a
//! packet, which must not be sent.

use crate::packet::{PacketType, next_length_byte};
use crate::{Error, REMAINING_LENGTH_MAX};

/// PINGREQ (section 3.12).
pub const PINGREQ: [u8; 2] = [0xc0, 0];
/// DISCONNECT (section 3.14).
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

/// The most that comes before a PUBLISH's topic: first byte, four bytes of length, two of topic length.
/// With the topic and the two bytes of a packet identifier this bounds [`PublishHead::encode`].
pub const PUBLISH_OVERHEAD: usize = 1 + 4 + 2 + 2;

/// Where packets are written.
pub trait Sink {
    /// How many bytes it takes.
    fn room(&self) -> usize;

    /// Takes `bytes`, as far as there is room.
    fn put(&mut self, bytes: &[u8]);

    /// The same for a single one.
    fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }
}

/// Writes to the slice's start and leaves the rest of it.
impl Sink for &mut [u8] {
    fn room(&self) -> usize {
        self.len()
    }

    fn put(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(self.len());
        let (place, rest) = core::mem::take(self).split_at_mut(n);
        for (place, byte) in place.iter_mut().zip(bytes) {
            *place = *byte;
        }
        *self = rest;
    }
}

/// What a CONNECT says (section 3.1). String fields hold at most 65,535 bytes each.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    pub client_id: &'a [u8],
    pub clean_session: bool,
    /// Seconds, 0 to switch the mechanism off (section 3.1.2.10).
    pub keep_alive: u16,
    pub will: Option<Will<'a>>,
    /// User name and password; the standard allows no password without a user name.
    pub login: Option<(&'a [u8], &'a [u8])>,
}

/// A will message (section 3.1.2.5). `qos` is 0, 1 or 2.
#[derive(Clone, Copy, Debug)]
pub struct Will<'a> {
    pub topic: &'a [u8],
    pub message: &'a [u8],
    pub qos: u8,
    pub retain: bool,
}

impl Connect<'_> {
    /// Size of the packet in bytes. Every string must be checked by [`Connect::encode`] still.
    pub fn size(&self) -> usize {
        let remaining = self.remaining();
        1 + length_size(remaining) + remaining
    }

    fn remaining(&self) -> usize {
        let mut n = 10 + 2 + self.client_id.len();
        if let Some(will) = &self.will {
            n += 2 + will.topic.len() + 2 + will.message.len();
        }
        if let Some((user, password)) = self.login {
            n += 2 + user.len() + 2 + password.len();
        }
        n
    }

    /// Writes the packet, [`Connect::size`] bytes.
    pub fn encode(&self, sink: impl Sink) -> Result<usize, Error> {
        let mut w = Writer::new(sink, PacketType::Connect.first_byte(0), self.remaining(), 0);
        let mut flags = u8::from(self.clean_session) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | (will.qos & 3) << 3 | u8::from(will.retain) << 5;
        }
        if self.login.is_some() {
            flags |= 0xc0;
        }
        w.string(b"MQTT");
        w.bytes(&[4, flags]);
        w.u16(self.keep_alive);
        w.string(self.client_id);
        if let Some(will) = &self.will {
            w.string(will.topic);
            w.string(will.message);
        }
        if let Some((user, password)) = self.login {
            w.string(user);
            w.string(password);
        }
        w.end()
    }
}

/// What stands before the payload of a PUBLISH (section 3.3).
#[derive(Clone, Copy, Debug)]
pub struct PublishHead<'a> {
    pub topic: &'a [u8],
    /// Payload size in bytes; the payload itself is the caller's to send after the head.
    pub payload_len: usize,
    pub retain: bool,
    pub dup: bool,
    /// `None` for QoS 0, else the quality of service (1 or 2) and the packet identifier (not 0).
    pub delivery: Option<(u8, u16)>,
}

impl PublishHead<'_> {
    /// The packet's remaining length in bytes.
    pub fn remaining(&self) -> usize {
        2 + self.topic.len() + if self.delivery.is_some() { 2 } else { 0 } + self.payload_len
    }

    /// The head's size in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        packet_size(self.remaining()) - self.payload_len
    }

    /// Writes the head, [`PublishHead::size`] bytes; [`PUBLISH_OVERHEAD`] bytes more than the topic are always enough.
    #[inline]
    pub fn encode(&self, sink: impl Sink) -> Result<usize, Error> {
        let qos = self.delivery.map_or(0, |(qos, _)| qos);
        let flags = u8::from(self.dup) << 3 | (qos & 3) << 1 | u8::from(self.retain);
        let first_byte = PacketType::Publish.first_byte(flags);
        let mut w = Writer::new(sink, first_byte, self.remaining(), self.payload_len);
        w.string(self.topic);
        if let Some((_, packet_id)) = self.delivery {
            w.u16(packet_id);
        }
        w.end()
    }
}

/// SUBSCRIBE with one topic filter (section 3.8).
pub fn subscribe(sink: impl Sink, packet_id: u16, filter: &[u8], qos: u8) -> Result<usize, Error> {
    request(sink, packet_id, filter, Some(qos))
}

/// UNSUBSCRIBE with one topic filter (section 3.10).
pub fn unsubscribe(sink: impl Sink, packet_id: u16, filter: &[u8]) -> Result<usize, Error> {
    request(sink, packet_id, filter, None)
}

/// SUBSCRIBE if there is a QoS to ask for, else UNSUBSCRIBE.
pub fn request(
    sink: impl Sink,
    packet_id: u16,
    filter: &[u8],
    qos: Option<u8>,
) -> Result<usize, Error> {
    let (kind, end) = match &qos {
        Some(qos) => (PacketType::Subscribe, core::slice::from_ref(qos)),
        None => (PacketType::Unsubscribe, &[][..]),
    };
    let remaining = 2 + 2 + filter.len() + end.len();
    let mut w = Writer::new(sink, kind.first_byte(2), remaining, 0);
    w.u16(packet_id);
    w.string(filter);
    w.bytes(end);
    w.end()
}

/// PUBACK (section 3.4).
pub fn puback(packet_id: u16) -> [u8; 4] {
    ack(PacketType::PubAck.first_byte(0), packet_id)
}

/// PUBREC (section 3.5).
pub fn pubrec(packet_id: u16) -> [u8; 4] {
    ack(PacketType::PubRec.first_byte(0), packet_id)
}

/// PUBREL (section 3.6).
pub fn pubrel(packet_id: u16) -> [u8; 4] {
    ack(PacketType::PubRel.first_byte(2), packet_id)
}

/// PUBCOMP (section 3.7).
pub fn pubcomp(packet_id: u16) -> [u8; 4] {
    ack(PacketType::PubComp.first_byte(0), packet_id)
}

fn ack(first_byte: u8, packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [first_byte, 2, high, low]
}

/// The size in bytes of a packet whose remaining length is `remaining`.
#[inline(never)]
pub fn packet_size(remaining: usize) -> usize {
    1 + length_size(remaining) + remaining
}

fn length_size(remaining: usize) -> usize {
    match remaining {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// A sink, and what became of the packet: how many bytes are written to it in all, which is known from the start, or
/// what is wrong with the packet.
struct Writer<S> {
    sink: S,
    result: Result<usize, Error>,
}

impl<S: Sink> Writer<S> {
    /// Starts a packet with its fixed header. Its last `elsewhere` bytes do not go to the sink.
    fn new(sink: S, first_byte: u8, remaining: usize, elsewhere: usize) -> Self {
        let size = packet_size(remaining) - elsewhere;
        let result = if remaining > REMAINING_LENGTH_MAX as usize {
            Err(Error::PacketTooLarge)
        } else if sink.room() < size {
            Err(Error::BufferTooSmall)
        } else {
            Ok(size)
        };
        let mut w = Writer { sink, result };
        w.sink.byte(first_byte);
        let mut rest = remaining;
        loop {
            w.sink.byte(next_length_byte(&mut rest));
            if rest == 0 {
                return w;
            }
        }
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.sink.put(bytes);
    }

    fn u16(&mut self, value: u16) {
        self.sink.byte((value >> 8) as u8);
        self.sink.byte(value as u8);
    }

    /// A length-prefixed field (section 1.5.3; the length counts bytes, not characters).
    fn string(&mut self, field: &[u8]) {
        if field.len() > usize::from(u16::MAX) {
            self.result = self.result.and(Err(Error::StringTooLong));
        }
        // As `u16`, in place: most packets have a string.
        let [high, low] = (field.len() as u16).to_be_bytes();
        self.sink.byte(high);
        self.sink.byte(low);
        self.bytes(field);
    }

    /// How many bytes were written.
    fn end(self) -> Result<usize, Error> {
        self.result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_is_as_in_section_3_1() {
        // Figures 3.2 to 3.6: protocol name "MQTT", level 4, the flags, keep alive 10, then the payload
        // in the order client identifier, will topic, will message, user name, password.
        let connect = Connect {
            client_id: b"id",
            clean_session: true,
            keep_alive: 10,
            will: Some(Will {
                topic: b"w",
                message: b"gone",
                qos: 1,
                retain: false,
            }),
            login: Some((b"user", b"pw")),
        };
        let mut out = [0; 64];
        let n = connect.encode(&mut out[..]).unwrap();
        let expected = b"\x10\x21\x00\x04MQTT\x04\xce\x00\x0a\x00\x02id\x00\x01w\x00\x04gone\x00\x04user\x00\x02pw";
        assert_eq!(&out[..n], expected);
        assert_eq!(n, connect.size());
    }

    #[test]
    fn publish_head_is_as_in_section_3_3() {
        // Figures 3.11 and 3.13: topic "a/b", packet identifier 10, here with an empty payload.
        let head = PublishHead {
            topic: b"a/b",
            payload_len: 0,
            retain: false,
            dup: false,
            delivery: Some((1, 10)),
        };
        let mut out = [0; 16];
        let n = head.encode(&mut out[..]).unwrap();
        assert_eq!(&out[..n], b"\x32\x07\x00\x03a/b\x00\x0a");
        assert_eq!(n, head.size());
    }

    #[test]
    fn publish_flags_are_as_in_figure_3_10() {
        let mut out = [0; 16];
        let flags = |retain, dup, delivery, out: &mut [u8]| {
            PublishHead {
                topic: b"t",
                payload_len: 0,
                retain,
                dup,
                delivery,
            }
            .encode(&mut *out)
            .unwrap();
            out[0]
        };
        assert_eq!(flags(false, false, None, &mut out), 0x30);
        assert_eq!(flags(true, false, None, &mut out), 0x31);
        assert_eq!(flags(false, false, Some((1, 1)), &mut out), 0x32);
        assert_eq!(flags(false, true, Some((2, 1)), &mut out), 0x3c);
    }

    #[test]
    fn subscribe_and_unsubscribe_are_as_in_sections_3_8_and_3_10() {
        let mut out = [0; 16];
        let n = subscribe(&mut out[..], 10, b"a/b", 1).unwrap();
        assert_eq!(&out[..n], b"\x82\x08\x00\x0a\x00\x03a/b\x01");
        let n = unsubscribe(&mut out[..], 10, b"c/d").unwrap();
        assert_eq!(&out[..n], b"\xa2\x07\x00\x0a\x00\x03c/d");
    }

    #[test]
    fn acknowledgements_are_as_in_sections_3_4_to_3_7() {
        assert_eq!(puback(0x1234), [0x40, 2, 0x12, 0x34]);
        assert_eq!(pubrec(0x1234), [0x50, 2, 0x12, 0x34]);
        assert_eq!(pubrel(0x1234), [0x62, 2, 0x12, 0x34]);
        assert_eq!(pubcomp(0x1234), [0x70, 2, 0x12, 0x34]);
    }

    #[test]
    fn a_small_buffer_is_refused_at_every_size() {
        let connect = Connect {
            client_id: b"id",
            clean_session: true,
            keep_alive: 0,
            will: None,
            login: None,
        };
        let mut out = [0; 32];
        for n in 0..connect.size() {
            assert_eq!(connect.encode(&mut out[..n]), Err(Error::BufferTooSmall));
        }
        assert_eq!(
            connect.encode(&mut out[..connect.size()]),
            Ok(connect.size())
        );
    }

    #[test]
    fn a_long_string_is_refused() {
        let topic = [b'a'; 65_536];
        let mut out = [0; 65_600];
        let head = PublishHead {
            topic: &topic,
            payload_len: 0,
            retain: false,
            dup: false,
            delivery: None,
        };
        assert_eq!(head.encode(&mut out[..]), Err(Error::StringTooLong));
        let head = PublishHead {
            topic: &topic[1..],
            ..head
        };
        assert_eq!(head.encode(&mut out[..]), Ok(1 + 3 + 2 + 65_535));
    }
}
