//! Decides which clients a message goes to, without a look at those that do not want it.
//!
//! A filter without wildcards is looked up as the topic itself. For the others the topic is written as each *shape* of
//! filter has it, `a/+/c` where `+` stands on the second level of three, and that is looked up. The filters of many clients
//! differ in names and hardly in shapes, so that a message costs a few look-ups however many subscriptions there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rumqttc::mqttbytes::QoS;

/// The subscriptions of all clients.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// Who has subscribed to a filter, and with which QoS.
    filters: HashMap<Box<str>, BTreeMap<Arc<str>, QoS>>,
    /// How many filters there are of each shape that has a wildcard.
    shapes: BTreeMap<Shape, usize>,
}

/// Where a filter has its wildcards.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    /// Levels of the filter, the one of `#` not among them.
    levels: usize,
    /// It ends with `#`.
    any_below: bool,
    /// The levels that are `+`, counted from 0, in order. A filter has less than 65,536 bytes (1.5.3), so its levels fit.
    any: Box<[u16]>,
}

impl Subscriptions {
    /// Notes a subscription to a valid filter, or its new QoS.
    pub(crate) fn add(&mut self, client_id: &Arc<str>, filter: &str, qos: QoS) {
        if let Some(subscribers) = self.filters.get_mut(filter) {
            subscribers.insert(Arc::clone(client_id), qos);
            return;
        }
        let subscribers = BTreeMap::from([(Arc::clone(client_id), qos)]);
        self.filters.insert(filter.into(), subscribers);
        if let Some(shape) = Shape::of(filter) {
            *self.shapes.entry(shape).or_default() += 1;
        }
    }

    /// Forgets a subscription, if there is one.
    pub(crate) fn remove(&mut self, client_id: &str, filter: &str) {
        let Some(subscribers) = self.filters.get_mut(filter) else {
            return;
        };
        subscribers.remove(client_id);
        if !subscribers.is_empty() {
            return;
        }
        self.filters.remove(filter);
        if let Some(shape) = Shape::of(filter)
            && let Some(count) = self.shapes.get_mut(&shape)
        {
            *count -= 1;
            if *count == 0 {
                self.shapes.remove(&shape);
            }
        }
    }

    /// The clients that want a valid `topic`, by name, each once with the highest QoS of its filters that match, so that a
    /// message goes out once however many do (3.3.5).
    pub(crate) fn wanting(&self, topic: &str) -> Vec<(Arc<str>, QoS)> {
        let mut matching = Vec::new();
        matching.extend(self.filters.get(topic));
        let levels = topic.split('/').count();
        let mut filter = String::new();
        for shape in self.shapes.keys() {
            if shape.write(topic, levels, &mut filter) {
                matching.extend(self.filters.get(filter.as_str()));
            }
        }
        let all = |subscribers: &BTreeMap<Arc<str>, QoS>| {
            let subscribers = subscribers.iter();
            subscribers
                .map(|(client_id, qos)| (Arc::clone(client_id), *qos))
                .collect()
        };
        match matching[..] {
            [] => Vec::new(),
            // A client is there once.
            [only] => all(only),
            _ => {
                let mut highest = BTreeMap::new();
                for (client_id, qos) in matching.into_iter().flatten() {
                    let granted = highest.entry(Arc::clone(client_id)).or_insert(*qos);
                    if *granted < *qos {
                        *granted = *qos;
                    }
                }
                all(&highest)
            }
        }
    }
}

impl Shape {
    /// The shape of a valid filter; none where it has no wildcard.
    fn of(filter: &str) -> Option<Self> {
        let any_below = filter == "#" || filter.ends_with("/#");
        let levels = filter.split('/').count() - usize::from(any_below);
        let any: Box<[u16]> = filter
            .split('/')
            .enumerate()
            .filter(|(_, level)| *level == "+")
            .filter_map(|(at, _)| u16::try_from(at).ok())
            .collect();
        (any_below || !any.is_empty()).then_some(Self {
            levels,
            any_below,
            any,
        })
    }

