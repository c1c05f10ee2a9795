//! Decides what the broker does with each packet: sessions, subscriptions, retained messages, wills.
//!
//! It knows no socket and no clock. Packets come in through `received`; what goes out is appended to
//! the `Link` of the connection it is for. One thread owns it.

mod keeping;
mod monitors;
mod subscribing;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, PubComp, PubRec, PubRel, Publish,
};

use crate::budget::Budget;
use crate::frame::FrameError;
use crate::link::Link;
use crate::session::Session;
use crate::store::{Change, Store};
use crate::subscriptions::Subscriptions;
use crate::tap::{self, CloseReason, Direction, Tap, TapPacket, Taps};
use crate::topic;
use crate::{BrokerConfig, Limits};
use keeping::Keeping;

/// Payloads up to this size are copied when they are kept, as they would otherwise keep the whole
/// buffer alive that they were read into.
const COPY_BELOW: usize = 4096;

/// Connections that may be waiting to send CONNECT; one more ends the oldest of them.
const MAX_UNCONNECTED: usize = 128;

/// Sessions of absent clients that are kept; one more forgets the one that has been away longest.
const MAX_ABSENT: usize = 1000;

struct Connection {
    link: Rc<Link>,
    peer: SocketAddr,
    /// It gets all that happens, see `monitor`.
    monitor: bool,
    client_id: Arc<str>,
    /// None until CONNECT was accepted.
    joined: Option<Joined>,
}

struct Joined {
    clean_session: bool,
    keep_alive: u16,
    will: Option<LastWill>,
}

struct Client {
    session: Session,
    /// The client asked for a session that outlives the connection; it outlives the broker too, where it keeps any.
    persistent: bool,
    /// The user who began the session, where users have passwords: no other gets it.
    owner: Option<String>,
    /// The connection that serves it now; none while the client is away.
    connection: Option<u64>,
    /// When it left, as a count that only grows.
    left: u64,
}

impl Client {
    fn new(budget: &Rc<Budget>, max_waiting: usize) -> Self {
        Self {
            session: Session::new(budget, max_waiting),
            persistent: false,
            owner: None,
            connection: None,
            left: 0,
        }
    }
}

pub(crate) struct Hub {
    taps: Taps,
    connections: BTreeMap<u64, Connection>,
    /// How many connections have more waiting than they read.
    crowded: Rc<Cell<usize>>,
    clients: HashMap<Arc<str>, Client>,
    /// Those of all sessions.
    subscriptions: Subscriptions,
    retained: BTreeMap<String, Publish>,
    /// Bytes of all that is retained or waits for clients.
    kept: Rc<Budget>,
    limits: Limits,
    /// Whether the user names of clients were checked.
    checks_users: bool,
    keeping: Keeping,
    /// What happens, while there are monitors.
    monitor_tap: Option<Tap>,
    connections_so_far: u64,
    departures_so_far: u64,
}

impl Hub {
    /// One that has what `kept` says, and keeps it so.
    pub(crate) fn new(
        taps: Taps,
        config: &BrokerConfig,
        kept: Option<(Store, Vec<Change>)>,
    ) -> Self {
        let mut hub = Self {
            keeping: Keeping::default(),
            monitor_tap: None,
            taps,
            connections: BTreeMap::new(),
            crowded: Rc::default(),
            clients: HashMap::new(),
            subscriptions: Subscriptions::default(),
            retained: BTreeMap::new(),
            kept: Rc::new(Budget::new(config.limits.kept_bytes)),
            limits: config.limits.clone(),
            checks_users: config.users.is_some(),
            connections_so_far: 0,
            departures_so_far: 0,
        };
        if let Some((store, changes)) = kept {
            hub.restore(changes);
            hub.keeping.begin(store);
            hub.write_anew();
        }
        hub
    }

