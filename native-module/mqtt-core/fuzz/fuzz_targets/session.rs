//! A client's whole session under any sequence of its own calls, packets of a broker that means well or does not, lost
//! connections and passing time, in any pieces: what happens is the same however the bytes are cut, and after every
//! step the session is what a plain model of sections 4.3 and 4.4 says.
#![no_main]

mod stream;

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use mqtt_core::{
    AckKind, Answer, Awaits, Delivery, Due, Error, PacketType, QOS2_MAX, Session, WINDOW,
};

use stream::{Event, Storage, Stream};

/// Packet identifiers are few, so that they meet.
#[derive(Arbitrary, Clone, Debug)]
enum Step<'a> {
    /// Publishes at QoS 1 or 2.
    Publish { exactly_once: bool, retain: bool },
    /// Gives up a message in flight.
    Forget { id: u8 },
    /// Asks for a subscription, or the end of one.
    Request { subscribe: bool },
    /// Looks for the answer to a request.
    Take { id: u8 },
    /// The broker acknowledges or releases.
    Ack { kind: u8, id: u8, return_code: u8 },
    /// The broker sends a message.
    Message {
        qos: u8,
        id: u8,
        dup: bool,
        payload: &'a [u8],
        long: bool,
    },
    /// The broker answers a PINGREQ.
    Pong,
    /// The broker sends anything.
    Bytes(&'a [u8]),
    /// The connection is lost, also in the middle of a packet, and made anew.
    Reconnect { session_present: bool },
    /// Keep alive begins, in seconds.
    Start { seconds: u16 },
    /// Time passes, in milliseconds.
    Wait { ms: u32 },
    /// The program asks for a sign of life.
    Ping,
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    pieces: &'a [u8],
    clock: u32,
    last_id: u16,
    steps: Vec<Step<'a>>,
}

/// What a session must be, in plain collections.
#[derive(Default)]
struct Model {
    /// Packet identifier, state, retain and handle, oldest first.
    outgoing: Vec<(u16, Awaits, bool, u32)>,
    /// Unreleased messages of QoS 2, and how often each was handed over.
    incoming: BTreeMap<u16, u32>,
}

struct Client {
    session: Session<u32>,
    model: Model,
    storage: Storage,
    clock: u32,
    last_id: u16,
    handle: u32,
    /// All that was seen, for comparison.
    log: Vec<Note>,
}

#[derive(Debug, PartialEq)]
enum Note {
    Published(u16, bool),
    Answer(Answer),
    Received(Result<Option<Event>, Error>),
    Pong(bool),
    Reply(Option<[u8; 4]>),
    Due(Due),
}

impl Client {
    fn next_id(&mut self) -> u16 {
        let id = self.session.next_packet_id(self.last_id);
        assert_ne!(id, 0);
        assert!(self.model.outgoing.iter().all(|(used, ..)| *used != id));
        assert!(!self.session.acks.in_use(id));
        self.last_id = id;
        id
    }