    /// Writes the filter of this shape that matches a topic of so many levels; `false` where none does.
    fn write(&self, topic: &str, levels: usize, filter: &mut String) -> bool {
        // "sport/#" matches "sport" too (4.7.1.2).
        let fits = match self.any_below {
            true => self.levels <= levels,
            false => self.levels == levels,
        };
        // A filter that starts with a wildcard matches no topic that starts with `$` (4.7.2).
        let begins_with_any = self.levels == 0 || self.any.first() == Some(&0);
        if !fits || begins_with_any && topic.starts_with('$') {
            return false;
        }
        filter.clear();
        let mut any = self.any.iter().map(|at| usize::from(*at)).peekable();
        for (at, level) in topic.split('/').take(self.levels).enumerate() {
            if at > 0 {
                filter.push('/');
            }
            filter.push_str(match any.next_if_eq(&at) {
                Some(_) => "+",
                None => level,
            });
        }
        if self.any_below {
            filter.push_str(if self.levels == 0 { "#" } else { "/#" });
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic;

    fn found(subscriptions: &Subscriptions, topic: &str) -> Vec<(String, u8)> {
        let found = subscriptions.wanting(topic).into_iter();
        found
            .map(|(name, qos)| (name.to_string(), qos as u8))
            .collect()
    }

    /// All texts of up to three levels, each of these.
    fn texts(levels: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
        let mut longest = all.clone();
        for _ in 0..2 {
            longest = longest
                .iter()
                .flat_map(|text| levels.iter().map(move |level| format!("{text}/{level}")))
                .collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    #[test]
    fn those_are_found_whose_filters_match() {
        let mut filters = texts(&["", "a", "ñ", "$x", "+", "#"]);
        filters.retain(|filter| topic::is_valid_filter(filter));
        let mut topics = texts(&["", "a", "ñ", "$x"]);
        topics.retain(|topic| topic::is_valid_topic(topic));
        assert!(filters.len() > 150 && topics.len() > 80);
        let mut subscriptions = Subscriptions::default();
        // Each filter has a client of its own, then every other one goes again.
        for filter in &filters {
            subscriptions.add(&Arc::from(filter.as_str()), filter, QoS::AtMostOnce);
        }
        for round in 0..2 {
            for topic in &topics {
                let mut expected: Vec<_> = filters
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| round == 0 || at % 2 == 1)
                    .filter(|(_, filter)| topic::matches(filter, topic))
                    .map(|(_, filter)| (filter.clone(), 0))
                    .collect();
                expected.sort();
                assert_eq!(found(&subscriptions, topic), expected, "{topic}");
            }
            for filter in filters.iter().step_by(2) {
                subscriptions.remove(filter, filter);
                subscriptions.remove(filter, "a/never/there");
            }
        }
        for filter in &filters {
            subscriptions.remove(filter, filter);
        }
        assert!(subscriptions.filters.is_empty() && subscriptions.shapes.is_empty());
    }

    #[test]
    fn overlapping_filters_give_the_highest_qos_once() {
        let mut subscriptions = Subscriptions::default();
        let (one, other) = (Arc::from("one"), Arc::from("other"));
        subscriptions.add(&one, "a/#", QoS::AtMostOnce);
        subscriptions.add(&one, "a/+", QoS::ExactlyOnce);
        subscriptions.add(&one, "a/b", QoS::AtLeastOnce);
        subscriptions.add(&other, "a/b", QoS::AtMostOnce);
        let both = [("one".to_owned(), 2), ("other".to_owned(), 0)];
        assert_eq!(found(&subscriptions, "a/b"), both);
        assert_eq!(found(&subscriptions, "a/b/c"), [("one".to_owned(), 0)]);
        assert_eq!(found(&subscriptions, "b"), []);
        // A filter that is subscribed to again has the new QoS (3.8.4).
        subscriptions.add(&one, "a/+", QoS::AtMostOnce);
        subscriptions.add(&other, "a/b", QoS::ExactlyOnce);
        let both = [("one".to_owned(), 1), ("other".to_owned(), 2)];
        assert_eq!(found(&subscriptions, "a/b"), both);
    }

    #[test]
    fn a_class_of_clients_has_few_shapes() {
        let mut subscriptions = Subscriptions::default();
        for number in 0..1000 {
            let client_id = Arc::from(format!("board{number}"));
            for filter in ["temperature", "+/led", "#"] {
                let filter = format!("class/board{number}/{filter}");
                subscriptions.add(&client_id, &filter, QoS::AtMostOnce);
            }
        }
        // What a message is looked up by: its topic and these two.
        assert_eq!(subscriptions.shapes.len(), 2);
        let one = [("board7".to_owned(), 0)];
        assert_eq!(found(&subscriptions, "class/board7/a/led"), one);
        assert_eq!(found(&subscriptions, "class/board"), []);
    }

    #[test]
    fn the_deepest_filter_there_can_be_is_found() {
        let mut subscriptions = Subscriptions::default();
        let client_id = Arc::from("deep");
        // 32,767 levels in 65,533 bytes.
        let filter = vec!["+"; 32_767].join("/");
        let topic = vec!["a"; 32_767].join("/");
        subscriptions.add(&client_id, &filter, QoS::AtMostOnce);
        assert_eq!(found(&subscriptions, &topic), [("deep".to_owned(), 0)]);
        // 65,535 levels, the last of which is `+`.
        let filter = format!("{}+", "/".repeat(65_534));
        subscriptions.add(&client_id, &filter, QoS::ExactlyOnce);
        let topic = "/".repeat(65_534);
        assert_eq!(found(&subscriptions, &topic), [("deep".to_owned(), 2)]);
    }
}