    /// Notes a new connection and returns its number and what it is written to by.
    pub(crate) fn opened(&mut self, peer: SocketAddr) -> (u64, Rc<Link>) {
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
        let link = Rc::new(Link::new(&self.crowded));
        self.taps
            .emit(id, &client_id, Direction::ToBroker, |_| TapPacket::Opened {
                peer,
            });
        self.connections.insert(
            id,
            Connection {
                link: Rc::clone(&link),
                peer,
                monitor: false,
                client_id,
                joined: None,
            },
        );
        (id, link)
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
        if self.crowded.get() == 0 {
            return Vec::new();
        }
        let others = self.connections.iter().filter(|(id, _)| **id != publisher);
        others
            .map(|(_, other)| &other.link)
            .filter(|link| link.is_worth_waiting_for())
            .cloned()
            .collect()
    }

    /// Handles one packet. An error ends the connection; call `closed` with it.
    pub(crate) fn received(&mut self, id: u64, packet: Packet) -> Result<(), CloseReason> {
        if self.is_failed() {
            return Err(CloseReason::Lost);
        }
        let done = self.handle(id, packet);
        self.commit();
        done
    }

    fn handle(&mut self, id: u64, packet: Packet) -> Result<(), CloseReason> {
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
            Packet::PubAck(PubAck { pkid: packet_id }) => {
                self.note(&client_id, |client| Change::Acknowledged {
                    client,
                    packet_id,
                });
                self.advance(id, &client_id, |session| session.acknowledged(packet_id))
            }
            Packet::PubRec(ack) => {
                self.note(&client_id, |client| Change::ReceivedByClient {
                    client,
                    packet_id: ack.pkid,
                });
                self.session(&client_id).received_by_client(ack.pkid);
                self.send(id, &Packet::PubRel(PubRel::new(ack.pkid)));
                Ok(())
            }
            Packet::PubComp(PubComp { pkid: packet_id }) => {
                self.note(&client_id, |client| Change::Completed { client, packet_id });
                self.advance(id, &client_id, |session| session.completed(packet_id))
            }
            Packet::PubRel(release) => {
                self.note(&client_id, |client| Change::Released {
                    client,
                    packet_id: release.pkid,
                });
                self.session(&client_id).release_received(release.pkid);
                self.send(id, &Packet::PubComp(PubComp::new(release.pkid)));
                Ok(())
            }
            Packet::Subscribe(subscribe) => self.subscribe(id, &client_id, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, &client_id, unsubscribe),
            Packet::PingReq => {
                self.send(id, &Packet::PingResp);
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

    /// Answers a CONNECT that is not accepted; returns the reason to end the connection with.
    pub(crate) fn refuse(
        &mut self,
        id: u64,
        packet: &Packet,
        code: ConnectReturnCode,
    ) -> CloseReason {
        if let (Some(connection), Packet::Connect(connect)) =
            (self.connections.get_mut(&id), packet)
            && connection.joined.is_none()
        {
            connection.client_id = Arc::from(connect.client_id.as_str());
            self.taps
                .emit(id, &connection.client_id, Direction::ToBroker, |limit| {
                    tap::describe(packet, limit)
                });
            self.refused(id, code)
        } else {
            protocol("a second CONNECT")
        }
    }

    fn refused(&mut self, id: u64, code: ConnectReturnCode) -> CloseReason {
        self.send(id, &Packet::ConnAck(ConnAck::new(code, false)));
        CloseReason::Refused(tap::return_code(code))
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
                self.send(id, &Packet::ConnAck(ConnAck::new(code, false)));
            }
            return CloseReason::Refused(tap::return_code(code));
        }
        CloseReason::Protocol(reason)
    }

    /// Ends a connection: publishes its will unless it was taken back, and keeps or forgets the
    /// session. Does nothing for one that is gone already.
    pub(crate) fn closed(&mut self, id: u64, reason: &CloseReason) {
        self.leave(id, reason);
        if !self.is_failed() {
            self.commit();
        }
    }

