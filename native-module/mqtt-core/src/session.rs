//! What a client remembers from one call to the next, and what acknowledgements change in it.

use crate::packet::{Ack, AckKind};
use crate::{Acks, Incoming, KeepAlive, Outgoing, Receiver};

/// State of one client. Plain integers as long as `T` is, the caller's handle to a message in flight: the zeroed state
/// is a fresh session. The fields are in the order that makes for short instructions: what is used most comes first, what
/// is large last.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Session<T> {
    pub keep_alive: KeepAlive,
    pub receiver: Receiver,
    pub acks: Acks,
    pub outgoing: Outgoing<T>,
    pub incoming: Incoming,
    /// Counts connections, so that a waiting call notices that its packet went out on an older one.
    pub connection: u16,
}

impl<T: Copy + Default> Session<T> {
    /// A new connection begins: forgets what belonged to the last one. What is in flight stays.
    pub fn reconnect(&mut self) {
        self.receiver.reset();
        self.acks.clear();
        self.connection = self.connection.wrapping_add(1);
    }

    /// The broker has accepted the connection. With no session present, what it knew of the last one is forgotten
    /// ([MQTT-3.1.2-6]). What is in `outgoing` then is to be sent again ([MQTT-4.4.0-1]).
    pub fn accepted(&mut self, session_present: bool) {
        if !session_present {
            self.incoming.clear();
            self.outgoing.forget_released();
        }
    }

    /// Notes an acknowledgement, after its [`Ack::reply`] was sent.
    pub fn settle(&mut self, ack: Ack) {
        match ack.kind {
            AckKind::SubAck | AckKind::UnsubAck => self.acks.settle(ack),
            AckKind::PubRel => self.incoming.remove(ack.packet_id),
            _ => self.outgoing.settle(ack),
        }
    }

    /// The packet identifier after `last`: never 0 (section 2.3.1), never one that is in use.
    pub fn next_packet_id(&self, last: u16) -> u16 {
        let mut id = last;
        loop {
            id = id.wrapping_add(1).max(1);
            if !self.acks.in_use(id) && !self.outgoing.contains(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Answer, Awaits, Delivery};

    fn ack(kind: AckKind, packet_id: u16) -> Ack {
        Ack {
            kind,
            packet_id,
            return_code: 0,
        }
    }

    #[test]
    fn packet_identifiers_wrap_skip_zero_and_those_in_use() {
        let mut session = Session::<u8>::default();
        assert_eq!(session.next_packet_id(0), 1);
        assert_eq!(session.next_packet_id(65_535), 1);
        session.acks.expect(AckKind::SubAck, 1);
        session.outgoing.add(Delivery::new(2, 2, false, 0));
        assert_eq!(session.next_packet_id(65_535), 3);
    }

    #[test]
    fn acknowledgements_go_where_they_belong() {
        let mut session = Session::<u8>::default();
        session.acks.expect(AckKind::SubAck, 1);
        session.outgoing.add(Delivery::new(2, 2, false, 0));
        session.incoming.insert(3);
        session.settle(ack(AckKind::SubAck, 1));
        session.settle(ack(AckKind::PubRec, 2));
        session.settle(ack(AckKind::PubRel, 3));
        assert_eq!(session.acks.take(1), Answer::Came(0));
        let awaits = session.outgoing.get(0).map(Delivery::awaits);
        assert_eq!(awaits, Some(Awaits::PubComp));
        assert!(!session.incoming.contains(3));
        assert_eq!(
            ack(AckKind::PubRec, 2).reply(),
            Some([0x62, 2, 0, 2]),
            "figure 4.3"
        );
        assert_eq!(ack(AckKind::PubRel, 3).reply(), Some([0x70, 2, 0, 3]));
        assert_eq!(ack(AckKind::PubAck, 3).reply(), None);
    }

    #[test]
    fn a_session_outlives_a_connection_where_the_broker_says_so() {
        let mut session = Session::<u8>::default();
        session.outgoing.add(Delivery::new(1, 2, false, 0));
        session.outgoing.add(Delivery::new(2, 2, false, 0));
        session.settle(ack(AckKind::PubRec, 1));
        session.incoming.insert(9);
        session.reconnect();
        session.accepted(true);
        assert_eq!(session.outgoing.len(), 2);
        assert!(session.incoming.contains(9));
        session.reconnect();
        session.accepted(false);
        assert_eq!(session.outgoing.len(), 1, "what the broker took is done");
        assert!(!session.incoming.contains(9));
    }
}
