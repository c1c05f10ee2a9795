//! Decides what an observer sees of the broker: one event per packet, in both directions, and one for
//! each connection that opens or ends.
//!
//! A tap never slows the broker: its channel is bounded, and what does not fit is counted instead.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet, Publish, SubscribeReasonCode};
use serde::{Deserialize, Serialize};

/// How much a tap holds.
#[derive(Debug, Clone, Copy)]
pub struct TapOptions {
    /// Events that may wait for the observer; further ones are dropped and counted.
    pub capacity: usize,
    /// Payload bytes kept per event; `TapPacket::Publish` says how many there were.
    pub payload_limit: usize,
}

impl Default for TapOptions {
    fn default() -> Self {
        Self {
            capacity: 4096,
            payload_limit: 4096,
        }
    }
}

/// Which way a packet went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From a client to the broker.
    ToBroker,
    /// From the broker to a client.
    ToClient,
}

/// One packet, or the begin or end of a connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TapEvent {
    pub time: SystemTime,
    /// Counts connections from 1, so that two with the same client identifier stay apart.
    pub connection: u64,
    /// Empty until the CONNECT packet has arrived.
    pub client_id: Arc<str>,
    pub direction: Direction,
    pub packet: TapPacket,
}

impl TapEvent {
    /// A message as a subscriber of a broker gets it that we cannot look into: whose connection it takes is not known.
    pub fn received(publish: Publish, payload_limit: usize) -> TapEvent {
        let length = publish.payload.len();
        TapEvent {
            time: SystemTime::now(),
            connection: 0,
            client_id: Arc::from(""),
            direction: Direction::ToClient,
            packet: TapPacket::Publish {
                topic: publish.topic,
                payload: publish.payload.slice(..length.min(payload_limit)),
                length,
                qos: publish.qos as u8,
                retain: publish.retain,
                duplicate: publish.dup,
                packet_id: None,
            },
        }
    }
}

/// What a display needs to know of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TapPacket {
    /// A TCP connection was accepted.
    Opened {
        peer: SocketAddr,
    },
    Connect {
        clean_session: bool,
        /// Seconds; 0 is none.
        keep_alive: u16,
        user: Option<String>,
        will: Option<TapWill>,
    },
    ConnAck {
        session_present: bool,
        /// 0 is accepted, the others are those of section 3.2.2.3.
        code: u8,
    },
    Publish {
        topic: String,
        /// The first bytes of the payload, see `TapOptions::payload_limit`.
        payload: Bytes,
        /// Length of the whole payload in bytes.
        length: usize,
        qos: u8,
        retain: bool,
        duplicate: bool,
        /// None with QoS 0.
        packet_id: Option<u16>,
    },
    PubAck {
        packet_id: u16,
    },
    PubRec {
        packet_id: u16,
    },
    PubRel {
        packet_id: u16,
    },
    PubComp {
        packet_id: u16,
    },
    Subscribe {
        packet_id: u16,
        /// Topic filters and the QoS asked for.
        filters: Vec<(String, u8)>,
    },
    SubAck {
        packet_id: u16,
        /// The QoS granted, or 0x80.
        codes: Vec<u8>,
    },
    Unsubscribe {
        packet_id: u16,
        filters: Vec<String>,
    },
    UnsubAck {
        packet_id: u16,
    },
    PingReq,
    PingResp,
    Disconnect,
    /// Bytes that are no MQTT 3.1.1; the connection ends.
    Malformed {
        reason: String,
        /// The first bytes, at most 32.
        bytes: Vec<u8>,
    },
    /// A message that the broker did not pass on because this client does not keep up.
    Dropped {
        topic: String,
        length: usize,
    },
    /// A retained message that was passed on but not kept, because the broker keeps no more.
    NotRetained {
        topic: String,
        length: usize,
    },
    /// The connection ended.
    Closed {
        reason: CloseReason,
    },
}

/// The message that a client left to be published if it goes without saying so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapWill {
    pub topic: String,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The client sent DISCONNECT.
    Disconnected,
    /// The client closed the connection, or the network did.
    Lost,
    /// Nothing came for one and a half times the keep alive (3.1.2.10), here in seconds.
    KeepAlive(u16),
    /// No CONNECT came in time, or too many connections were waiting to send theirs.
    NoConnect,
    /// Another client came with the same client identifier (3.1.4).
    TakenOver,
    /// CONNECT was answered with this return code.
    Refused(u8),
    /// The client broke the protocol.
    Protocol(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the client disconnected"),
            Self::Lost => f.write_str("the connection was closed without DISCONNECT"),
            Self::KeepAlive(seconds) => write!(
                f,
                "nothing came for 1.5 times the keep alive of {seconds} s"
            ),
            Self::NoConnect => f.write_str("no CONNECT came in time"),
            Self::TakenOver => {
                f.write_str("another client connected with the same client identifier")
            }
            Self::Refused(code) => write!(f, "refused with code {code}"),
            Self::Protocol(reason) => write!(f, "protocol error: {reason}"),
        }
    }
}