    fn leave(&mut self, id: u64, reason: &CloseReason) {
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
            self.end_session(&connection.client_id);
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

    /// Ends a session.
    fn forget(&mut self, client_id: &Arc<str>) {
        self.note(client_id, |client| Change::Forget { client });
        self.end_session(client_id);
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
            self.forget(&name);
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
            return Err(self.refused(id, ConnectReturnCode::BadClientId));
        };
        let user = connect.login.map(|login| login.username);
        let user = user.filter(|_| self.checks_users);
        if let Some(Client {
            owner: Some(owner), ..
        }) = self.clients.get(&client_id)
            && user.as_ref() != Some(owner)
        {
            return Err(self.refused(id, ConnectReturnCode::BadClientId));
        }
        let joined = self.connections.values().filter(|other| {
            // The one that this one takes the place of makes room.
            other.joined.is_some() && other.client_id != client_id
        });
        if joined.count() >= self.limits.clients {
            return Err(self.refused(id, ConnectReturnCode::ServiceUnavailable));
        }
        if let Some(old) = self
            .clients
            .get(&client_id)
            .and_then(|client| client.connection)
        {
            // The old connection ends, its will goes out, and its session is ours to take (3.1.4).
            if let Some(connection) = self.connections.get(&old) {
                connection.link.end(CloseReason::TakenOver);
            }
            self.leave(old, &CloseReason::TakenOver);
        }
        if connect.clean_session {
            self.forget(&client_id);
        }
        let session_present = self.clients.contains_key(&client_id);
        let client = self
            .clients
            .entry(Arc::clone(&client_id))
            .or_insert_with(|| Client::new(&self.kept, self.limits.waiting));
        client.connection = Some(id);
        client.persistent = !connect.clean_session;
        if !session_present || client.owner != user {
            client.owner.clone_from(&user);
            self.note(&client_id, |client| Change::Begin {
                client,
                owner: user,
            });
        }
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
            &Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present)),
        );
        let unfinished: Vec<_> = self.session(&client_id).resend().collect();
        for packet in unfinished {
            self.send(id, &packet);
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
        let may_be_kept = publish.retain || publish.qos != QoS::AtMostOnce;
        if may_be_kept && publish.payload.len() < COPY_BELOW {
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
            if publish.qos == QoS::ExactlyOnce {
                self.note(client_id, |client| Change::Received { client, packet_id });
            }
            self.publish(publish);
        }
        if let Some(answer) = answer {
            self.send(id, &answer);
        }
        Ok(())
    }

    /// Keeps a retained message and passes it to every client that wants it.
    fn publish(&mut self, publish: Publish) {
        if publish.retain {
            self.retain(&publish);
        }
        let wanted = self.subscriptions.wanting(&publish.topic);
        // To those who were subscribed already it goes without the RETAIN flag (3.3.1.3).
        let publish = Publish {
            retain: false,
            ..publish
        };
        self.deliver(publish, &wanted);
    }

    fn retain(&mut self, publish: &Publish) {
        // What was retained goes in any case: a value that is out of date is worse than none.
        if let Some(old) = self.retained.remove(&publish.topic) {
            self.kept.give_back(&old);
            self.keeping.note(|| Change::Retain {
                topic: publish.topic.clone(),
                qos: 0,
                payload: Bytes::new(),
            });
        }
        if publish.payload.is_empty() {
            // An empty retained message only clears (3.3.1.3).
            return;
        }
        if self.retained.len() < self.limits.retained && self.kept.take(publish) {
            self.keeping.note(|| retained_change(publish));
            let kept = Publish {
                dup: false,
                pkid: 0,
                ..publish.clone()
            };
            self.retained.insert(publish.topic.clone(), kept);
        } else {
            self.taps.emit(0, &Arc::from(""), Direction::ToClient, |_| {
                TapPacket::NotRetained {
                    topic: publish.topic.clone(),
                    length: publish.payload.len(),
                }
            });
        }
    }

    /// Sends or queues a message for these clients, for each with the lower of the two QoS (3.8.4).
    fn deliver(&mut self, mut publish: Publish, wanted: &[(Arc<str>, QoS)]) {
        publish.dup = false;
        publish.pkid = 0;
        let mut kept_for = Vec::new();
        // As all get it who get it with QoS 0.
        let mut at_most_once = None;
        for (client_id, granted) in wanted {
            if publish.qos == QoS::AtMostOnce || *granted == QoS::AtMostOnce {
                let packet = at_most_once.get_or_insert_with(|| {
                    Packet::Publish(Publish {
                        qos: QoS::AtMostOnce,
                        ..publish.clone()
                    })
                });
                self.send_at_most_once(client_id, packet, &publish);
                continue;
            }
            let qos = if *granted < publish.qos {
                *granted
            } else {
                publish.qos
            };
            let copy = Publish {
                qos,
                ..publish.clone()
            };
            if self.queue(client_id, copy) {
                kept_for.push((Arc::clone(client_id), qos as u8));
            }
        }
        if self.keeping.is_on() {
            kept_for.retain(|(client_id, _)| {
                self.clients
                    .get(client_id)
                    .is_some_and(|client| client.persistent)
            });
            if !kept_for.is_empty() {
                self.keeping.note(|| Change::Queue {
                    topic: publish.topic.clone(),
                    payload: publish.payload.clone(),
                    retain: publish.retain,
                    clients: kept_for,
                });
            }
        }
        for (client_id, _) in wanted {
            let connection = self
                .clients
                .get(client_id)
                .and_then(|client| client.connection);
            if let Some(connection) = connection {
                self.send_queued(connection, client_id);
            }
        }
    }

    /// Sends a message with QoS 0 to a client; for one that is away it is not kept (3.1.2.4).
    fn send_at_most_once(&self, client_id: &Arc<str>, packet: &Packet, publish: &Publish) {
        let client = self.clients.get(client_id);
        let Some(connection) = client.and_then(|client| client.connection) else {
            return;
        };
        let drops = self
            .connections
            .get(&connection)
            .is_some_and(|connection| connection.link.drops());
        if drops {
            self.tell_dropped(connection, client_id, publish);
        } else {
            self.send(connection, packet);
        }
    }

    /// Queues a message of QoS 1 or 2 for a client; `false` where it was dropped.
    fn queue(&mut self, client_id: &Arc<str>, publish: Publish) -> bool {
        let Some(client) = self.clients.get_mut(client_id) else {
            return false;
        };
        let queued = client.session.queue(publish);
        let connection = client.connection.unwrap_or_default();
        if let Err(publish) = &queued {
            self.tell_dropped(connection, client_id, publish);
        }
        queued.is_ok()
    }

    fn tell_dropped(&self, connection: u64, client_id: &Arc<str>, publish: &Publish) {
        self.taps
            .emit(connection, client_id, Direction::ToClient, |_| {
                TapPacket::Dropped {
                    topic: publish.topic.clone(),
                    length: publish.payload.len(),
                }
            });
    }

    /// Sends what waits for a client, as far as there may be more in flight.
    fn send_queued(&mut self, id: u64, client_id: &Arc<str>) {
        while let Some(publish) = self
            .clients
            .get_mut(client_id)
            .and_then(|client| client.session.next_to_send())
        {
            let packet_id = publish.pkid;
            self.note(client_id, |client| Change::Sent { client, packet_id });
            self.send(id, &Packet::Publish(publish));
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

    fn session(&mut self, client_id: &Arc<str>) -> &mut Session {
        &mut self
            .clients
            .entry(Arc::clone(client_id))
            .or_insert_with(|| Client::new(&self.kept, self.limits.waiting))
            .session
    }

    fn send(&self, id: u64, packet: &Packet) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        self.taps
            .emit(id, &connection.client_id, Direction::ToClient, |limit| {
                tap::describe(packet, limit)
            });
        connection.link.send(|out| {
            let written = packet.write(out, usize::MAX);
            debug_assert!(written.is_ok(), "{packet:?} cannot be encoded");
        });
    }
}

fn retained_change(publish: &Publish) -> Change {
    Change::Retain {
        topic: publish.topic.clone(),
        qos: publish.qos as u8,
        payload: publish.payload.clone(),
    }
}

fn protocol(reason: &str) -> CloseReason {
    CloseReason::Protocol(reason.to_owned())
}
