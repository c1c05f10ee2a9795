//! Reading packets: which bytes are needed next, where they go, and what they mean when all are there.
//!
//! The caller loops over [`Receiver::step`]:
//!
//! ```text
//! Read      fill some or all of the slice from the stream, then call advance(n)
//! Allocate  a PUBLISH larger than CHUNK: provide storage for topic and payload, then call allocated()
//! Store     fill some or all of that storage, from the given offset, then call advance(n)
//! Complete  look at packet(), then call reset()
//! ```
//!
//! Where `Allocate` is answered by [`Receiver::skip`] instead, the message is read over.
//!
//! What MQTT 3.1.1 does not allow is refused as soon as it shows; the connection is of no more use then.
//!
//! It may stop after any step and go on later: nothing that was read is forgotten, and nothing past the
//! packet at hand is asked for, so that polling the stream for readiness stays meaningful.

use crate::Error;
use crate::packet::{Ack, AckKind, PacketType, decode_remaining_length};
use crate::topic::check_name;

/// Bytes of a packet's body that are read in one go; a PUBLISH up to this size needs no other storage. A payload of 256
/// bytes and its topic mostly fit, so that it takes one read less.
pub const CHUNK: usize = 288;

/// The parts of a PUBLISH that do not fit [`CHUNK`] and are stored by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Topic,
    Payload,
}

/// What the receiver needs, see the module's text.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    Read(&'a mut [u8]),
    Allocate {
        topic_len: usize,
        payload_len: usize,
    },
    Store {
        place: Place,
        offset: usize,
        len: usize,
    },
    Complete,
}

/// A field of a PUBLISH: in the receiver, or `Stored` where [`Next::Store`] put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    Here(&'a [u8]),
    Stored,
}

/// A received PUBLISH (section 3.3). `packet_id` is 0 at QoS 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    pub topic: Part<'a>,
    pub payload: Part<'a>,
    pub qos: u8,
    pub packet_id: u16,
}

/// A complete packet from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    ConnAck {
        session_present: bool,
        return_code: u8,
    },
    /// The topic was checked, unless it is `Stored`: then that is the caller's to do ([`crate::topic::check_name`]).
    Publish(Publish<'a>),
    Ack(Ack),
    PingResp,
}

/// The remaining length that a packet has, by its type; [`NEVER`] if a server does not send it.
const LENGTHS: [u8; 16] = {
    let mut lengths = [NEVER; 16];
    lengths[PacketType::ConnAck as usize] = 2;
    lengths[PacketType::Publish as usize] = ANY;
    lengths[PacketType::PubAck as usize] = 2;
    lengths[PacketType::PubRec as usize] = 2;
    lengths[PacketType::PubRel as usize] = 2;
    lengths[PacketType::PubComp as usize] = 2;
    // The client subscribes to one filter at a time.
    lengths[PacketType::SubAck as usize] = 3;
    lengths[PacketType::UnsubAck as usize] = 2;
    lengths[PacketType::PingResp as usize] = 0;
    lengths
};
const NEVER: u8 = 0xff;
const ANY: u8 = 0xfe;

/// The packet at hand. Plain integers: the zeroed state awaits a packet's first byte.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Receiver {
    /// First byte and remaining length, as far as read.
    head: [u8; 5],
    head_len: u8,
    /// What became of a large PUBLISH: 0 nothing yet, [`STORED`] or [`SKIPPED`].
    stored: u8,
    /// Remaining length, known once the header is complete.
    remaining: u32,
    /// Bytes of the body read so far.
    taken: u32,
    /// Packet identifier of a large PUBLISH, which may straddle the end of `chunk`.
    packet_id: [u8; 2],
    header_complete: u8,
    chunk: [u8; CHUNK],
}

/// The caller has provided storage.
const STORED: u8 = 1;
/// The message is read over.
const SKIPPED: u8 = 2;

impl Default for Receiver {
    fn default() -> Self {
        Receiver {
            head: [0; 5],
            head_len: 0,
            stored: 0,
            remaining: 0,
            taken: 0,
            packet_id: [0; 2],
            header_complete: 0,
            chunk: [0; CHUNK],
        }
    }
}

