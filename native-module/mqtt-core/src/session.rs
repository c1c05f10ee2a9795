//! What a client remembers from one call to the next.

use crate::{Acks, Receiver};

/// State of one client. Plain integers: the zeroed state is a fresh session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Session {
    pub receiver: Receiver,
    pub acks: Acks,
    /// Counts connections, so that a waiting call notices that its packet went out on an older one.
    pub connection: u16,
    /// A SUBACK or UNSUBACK came that nobody waited for; 0 or 1.
    pub stray_ack: u16,
}

impl Session {
    /// Forgets what belonged to the last connection.
    pub fn reconnect(&mut self) {
        self.receiver.reset();
        self.acks.clear();
        self.stray_ack = 0;
        self.connection = self.connection.wrapping_add(1);
    }

    /// The packet identifier after `last`: never 0 (section 2.3.1), never one that is awaited.
    pub fn next_packet_id(&self, last: u16) -> u16 {
        let mut id = last;
        loop {
            id = id.wrapping_add(1).max(1);
            if !self.acks.in_use(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AckKind;

    #[test]
    fn packet_identifiers_wrap_skip_zero_and_those_in_use() {
        let mut session = Session::default();
        assert_eq!(session.next_packet_id(0), 1);
        assert_eq!(session.next_packet_id(65_535), 1);
        session.acks.expect(AckKind::PubAck, 1);
        session.acks.expect(AckKind::PubAck, 2);
        assert_eq!(session.next_packet_id(65_535), 3);
    }
}
