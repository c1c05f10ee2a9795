//! Which answers to SUBSCRIBE and UNSUBSCRIBE are awaited, by packet identifier, and which have come.

use crate::packet::{Ack, AckKind};

/// The state of one awaited answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pending,
    /// It came; for a SUBACK with its return code, else 0. The entry is free again.
    Came(u8),
    /// Nobody knows this packet identifier: the table was cleared, or it held more calls than fit.
    Forgotten,
}

/// How many requests can wait at once: calls nest when a callback subscribes.
const SLOTS: usize = 8;

const CAME: u8 = 0x80;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    packet_id: u16,
    /// 0 free, else the kind's number, with [`CAME`] once the answer is here.
    state: u8,
    return_code: u8,
}

/// The awaited answers of one client.
///
/// A call that is abandoned (an exception went through it) leaves its entry behind; the oldest entries
/// give way to new ones, and [`Acks::clear`] forgets all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acks {
    slots: [Slot; SLOTS],
    next: u8,
}

impl Acks {
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// True if some call waits with this packet identifier, so that it must not be used again yet.
    pub fn in_use(&self, packet_id: u16) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.state != 0 && slot.packet_id == packet_id)
    }

    /// Notes that an answer is awaited. Takes a free entry, or the oldest one if none is free.
    pub fn expect(&mut self, kind: AckKind, packet_id: u16) {
        let oldest = usize::from(self.next) % SLOTS;
        let free = self.slots.iter().position(|slot| slot.state == 0);
        let index = free.unwrap_or(oldest);
        self.next = (index as u8 + 1) % SLOTS as u8;
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot {
                packet_id,
                state: kind as u8,
                return_code: 0,
            };
        }
    }

    /// Notes that an answer came. One that nobody waits for is ignored.
    pub fn settle(&mut self, ack: Ack) {
        for slot in &mut self.slots {
            if slot.state == ack.kind as u8 && slot.packet_id == ack.packet_id {
                slot.state |= CAME;
                slot.return_code = ack.return_code;
            }
        }
    }

    /// Asks for the state of one awaited answer, and frees its entry if it came.
    pub fn take(&mut self, packet_id: u16) -> Answer {
        for slot in &mut self.slots {
            if slot.state != 0 && slot.packet_id == packet_id {
                if slot.state & CAME == 0 {
                    return Answer::Pending;
                }
                slot.state = 0;
                return Answer::Came(slot.return_code);
            }
        }
        Answer::Forgotten
    }

    /// Gives up waiting for an answer.
    pub fn forget(&mut self, packet_id: u16) {
        for slot in &mut self.slots {
            if slot.packet_id == packet_id {
                slot.state = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(kind: AckKind, packet_id: u16, return_code: u8) -> Ack {
        Ack {
            kind,
            packet_id,
            return_code,
        }
    }

    #[test]
    fn answers_are_matched_by_kind_and_identifier() {
        let mut acks = Acks::default();
        acks.expect(AckKind::UnsubAck, 7);
        acks.expect(AckKind::SubAck, 8);
        acks.settle(ack(AckKind::SubAck, 7, 0));
        assert_eq!(
            acks.take(7),
            Answer::Pending,
            "a SUBACK does not settle an UNSUBSCRIBE"
        );
        acks.settle(ack(AckKind::SubAck, 8, 0x80));
        assert_eq!(acks.take(8), Answer::Came(0x80));
        assert_eq!(acks.take(8), Answer::Forgotten);
        assert!(acks.in_use(7) && !acks.in_use(8));
        acks.forget(7);
        assert!(!acks.in_use(7));
    }

    #[test]
    fn abandoned_entries_give_way_and_never_block() {
        let mut acks = Acks::default();
        for id in 1..=1000 {
            acks.expect(AckKind::SubAck, id);
            assert_eq!(acks.take(id), Answer::Pending);
        }
        assert_eq!(acks.take(1000 - SLOTS as u16), Answer::Forgotten);
        acks.clear();
        assert_eq!(acks.take(1000), Answer::Forgotten);
    }
}
