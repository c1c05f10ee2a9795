//! Which acknowledgements are awaited, by packet identifier, and which have come.

/// What is awaited (sections 3.4, 3.9 and 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckKind {
    PubAck,
    SubAck,
    UnsubAck,
}

/// The state of one awaited acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pending,
    /// It came; for a SUBACK with its return code, else 0. The entry is free again.
    Came(u8),
    /// Nobody knows this packet identifier: the table was cleared, or it held more calls than fit.
    Forgotten,
}

/// How many calls can wait at once: calls nest when a callback publishes or subscribes.
const SLOTS: usize = 8;

const CAME: u8 = 0x80;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    packet_id: u16,
    /// 0 free, else [`code_of`] a kind, with [`CAME`] once the acknowledgement is here.
    state: u8,
    return_code: u8,
}

/// The awaited acknowledgements of one client.
///
/// A call that is abandoned (an exception went through it) leaves its entry behind; the oldest entries
/// give way to new ones, and [`Acks::clear`] forgets all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acks {
    slots: [Slot; SLOTS],
    next: u8,
}

const fn code_of(kind: AckKind) -> u8 {
    match kind {
        AckKind::PubAck => 1,
        AckKind::SubAck => 2,
        AckKind::UnsubAck => 3,
    }
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

    /// Notes that an acknowledgement is awaited. Takes a free entry, or the oldest one if none is free.
    pub fn expect(&mut self, kind: AckKind, packet_id: u16) {
        let oldest = usize::from(self.next) % SLOTS;
        let free = self.slots.iter().position(|slot| slot.state == 0);
        let index = free.unwrap_or(oldest);
        self.next = (index as u8 + 1) % SLOTS as u8;
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot {
                packet_id,
                state: code_of(kind),
                return_code: 0,
            };
        }
    }

    /// Notes that an acknowledgement came. False if nobody waits for it.
    pub fn settle(&mut self, kind: AckKind, packet_id: u16, return_code: u8) -> bool {
        let awaited = self
            .slots
            .iter_mut()
            .find(|s| s.state == code_of(kind) && s.packet_id == packet_id);
        match awaited {
            Some(slot) => {
                slot.state |= CAME;
                slot.return_code = return_code;
                true
            }
            None => false,
        }
    }

    /// Asks for the state of one awaited acknowledgement, and frees its entry if it came.
    pub fn take(&mut self, kind: AckKind, packet_id: u16) -> Answer {
        for slot in &mut self.slots {
            if slot.packet_id == packet_id && slot.state & !CAME == code_of(kind) {
                if slot.state & CAME == 0 {
                    return Answer::Pending;
                }
                slot.state = 0;
                return Answer::Came(slot.return_code);
            }
        }
        Answer::Forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_matched_by_kind_and_identifier() {
        let mut acks = Acks::default();
        acks.expect(AckKind::PubAck, 7);
        acks.expect(AckKind::SubAck, 8);
        assert!(
            !acks.settle(AckKind::SubAck, 7, 0),
            "a SUBACK does not settle a PUBLISH"
        );
        assert!(acks.settle(AckKind::SubAck, 8, 0x80));
        assert_eq!(acks.take(AckKind::PubAck, 7), Answer::Pending);
        assert_eq!(acks.take(AckKind::SubAck, 8), Answer::Came(0x80));
        assert_eq!(acks.take(AckKind::SubAck, 8), Answer::Forgotten);
        assert!(acks.in_use(7) && !acks.in_use(8));
    }

    #[test]
    fn abandoned_entries_give_way_and_never_block() {
        let mut acks = Acks::default();
        for id in 1..=1000 {
            acks.expect(AckKind::PubAck, id);
            assert_eq!(acks.take(AckKind::PubAck, id), Answer::Pending);
        }
        assert_eq!(
            acks.take(AckKind::PubAck, 1000 - SLOTS as u16),
            Answer::Forgotten
        );
        acks.clear();
        assert_eq!(acks.take(AckKind::PubAck, 1000), Answer::Forgotten);
    }
}
