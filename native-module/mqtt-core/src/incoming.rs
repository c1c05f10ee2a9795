//! Which messages of QoS 2 were received and not released yet, so that each is handed over exactly once
//! (section 4.3.3).

use crate::Error;

/// How many messages of QoS 2 a broker may have unreleased at once.
pub const QOS2_MAX: usize = 64;

/// The packet identifiers that await their PUBREL. Plain integers: the zeroed state is an empty set.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    ids: [u16; QOS2_MAX],
}

impl Default for Incoming {
    fn default() -> Self {
        Incoming { ids: [0; QOS2_MAX] }
    }
}

impl Incoming {
    /// True if the message with this packet identifier was received already.
    pub fn contains(&self, packet_id: u16) -> bool {
        self.ids.contains(&packet_id)
    }

    /// Whether a message with this packet identifier is a new one, and there is a place to note it.
    pub fn is_new(&self, packet_id: u16) -> Result<bool, Error> {
        if self.contains(packet_id) {
            Ok(false)
        } else if self.contains(0) {
            Ok(true)
        } else {
            Err(Error::TooManyQos2)
        }
    }

    /// Notes a packet identifier, which is never 0, where there is a place.
    pub fn insert(&mut self, packet_id: u16) {
        self.replace(0, packet_id);
    }

    /// The broker has released it; a packet identifier that is not here changes nothing.
    pub fn remove(&mut self, packet_id: u16) {
        self.replace(packet_id, 0);
    }

    fn replace(&mut self, old: u16, new: u16) {
        if let Some(place) = self.ids.iter_mut().find(|id| **id == old) {
            *place = new;
        }
    }

    /// The broker's session is a new one.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_new_until_it_is_noted_and_again_after_its_release() {
        let mut incoming = Incoming::default();
        for round in 0..3 {
            for id in 1..=QOS2_MAX as u16 {
                assert_eq!(incoming.is_new(id), Ok(true), "round {round}");
                incoming.insert(id);
                assert_eq!(incoming.is_new(id), Ok(false));
            }
            assert_eq!(incoming.is_new(60_000), Err(Error::TooManyQos2));
            incoming.remove(60_000);
            for id in 1..=QOS2_MAX as u16 {
                incoming.remove(id);
            }
        }
        incoming.insert(7);
        incoming.clear();
        assert!(!incoming.contains(7));
    }
}