impl Receiver {
    /// Forgets the packet at hand and awaits the next one.
    #[inline]
    pub fn reset(&mut self) {
        self.head_len = 0;
        self.stored = 0;
        self.remaining = 0;
        self.taken = 0;
        self.header_complete = 0;
    }

    /// Continues a packet whose first byte somebody else has read.
    pub fn start_with(&mut self, first_byte: u8) {
        self.reset();
        self.head[0] = first_byte;
        self.head_len = 1;
    }

    /// True if no byte of a packet has been read yet.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.head_len == 0
    }

    /// The first byte of the packet at hand, 0 before it has been read.
    #[inline]
    pub fn first_byte(&self) -> u8 {
        if self.is_idle() { 0 } else { self.head[0] }
    }

    /// Remaining length in bytes if the header is complete.
    pub fn remaining(&self) -> Option<usize> {
        (self.header_complete != 0).then_some(self.remaining as usize)
    }

    /// How many bytes of the body have been read.
    pub fn taken(&self) -> usize {
        self.taken as usize
    }

    /// Topic length of the PUBLISH at hand in bytes, if its first two body bytes have been read.
    pub fn topic_len(&self) -> Option<usize> {
        (self.taken >= 2).then(|| usize::from(u16::from_be_bytes([self.chunk[0], self.chunk[1]])))
    }

    /// Payload length of the PUBLISH at hand in bytes, if as much of it has been read as tells; else 0.
    pub fn payload_len(&self) -> usize {
        match self.publish_layout() {
            Ok((_, payload_start)) => self.remaining as usize - payload_start,
            Err(_) => 0,
        }
    }

    /// True if the packet at hand does not fit the chunk.
    pub fn is_large(&self) -> bool {
        self.remaining as usize > CHUNK
    }

    /// What is needed to go on.
    #[inline]
    pub fn step(&mut self) -> Result<Next<'_>, Error> {
        if self.header_complete == 0 {
            let have = usize::from(self.head_len);
            if have == 0 {
                // Every packet has two bytes at least, so both are asked for at once.
                return read(&mut self.head, 0, 2);
            }
            let length = self.head.get(1..have).unwrap_or(&[]);
            let Some(remaining) = decode_remaining_length(length)? else {
                check_first_byte(self.head[0])?;
                return read(&mut self.head, have, have + 1);
            };
            check_header(self.head[0], remaining)?;
            self.remaining = remaining;
            self.header_complete = 1;
        }
        let (taken, remaining) = (self.taken as usize, self.remaining as usize);
        if taken >= remaining {
            return Ok(Next::Complete);
        }
        if taken < CHUNK {
            return read(&mut self.chunk, taken, remaining.min(CHUNK));
        }
        let (topic_end, payload_start) = self.publish_layout()?;
        if self.stored == 0 {
            return Ok(Next::Allocate {
                topic_len: topic_end - 2,
                payload_len: remaining - payload_start,
            });
        }
        let (place, start, end) = if taken < topic_end {
            (Place::Topic, 2, topic_end)
        } else if taken < payload_start {
            return read(&mut self.packet_id, taken - topic_end, 2);
        } else {
            (Place::Payload, payload_start, remaining)
        };
        let (offset, len) = (taken - start, end - taken);
        if self.stored == SKIPPED {
            // The chunk's first two bytes are the topic's length, which is needed still.
            return read(&mut self.chunk, 2, 2 + len.min(CHUNK - 2));
        }
        Ok(Next::Store { place, offset, len })
    }

    /// Notes that `n` bytes of what [`Receiver::step`] asked for have been read.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        if self.header_complete == 0 {
            self.head_len = (usize::from(self.head_len) + n).min(5) as u8;
        } else {
            self.taken = self.taken.saturating_add(n as u32).min(self.remaining);
        }
    }

    /// Notes that the caller has storage for a large PUBLISH, and returns the beginnings of its topic and
    /// its payload, which are here already and belong at the start of that storage.
    pub fn allocated(&mut self) -> Result<(&[u8], &[u8]), Error> {
        let (topic_end, payload_start) = self.store_as(STORED)?;
        Ok((self.here(2, topic_end), self.here(payload_start, CHUNK)))
    }

    /// Notes that a large PUBLISH is to be read over.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.store_as(SKIPPED).map(|_| ())
    }

    /// True if the PUBLISH at hand was read over: there is nothing to be handed out.
    pub fn is_skipped(&self) -> bool {
        self.stored == SKIPPED
    }

    fn store_as(&mut self, stored: u8) -> Result<(usize, usize), Error> {
        let (topic_end, payload_start) = self.publish_layout()?;
        self.stored = stored;
        let mut packet_id = [0; 2];
        for (place, byte) in packet_id
            .iter_mut()
            .zip(self.here(topic_end, payload_start))
        {
            *place = *byte;
        }
        self.packet_id = packet_id;
        Ok((topic_end, payload_start))
    }

    /// These bytes of the body, as far as they are in the chunk.
    fn here(&self, from: usize, to: usize) -> &[u8] {
        self.chunk.get(from..to.min(CHUNK)).unwrap_or(&[])
    }

    /// The packet, once [`Receiver::step`] has said that it is complete. [`Receiver::publish`], [`Receiver::ack`] and
    /// [`Receiver::connack`] are its parts, for a caller who knows from the first byte what it is.
    pub fn packet(&self) -> Result<Packet<'_>, Error> {
        match self.head[0] >> 4 {
            2 => self
                .connack()
                .map(|(session_present, return_code)| Packet::ConnAck {
                    session_present,
                    return_code,
                }),
            3 => self.publish().map(Packet::Publish),
            13 => Ok(Packet::PingResp),
            _ => self.ack().map(Packet::Ack),
        }
    }

    /// The acknowledgement at hand, which must be complete.
    pub fn ack(&self) -> Result<Ack, Error> {
        let kind = match self.head[0] >> 4 {
            4 => AckKind::PubAck,
            5 => AckKind::PubRec,
            6 => AckKind::PubRel,
            7 => AckKind::PubComp,
            9 => AckKind::SubAck,
            11 => AckKind::UnsubAck,
            _ => return Err(Error::UnexpectedPacket),
        };
        let [high, low, code, ..] = self.chunk;
        let return_code = if kind == AckKind::SubAck { code } else { 0 };
        let packet_id = u16::from_be_bytes([high, low]);
        if packet_id == 0 {
            return Err(Error::BadPacketId);
        }
        // [MQTT-3.9.3-2].
        if !matches!(return_code, 0..=2 | 0x80) {
            return Err(Error::BadReturnCode);
        }
        Ok(Ack {
            kind,
            packet_id,
            return_code,
        })
    }

    /// Session present and return code of the CONNACK at hand, which must be complete.
    pub fn connack(&self) -> Result<(bool, u8), Error> {
        let [flags, return_code, ..] = self.chunk;
        // Bits 7 to 1 are reserved (section 3.2.2.1). A refusal is one even where it says that a session is present, which
        // [MQTT-3.2.2-4] forbids: its code is what the program needs to know.
        if flags > 1 {
            return Err(Error::BadFlags);
        }
        Ok((flags != 0, return_code))
    }

    /// The PUBLISH at hand as far as it is known before its payload is complete: with a `Stored` topic and payload.
    pub fn publish(&self) -> Result<Publish<'_>, Error> {
        self.publish_after(&[])
    }

    /// The same for a caller who has the topic of an earlier message, which many messages have: it was checked then, and
    /// is given back as the topic of this one, the very slice, where it is the same. Empty for none.
    pub fn publish_after<'a>(&'a self, checked: &'a [u8]) -> Result<Publish<'a>, Error> {
        let (topic_end, payload_start) = self.publish_layout()?;
        let qos = self.publish_qos();
        let mut packet_id = u16::from_be_bytes(self.packet_id);
        let (mut topic, mut payload) = (Part::Stored, Part::Stored);
        if self.stored == 0 {
            let body = self.here(0, self.remaining as usize);
            let field = |from: usize, to: usize| body.get(from..to).ok_or(Error::BadLength);
            if let [high, low] = field(topic_end, payload_start)? {
                packet_id = u16::from_be_bytes([*high, *low]);
            }
            let mut name = field(2, topic_end)?;
            if !checked.is_empty() && name == checked {
                name = checked;
            } else {
                check_name(name).map_err(|_| Error::BadTopic)?;
            }
            topic = Part::Here(name);
            payload = Part::Here(field(payload_start, body.len())?);
        }
        if qos == 0 {
            packet_id = 0;
        } else if packet_id == 0 {
            return Err(Error::BadPacketId);
        }
        Ok(Publish {
            topic,
            payload,
            qos,
            packet_id,
        })
    }

    /// The two bits of a PUBLISH's first byte (section 3.3.1.2).
    #[inline]
    fn publish_qos(&self) -> u8 {
        self.head[0] >> 1 & 3
    }

    /// Where in the body the topic ends and the payload starts.
    #[inline]
    fn publish_layout(&self) -> Result<(usize, usize), Error> {
        let topic_end = 2 + usize::from(u16::from_be_bytes([self.chunk[0], self.chunk[1]]));
        let payload_start = topic_end + if self.publish_qos() > 0 { 2 } else { 0 };
        if payload_start > self.remaining as usize {
            return Err(Error::BadLength);
        }
        Ok((topic_end, payload_start))
    }
}