/// An observer's end of a tap. Dropping it ends the tap.
#[derive(Debug)]
pub struct Tap {
    events: Receiver<TapEvent>,
    dropped: Arc<AtomicU64>,
}

impl Tap {
    /// The next event; `None` when none came within `timeout` or the broker is gone and all is read.
    pub fn next(&self, timeout: Duration) -> Option<TapEvent> {
        self.events.recv_timeout(timeout).ok()
    }

    /// As `next`, telling a quiet broker (`Timeout`) from one that is gone (`Disconnected`).
    pub fn try_next(&self, timeout: Duration) -> Result<TapEvent, RecvTimeoutError> {
        self.events.recv_timeout(timeout)
    }

    /// How many events were lost so far because the observer was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct TapSender {
    events: SyncSender<TapEvent>,
    dropped: Arc<AtomicU64>,
    payload_limit: usize,
}

/// The broker's end: all the taps there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taps(Arc<Mutex<Vec<TapSender>>>);

impl Taps {
    pub(crate) fn add(&self, options: TapOptions) -> Tap {
        let (sender, events) = mpsc::sync_channel(options.capacity);
        let dropped = Arc::new(AtomicU64::new(0));
        let tap = TapSender {
            events: sender,
            dropped: Arc::clone(&dropped),
            payload_limit: options.payload_limit,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(tap);
        Tap { events, dropped }
    }

    /// Sends what `packet` makes, given the payload limit, to every tap.
    pub(crate) fn emit(
        &self,
        connection: u64,
        client_id: &Arc<str>,
        direction: Direction,
        packet: impl Fn(usize) -> TapPacket,
    ) {
        let mut taps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taps.is_empty() {
            return;
        }
        let time = SystemTime::now();
        taps.retain(|tap| {
            let event = TapEvent {
                time,
                connection,
                client_id: Arc::clone(client_id),
                direction,
                packet: packet(tap.payload_limit),
            };
            match tap.events.try_send(event) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    tap.dropped.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(TrySendError::Disconnected(_)) => false,
            }
        });
    }
}

/// The first `limit` bytes, copied so that an event does not keep a whole packet alive.
fn head(payload: &Bytes, limit: usize) -> Bytes {
    Bytes::copy_from_slice(&payload[..payload.len().min(limit)])
}

/// What a display needs to know of `packet`, with this many bytes of its payload at most.
pub fn describe(packet: &Packet, payload_limit: usize) -> TapPacket {
    match packet {
        Packet::Connect(connect) => TapPacket::Connect {
            clean_session: connect.clean_session,
            keep_alive: connect.keep_alive,
            user: connect.login.as_ref().map(|login| login.username.clone()),
            will: connect.last_will.as_ref().map(|will| TapWill {
                topic: will.topic.clone(),
                payload: head(&will.message, payload_limit),
                qos: will.qos as u8,
                retain: will.retain,
            }),
        },
        Packet::ConnAck(ack) => TapPacket::ConnAck {
            session_present: ack.session_present,
            code: return_code(ack.code),
        },
        Packet::Publish(publish) => describe_publish(publish, payload_limit),
        Packet::PubAck(ack) => TapPacket::PubAck {
            packet_id: ack.pkid,
        },
        Packet::PubRec(ack) => TapPacket::PubRec {
            packet_id: ack.pkid,
        },
        Packet::PubRel(ack) => TapPacket::PubRel {
            packet_id: ack.pkid,
        },
        Packet::PubComp(ack) => TapPacket::PubComp {
            packet_id: ack.pkid,
        },
        Packet::Subscribe(subscribe) => TapPacket::Subscribe {
            packet_id: subscribe.pkid,
            filters: subscribe
                .filters
                .iter()
                .map(|filter| (filter.path.clone(), filter.qos as u8))
                .collect(),
        },
        Packet::SubAck(ack) => TapPacket::SubAck {
            packet_id: ack.pkid,
            codes: ack
                .return_codes
                .iter()
                .map(|code| match code {
                    SubscribeReasonCode::Success(qos) => *qos as u8,
                    SubscribeReasonCode::Failure => 0x80,
                })
                .collect(),
        },
        Packet::Unsubscribe(unsubscribe) => TapPacket::Unsubscribe {
            packet_id: unsubscribe.pkid,
            filters: unsubscribe.topics.clone(),
        },
        Packet::UnsubAck(ack) => TapPacket::UnsubAck {
            packet_id: ack.pkid,
        },
        Packet::PingReq => TapPacket::PingReq,
        Packet::PingResp => TapPacket::PingResp,
        Packet::Disconnect => TapPacket::Disconnect,
    }
}

fn describe_publish(publish: &Publish, payload_limit: usize) -> TapPacket {
    TapPacket::Publish {
        topic: publish.topic.clone(),
        payload: head(&publish.payload, payload_limit),
        length: publish.payload.len(),
        qos: publish.qos as u8,
        retain: publish.retain,
        duplicate: publish.dup,
        packet_id: (publish.pkid != 0).then_some(publish.pkid),
    }
}

pub(crate) fn return_code(code: ConnectReturnCode) -> u8 {
    code as u8
}
