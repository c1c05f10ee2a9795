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
//! It may stop after any step and go on later: nothing that was read is forgotten, and nothing past the
//! packet at hand is asked for, so that polling the stream for readiness stays meaningful.

use crate::Error;
use crate::packet::{PacketType, decode_remaining_length};

/// Bytes of a packet's body that are read in one go; a PUBLISH up to this size needs no other storage.
pub const CHUNK: usize = 256;

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

/// A complete packet from the broker, as far as a client tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    ConnAck {
        flags: u8,
        return_code: u8,
    },
    Publish(Publish<'a>),
    PubAck {
        packet_id: u16,
    },
    SubAck {
        packet_id: u16,
        return_code: u8,
    },
    UnsubAck {
        packet_id: u16,
    },
    PingResp,
    /// A type that a client does nothing with; its body was read and dropped.
    Other,
}

/// The packet at hand. Plain integers: the zeroed state awaits a packet's first byte.
#[derive(Clone, Copy, Debug)]
pub struct Receiver {
    /// First byte and remaining length, as far as read.
    head: [u8; 5],
    head_len: u8,
    /// 0 until the caller has provided storage for a large PUBLISH.
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

    /// What is needed to go on.
    #[inline]
    pub fn step(&mut self) -> Result<Next<'_>, Error> {
        if self.header_complete == 0 {
            let have = usize::from(self.head_len);
            // Every packet has two bytes at least, so both are asked for at once.
            let want = if have < 2 { 2 } else { have + 1 };
            let length = self.head.get(1..have).unwrap_or(&[]);
            match decode_remaining_length(length)? {
                Some(remaining) => {
                    self.remaining = remaining;
                    self.header_complete = 1;
                }
                None => return read(&mut self.head, have, want),
            }
        }
        let (taken, remaining) = (self.taken as usize, self.remaining as usize);
        if taken >= remaining {
            return Ok(Next::Complete);
        }
        if taken < CHUNK {
            return read(&mut self.chunk, taken, remaining.min(CHUNK));
        }
        if !self.is_publish() {
            // Longer than any packet of its kind: read over it, keeping its beginning.
            let from = CHUNK / 2;
            return read(&mut self.chunk, from, CHUNK.min(from + remaining - taken));
        }
        let (topic_end, payload_start) = self.publish_layout()?;
        if self.stored == 0 {
            return Ok(Next::Allocate {
                topic_len: topic_end - 2,
                payload_len: remaining - payload_start,
            });
        }
        if taken < topic_end {
            Ok(Next::Store {
                place: Place::Topic,
                offset: taken - 2,
                len: topic_end - taken,
            })
        } else if taken < payload_start {
            read(&mut self.packet_id, taken - topic_end, 2)
        } else {
            let (offset, len) = (taken - payload_start, remaining - taken);
            Ok(Next::Store {
                place: Place::Payload,
                offset,
                len,
            })
        }
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
        let (topic_end, payload_start) = self.publish_layout()?;
        self.stored = 1;
        let here = |from: usize, to: usize| self.chunk.get(from..to.min(CHUNK)).unwrap_or(&[]);
        for (place, byte) in self
            .packet_id
            .iter_mut()
            .zip(here(topic_end, payload_start))
        {
            *place = *byte;
        }
        Ok((here(2, topic_end), here(payload_start, CHUNK)))
    }

    /// The packet, once [`Receiver::step`] has said that it is complete.
    #[inline]
    pub fn packet(&self) -> Result<Packet<'_>, Error> {
        let id = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
        // A body that is longer than the chunk is of no kind but PUBLISH: none of the patterns fits it.
        let body = self
            .chunk
            .get(..self.remaining as usize)
            .unwrap_or(&self.chunk);
        Ok(match (PacketType::of(self.head[0]), body) {
            (Some(PacketType::Publish), _) => Packet::Publish(self.publish()?),
            (Some(PacketType::PubAck), [high, low]) => Packet::PubAck {
                packet_id: id(high, low),
            },
            (Some(PacketType::ConnAck), [flags, code]) => Packet::ConnAck {
                flags: *flags,
                return_code: *code,
            },
            (Some(PacketType::SubAck), [high, low, code]) => Packet::SubAck {
                packet_id: id(high, low),
                return_code: *code,
            },
            (Some(PacketType::UnsubAck), [high, low]) => Packet::UnsubAck {
                packet_id: id(high, low),
            },
            (Some(PacketType::PingResp), []) => Packet::PingResp,
            (
                Some(
                    PacketType::PubAck
                    | PacketType::ConnAck
                    | PacketType::SubAck
                    | PacketType::UnsubAck
                    | PacketType::PingResp,
                ),
                _,
            ) => return Err(Error::MalformedPacket),
            _ => Packet::Other,
        })
    }

    #[inline]
    fn publish(&self) -> Result<Publish<'_>, Error> {
        let (topic_end, payload_start) = self.publish_layout()?;
        let qos = self.publish_qos();
        if self.stored != 0 {
            let packet_id = if qos > 0 {
                u16::from_be_bytes(self.packet_id)
            } else {
                0
            };
            return Ok(Publish {
                topic: Part::Stored,
                payload: Part::Stored,
                qos,
                packet_id,
            });
        }
        let body = self
            .chunk
            .get(..self.remaining as usize)
            .unwrap_or(&self.chunk);
        let field = |from: usize, to: usize| body.get(from..to).ok_or(Error::MalformedPacket);
        let packet_id = match field(topic_end, payload_start)? {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        Ok(Publish {
            topic: Part::Here(field(2, topic_end)?),
            payload: Part::Here(field(payload_start, body.len())?),
            qos,
            packet_id,
        })
    }

    #[inline]
    fn is_publish(&self) -> bool {
        self.head[0] >> 4 == PacketType::Publish as u8
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
        if self.remaining < 2 || payload_start > self.remaining as usize {
            return Err(Error::MalformedPacket);
        }
        Ok((topic_end, payload_start))
    }
}