    fn step(&mut self, step: &Step<'_>, pieces: &[u8]) {
        match step {
            Step::Publish {
                exactly_once,
                retain,
            } => {
                let id = self.next_id();
                self.handle += 1;
                let qos = 1 + u8::from(*exactly_once);
                let delivery = Delivery::new(id, qos, *retain, self.handle);
                let added = self.session.outgoing.add(delivery);
                assert_eq!(added, self.model.outgoing.len() < WINDOW);
                if added {
                    let awaits = if *exactly_once {
                        Awaits::PubRec
                    } else {
                        Awaits::PubAck
                    };
                    self.model.outgoing.push((id, awaits, *retain, self.handle));
                }
                self.log.push(Note::Published(id, added));
            }
            Step::Forget { id } => {
                let id = u16::from(*id);
                self.session.outgoing.forget(id);
                self.model.outgoing.retain(|(known, ..)| *known != id);
            }
            Step::Request { subscribe } => {
                let id = self.next_id();
                let kind = if *subscribe {
                    AckKind::SubAck
                } else {
                    AckKind::UnsubAck
                };
                self.session.acks.expect(kind, id);
                assert_eq!(self.session.acks.take(id), Answer::Pending);
            }
            Step::Take { id } => {
                let answer = self.session.acks.take(u16::from(*id));
                if let Answer::Came(code) = answer {
                    assert!(matches!(code, 0..=2 | 0x80));
                    assert!(!self.session.acks.in_use(u16::from(*id)));
                }
                self.log.push(Note::Answer(answer));
            }
            Step::Ack {
                kind,
                id,
                return_code,
            } => {
                let kind = [4, 5, 6, 7, 9, 11][usize::from(*kind) % 6];
                let first = kind << 4 | if kind == 6 { 2 } else { 0 };
                let mut packet = vec![first, 2, 0, *id];
                if kind == 9 {
                    packet[1] = 3;
                    packet.push([0, 1, 2, 0x80][usize::from(*return_code) % 4]);
                }
                self.serve(&packet, pieces);
            }
            Step::Message {
                qos,
                id,
                dup,
                payload,
                long,
            } => {
                let qos = qos % 3;
                let head = mqtt_core::encode::PublishHead {
                    topic: "añb/c".as_bytes(),
                    payload_len: payload.len() + if *long { 300 } else { 0 },
                    retain: false,
                    dup: *dup && qos > 0,
                    delivery: (qos > 0).then_some((qos, u16::from(*id))),
                };
                let mut packet = vec![0; 32];
                let count = head.encode(&mut packet[..]).expect("it fits");
                packet.truncate(count);
                packet.extend(*payload);
                packet.resize(count + head.payload_len, b'x');
                self.serve(&packet, pieces);
            }
            Step::Pong => self.serve(&[PacketType::PingResp.first_byte(0), 0], pieces),
            Step::Bytes(bytes) => self.serve(bytes, pieces),
            Step::Reconnect { session_present } => self.reconnect(*session_present),
            Step::Start { seconds } => self.session.keep_alive.start(*seconds, self.clock),
            Step::Wait { ms } => {
                self.clock = self.clock.wrapping_add(*ms);
                self.look_at_the_clock();
            }
            Step::Ping => self.session.keep_alive.asked(self.clock, false),
        }
        self.check();
    }

    /// Takes bytes of the broker, and does with every packet what a client does.
    fn serve(&mut self, bytes: &[u8], pieces: &[u8]) {
        let mut stream = Stream::new(bytes, pieces);
        loop {
            let received =
                stream::receive(&mut self.session.receiver, &mut self.storage, &mut stream);
            self.log.push(Note::Received(received.clone()));
            match received {
                Ok(None) => {
                    assert_eq!(stream.consumed(), bytes.len());
                    return;
                }
                Ok(Some(event)) => {
                    if let Err(error) = self.handle(event) {
                        assert_eq!(error, Error::TooManyQos2);
                        return self.reconnect(true);
                    }
                }
                Err(error) => {
                    assert!(error.is_peers() && !error.words().is_empty());
                    // Such a connection must be closed.
                    return self.reconnect(true);
                }
            }
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::ConnAck { .. } => {}
            Event::PingResp => {
                let own = self.session.keep_alive.answered();
                self.log.push(Note::Pong(own));
            }
            Event::Publish {
                qos: 2, packet_id, ..
            }
            | Event::Skipped { qos: 2, packet_id } => {
                let full = self.model.incoming.len() == QOS2_MAX;
                let known = self.model.incoming.contains_key(&packet_id);
                let new = self.session.incoming.is_new(packet_id);
                assert_eq!(
                    new,
                    if full && !known {
                        Err(Error::TooManyQos2)
                    } else {
                        Ok(!known)
                    }
                );
                if new? {
                    self.session.incoming.insert(packet_id);
                    *self.model.incoming.entry(packet_id).or_default() += 1;
                }
                let times = self.model.incoming.get(&packet_id);
                assert_eq!(times, Some(&1), "handed over exactly once");
            }
            Event::Publish { .. } | Event::Skipped { .. } => {}
            Event::Ack(kind, packet_id, return_code) => {
                let kind = match kind {
                    4 => AckKind::PubAck,
                    5 => AckKind::PubRec,
                    6 => AckKind::PubRel,
                    7 => AckKind::PubComp,
                    9 => AckKind::SubAck,
                    _ => AckKind::UnsubAck,
                };
                let ack = mqtt_core::Ack {
                    kind,
                    packet_id,
                    return_code,
                };
                let reply = ack.reply();
                assert_eq!(
                    reply.is_some(),
                    matches!(kind, AckKind::PubRec | AckKind::PubRel)
                );
                self.session.settle(ack);
                self.model.settle(kind, packet_id);
                self.log.push(Note::Reply(reply));
            }
        }
        Ok(())
    }

