//! Which published messages of QoS 1 and 2 the broker has not taken over yet, in the order of publishing
//! (sections 4.3.2, 4.3.3 and 4.4).

use core::cell::Cell;

use crate::packet::{Ack, AckKind};

/// How many messages of QoS 1 and 2 can be in flight at once.
pub const WINDOW: usize = 16;

/// What a message in flight awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// QoS 1: its PUBACK.
    PubAck,
    /// QoS 2: its PUBREC.
    PubRec,
    /// QoS 2, taken by the broker: the PUBCOMP that answers our PUBREL.
    PubComp,
}

/// A message in flight. `T` is the caller's handle to topic and payload.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery<T> {
    pub packet_id: u16,
    /// The number of the acknowledgement that is awaited, as in [`AckKind`].
    awaits: u8,
    retain: u8,
    pub message: T,
}

impl<T: Copy> Delivery<T> {
    /// A message about to be published at QoS 1 or 2.
    pub fn new(packet_id: u16, qos: u8, retain: bool, message: T) -> Self {
        let awaits = if qos == 1 {
            AckKind::PubAck
        } else {
            AckKind::PubRec
        };
        Delivery {
            packet_id,
            awaits: awaits as u8,
            retain: u8::from(retain),
            message,
        }
    }

    /// What the message awaits.
    pub fn awaits(&self) -> Awaits {
        if self.awaits == AckKind::PubAck as u8 {
            Awaits::PubAck
        } else if self.awaits == AckKind::PubRec as u8 {
            Awaits::PubRec
        } else {
            Awaits::PubComp
        }
    }

    pub fn retain(&self) -> bool {
        self.retain != 0
    }
}

/// The messages in flight of one client. Plain integers as long as `T` is: the zeroed state is an empty table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing<T> {
    len: u8,
    slots: [Delivery<T>; WINDOW],
}

impl<T: Copy + Default> Outgoing<T> {
    /// How many are in flight.
    pub fn len(&self) -> usize {
        usize::from(self.len).min(WINDOW)
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The messages in flight, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Delivery<T>> {
        self.slots.iter().take(self.len())
    }

    /// The message at this place, 0 being the oldest.
    pub fn get(&self, index: usize) -> Option<&Delivery<T>> {
        self.iter().nth(index)
    }

    fn position(&self, packet_id: u16) -> Option<usize> {
        self.iter().position(|one| one.packet_id == packet_id)
    }

    /// True if a message with this packet identifier is in flight.
    pub fn contains(&self, packet_id: u16) -> bool {
        self.position(packet_id).is_some()
    }

    /// Adds the newest message. False if the table is full.
    pub fn add(&mut self, delivery: Delivery<T>) -> bool {
        let len = self.len();
        match self.slots.get_mut(len) {
            Some(slot) => {
                *slot = delivery;
                self.len = len as u8 + 1;
                true
            }
            None => false,
        }
    }

    /// Takes a message out, whatever it awaits. The caller's handle is not kept.
    pub fn forget(&mut self, packet_id: u16) {
        if let Some(index) = self.position(packet_id) {
            self.remove(index);
        }
    }

    fn remove(&mut self, index: usize) {
        let len = self.len();
        if let Some(tail) = self.slots.get_mut(index..len) {
            let cells = Cell::from_mut(tail).as_slice_of_cells();
            for pair in cells.windows(2) {
                if let [earlier, later] = pair {
                    earlier.set(later.get());
                }
            }
            if let Some(last) = cells.last() {
                last.set(Delivery::default());
            }
            self.len = len as u8 - 1;
        }
    }

    /// Notes an acknowledgement. One that no message awaits changes nothing, except that a PUBREC is always
    /// answered (by [`Ack::reply`]).
    pub fn settle(&mut self, ack: Ack) {
        let Some(index) = self.position(ack.packet_id) else {
            return;
        };
        let Some(delivery) = self.slots.get_mut(index) else {
            return;
        };
        if delivery.awaits != ack.kind as u8 {
            return;
        }
        if ack.kind == AckKind::PubRec {
            // The broker has the message; the caller need not keep it.
            delivery.awaits = AckKind::PubComp as u8;
            delivery.message = T::default();
        } else {
            self.remove(index);
        }
    }

    /// Forgets the messages that the broker has taken over: its session is a new one and knows nothing of them
    /// ([MQTT-3.1.2-6]).
    pub fn forget_released(&mut self) {
        let mut index = 0;
        while let Some(delivery) = self.get(index) {
            if delivery.awaits() == Awaits::PubComp {
                self.remove(index);
            } else {
                index += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn ack(kind: AckKind, packet_id: u16) -> Ack {
        Ack {
            kind,
            packet_id,
            return_code: 0,
        }
    }

    fn ids(outgoing: &Outgoing<u32>) -> Vec<u16> {
        outgoing.iter().map(|one| one.packet_id).collect()
    }

    #[test]
    fn qos_1_leaves_at_its_puback() {
        let mut outgoing = Outgoing::default();
        assert!(outgoing.add(Delivery::new(1, 1, false, 10)));
        assert!(outgoing.add(Delivery::new(2, 1, true, 20)));
        outgoing.settle(ack(AckKind::PubRec, 1));
        outgoing.settle(ack(AckKind::PubComp, 1));
        outgoing.settle(ack(AckKind::PubAck, 3));
        assert_eq!(
            ids(&outgoing),
            [1, 2],
            "other acknowledgements change nothing"
        );
        outgoing.settle(ack(AckKind::PubAck, 1));
        assert_eq!(ids(&outgoing), [2]);
        assert!(outgoing.get(0).is_some_and(|one| one.retain()));
    }

    #[test]
    fn qos_2_goes_through_the_states_of_figure_4_3() {
        let mut outgoing = Outgoing::default();
        outgoing.add(Delivery::new(5, 2, false, 50));
        outgoing.settle(ack(AckKind::PubComp, 5));
        assert_eq!(
            outgoing.get(0).map(Delivery::awaits),
            Some(Awaits::PubRec),
            "a PUBCOMP before its time changes nothing"
        );
        outgoing.settle(ack(AckKind::PubRec, 5));
        let released = outgoing.get(0).copied().unwrap();
        assert_eq!(released.awaits(), Awaits::PubComp);
        assert_eq!(released.message, 0, "the message is let go of");
        outgoing.settle(ack(AckKind::PubRec, 5));
        assert_eq!(ids(&outgoing), [5], "a second PUBREC is answered, no more");
        outgoing.settle(ack(AckKind::PubComp, 5));
        assert!(outgoing.is_empty());
    }

    #[test]
    fn the_order_of_publishing_is_kept() {
        let mut outgoing = Outgoing::default();
        for id in 1..=WINDOW as u16 {
            assert!(outgoing.add(Delivery::new(id, 1 + (id % 2) as u8, false, u32::from(id))));
        }
        assert!(!outgoing.add(Delivery::new(99, 1, false, 0)), "full");
        for id in [3, 16, 1, 8] {
            outgoing.forget(id);
        }
        outgoing.settle(ack(AckKind::PubRec, 5));
        let expected = [2, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15];
        assert_eq!(ids(&outgoing), expected);
        for one in outgoing.iter() {
            let message = if one.packet_id == 5 { 0 } else { one.packet_id };
            assert_eq!(one.message, u32::from(message));
        }
        outgoing.forget_released();
        assert_eq!(ids(&outgoing), [2, 4, 6, 7, 9, 10, 11, 12, 13, 14, 15]);
    }
}