/// Asks for the bytes of `buffer` from `from` to `to`.
#[inline]
fn read(buffer: &mut [u8], from: usize, to: usize) -> Result<Next<'_>, Error> {
    buffer
        .get_mut(from..to)
        .map(Next::Read)
        .ok_or(Error::MalformedPacket)
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
        b"\x20\x02\x01\x00\x40\x02\x12\x34\x90\x03\x00\x0a\x80\xb0\x02\x00\x0b\xd0\x00";

    #[test]
    fn acknowledgements_in_any_fragmentation() {
        let expected = [
            "ConnAck { flags: 1, return_code: 0 }",
            "PubAck { packet_id: 4660 }",
            "SubAck { packet_id: 10, return_code: 128 }",
            "UnsubAck { packet_id: 11 }",
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
                for delivery in [None, Some((1, 0x1234))] {
                    let topic = "t".repeat(topic_len);
                    let payload = "p".repeat(payload_len);
                    let mut stream = publish(&topic, &payload, delivery);
                    stream.extend_from_slice(ACKS);
                    let (qos, id) = delivery.unwrap_or((0, 0));
                    let expected = std::format!("PUBLISH {qos} {id} {topic} {payload}");
                    for piece in [1, 2, 3, 7, 255, 256, 257, 4096] {
                        let packets = receive(&stream, piece).unwrap();
                        assert_eq!(packets.len(), 6);
                        assert_eq!(packets[0], expected);
                    }
                }
            }
        }
    }

    #[test]
    fn long_packets_of_other_kinds_are_read_over() {
        let mut stream = std::vec![0x50, 0xff, 0x04];
        stream.extend(std::iter::repeat_n(7, 0x27f));
        stream.extend_from_slice(b"\xd0\x00");
        for piece in [1, 100, 1000] {
            assert_eq!(receive(&stream, piece).unwrap(), ["Other", "PingResp"]);
        }
    }

    #[test]
    fn fields_beyond_the_remaining_length_are_malformed() {
        for stream in [
            &b"\x30\x00"[..],
            b"\x30\x01\x00",
            b"\x30\x02\x00\x01",
            b"\x32\x03\x00\x00\x00",
            b"\x40\x01\x00",
        ] {
            assert_eq!(
                receive(stream, 99),
                Err(Error::MalformedPacket),
                "{stream:?}"
            );
        }
        assert_eq!(
            receive(b"\x90\x02\x00\x01", 99),
            Err(Error::MalformedPacket)
        );
        assert_eq!(receive(b"\xd0\x01\x00", 99), Err(Error::MalformedPacket));
        assert_eq!(
            receive(b"\x30\xff\xff\xff\xff\x01", 99),
            Err(Error::MalformedLength)
        );
        let long_topic = [&b"\x30\x80\x04\xff\xff"[..], &[0; 600]].concat();
        assert_eq!(receive(&long_topic, 99), Err(Error::MalformedPacket));
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
}
