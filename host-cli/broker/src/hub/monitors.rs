//! Decides which connections are monitors, and sends them what they may see.

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish};

use super::Hub;
use crate::monitor::{
    self, BrokerState, ClientState, MONITOR_TOPIC, MonitorMessage, PAYLOAD_LIMIT, RetainedMessage,
};

impl Hub {
    /// Whether this connection may watch all others: it comes from this computer.
    pub(super) fn may_monitor(&self, id: u64) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|connection| connection.peer.ip().to_canonical().is_loopback())
    }

    /// Makes a connection a monitor and sends it the state.
    pub(super) fn begin_to_monitor(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.monitor = true;
        }
        if self.monitor_tap.is_none() {
            self.monitor_tap = Some(self.taps.add(monitor::tap_options()));
        }
        let state = MonitorMessage::State(self.state());
        self.send_to_monitor(id, monitor::encode(&state));
    }

    /// Sends monitors what happened; called now and then.
    pub(crate) fn serve_monitors(&mut self) {
        let monitors: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.monitor)
            .map(|(id, _)| *id)
            .collect();
        if monitors.is_empty() {
            self.monitor_tap = None;
        }
        let Some(tap) = &self.monitor_tap else {
            return;
        };
        let mut batches = Vec::new();
        while let Some(batch) = monitor::batch(tap, |id| monitors.contains(&id)) {
            batches.push(batch);
        }
        for id in monitors {
            for batch in &batches {
                self.send_to_monitor(id, batch.clone());
            }
        }
    }

    /// Sends a message that no tap sees: it would be told of in the next one.
    fn send_to_monitor(&self, id: u64, payload: bytes::Bytes) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        // One that does not read misses some.
        if !connection.link.is_full() {
            let message = Publish::from_bytes(MONITOR_TOPIC, QoS::AtMostOnce, payload);
            connection.link.send(|out| {
                let written = Packet::Publish(message).write(out, usize::MAX);
                debug_assert!(written.is_ok(), "a message to a monitor cannot be encoded");
            });
        }
    }

    /// Who is there and what is retained.
    pub(crate) fn state(&self) -> BrokerState {
        let clients = self.clients.iter().filter_map(|(client_id, client)| {
            let connection = client
                .connection
                .and_then(|id| Some((id, self.connections.get(&id)?)));
            if connection.is_some_and(|(_, connection)| connection.monitor) {
                return None;
            }
            Some(ClientState {
                client_id: client_id.to_string(),
                connection: connection.map(|(id, connection)| (id, connection.peer)),
                subscriptions: client.session.subscriptions(),
                waiting: client.session.waiting(),
            })
        });
        let mut clients: Vec<ClientState> = clients.collect();
        clients.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        let retained = self.retained.values().map(|publish| RetainedMessage {
            topic: publish.topic.clone(),
            payload: publish
                .payload
                .slice(..publish.payload.len().min(PAYLOAD_LIMIT)),
            length: publish.payload.len(),
            qos: publish.qos as u8,
        });
        BrokerState {
            clients,
            retained: retained.collect(),
        }
    }
}