const PUBLISH: u8 = PacketType::Publish as u8;
const PUBREL: u8 = PacketType::PubRel as u8;

/// Refuses a packet by its first byte.
fn check_first_byte(first_byte: u8) -> Result<(), Error> {
    let flags = first_byte & 15;
    let expected = match first_byte >> 4 {
        PUBLISH => {
            if flags & 6 == 6 {
                return Err(Error::BadQos);
            }
            if flags & 14 == 8 {
                return Err(Error::DupAtQos0);
            }
            flags
        }
        PUBREL => 2,
        _ => 0,
    };
    if length_of(first_byte) == NEVER {
        return Err(Error::UnexpectedPacket);
    }
    if flags != expected {
        return Err(Error::BadFlags);
    }
    Ok(())
}

/// Refuses a packet by its fixed header.
fn check_header(first_byte: u8, remaining: u32) -> Result<(), Error> {
    check_first_byte(first_byte)?;
    let fits = match length_of(first_byte) {
        // At least the topic's length; an empty topic is refused when it is here.
        ANY => remaining >= 2,
        length => remaining == u32::from(length),
    };
    if fits { Ok(()) } else { Err(Error::BadLength) }
}

fn length_of(first_byte: u8) -> u8 {
    LENGTHS
        .get(usize::from(first_byte >> 4))
        .copied()
        .unwrap_or(NEVER)
}

