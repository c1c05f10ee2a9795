//! Decides what SUBSCRIBE and UNSUBSCRIBE do, and keeps each session's subscriptions and those of all the same.

use std::ops::Bound;
use std::sync::Arc;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    Packet, SubAck, Subscribe, SubscribeReasonCode, UnsubAck, Unsubscribe,
};

use super::Hub;
use crate::monitor::MONITOR_TOPIC;
use crate::store::Change;
use crate::tap::CloseReason;
use crate::topic;

impl Hub {
    /// Notes a subscription in the client's session and among all.
    pub(super) fn add_subscription(&mut self, client_id: &Arc<str>, filter: String, qos: QoS) {
        self.subscriptions.add(client_id, &filter, qos);
        self.session(client_id).subscribe(filter, qos);
    }

    /// Forgets a subscription.
    pub(super) fn drop_subscription(&mut self, client_id: &Arc<str>, filter: &str) {
        self.subscriptions.remove(client_id, filter);
        self.session(client_id).unsubscribe(filter);
    }

    /// Forgets a session with its subscriptions.
    pub(super) fn end_session(&mut self, client_id: &Arc<str>) {
        if let Some(client) = self.clients.remove(client_id) {
            for filter in client.session.filters() {
                self.subscriptions.remove(client_id, filter);
            }
        }
    }

    pub(super) fn subscribe(
        &mut self,
        id: u64,
        client_id: &Arc<str>,
        subscribe: Subscribe,
    ) -> Result<(), CloseReason> {
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        let mut granted = Vec::new();
        let mut monitor = false;
        for filter in subscribe.filters {
            if filter.path == MONITOR_TOPIC {
                let may = self.may_monitor(id);
                monitor |= may;
                codes.push(match may {
                    true => SubscribeReasonCode::Success(QoS::AtMostOnce),
                    false => SubscribeReasonCode::Failure,
                });
            } else if topic::is_valid_filter(&filter.path) {
                codes.push(SubscribeReasonCode::Success(filter.qos));
                self.add_subscription(client_id, filter.path.clone(), filter.qos);
                self.note(client_id, |client| Change::Subscribe {
                    client,
                    filter: filter.path.clone(),
                    qos: filter.qos as u8,
                });
                granted.push(filter);
            } else {
                codes.push(SubscribeReasonCode::Failure);
            }
        }
        self.send(id, &Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
        if monitor {
            self.begin_to_monitor(id);
        }
        // Retained messages follow each SUBSCRIBE, also one that repeats a filter (3.8.4).
        for filter in granted {
            let beginning = topic::beginning(&filter.path);
            let matching = self
                .retained
                .range::<str, _>((Bound::Included(beginning), Bound::Unbounded))
                .take_while(|(topic, _)| topic.starts_with(beginning))
                .filter(|(topic, _)| topic::matches(&filter.path, topic));
            let matching: Vec<_> = matching.map(|(_, kept)| kept.clone()).collect();
            for kept in matching {
                self.deliver(kept, &[(Arc::clone(client_id), filter.qos)]);
            }
        }
        Ok(())
    }

    pub(super) fn unsubscribe(
        &mut self,
        id: u64,
        client_id: &Arc<str>,
        unsubscribe: Unsubscribe,
    ) -> Result<(), CloseReason> {
        for filter in &unsubscribe.topics {
            self.drop_subscription(client_id, filter);
            self.note(client_id, |client| Change::Unsubscribe {
                client,
                filter: filter.clone(),
            });
        }
        // One UNSUBACK, also when no filter was subscribed to (3.10.4).
        self.send(id, &Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid)));
        Ok(())
    }
}
