//! Decides what a monitor knows: who is connected and subscribed to what, which topics there are, and how far each
//! exchange of QoS 1 and 2 has come. All of it is bounded.

use std::collections::{BTreeMap, HashMap, VecDeque};

use board_link::Lang;
use broker::{BrokerState, Direction, TapEvent, TapPacket};
use chrono::{DateTime, Local};

use crate::display::text;

/// Lines and exchanges that are kept.
const KEPT: usize = 1000;
/// Topics that are kept; of more, only their number is known.
const MAX_TOPICS: usize = 5000;

/// What is known.
#[derive(Debug, Default)]
pub struct Model {
    /// By client identifier.
    pub clients: BTreeMap<String, Client>,
    pub topics: BTreeMap<String, Topic>,
    /// Topics that there was no room for.
    pub more_topics: u64,
    pub exchanges: VecDeque<Exchange>,
    pub packets: VecDeque<Packet>,
    pub messages: u64,
    /// Events that came too fast to be seen.
    pub missed: u64,
    /// What each SUBSCRIBE asked for, until it is answered.
    asked: HashMap<(u64, u16), Vec<String>>,
    clean: HashMap<u64, bool>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The number of its connection; none while it is away.
    pub connection: Option<u64>,
    /// Topic filters and the QoS of each.
    pub subscriptions: BTreeMap<String, u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Topic {
    pub payload: String,
    pub qos: u8,
    pub retained: bool,
    /// Messages seen.
    pub count: u64,
}

/// A packet as a line tells it.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    /// Hours, minutes, seconds.
    pub time: String,
    /// Empty where the line names the client itself.
    pub client: String,
    pub line: String,
}

/// A message of QoS 1 or 2 between a client and the broker.
#[derive(Debug, PartialEq, Eq)]
pub struct Exchange {
    connection: u64,
    direction: Direction,
    packet_id: u16,
    pub client: String,
    pub topic: String,
    pub qos: u8,
    /// The packets so far, each with its direction.
    pub steps: Vec<(Direction, &'static str)>,
    pub done: bool,
}

impl Model {
    /// Begins with what a broker told of itself.
    pub fn begin(&mut self, state: &BrokerState, lang: Lang) {
        for client in &state.clients {
            let subscriptions = client.subscriptions.iter().cloned().collect();
            let connection = client.connection.map(|(connection, _)| connection);
            self.clients.insert(
                client.client_id.clone(),
                Client {
                    connection,
                    subscriptions,
                },
            );
        }
        for kept in &state.retained {
            let payload = text::payload(&kept.payload, kept.length, lang);
            self.note_topic(&kept.topic, payload, kept.qos, true, 0);
        }
    }

    /// Takes in what happened.
    pub fn apply(&mut self, event: &TapEvent, lang: Lang) {
        let time: DateTime<Local> = event.time.into();
        if let Some(line) = text::line(event, true, lang) {
            let client = match event.packet {
                // These lines name the client themselves.
                TapPacket::Connect { .. } | TapPacket::Closed { .. } | TapPacket::Opened { .. } => {
                    String::new()
                }
                _ => event.client_id.to_string(),
            };
            let time = time.format("%H:%M:%S").to_string();
            push(&mut self.packets, Packet { time, client, line });
        }
        self.apply_packet(event, lang);
    }

