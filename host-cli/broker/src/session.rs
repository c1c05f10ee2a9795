//! Decides what a client is owed: its subscriptions, the messages in flight to it and those that wait
//! (MQTT 3.1.1, sections 3.1.2.4, 4.3 and 4.4).

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubRel, Publish};

use crate::budget::Budget;
use crate::store::Change;

/// Messages of QoS 1 and 2 that may be unacknowledged at a time; the rest waits its turn.
const MAX_IN_FLIGHT: usize = 64;

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

#[derive(Debug)]
pub(crate) struct Session {
    subscriptions: BTreeMap<String, QoS>,
    in_flight: VecDeque<InFlight>,
    waiting: VecDeque<Publish>,
    /// How many messages may wait; the newest is dropped beyond that.
    max_waiting: usize,
    /// Bytes of messages, which all sessions share.
    budget: Rc<Budget>,
    last_packet_id: u16,
    /// Packet identifiers of QoS 2 messages from the client that PUBREL has not yet released.
    received: HashSet<u16>,
}

impl Session {
    pub(crate) fn new(budget: &Rc<Budget>, max_waiting: usize) -> Self {
        Self {
            subscriptions: BTreeMap::new(),
            in_flight: VecDeque::new(),
            waiting: VecDeque::new(),
            max_waiting,
            budget: Rc::clone(budget),
            last_packet_id: 0,
            received: HashSet::new(),
        }
    }

    pub(crate) fn subscribe(&mut self, filter: String, qos: QoS) {
        self.subscriptions.insert(filter, qos);
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str) {
        self.subscriptions.remove(filter);
    }

    /// Topic filters and the QoS of each.
    pub(crate) fn subscriptions(&self) -> Vec<(String, u8)> {
        let subscriptions = self.subscriptions.iter();
        subscriptions
            .map(|(filter, qos)| (filter.clone(), *qos as u8))
            .collect()
    }

    /// Messages that are not sent yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The topic filters alone.
    pub(crate) fn filters(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.keys().map(String::as_str)
    }

    /// Notes a QoS 2 message from the client; `false` when it came before (4.3.3).
    pub(crate) fn receive_once(&mut self, packet_id: u16) -> bool {
        self.received.insert(packet_id)
    }

    pub(crate) fn release_received(&mut self, packet_id: u16) {
        self.received.remove(&packet_id);
    }

    /// Queues a message of QoS 1 or 2.
    ///
    /// # Errors
    /// Gives it back when there is no room for it.
    pub(crate) fn queue(&mut self, publish: Publish) -> Result<(), Publish> {
        if self.waiting.len() >= self.max_waiting || !self.budget.take(&publish) {
            return Err(publish);
        }
        self.waiting.push_back(publish);
        Ok(())
    }