    fn reconnect(&mut self, session_present: bool) {
        self.session.reconnect();
        assert!(self.session.receiver.is_idle());
        self.session.accepted(session_present);
        if !session_present {
            self.model.incoming.clear();
            self.model
                .outgoing
                .retain(|(_, awaits, ..)| *awaits != Awaits::PubComp);
        }
    }

    fn look_at_the_clock(&mut self) {
        let due = self.session.keep_alive.due(self.clock);
        self.log.push(Note::Due(due));
        match due {
            Due::Never => assert!(!self.session.keep_alive.is_on()),
            Due::In(ms) => {
                assert!(ms > 0);
                // Who comes back then, and again and again, finds something to do before long.
                let mut clock = self.clock;
                let mut rounds = 0;
                while let Due::In(ms) = self.session.keep_alive.due(clock) {
                    clock = clock.wrapping_add(ms);
                    rounds += 1;
                    assert!(rounds <= 4, "looked at four times and nothing was due");
                }
            }
            Due::Ping => {
                self.session.keep_alive.asked(self.clock, true);
                assert!(!matches!(
                    self.session.keep_alive.due(self.clock),
                    Due::Ping
                ));
            }
            Due::Dead => self.reconnect(true),
        }
    }

    /// The session is what the model says.
    fn check(&self) {
        let outgoing = &self.session.outgoing;
        let is: Vec<_> = outgoing
            .iter()
            .map(|one| (one.packet_id, one.awaits(), one.retain(), one.message))
            .collect();
        assert_eq!(is, self.model.outgoing);
        assert_eq!(outgoing.len(), is.len());
        assert_eq!(outgoing.is_empty(), is.is_empty());
        for id in self.model.incoming.keys() {
            assert!(self.session.incoming.contains(*id));
        }
    }

    /// And nothing more is.
    fn check_the_end(&self) {
        for id in 1..=u16::from(u8::MAX) {
            let known = self.session.incoming.contains(id);
            assert_eq!(known, self.model.incoming.contains_key(&id));
        }
    }
}

impl Model {
    /// Figures 4.2 and 4.3.
    fn settle(&mut self, kind: AckKind, packet_id: u16) {
        if kind == AckKind::PubRel {
            self.incoming.remove(&packet_id);
        }
        let Some(at) = self.outgoing.iter().position(|(id, ..)| *id == packet_id) else {
            return;
        };
        let (_, awaits, _, handle) = &mut self.outgoing[at];
        match (kind, *awaits) {
            (AckKind::PubAck, Awaits::PubAck) | (AckKind::PubComp, Awaits::PubComp) => {
                self.outgoing.remove(at);
            }
            (AckKind::PubRec, Awaits::PubRec) => (*awaits, *handle) = (Awaits::PubComp, 0),
            _ => {}
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let logs = [input.pieces, &[], &[1]].map(|pieces| {
        let mut client = Client {
            session: Session::default(),
            model: Model::default(),
            storage: Storage::default(),
            clock: input.clock,
            last_id: input.last_id,
            handle: 0,
            log: Vec::new(),
        };
        for step in &input.steps {
            client.step(step, pieces);
        }
        client.check_the_end();
        client.log
    });
    assert_eq!(logs[0], logs[1]);
    assert_eq!(logs[1], logs[2]);
});
