//! Decides what a monitor of another process gets from the broker: a message with the state as it is, then the tap's
//! events in batches, as JSON in messages of one topic.
//!
//! The topic is no ordinary one. Only clients of this computer may subscribe to it, since it tells of all clients and
//! messages; nothing that a client publishes there reaches a monitor.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::tap::{Tap, TapEvent, TapOptions};

/// What a monitor subscribes to.
pub const MONITOR_TOPIC: &str = "$SYS/umqtt/monitor";

/// How often events are sent on.
pub(crate) const SEND_EVERY: Duration = Duration::from_millis(50);

/// Events in one message at most.
const BATCH: usize = 200;

/// Bytes of payloads that monitors get to see.
pub(crate) const PAYLOAD_LIMIT: usize = 256;

/// One message to a monitor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum MonitorMessage {
    /// The state when the subscription began.
    State(BrokerState),
    /// What happened since the last message.
    Events {
        events: Vec<TapEvent>,
        /// Events so far that came too fast to be sent on.
        dropped: u64,
    },
}

/// Who is there and what is retained.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BrokerState {
    pub clients: Vec<ClientState>,
    pub retained: Vec<RetainedMessage>,
}

/// A client that is connected, or whose session waits for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientState {
    pub client_id: String,
    /// The number of its connection, and where that comes from; none while it is away.
    pub connection: Option<(u64, SocketAddr)>,
    /// Topic filters and the QoS granted.
    pub subscriptions: Vec<(String, u8)>,
    /// Messages that wait for it.
    pub waiting: usize,
}

/// A retained message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RetainedMessage {
    pub topic: String,
    /// The first bytes of the payload.
    pub payload: Bytes,
    /// Length of the whole payload in bytes.
    pub length: usize,
    pub qos: u8,
}

/// A monitor gets what came since it began.
pub(crate) fn tap_options() -> TapOptions {
    TapOptions {
        payload_limit: PAYLOAD_LIMIT,
        ..TapOptions::default()
    }
}

/// Takes what waits in the tap and belongs to none of the monitors themselves; none where there is nothing.
pub(crate) fn batch(tap: &Tap, is_monitor: impl Fn(u64) -> bool) -> Option<Bytes> {
    let events: Vec<TapEvent> = std::iter::from_fn(|| tap.next(Duration::ZERO))
        .take(BATCH)
        .filter(|event| !is_monitor(event.connection))
        .collect();
    if events.is_empty() {
        return None;
    }
    Some(encode(&MonitorMessage::Events {
        events,
        dropped: tap.dropped(),
    }))
}

pub(crate) fn encode(message: &MonitorMessage) -> Bytes {
    // Texts, numbers and lists can always be written as JSON.
    serde_json::to_vec(message).unwrap_or_default().into()
}

impl MonitorMessage {
    /// Takes the payload of a message of [`MONITOR_TOPIC`] apart; none where it is another program's.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        serde_json::from_slice(payload).ok()
    }
}
