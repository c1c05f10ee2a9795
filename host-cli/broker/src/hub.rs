//! Decides what the broker does with each packet: sessions, subscriptions, retained messages, wills.
//!
//! It knows no socket and no clock. Packets come in through `received`; what goes out is appended to
//! the `Link` of the connection it is for. One thread owns it.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, PubComp, PubRec, PubRel,
    Publish, SubAck, Subscribe, SubscribeReasonCode, UnsubAck, Unsubscribe,
};

use crate::frame::FrameError;
use crate::link::Link;
use crate::session::Session;
use crate::tap::{self, CloseReason, Direction, TapPacket, Taps};
use crate::topic;

/// Payloads up to this size are copied when they are kept, as they would otherwise keep the whole
/// buffer alive that they were read into.
const COPY_BELOW: usize = 4096;

/// Connections that may be waiting to send CONNECT; one more ends the oldest of them.
const MAX_UNCONNECTED: usize = 128;

/// Sessions of absent clients that are kept; one more forgets the one that has been away longest.
const MAX_ABSENT: usize = 1000;

struct Connection {
    link: Rc<Link>,
    client_id: Arc<str>,
    /// None until CONNECT was accepted.
    joined: Option<Joined>,
}

struct Joined {
    clean_session: bool,
    keep_alive: u16,
    will: Option<LastWill>,
}

#[derive(Default)]
struct Client {
    session: Session,
    /// The connection that serves it now; none while the client is away.
    connection: Option<u64>,
    /// When it left, as a count that only grows.
    left: u64,
}

pub(crate) struct Hub {
    taps: Taps,
    connections: BTreeMap<u64, Connection>,
    clients: HashMap<Arc<str>, Client>,
    retained: BTreeMap<String, Publish>,
    connections_so_far: u64,
    departures_so_far: u64,
}

impl Hub {
    pub(crate) fn new(taps: Taps) -> Self {
        Self {
            taps,
            connections: BTreeMap::new(),
            clients: HashMap::new(),
            retained: BTreeMap::new(),
            connections_so_far: 0,
            departures_so_far: 0,
        }
    }

    /// Notes a new connection and returns its number.
    pub(crate) fn opened(&mut self, link: Rc<Link>, peer: std::net::SocketAddr) -> u64 {
        let unconnected = self
            .connections
            .values()
            .filter(|connection| connection.joined.is_none() && !connection.link.is_ending());
        if unconnected.clone().count() >= MAX_UNCONNECTED
            && let Some(oldest) = unconnected.into_iter().next()
        {
            oldest.link.end(CloseReason::NoConnect);
        }
        self.connections_so_far += 1;
        let id = self.connections_so_far;
        let client_id: Arc<str> = Arc::from("");
        self.taps
            .emit(id, &client_id, Direction::ToBroker, |_| TapPacket::Opened {
                peer,
            });
        self.connections.insert(
            id,
            Connection {
                link,
                client_id,
                joined: None,
            },
        );
        id
    }

    /// Seconds of keep alive of a connection whose CONNECT was accepted; 0 is none.
    pub(crate) fn keep_alive(&self, id: u64) -> Option<u16> {
        self.connections
            .get(&id)?
            .joined
            .as_ref()
            .map(|joined| joined.keep_alive)
    }

    /// Other clients that have more waiting than they read, for whom this publisher should wait.
    pub(crate) fn crowded(&self, publisher: u64) -> Vec<Rc<Link>> {
        let others = self.connections.iter().filter(|(id, _)| **id != publisher);
        others
            .map(|(_, other)| &other.link)
            .filter(|link| link.is_worth_waiting_for())
            .cloned()
            .collect()
    }

