//! Decides what of the hub's state outlives the broker: the retained messages, and the sessions of clients that asked for
//! one that outlives the connection.

use std::rc::Rc;
use std::sync::Arc;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Publish;
use tokio::sync::Notify;

use super::{Client, Hub};
use crate::store::{Change, Store, StoreError};

/// The log, where there is one.
#[derive(Default)]
pub(super) struct Keeping {
    store: Option<Store>,
    failure: Option<StoreError>,
    failed: Rc<Notify>,
}

impl Keeping {
    pub(super) fn begin(&mut self, store: Store) {
        self.store = Some(store);
    }

    pub(super) fn is_on(&self) -> bool {
        self.store.is_some()
    }

    /// Notes a change, if anything is kept.
    pub(super) fn note(&mut self, change: impl FnOnce() -> Change) {
        if let Some(store) = &mut self.store {
            store.note(change());
        }
    }
}

impl Hub {
    /// Notes what changed for a client whose session is kept.
    pub(super) fn note(&mut self, client_id: &Arc<str>, change: impl FnOnce(Arc<str>) -> Change) {
        if self.keeping.is_on()
            && self
                .clients
                .get(client_id)
                .is_some_and(|client| client.persistent)
        {
            self.keeping.note(|| change(Arc::clone(client_id)));
        }
    }

    /// Writes what was noted. Where that fails nothing more is said to anybody, and the broker ends: it must not
    /// acknowledge what it cannot keep.
    pub(super) fn commit(&mut self) {
        let Some(store) = &mut self.keeping.store else {
            return;
        };
        match store.commit() {
            Ok(()) if store.is_overgrown() => self.write_anew(),
            Ok(()) => {}
            Err(error) => self.give_up(error),
        }
    }

    fn give_up(&mut self, error: StoreError) {
        for connection in self.connections.values() {
            connection.link.silence();
        }
        self.keeping.failure.get_or_insert(error);
        self.keeping.failed.notify_one();
    }

    /// Tells when the broker has to end.
    pub(crate) fn failed(&self) -> Rc<Notify> {
        Rc::clone(&self.keeping.failed)
    }

    /// Why it had to.
    pub(crate) fn failure(&mut self) -> Option<StoreError> {
        self.keeping.failure.take()
    }

    /// Whether nothing may be said any more.
    pub(super) fn is_failed(&self) -> bool {
        self.keeping.failure.is_some()
    }

    /// The file to force to the disk, where something new is in it.
    pub(crate) fn take_unsynced(&mut self) -> Option<std::fs::File> {
        self.keeping.store.as_mut()?.take_unsynced()
    }

    /// Writes a log of the state as it is in the place of the long one.
    pub(super) fn write_anew(&mut self) {
        let Some(mut store) = self.keeping.store.take() else {
            return;
        };
        let mut changes = Vec::new();
        for publish in self.retained.values() {
            changes.push(super::retained_change(publish));
        }
        // In the order in which they left, which decides who is forgotten first.
        let mut clients: Vec<_> = self
            .clients
            .iter()
            .filter(|(_, client)| client.persistent)
            .collect();
        clients.sort_by_key(|(_, client)| client.left);
        for (client_id, client) in clients {
            changes.push(Change::Begin {
                client: Arc::clone(client_id),
                owner: client.owner.clone(),
            });
            client
                .session
                .describe(client_id, &mut |change| changes.push(change));
        }
        let written = store.replace(&changes);
        self.keeping.store = Some(store);
        if let Err(error) = written {
            self.give_up(error);
        }
    }

    /// Makes the state that these changes lead to. All clients are away.
    pub(super) fn restore(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.change(change);
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Retain {
                topic,
                qos,
                payload,
            } => {
                let mut publish = Publish::from_bytes(topic, as_qos(qos), payload);
                publish.retain = true;
                if let Some(old) = self.retained.remove(&publish.topic) {
                    self.kept.give_back(&old);
                }
                if !publish.payload.is_empty() {
                    self.kept.take_anyway(&publish);
                    self.retained.insert(publish.topic.clone(), publish);
                }
            }
            Change::Begin { client, owner } => {
                self.departures_so_far += 1;
                let left = self.departures_so_far;
                let client = self
                    .clients
                    .entry(client)
                    .or_insert_with(|| Client::new(&self.kept, self.limits.waiting));
                (client.owner, client.persistent, client.left) = (owner, true, left);
            }
            Change::Forget { client } => self.end_session(&client),
            Change::Subscribe {
                client,
                filter,
                qos,
            } => self.add_subscription(&client, filter, as_qos(qos)),
            Change::Unsubscribe { client, filter } => self.drop_subscription(&client, &filter),
            Change::Queue {
                topic,
                payload,
                retain,
                clients,
            } => {
                for (client, qos) in clients {
                    let mut publish =
                        Publish::from_bytes(topic.clone(), as_qos(qos), payload.clone());
                    publish.retain = retain;
                    self.session(&client).queue_again(publish);
                }
            }
            Change::Sent { client, packet_id } => self.session(&client).send_again(packet_id),
            Change::Acknowledged { client, packet_id } => {
                self.session(&client).acknowledged(packet_id);
            }
            Change::ReceivedByClient { client, packet_id } => {
                self.session(&client).received_by_client(packet_id);
            }
            Change::Completed { client, packet_id } => self.session(&client).completed(packet_id),
            Change::Releasing { client, packet_id } => {
                self.session(&client).release_again(packet_id);
            }
            Change::Received { client, packet_id } => {
                self.session(&client).receive_once(packet_id);
            }
            Change::Released { client, packet_id } => {
                self.session(&client).release_received(packet_id);
            }
        }
    }
}

/// The log holds what `QoS as u8` gave.
fn as_qos(number: u8) -> QoS {
    match number {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}