    fn apply_packet(&mut self, event: &TapEvent, lang: Lang) {
        let connection = event.connection;
        match &event.packet {
            TapPacket::Connect { clean_session, .. } => {
                self.clean.insert(connection, *clean_session);
            }
            TapPacket::ConnAck {
                code: 0,
                session_present,
            } => {
                let client = self.clients.entry(event.client_id.to_string()).or_default();
                client.connection = Some(connection);
                if !session_present {
                    client.subscriptions.clear();
                }
            }
            TapPacket::Subscribe { packet_id, filters } => {
                let filters = filters.iter().map(|(filter, _)| filter.clone()).collect();
                self.asked.insert((connection, *packet_id), filters);
            }
            TapPacket::SubAck { packet_id, codes } => {
                let filters = self.asked.remove(&(connection, *packet_id));
                let client = self.clients.entry(event.client_id.to_string()).or_default();
                let granted = filters.into_iter().flatten().zip(codes);
                client.subscriptions.extend(
                    granted
                        .filter(|(_, code)| **code < 3)
                        .map(|(filter, qos)| (filter, *qos)),
                );
            }
            TapPacket::Unsubscribe { filters, .. } => {
                if let Some(client) = self.clients.get_mut(&*event.client_id) {
                    client
                        .subscriptions
                        .retain(|filter, _| !filters.contains(filter));
                }
            }
            TapPacket::Closed { .. } => self.closed(connection, &event.client_id),
            TapPacket::Publish {
                topic,
                payload,
                length,
                qos,
                retain,
                packet_id,
                ..
            } => {
                // What goes on to clients was counted when it came; an observer of `#` sees only that it goes on.
                if event.direction == Direction::ToBroker || connection == 0 {
                    self.messages += 1;
                    let shown = text::payload(payload, *length, lang);
                    if *retain && *length == 0 {
                        if let Some(topic) = self.topics.get_mut(topic) {
                            topic.retained = false;
                        }
                    } else {
                        self.note_topic(topic, shown, *qos, *retain, 1);
                    }
                }
                if let Some(packet_id) = packet_id {
                    let exchange = Exchange {
                        connection,
                        direction: event.direction,
                        packet_id: *packet_id,
                        client: event.client_id.to_string(),
                        topic: topic.clone(),
                        qos: *qos,
                        steps: vec![(event.direction, "PUBLISH")],
                        done: false,
                    };
                    push(&mut self.exchanges, exchange);
                }
            }
            TapPacket::PubAck { packet_id } => self.step(event, *packet_id, "PUBACK", true),
            TapPacket::PubRec { packet_id } => self.step(event, *packet_id, "PUBREC", false),
            TapPacket::PubRel { packet_id } => self.step(event, *packet_id, "PUBREL", false),
            TapPacket::PubComp { packet_id } => self.step(event, *packet_id, "PUBCOMP", true),
            _ => {}
        }
    }

    fn closed(&mut self, connection: u64, client_id: &str) {
        let clean = self.clean.remove(&connection).unwrap_or(false);
        self.asked.retain(|(of, _), _| *of != connection);
        // One that another connection has taken over stays.
        if let Some(client) = self.clients.get_mut(client_id)
            && client.connection == Some(connection)
        {
            client.connection = None;
            if clean {
                self.clients.remove(client_id);
            }
        }
    }

    /// Notes the next packet of an exchange. Acknowledgements go against the message, PUBREL with it.
    fn step(&mut self, event: &TapEvent, packet_id: u16, name: &'static str, done: bool) {
        let direction = match (name, event.direction) {
            ("PUBREL", direction) => direction,
            (_, Direction::ToBroker) => Direction::ToClient,
            (_, Direction::ToClient) => Direction::ToBroker,
        };
        let found = self.exchanges.iter_mut().rev().find(|exchange| {
            exchange.connection == event.connection
                && exchange.direction == direction
                && exchange.packet_id == packet_id
                && !exchange.done
        });
        if let Some(exchange) = found {
            exchange.steps.push((event.direction, name));
            exchange.done = done;
        }
    }

    fn note_topic(&mut self, name: &str, payload: String, qos: u8, retained: bool, count: u64) {
        if !self.topics.contains_key(name) && self.topics.len() >= MAX_TOPICS {
            self.more_topics += 1;
            return;
        }
        let topic = self.topics.entry(name.to_owned()).or_default();
        *topic = Topic {
            payload,
            qos,
            retained: retained || (topic.retained && count > 0),
            count: topic.count + count,
        };
    }