    /// Handles one packet. An error ends the connection; call `closed` with it.
    pub(crate) fn received(&mut self, id: u64, packet: Packet) -> Result<(), CloseReason> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Err(CloseReason::Lost);
        };
        if let Packet::Connect(connect) = &packet {
            connection.client_id = Arc::from(connect.client_id.as_str());
        }
        let client_id = Arc::clone(&connection.client_id);
        let joined = connection.joined.is_some();
        self.taps
            .emit(id, &client_id, Direction::ToBroker, |limit| {
                tap::describe(&packet, limit)
            });
        match packet {
            Packet::Connect(_) if joined => Err(protocol("a second CONNECT")),
            Packet::Connect(connect) => self.connect(id, connect),
            _ if !joined => Err(protocol("a packet before CONNECT")),
            Packet::Publish(publish) => self.publish_from(id, &client_id, publish),
            Packet::PubAck(ack) => {
                self.advance(id, &client_id, |session| session.acknowledged(ack.pkid))
            }
            Packet::PubRec(ack) => {
                self.session(&client_id).received_by_client(ack.pkid);
                self.send(id, Packet::PubRel(PubRel::new(ack.pkid)));
                Ok(())
            }
            Packet::PubComp(ack) => {
                self.advance(id, &client_id, |session| session.completed(ack.pkid))
            }
            Packet::PubRel(release) => {
                self.session(&client_id).release_received(release.pkid);
                self.send(id, Packet::PubComp(PubComp::new(release.pkid)));
                Ok(())
            }
            Packet::Subscribe(subscribe) => self.subscribe(id, &client_id, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, &client_id, unsubscribe),
            Packet::PingReq => {
                self.send(id, Packet::PingResp);
                Ok(())
            }
            Packet::Disconnect => {
                if let Some(joined) = self
                    .connections
                    .get_mut(&id)
                    .and_then(|connection| connection.joined.as_mut())
                {
                    // DISCONNECT takes the will back (3.14.4).
                    joined.will = None;
                }
                Err(CloseReason::Disconnected)
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(protocol("a packet that only a broker sends"))
            }
        }
    }

    /// Shows bytes that are no MQTT 3.1.1, answers another protocol level as the standard says, and
    /// returns the reason to end the connection with.
    pub(crate) fn malformed(&mut self, id: u64, error: &FrameError, bytes: &[u8]) -> CloseReason {
        let Some(connection) = self.connections.get(&id) else {
            return CloseReason::Lost;
        };
        let bytes = bytes[..bytes.len().min(32)].to_vec();
        let reason = error.to_string();
        self.taps
            .emit(id, &connection.client_id, Direction::ToBroker, |_| {
                TapPacket::Malformed {
                    reason: reason.clone(),
                    bytes: bytes.clone(),
                }
            });
        if let FrameError::ProtocolLevel { level } = error
            && connection.joined.is_none()
        {
            let code = ConnectReturnCode::RefusedProtocolVersion;
            if *level == 5 {
                // CONNACK as MQTT 5 writes it, so that its clients can say what is wrong
                // (MQTT 5.0, 3.2.2.2: reason code 0x84, unsupported protocol version, no properties).
                connection
                    .link
                    .send(|out| out.extend_from_slice(&[0x20, 0x03, 0x00, 0x84, 0x00]));
            } else {
                self.send(id, Packet::ConnAck(ConnAck::new(code, false)));
            }
            return CloseReason::Refused(tap::return_code(code));
        }
        CloseReason::Protocol(reason)
    }

    /// Ends a connection: publishes its will unless it was taken back, and keeps or forgets the
    /// session. Does nothing for one that is gone already.
    pub(crate) fn closed(&mut self, id: u64, reason: &CloseReason) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.taps
            .emit(id, &connection.client_id, Direction::ToBroker, |_| {
                TapPacket::Closed {
                    reason: reason.clone(),
                }
            });
        let Some(joined) = connection.joined else {
            return;
        };
        if joined.clean_session {
            self.clients.remove(&connection.client_id);
        } else if let Some(client) = self.clients.get_mut(&connection.client_id) {
            self.departures_so_far += 1;
            client.connection = None;
            client.left = self.departures_so_far;
            self.forget_the_longest_absent();
        }
        if let Some(will) = joined.will {
            let mut publish = Publish::from_bytes(will.topic, will.qos, will.message);
            publish.retain = will.retain;
            self.publish(publish);
        }
    }

    fn forget_the_longest_absent(&mut self) {
        let absent = self
            .clients
            .iter()
            .filter(|(_, client)| client.connection.is_none());
        if absent.clone().count() > MAX_ABSENT
            && let Some((name, _)) = absent.min_by_key(|(_, client)| client.left)
        {
            let name = Arc::clone(name);
            self.clients.remove(&name);
        }
    }

    fn connect(&mut self, id: u64, connect: Connect) -> Result<(), CloseReason> {
        if connect
            .last_will
            .as_ref()
            .is_some_and(|will| !topic::is_valid_topic(&will.topic))
        {
            return Err(protocol("a will with a topic that cannot be published to"));
        }
        let client_id: Arc<str> = if !connect.client_id.is_empty() {
            Arc::from(connect.client_id)
        } else if connect.clean_session {
            // The server gives it a name of its own (3.1.3.1).
            Arc::from(format!("auto-{id}"))
        } else {
            let code = ConnectReturnCode::BadClientId;
            self.send(id, Packet::ConnAck(ConnAck::new(code, false)));
            return Err(CloseReason::Refused(tap::return_code(code)));
        };
        if let Some(old) = self
            .clients
            .get(&client_id)
            .and_then(|client| client.connection)
        {
            // The old connection ends, its will goes out, and its session is ours to take (3.1.4).
            if let Some(connection) = self.connections.get(&old) {
                connection.link.end(CloseReason::TakenOver);
            }
            self.closed(old, &CloseReason::TakenOver);
        }
        if connect.clean_session {
            self.clients.remove(&client_id);
        }
        let session_present = self.clients.contains_key(&client_id);
        self.clients
            .entry(Arc::clone(&client_id))
            .or_default()
            .connection = Some(id);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.client_id = Arc::clone(&client_id);
            connection.joined = Some(Joined {
                clean_session: connect.clean_session,
                keep_alive: connect.keep_alive,
                will: connect.last_will,
            });
        }
        self.send(
            id,
            Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present)),
        );
        let unfinished: Vec<_> = self.session(&client_id).resend().collect();
        for packet in unfinished {
            self.send(id, packet);
        }
        self.send_queued(id, &client_id);
        Ok(())
    }

    fn publish_from(
        &mut self,
        id: u64,
        client_id: &Arc<str>,
        mut publish: Publish,
    ) -> Result<(), CloseReason> {
        if !topic::is_valid_topic(&publish.topic) {
            return Err(protocol(
                "a PUBLISH whose topic is empty or has a wildcard or null character",
            ));
        }
        if publish.payload.len() < COPY_BELOW {
            publish.payload = Bytes::copy_from_slice(&publish.payload);
        }
        let packet_id = publish.pkid;
        let answer = match publish.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(Packet::PubAck(PubAck::new(packet_id))),
            QoS::ExactlyOnce => Some(Packet::PubRec(PubRec::new(packet_id))),
        };
        let is_new =
            publish.qos != QoS::ExactlyOnce || self.session(client_id).receive_once(packet_id);
        if is_new {
            self.publish(publish);
        }
        if let Some(answer) = answer {
            self.send(id, answer);
        }
        Ok(())
    }

    /// Keeps a retained message and passes it to every client that wants it.
    fn publish(&mut self, publish: Publish) {
        if publish.retain {
            if publish.payload.is_empty() {
                // An empty retained message clears what was retained (3.3.1.3).
                self.retained.remove(&publish.topic);
            } else {
                let kept = Publish {
                    dup: false,
                    pkid: 0,
                    ..publish.clone()
                };
                self.retained.insert(publish.topic.clone(), kept);
            }
        }
        let wanted: Vec<_> = self
            .clients
            .iter()
            .filter_map(|(name, client)| {
                Some((Arc::clone(name), client.session.wants(&publish.topic)?))
            })
            .collect();
        for (client_id, granted) in wanted {
            // To those who were subscribed already it goes without the RETAIN flag (3.3.1.3).
            let copy = Publish {
                retain: false,
                ..publish.clone()
            };
            self.deliver(&client_id, copy, granted);
        }
    }

    /// Sends or queues a message for one client, with the lower of the two QoS (3.8.4).
    fn deliver(&mut self, client_id: &Arc<str>, mut publish: Publish, granted: QoS) {
        publish.dup = false;
        publish.pkid = 0;
        if granted < publish.qos {
            publish.qos = granted;
        }
        let Some(client) = self.clients.get_mut(client_id) else {
            return;
        };
        let connection = client.connection;
        let (topic, length) = (publish.topic.clone(), publish.payload.len());
        let accepted = if publish.qos != QoS::AtMostOnce {
            client.session.queue(publish)
        } else if let Some(connection) = connection {
            let crowded = self
                .connections
                .get(&connection)
                .is_some_and(|connection| connection.link.drops());
            if !crowded {
                self.send(connection, Packet::Publish(publish));
            }
            !crowded
        } else {
            // QoS 0 is not kept for a client that is away (3.1.2.4).
            true
        };
        if !accepted {
            self.taps.emit(
                connection.unwrap_or_default(),
                client_id,
                Direction::ToClient,
                |_| TapPacket::Dropped {
                    topic: topic.clone(),
                    length,
                },
            );
        }
        if let Some(connection) = connection {
            self.send_queued(connection, client_id);
        }
    }

    fn send_queued(&mut self, id: u64, client_id: &Arc<str>) {
        while let Some(publish) = self
            .clients
            .get_mut(client_id)
            .and_then(|client| client.session.next_to_send())
        {
            self.send(id, Packet::Publish(publish));
        }
    }

    /// Notes an acknowledgement and sends what waited for it.
    fn advance(
        &mut self,
        id: u64,
        client_id: &Arc<str>,
        note: impl FnOnce(&mut Session),
    ) -> Result<(), CloseReason> {
        note(self.session(client_id));
        self.send_queued(id, client_id);
        Ok(())
    }

    fn subscribe(
        &mut self,
        id: u64,
        client_id: &Arc<str>,
        subscribe: Subscribe,
    ) -> Result<(), CloseReason> {
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        let mut granted = Vec::new();
        for filter in subscribe.filters {
            if topic::is_valid_filter(&filter.path) {
                codes.push(SubscribeReasonCode::Success(filter.qos));
                self.session(client_id)
                    .subscribe(filter.path.clone(), filter.qos);
                granted.push(filter);
            } else {
                codes.push(SubscribeReasonCode::Failure);
            }
        }
        self.send(id, Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
        // Retained messages follow each SUBSCRIBE, also one that repeats a filter (3.8.4).
        for filter in granted {
            let matching = self
                .retained
                .values()
                .filter(|kept| topic::matches(&filter.path, &kept.topic));
            let matching: Vec<_> = matching.cloned().collect();
            for kept in matching {
                self.deliver(client_id, kept, filter.qos);
            }
        }
        Ok(())
    }

    fn unsubscribe(
        &mut self,
        id: u64,
        client_id: &Arc<str>,
        unsubscribe: Unsubscribe,
    ) -> Result<(), CloseReason> {
        for filter in &unsubscribe.topics {
            self.session(client_id).unsubscribe(filter);
        }
        // One UNSUBACK, also when no filter was subscribed to (3.10.4).
        self.send(id, Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
        Ok(())
    }

    fn session(&mut self, client_id: &Arc<str>) -> &mut Session {
        &mut self
            .clients
            .entry(Arc::clone(client_id))
            .or_default()
            .session
    }

    fn send(&mut self, id: u64, packet: Packet) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        self.taps
            .emit(id, &connection.client_id, Direction::ToClient, |limit| {
                tap::describe(&packet, limit)
            });
        connection.link.send(|out| {
            let written = packet.write(out, usize::MAX);
            debug_assert!(written.is_ok(), "{packet:?} cannot be encoded");
        });
    }
}

fn protocol(reason: &str) -> CloseReason {
    CloseReason::Protocol(reason.to_owned())
}
