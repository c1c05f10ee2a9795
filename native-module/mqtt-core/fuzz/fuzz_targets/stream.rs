//! Decides how the targets read packets: from a stream that comes in pieces of given sizes.

use mqtt_core::{Ack, Error, Next, Packet, Part, Place, Receiver, topic};

/// Larger messages are read over, as a client with a size limit does. Small, so that the fuzzer gets there.
pub const STORED_MAX: usize = 600;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    ConnAck {
        session_present: bool,
        return_code: u8,
    },
    Publish {
        topic: Vec<u8>,
        payload: Vec<u8>,
        qos: u8,
        packet_id: u16,
    },
    /// Larger than [`STORED_MAX`].
    Skipped {
        qos: u8,
        packet_id: u16,
    },
    /// The type's number, the packet identifier and the return code.
    Ack(u8, u16, u8),
    PingResp,
}

impl From<Ack> for Event {
    fn from(ack: Ack) -> Event {
        Event::Ack(ack.kind as u8, ack.packet_id, ack.return_code)
    }
}

/// A stream of which each read gives a piece: of these sizes in turn, 0 for as much as is asked for.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
    pieces: &'a [u8],
    next: usize,
}

impl<'a> Stream<'a> {
    pub fn new(bytes: &'a [u8], pieces: &'a [u8]) -> Stream<'a> {
        Stream {
            bytes,
            at: 0,
            pieces,
            next: 0,
        }
    }

    pub fn consumed(&self) -> usize {
        self.at
    }

    /// Fills the beginning of `into`. 0 at the stream's end.
    fn read(&mut self, into: &mut [u8]) -> usize {
        let piece = match self.pieces.get(self.next % self.pieces.len().max(1)) {
            None | Some(0) => usize::MAX,
            Some(size) => usize::from(*size),
        };
        self.next += 1;
        let rest = &self.bytes[self.at..];
        let count = into.len().min(piece).min(rest.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        count
    }
}

/// The storage of a large message, and the topic of the last one that was not.
#[derive(Debug, Default)]
pub struct Storage {
    topic: Vec<u8>,
    payload: Vec<u8>,
    last_topic: Vec<u8>,
}

/// Reads on until a packet is complete. `None` at the stream's end, in the middle of a packet or not.
pub fn receive(
    receiver: &mut Receiver,
    storage: &mut Storage,
    stream: &mut Stream<'_>,
) -> Result<Option<Event>, Error> {
    loop {
        let idle = receiver.is_idle();
        let count = match receiver.step()? {
            Next::Complete => break,
            Next::Read(into) => {
                assert!(!into.is_empty(), "nothing is asked for");
                assert!(!idle || into.len() == 2, "more than every packet has");
                stream.read(into)
            }
            Next::Allocate {
                topic_len,
                payload_len,
            } => {
                if topic_len + payload_len > STORED_MAX {
                    receiver.skip()?;
                    continue;
                }
                storage.topic = vec![0; topic_len];
                storage.payload = vec![0; payload_len];
                let (topic, payload) = receiver.allocated()?;
                storage.topic[..topic.len()].copy_from_slice(topic);
                storage.payload[..payload.len()].copy_from_slice(payload);
                continue;
            }
            Next::Store { place, offset, len } => {
                assert!(len > 0, "nothing is asked for");
                let into = match place {
                    Place::Topic => &mut storage.topic,
                    Place::Payload => &mut storage.payload,
                };
                stream.read(&mut into[offset..offset + len])
            }
        };
        if count == 0 {
            return Ok(None);
        }
        receiver.advance(count);
    }
    let skipped = receiver.is_skipped();
    let event = match receiver.packet()? {
        Packet::ConnAck {
            session_present,
            return_code,
        } => Event::ConnAck {
            session_present,
            return_code,
        },
        Packet::Ack(ack) => ack.into(),
        Packet::PingResp => Event::PingResp,
        Packet::Publish(publish) if skipped => Event::Skipped {
            qos: publish.qos,
            packet_id: publish.packet_id,
        },
        Packet::Publish(publish) => {
            assert_eq!(receiver.publish_after(&storage.last_topic), Ok(publish));
            if let Part::Here(topic) = publish.topic {
                storage.last_topic = topic.to_vec();
            }
            let field = |part, stored: &[u8]| match part {
                Part::Here(bytes) => bytes.to_vec(),
                Part::Stored => stored.to_vec(),
            };
            let topic = field(publish.topic, &storage.topic);
            // Of a stored topic the check is the caller's.
            topic::check_name(&topic).map_err(|_| Error::BadTopic)?;
            Event::Publish {
                topic,
                payload: field(publish.payload, &storage.payload),
                qos: publish.qos,
                packet_id: publish.packet_id,
            }
        }
    };
    receiver.reset();
    Ok(Some(event))
}