    /// The next queued message that may be sent now, with its packet identifier.
    pub(crate) fn next_to_send(&mut self) -> Option<Publish> {
        if self.in_flight.len() >= MAX_IN_FLIGHT {
            return None;
        }
        let mut publish = self.waiting.pop_front()?;
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

    /// Queues a message that was kept; there was room for it once.
    pub(crate) fn queue_again(&mut self, publish: Publish) {
        self.budget.take_anyway(&publish);
        self.waiting.push_back(publish);
    }

    /// Sends again under `packet_id` what was being sent when the broker ended.
    pub(crate) fn send_again(&mut self, packet_id: u16) {
        if let Some(mut publish) = self.waiting.pop_front() {
            publish.pkid = packet_id;
            self.last_packet_id = packet_id;
            self.in_flight.push_back(InFlight::Sent(publish));
        }
    }

    /// Goes on with PUBREL for a message that the client has.
    pub(crate) fn release_again(&mut self, packet_id: u16) {
        self.in_flight.push_back(InFlight::Released(packet_id));
    }

    /// All that makes this session, as changes of one that has just begun.
    pub(crate) fn describe(&self, client: &Arc<str>, note: &mut impl FnMut(Change)) {
        let client = || Arc::clone(client);
        for (filter, qos) in &self.subscriptions {
            note(Change::Subscribe {
                client: client(),
                filter: filter.clone(),
                qos: *qos as u8,
            });
        }
        for &packet_id in &self.received {
            note(Change::Received {
                client: client(),
                packet_id,
            });
        }
        let queue = |publish: &Publish| Change::Queue {
            topic: publish.topic.clone(),
            payload: publish.payload.clone(),
            retain: publish.retain,
            clients: vec![(client(), publish.qos as u8)],
        };
        for entry in &self.in_flight {
            match entry {
                InFlight::Sent(publish) => {
                    note(queue(publish));
                    note(Change::Sent {
                        client: client(),
                        packet_id: publish.pkid,
                    });
                }
                InFlight::Released(packet_id) => note(Change::Releasing {
                    client: client(),
                    packet_id: *packet_id,
                }),
            }
        }
        for publish in &self.waiting {
            note(queue(publish));
        }
    }

    /// PUBACK: the QoS 1 message is done. One that answers nothing is passed over.
    pub(crate) fn acknowledged(&mut self, packet_id: u16) {
        self.in_flight.retain(|entry| match entry {
            InFlight::Sent(publish)
                if publish.pkid == packet_id && publish.qos == QoS::AtLeastOnce =>
            {
                self.budget.give_back(publish);
                false
            }
            _ => true,
        });
    }

    /// PUBREC: from here on the message itself is not sent again (4.3.3).
    pub(crate) fn received_by_client(&mut self, packet_id: u16) {
        for entry in &mut self.in_flight {
            if let InFlight::Sent(publish) = entry
                && publish.pkid == packet_id
                && publish.qos == QoS::ExactlyOnce
            {
                self.budget.give_back(publish);
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

impl Drop for Session {
    /// What it kept is gone with it.
    fn drop(&mut self) {
        for publish in &self.waiting {
            self.budget.give_back(publish);
        }
        for entry in &self.in_flight {
            if let InFlight::Sent(publish) = entry {
                self.budget.give_back(publish);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> (Session, Rc<Budget>) {
        let budget = Rc::new(Budget::new(usize::MAX));
        (Session::new(&budget, 1000), budget)
    }

    #[test]
    fn what_is_kept_is_counted_until_it_is_done() {
        let budget = Rc::new(Budget::new(1000));
        let mut session = Session::new(&budget, 5);
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            while session.queue(message(qos)).is_ok() {}
        }
        assert_eq!(session.waiting.len(), 5);
        while session.next_to_send().is_some() {}
        // Those in flight still count.
        assert!(
            session.queue(message(QoS::ExactlyOnce)).is_ok()
                && session.queue(message(QoS::ExactlyOnce)).is_ok()
        );
        assert!(
            session.queue(message(QoS::ExactlyOnce)).is_err(),
            "{}",
            budget.used()
        );
        session.acknowledged(1);
        assert!(session.queue(message(QoS::ExactlyOnce)).is_ok());
        while session.next_to_send().is_some() {}
        for packet_id in 1..=8 {
            session.acknowledged(packet_id);
            session.received_by_client(packet_id);
        }
        assert_eq!(budget.used(), 0);
        assert!(session.queue(message(QoS::ExactlyOnce)).is_ok());
        drop(session);
        assert_eq!(budget.used(), 0);
    }

    fn message(qos: QoS) -> Publish {
        Publish::new("t", qos, "x")
    }

    #[test]
    fn packet_identifiers_wrap_skip_those_in_use_and_are_never_zero() {
        let (mut session, _) = session();
        assert!(session.queue(message(QoS::AtLeastOnce)).is_ok());
        assert_eq!(session.next_to_send().map(|publish| publish.pkid), Some(1));
        for _ in 0..70_000 {
            assert!(session.queue(message(QoS::AtLeastOnce)).is_ok());
            let packet_id = session.next_to_send().expect("room in flight").pkid;
            assert!(packet_id > 1);
            session.acknowledged(packet_id);
        }
    }

    #[test]
    fn messages_in_flight_are_limited_and_the_rest_waits() {
        let (mut session, _) = session();
        for _ in 0..500 {
            assert!(session.queue(message(QoS::AtLeastOnce)).is_ok());
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
        let (mut session, _) = session();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce] {
            assert!(session.queue(message(qos)).is_ok());
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
}