/// Asks for the bytes of `buffer` from `from` to `to`.
#[inline]
fn read(buffer: &mut [u8], from: usize, to: usize) -> Result<Next<'_>, Error> {
    buffer
        .get_mut(from..to)
        .map(Next::Read)
        .ok_or(Error::BadLength)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Feeds `stream` in pieces of at most `piece` bytes and returns each packet in words.
    fn receive(stream: &[u8], piece: usize) -> Result<Vec<std::string::String>, Error> {
        let mut receiver = Receiver::default();
        let (mut topic, mut payload) = (Vec::new(), Vec::new());
        let mut rest = stream;
        let mut packets = Vec::new();
        loop {
            match receiver.step()? {
                Next::Read(buf) => {
                    let n = buf.len().min(piece).min(rest.len());
                    if n == 0 {
                        return Ok(packets);
                    }
                    buf[..n].copy_from_slice(&rest[..n]);
                    rest = &rest[n..];
                    receiver.advance(n);
                }
                Next::Allocate {
                    topic_len,
                    payload_len,
                } => {
                    topic = std::vec![0; topic_len];
                    payload = std::vec![0; payload_len];
                    let (a, b) = receiver.allocated()?;
                    topic[..a.len()].copy_from_slice(a);
                    payload[..b.len()].copy_from_slice(b);
                }
                Next::Store { place, offset, len } => {
                    let n = len.min(piece).min(rest.len());
                    if n == 0 {
                        return Ok(packets);
                    }
                    let into = if place == Place::Topic {
                        &mut topic
                    } else {
                        &mut payload
                    };
                    into[offset..offset + n].copy_from_slice(&rest[..n]);
                    rest = &rest[n..];
                    receiver.advance(n);
                }
                Next::Complete => {
                    packets.push(match receiver.packet()? {
                        Packet::Publish(p) => {
                            let text = |part, stored: &Vec<u8>| match part {
                                Part::Here(bytes) => {
                                    std::string::String::from_utf8_lossy(bytes).into_owned()
                                }
                                Part::Stored => {
                                    std::string::String::from_utf8_lossy(stored).into_owned()
                                }
                            };
                            std::format!(
                                "PUBLISH {} {} {} {}",
                                p.qos,
                                p.packet_id,
                                text(p.topic, &topic),
                                text(p.payload, &payload)
                            )
                        }
                        other => std::format!("{other:?}"),
                    });
                    receiver.reset();
                }
            }
        }
    }

    fn publish(topic: &str, payload: &str, delivery: Option<(u8, u16)>) -> Vec<u8> {
        let head = crate::encode::PublishHead {
            topic: topic.as_bytes(),
            payload_len: payload.len(),
            retain: false,
            dup: false,
            delivery,
        };
        let mut out = std::vec![0; topic.len() + crate::encode::PUBLISH_OVERHEAD];
        let n = head.encode(&mut out[..]).unwrap();
        out.truncate(n);
        out.extend_from_slice(payload.as_bytes());
        out
    }

    /// Packets written down from the standard's figures, in one stream.
    const ACKS: &[u8] =
        b"\x20\x02\x01\x00\x40\x02\x12\x34\x90\x03\x00\x0a\x80\xb0\x02\x00\x0b\x50\x02\x00\x01\x62\x02\xff\xff\x70\x02\x00\x02\xd0\x00";

    #[test]
    fn acknowledgements_in_any_fragmentation() {
        let expected = [
            "ConnAck { session_present: true, return_code: 0 }",
            "Ack(Ack { kind: PubAck, packet_id: 4660, return_code: 0 })",
            "Ack(Ack { kind: SubAck, packet_id: 10, return_code: 128 })",
            "Ack(Ack { kind: UnsubAck, packet_id: 11, return_code: 0 })",
            "Ack(Ack { kind: PubRec, packet_id: 1, return_code: 0 })",
            "Ack(Ack { kind: PubRel, packet_id: 65535, return_code: 0 })",
            "Ack(Ack { kind: PubComp, packet_id: 2, return_code: 0 })",
            "PingResp",
        ];
        for piece in 1..=ACKS.len() {
            assert_eq!(receive(ACKS, piece).unwrap(), expected);
        }
    }

    #[test]
    fn publish_of_every_size_around_the_chunk() {
        for topic_len in [1, 3, 120, 250, 252, 253, 254, 255, 256, 257, 300, 1000] {
            for payload_len in [
                0, 1, 5, 127, 128, 200, 246, 249, 250, 251, 252, 256, 300, 20_000,
            ] {
                for delivery in [None, Some((1, 0x1234)), Some((2, 0xff))] {
                    let topic = "t".repeat(topic_len);
                    let payload = "p".repeat(payload_len);
                    let mut stream = publish(&topic, &payload, delivery);
                    stream.extend_from_slice(ACKS);
                    let (qos, id) = delivery.unwrap_or((0, 0));
                    let expected = std::format!("PUBLISH {qos} {id} {topic} {payload}");
                    for piece in [1, 2, 3, 7, 255, 256, 257, 4096] {
                        let packets = receive(&stream, piece).unwrap();
                        assert_eq!(packets.len(), 9);
                        assert_eq!(packets[0], expected);
                    }
                }
            }
        }
    }

    #[test]
    fn a_message_can_be_read_over() {
        for topic_len in [1, 252, 253, 254, 255, 256, 400] {
            for (delivery, id) in [(None, 0), (Some((2, 0x1234)), 0x1234)] {
                let mut stream = publish(&"t".repeat(topic_len), &"p".repeat(700), delivery);
                stream.extend_from_slice(ACKS);
                for piece in [1, 2, 253, 254, 4096] {
                    let mut receiver = Receiver::default();
                    let mut rest = &stream[..];
                    loop {
                        match receiver.step().unwrap() {
                            Next::Read(buf) => {
                                let n = buf.len().min(piece);
                                buf[..n].copy_from_slice(&rest[..n]);
                                rest = &rest[n..];
                                receiver.advance(n);
                            }
                            Next::Allocate { .. } => receiver.skip().unwrap(),
                            Next::Store { .. } => panic!("nothing is to be stored"),
                            Next::Complete => break,
                        }
                    }
                    assert!(receiver.is_skipped());
                    let Packet::Publish(publish) = receiver.packet().unwrap() else {
                        panic!("a PUBLISH");
                    };
                    assert_eq!(publish.packet_id, id);
                    assert_eq!(rest, ACKS, "nothing more was read");
                }
            }
        }
    }

    #[test]
    fn what_the_standard_does_not_allow_is_refused() {
        let long_topic = [&b"\x30\x80\x04\xff\xff"[..], &[0; 600]].concat();
        for (stream, error) in [
            (&b"\x30\x00"[..], Error::BadLength),
            (b"\x30\x01\x00", Error::BadLength),
            (b"\x30\x02\x00\x01", Error::BadLength),
            (b"\x32\x03\x00\x01t", Error::BadLength),
            (&long_topic, Error::BadLength),
            (b"\x30\xff\xff\xff\xff\x01", Error::MalformedLength),
            (b"\x36\x05\x00\x01t\x00\x01", Error::BadQos),
            (b"\x38\x03\x00\x01t", Error::DupAtQos0),
            (b"\x32\x05\x00\x01t\x00\x00", Error::BadPacketId),
            (b"\x30\x02\x00\x00", Error::BadTopic),
            (b"\x30\x03\x00\x01#", Error::BadTopic),
            (b"\x30\x03\x00\x01\xff", Error::BadTopic),
            (b"\x30\x03\x00\x01\x00", Error::BadTopic),
            (b"\x40\x01", Error::BadLength),
            (b"\x40\x03", Error::BadLength),
            (b"\x40\x02\x00\x00", Error::BadPacketId),
            (b"\x41\x02\x00\x01", Error::BadFlags),
            (b"\x60\x02\x00\x01", Error::BadFlags),
            (b"\x62\x02\x00\x00", Error::BadPacketId),
            (b"\x90\x02\x00\x01", Error::BadLength),
            (b"\x90\x03\x00\x01\x03", Error::BadReturnCode),
            (b"\x90\x03\x00\x01\x81", Error::BadReturnCode),
            (b"\x20\x02\x02\x00", Error::BadFlags),
            (b"\xd0\x01", Error::BadLength),
            (b"\xd1\x00", Error::BadFlags),
        ] {
            for piece in [1, 99] {
                assert_eq!(receive(stream, piece), Err(error), "{stream:x?}");
            }
        }
        for kind in [0, 1, 8, 10, 12, 14, 15] {
            assert_eq!(
                receive(&[kind << 4], 1),
                Err(Error::UnexpectedPacket),
                "type {kind} shows at its first byte"
            );
        }
    }

    #[test]
    fn never_asks_for_a_byte_beyond_the_packet() {
        let stream = publish("topic", &"x".repeat(1000), Some((1, 1)));
        // With the last byte missing, no packet; with it, one packet, and nothing was asked in between
        // that the stream did not have: `receive` would have returned early.
        assert!(
            receive(&stream[..stream.len() - 1], 4096)
                .unwrap()
                .is_empty()
        );
        assert_eq!(receive(&stream, 4096).unwrap().len(), 1);
    }

    #[test]
    fn a_topic_that_was_checked_is_given_back() {
        let mut receiver = Receiver::default();
        let packet = b"\x30\x05\x00\x02t+mm";
        for byte in &packet[..7] {
            match receiver.step() {
                Ok(Next::Read(buf)) => buf[0] = *byte,
                other => panic!("{other:?}"),
            }
            receiver.advance(1);
        }
        assert_eq!(receiver.step(), Ok(Next::Complete));
        let known = *b"t+";
        // It is believed to have been checked.
        match receiver.publish_after(&known).map(|publish| publish.topic) {
            Ok(Part::Here(topic)) => assert_eq!(topic.as_ptr(), known.as_ptr()),
            other => panic!("{other:?}"),
        }
        for other in [&b""[..], b"t", b"t+m", b"tm"] {
            assert_eq!(receiver.publish_after(other), Err(Error::BadTopic));
        }
    }
}
