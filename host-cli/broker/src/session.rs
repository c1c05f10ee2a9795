//! Decides what a client is owed: its subscriptions, the messages in flight to it and those that wait
//! (MQTT 3.1.1, sections 3.1.2.4, 4.3 and 4.4).

use std::collections::{BTreeMap, HashSet, VecDeque};

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubRel, Publish};

use crate::topic;

/// Messages of QoS 1 and 2 that may be unacknowledged at a time; the rest waits its turn.
const MAX_IN_FLIGHT: usize = 64;

/// Messages of QoS 1 and 2 that may wait for one client, and their payload bytes; beyond that the
/// newest is dropped.
const MAX_WAITING: usize = 100_000;
const MAX_WAITING_BYTES: usize = 256 << 20;

/// A message sent with QoS 1 or 2 whose exchange is not finished.
#[derive(Debug)]
enum InFlight {
    /// Sent; PUBACK (QoS 1) or PUBREC (QoS 2) is awaited.
    Sent(Publish),
    /// PUBREC has come and PUBREL was sent; PUBCOMP is awaited.
    Released(u16),
}

impl InFlight {
    fn packet_id(&self) -> u16 {
        match self {
            Self::Sent(publish) => publish.pkid,
            Self::Released(packet_id) => *packet_id,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Session {
    subscriptions: BTreeMap<String, QoS>,
    in_flight: VecDeque<InFlight>,
    waiting: VecDeque<Publish>,
    waiting_bytes: usize,
    last_packet_id: u16,
    /// Packet identifiers of QoS 2 messages from the client that PUBREL has not yet released.
    received: HashSet<u16>,
}

impl Session {
    pub(crate) fn subscribe(&mut self, filter: String, qos: QoS) {
        self.subscriptions.insert(filter, qos);
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str) {
        self.subscriptions.remove(filter);
    }

    /// The QoS with which this client wants `topic`, the highest of all matching filters, so that a
    /// message goes out once however many filters match it (3.3.5); `None` when none does.
    pub(crate) fn wants(&self, topic: &str) -> Option<QoS> {
        let matching = self
            .subscriptions
            .iter()
            .filter(|(filter, _)| topic::matches(filter, topic));
        matching.map(|(_, qos)| *qos).max_by_key(|qos| *qos as u8)
    }

    /// Notes a QoS 2 message from the client; `false` when it came before (4.3.3).
    pub(crate) fn receive_once(&mut self, packet_id: u16) -> bool {
        self.received.insert(packet_id)
    }

    pub(crate) fn release_received(&mut self, packet_id: u16) {
        self.received.remove(&packet_id);
    }

    /// Queues a message of QoS 1 or 2; `false` when there is no room for it.
    pub(crate) fn queue(&mut self, publish: Publish) -> bool {
        let room = self.waiting.len() < MAX_WAITING
            && self.waiting_bytes + publish.payload.len() <= MAX_WAITING_BYTES;
        if room {
            self.waiting_bytes += publish.payload.len();
            self.waiting.push_back(publish);
        }
        room
    }

    /// The next queued message that may be sent now, with its packet identifier.
    pub(crate) fn next_to_send(&mut self) -> Option<Publish> {
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let mut publish = self.waiting.pop_front()?;
        self.waiting_bytes -= publish.payload.len();
        publish.pkid = self.free_packet_id();
        self.in_flight.push_back(InFlight::Sent(publish.clone()));
        Some(publish)
    }

    /// A packet identifier that is not 0 and not in use (2.3.1). With at most `MAX_IN_FLIGHT` in use
    /// there always is one.
    fn free_packet_id(&mut self) -> u16 {
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(1);
            if !self
                .in_flight
                .iter()
                .any(|entry| entry.packet_id() == self.last_packet_id)
            {
                return self.last_packet_id;
            }
        }
    }

    /// PUBACK: the QoS 1 message is done. One that answers nothing is passed over.
    pub(crate) fn acknowledged(&mut self, packet_id: u16) {
        self.in_flight.retain(|entry| {
            !matches!(entry, InFlight::Sent(publish) if publish.pkid == packet_id && publish.qos == QoS::AtLeastOnce)
        });
    }

    /// PUBREC: from here on the message itself is not sent again (4.3.3).
    pub(crate) fn received_by_client(&mut self, packet_id: u16) {
        for entry in &mut self.in_flight {
            if matches!(entry, InFlight::Sent(publish) if publish.pkid == packet_id && publish.qos == QoS::ExactlyOnce)
            {
                *entry = InFlight::Released(packet_id);
            }
        }
    }

    /// PUBCOMP: the QoS 2 message is done.
    pub(crate) fn completed(&mut self, packet_id: u16) {
        self.in_flight
            .retain(|entry| !matches!(entry, InFlight::Released(id) if *id == packet_id));
    }

    /// What must be sent again, in the same order, when the client comes back (4.4, 4.6).
    pub(crate) fn resend(&self) -> impl Iterator<Item = Packet> {
        self.in_flight.iter().map(|entry| match entry {
            InFlight::Sent(publish) => Packet::Publish(Publish {
                dup: true,
                ..publish.clone()
            }),
            InFlight::Released(packet_id) => Packet::PubRel(PubRel::new(*packet_id)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(qos: QoS) -> Publish {
        Publish::new("t", qos, "x")
    }

    #[test]
    fn packet_identifiers_wrap_skip_those_in_use_and_are_never_zero() {
        let mut session = Session::default();
        assert!(session.queue(message(QoS::AtLeastOnce)));
        assert_eq!(session.next_to_send().map(|publish| publish.pkid), Some(1));
        for _ in 0..70_000 {
            assert!(session.queue(message(QoS::AtLeastOnce)));
            let packet_id = session.next_to_send().expect("room in flight").pkid;
            assert!(packet_id > 1);
            session.acknowledged(packet_id);
        }
    }

    #[test]
    fn messages_in_flight_are_limited_and_the_rest_waits() {
        let mut session = Session::default();
        for _ in 0..500 {
            assert!(session.queue(message(QoS::AtLeastOnce)));
        }
        let mut sent = 0;
        while let Some(publish) = session.next_to_send() {
            sent += 1;
            if sent > MAX_IN_FLIGHT {
                break;
            }
            assert_eq!(usize::from(publish.pkid), sent);
        }
        assert_eq!(sent, MAX_IN_FLIGHT);
        session.acknowledged(1);
        assert!(session.next_to_send().is_some());
        assert!(session.next_to_send().is_none());
    }

    #[test]
    fn a_returning_client_gets_unfinished_exchanges_again_in_order() {
        let mut session = Session::default();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce] {
            assert!(session.queue(message(qos)));
            assert!(session.next_to_send().is_some());
        }
        session.received_by_client(2);
        // PUBACK does not end a QoS 2 exchange, PUBREC no QoS 1 one.
        session.acknowledged(3);
        session.received_by_client(1);
        let packets: Vec<_> = session.resend().collect();
        assert!(
            matches!(&packets[..], [Packet::Publish(first), Packet::PubRel(second), Packet::Publish(third)]
            if first.dup && first.pkid == 1 && second.pkid == 2 && third.dup && third.pkid == 3),
            "{packets:?}"
        );
        session.completed(2);
        assert_eq!(session.resend().count(), 2);
    }

    #[test]
    fn overlapping_filters_give_the_highest_qos_once() {
        let mut session = Session::default();
        session.subscribe("a/#".to_owned(), QoS::AtMostOnce);
        session.subscribe("a/+".to_owned(), QoS::ExactlyOnce);
        session.subscribe("a/b".to_owned(), QoS::AtLeastOnce);
        assert_eq!(session.wants("a/b"), Some(QoS::ExactlyOnce));
        assert_eq!(session.wants("a/b/c"), Some(QoS::AtMostOnce));
        assert_eq!(session.wants("b"), None);
    }
}