    /// The topics as a tree: each line indented by its level, with what was last published there.
    pub fn tree(&self) -> Vec<Branch> {
        let mut lines = Vec::new();
        let mut above: Vec<&str> = Vec::new();
        // By levels, so that what belongs together stays together whatever its letters are.
        let mut topics: Vec<(Vec<&str>, &Topic)> = self
            .topics
            .iter()
            .map(|(name, topic)| (name.split('/').collect(), topic))
            .collect();
        topics.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (levels, topic) in topics {
            let Some((name, parents)) = levels.split_last() else {
                continue;
            };
            let common = parents
                .iter()
                .zip(&above)
                .take_while(|(one, other)| one == other)
                .count();
            for (depth, level) in parents.iter().enumerate().skip(common) {
                lines.push(Branch {
                    text: format!("{}{level}/", "  ".repeat(depth)),
                    count: String::new(),
                });
            }
            let kept = if topic.retained { " ®" } else { "" };
            lines.push(Branch {
                text: format!("{}{name}: {}", "  ".repeat(parents.len()), topic.payload),
                count: format!(" (×{}{kept})", topic.count),
            });
            above = levels;
        }
        if self.more_topics > 0 {
            lines.push(Branch {
                text: "…".to_owned(),
                count: String::new(),
            });
        }
        lines
    }
}

/// A line of the tree of topics.
#[derive(Debug, PartialEq, Eq)]
pub struct Branch {
    /// The level's name, or the topic's with its last message.
    pub text: String,
    /// How many messages, and whether one is retained; to be seen where the text is too long.
    pub count: String,
}

impl Exchange {
    /// How far it has come: `→PUBLISH ←PUBREC …`, with `short` names `→PUB ←REC …`.
    pub fn progress(&self, short: bool) -> String {
        let steps = self.steps.iter().map(|(direction, name)| {
            let arrow = match direction {
                Direction::ToBroker => '→',
                Direction::ToClient => '←',
            };
            let name = match (short, *name) {
                (true, "PUBLISH") => "PUB",
                (true, name) => name.strip_prefix("PUB").unwrap_or(name),
                (false, name) => name,
            };
            format!("{arrow}{name}")
        });
        let steps: Vec<String> = steps.collect();
        let end = if self.done { " ✓" } else { " …" };
        format!("{}{end}", steps.join(" "))
    }
}

fn push<T>(queue: &mut VecDeque<T>, new: T) {
    if queue.len() >= KEPT {
        queue.pop_front();
    }
    queue.push_back(new);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use broker::CloseReason;

    use super::*;

    pub fn event(client: &str, direction: Direction, packet: TapPacket) -> TapEvent {
        TapEvent {
            time: SystemTime::now(),
            connection: 3,
            client_id: Arc::from(client),
            direction,
            packet,
        }
    }

    fn publish(topic: &str, payload: &str, qos: u8, retain: bool) -> TapPacket {
        TapPacket::Publish {
            topic: topic.to_owned(),
            payload: payload.to_owned().into(),
            length: payload.len(),
            qos,
            retain,
            duplicate: false,
            packet_id: (qos > 0).then_some(7),
        }
    }

    #[test]
    fn clients_come_subscribe_and_go() {
        let mut model = Model::default();
        let mut apply = |direction, packet| model.apply(&event("c", direction, packet), Lang::En);
        use Direction::{ToBroker, ToClient};
        apply(
            ToBroker,
            TapPacket::Connect {
                clean_session: false,
                keep_alive: 0,
                user: None,
                will: None,
            },
        );
        let accepted = TapPacket::ConnAck {
            session_present: false,
            code: 0,
        };
        apply(ToClient, accepted);
        let filters = vec![
            ("a/#".to_owned(), 2),
            ("b".to_owned(), 1),
            ("no".to_owned(), 0),
        ];
        apply(
            ToBroker,
            TapPacket::Subscribe {
                packet_id: 1,
                filters,
            },
        );
        let codes = vec![2, 1, 0x80];
        apply(
            ToClient,
            TapPacket::SubAck {
                packet_id: 1,
                codes,
            },
        );
        let filters = vec!["b".to_owned()];
        apply(
            ToBroker,
            TapPacket::Unsubscribe {
                packet_id: 2,
                filters,
            },
        );
        let wanted: BTreeMap<String, u8> = [("a/#".to_owned(), 2)].into();
        assert_eq!(model.clients["c"].subscriptions, wanted);
        assert_eq!(model.clients["c"].connection, Some(3));
        let closed = TapPacket::Closed {
            reason: CloseReason::Lost,
        };
        model.apply(&event("c", ToBroker, closed.clone()), Lang::En);
        // Its session waits for it; that of a clean one would be gone.
        assert_eq!(model.clients["c"].connection, None);
        let clean = TapPacket::Connect {
            clean_session: true,
            keep_alive: 0,
            user: None,
            will: None,
        };
        model.apply(&event("c", ToBroker, clean), Lang::En);
        let accepted = TapPacket::ConnAck {
            session_present: false,
            code: 0,
        };
        model.apply(&event("c", ToClient, accepted), Lang::En);
        model.apply(&event("c", ToBroker, closed), Lang::En);
        assert!(model.clients.is_empty());
    }

    #[test]
    fn exchanges_show_each_step_in_both_directions() {
        use Direction::{ToBroker, ToClient};
        let mut model = Model::default();
        let steps = [
            (ToBroker, publish("t", "x", 2, false)),
            // The same identifier the other way is another exchange.
            (ToClient, publish("t", "x", 1, false)),
            (ToClient, TapPacket::PubRec { packet_id: 7 }),
            (ToBroker, TapPacket::PubAck { packet_id: 7 }),
            (ToBroker, TapPacket::PubRel { packet_id: 7 }),
        ];
        for (direction, packet) in steps {
            model.apply(&event("c", direction, packet), Lang::En);
        }
        let shown: Vec<String> = model
            .exchanges
            .iter()
            .map(|exchange| exchange.progress(false))
            .collect();
        assert_eq!(shown, ["→PUBLISH ←PUBREC →PUBREL …", "←PUBLISH →PUBACK ✓"]);
        let end = TapPacket::PubComp { packet_id: 7 };
        model.apply(&event("c", ToClient, end), Lang::En);
        assert_eq!(
            model.exchanges[0].progress(false),
            "→PUBLISH ←PUBREC →PUBREL ←PUBCOMP ✓"
        );
    }

    #[test]
    fn topics_are_a_tree() {
        let mut model = Model::default();
        for (topic, payload, retain) in [
            ("casa/salón/luz", "ON", true),
            ("casa/salón/luz", "OFF", false),
            ("casa", "x", false),
            ("casa-2", "y", false),
            ("casa/baño", "z", true),
            ("casa/baño", "", true),
        ] {
            let packet = publish(topic, payload, 0, retain);
            model.apply(&event("c", Direction::ToBroker, packet), Lang::En);
        }
        let tree: Vec<String> = model
            .tree()
            .into_iter()
            .map(|branch| branch.text + &branch.count)
            .collect();
        assert_eq!(
            tree,
            [
                "casa: x (×1)",
                "  baño: z (×1)",
                "  salón/",
                "    luz: OFF (×2 ®)",
                "casa-2: y (×1)"
            ]
        );
        assert_eq!(model.messages, 6);
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut model = Model::default();
        for number in 0..MAX_TOPICS + 10 {
            let packet = publish(&format!("t/{number}"), "x", 1, false);
            model.apply(&event("c", Direction::ToBroker, packet), Lang::En);
        }
        assert_eq!((model.topics.len(), model.more_topics), (MAX_TOPICS, 10));
        assert_eq!((model.packets.len(), model.exchanges.len()), (KEPT, KEPT));
    }
}
