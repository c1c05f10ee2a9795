//! Sending: `publish`, `subscribe`, `unsubscribe`, `ping`, and umqtt.simple's helpers.

use core::mem::MaybeUninit;

use micropython::Stream;
use micropython::prelude::*;
use mqtt_core::encode::{self, PINGREQ, PUBLISH_OVERHEAD, PublishHead};
use mqtt_core::{AckKind, Answer, encode_remaining_length};

use crate::incoming::serve_virtually;
use crate::io::{Block, KEPT_MAX, Memory};
use crate::state::State;
use crate::{assertion, io, mqtt_exception, no_memory, packet_error};

/// Packets up to this size are put together on the stack, in bytes.
const STACK_PACKET: usize = 256;

/// The size of a PUBLISH's variable header and payload from which umqtt.simple refuses it, in bytes.
const TOO_LARGE: usize = 2_097_152;

/// `publish`: at QoS 1 returns when the broker has acknowledged the message.
pub fn publish(this: Obj, topic: Obj, msg: Obj, retain: Obj, qos: Obj) -> Result<()> {
    let qos = match qos.to_int()? {
        0 => 0,
        1 => 1,
        2 => return Err(assertion(c"QoS 2 is not supported")),
        _ => return Err(Error::text(qstr!("ValueError"), c"qos must be 0 or 1")),
    };
    let retain = retain.is_true();
    let message = Message {
        topic: topic.buffer(),
        payload: msg.buffer(),
        retain,
    };
    if qos == 0 {
        return message.send(this, None, false);
    }
    let state = State::of(this)?;
    io::socket(this)?;
    let packet_id = next_packet_id(this, state)?;
    let mut connection = expect(state, AckKind::PubAck, packet_id);
    message.send(this, Some((1, packet_id)), false)?;
    loop {
        serve_virtually(this, state)?;
        // SAFETY: the state is the client's own.
        match unsafe { (*state).session.acks.take(AckKind::PubAck, packet_id) } {
            Answer::Came(_) => return Ok(()),
            Answer::Pending => {}
            Answer::Forgotten => {
                // An overridden `wait_msg` has connected anew (umqtt.robust does): send the message again
                // there, marked as a possible duplicate (section 4.4).
                connection = renewed(state, connection, AckKind::PubAck, packet_id)?;
                let message = Message {
                    topic: topic.buffer(),
                    payload: msg.buffer(),
                    retain,
                };
                message.send(this, Some((1, packet_id)), true)?;
            }
        }
    }
}

/// A message to publish. The buffers are looked at before any other code runs.
struct Message {
    topic: Buffer,
    payload: Buffer,
    retain: bool,
}

impl Message {
    /// Writes the PUBLISH: without touching the heap up to [`STACK_PACKET`]; in one write up to [`KEPT_MAX`], and
    /// a larger one in two: as much as that, then the rest straight from the caller's object.
    #[inline]
    fn send(&self, this: Obj, delivery: Option<(u8, u16)>, dup: bool) -> Result<()> {
        // SAFETY: the slice is used only to encode the head, which runs no Python code.
        let topic = unsafe { self.topic.as_slice() };
        let payload_len = self.payload.len();
        let head = PublishHead {
            topic,
            payload_len,
            retain: self.retain,
            dup,
            delivery,
        };
        if head.remaining() >= TOO_LARGE {
            return Err(assertion(c"message too large"));
        }
        let stream = io::socket(this)?;
        let bound = PUBLISH_OVERHEAD + topic.len() + payload_len;
        if bound > STACK_PACKET {
            return self.send_large(this, stream, &head, bound);
        }
        let mut out = MaybeUninit::<[u8; STACK_PACKET]>::uninit();
        let start = out.as_mut_ptr().cast::<u8>();
        // SAFETY: `out` is a local, and `bound` says that head and payload fit; the payload's bytes are read before
        // other code runs; what is sent has been filled in.
        unsafe {
            let mut memory = Memory::new(start, STACK_PACKET);
            let n = head.encode(&mut memory).map_err(packet_error)?;
            let n = n + memory.fill(self.payload.as_ptr(), payload_len);
            io::write_all(this, stream, start, n)
        }
    }

    #[cold]
    #[inline(never)]
    fn send_large(
        &self,
        this: Obj,
        stream: Stream,
        head: &PublishHead,
        bound: usize,
    ) -> Result<()> {
        let state = State::of(this)?;
        let head_bound = PUBLISH_OVERHEAD + head.topic.len();
        // With little memory the head alone will do, and the payload goes out from where it is.
        // SAFETY: the state is the client's own.
        let block = unsafe {
            Block::take(state, bound.min(KEPT_MAX).max(head_bound))
                .or_else(|| Block::take(state, head_bound))
        };
        let block = block.ok_or_else(no_memory)?;
        let mut memory = block.memory();
        let n = head.encode(&mut memory).map_err(packet_error)?;
        // SAFETY: the payload's bytes are copied before other code runs. What goes out straight from the object is
        // read at its address of now, which the object keeps unless a callback resizes it while the stream waits,
        // as with umqtt.simple.
        unsafe {
            let copied = memory.fill(self.payload.as_ptr(), self.payload.len());
            block.send(this, state, stream, n + copied)?;
            let rest = self.payload.len() - copied;
            if rest > 0 {
                io::write_all(this, stream, self.payload.as_ptr().add(copied), rest)?;
            }
        }
        Ok(())
    }
}

/// Takes the packet identifier after the client's `pid`, and stores it there.
fn next_packet_id(this: Obj, state: *mut State) -> Result<u16> {
    let last = this.get(qstr!("pid")).to_int_truncated() as u16;
    // SAFETY: the state is the client's own.
    let packet_id = unsafe { (*state).session.next_packet_id(last) };
    this.set(qstr!("pid"), Obj::from_int(packet_id as isize));
    Ok(packet_id)
}

/// Notes that an acknowledgement is awaited, and returns the number of the connection.
fn expect(state: *mut State, kind: AckKind, packet_id: u16) -> u16 {
    // SAFETY: the state is the client's own.
    let session = unsafe { &mut (*state).session };
    session.stray_ack = 0;
    session.acks.expect(kind, packet_id);
    session.connection
}

/// After an acknowledgement was forgotten: awaits it anew if that is because of a new connection.
fn renewed(state: *mut State, connection: u16, kind: AckKind, packet_id: u16) -> Result<u16> {
    // SAFETY: the state is the client's own.
    if unsafe { (*state).session.connection } == connection {
        return Err(Error::text(
            qstr!("RuntimeError"),
            c"too many calls wait for the broker",
        ));
    }
    Ok(expect(state, kind, packet_id))
}

/// `subscribe`: returns when the broker has answered.
pub fn subscribe(this: Obj, topic: Obj, qos: Obj) -> Result<()> {
    if this.get(qstr!("cb")).is_none() {
        return Err(assertion(c"Subscribe callback is not set"));
    }
    let qos = qos.to_int()?;
    if !(0..=2).contains(&qos) {
        return Err(Error::text(qstr!("ValueError"), c"qos must be 0, 1 or 2"));
    }
    request(this, topic, AckKind::SubAck, qos as u8)
}

/// `unsubscribe`: returns when the broker has answered.
pub fn unsubscribe(this: Obj, topic: Obj) -> Result<()> {
    request(this, topic, AckKind::UnsubAck, 0)
}

/// `_send_subunsub`: `typ` says which request it is.
pub fn send_subunsub(this: Obj, topic: Obj, typ: Obj, qos: Obj) -> Result<()> {
    match typ.to_int()? {
        0x82 => request(this, topic, AckKind::SubAck, qos.to_int()? as u8),
        0xa2 => request(this, topic, AckKind::UnsubAck, 0),
        _ => Err(Error::text(
            qstr!("ValueError"),
            c"typ must be 0x82 or 0xa2",
        )),
    }
}

/// Sends a SUBSCRIBE or UNSUBSCRIBE and waits for its answer.
fn request(this: Obj, topic: Obj, kind: AckKind, qos: u8) -> Result<()> {
    let filter = topic.buffer();
    let state = State::of(this)?;
    io::socket(this)?;
    if filter.len() > usize::from(u16::MAX) {
        return Err(packet_error(mqtt_core::Error::StringTooLong));
    }
    let packet_id = next_packet_id(this, state)?;
    let mut connection = expect(state, kind, packet_id);
    send_request(this, state, topic, kind, qos, packet_id)?;
    loop {
        serve_virtually(this, state)?;
        // SAFETY: the state is the client's own.
        let (answer, stray) = unsafe {
            (
                (*state).session.acks.take(kind, packet_id),
                (*state).session.stray_ack,
            )
        };
        match answer {
            Answer::Came(0x80) => return Err(mqtt_exception(0x80)),
            Answer::Came(_) => return Ok(()),
            Answer::Pending if stray != 0 => {
                return Err(assertion(c"the broker's answer has another packet id"));
            }
            Answer::Pending => {}
            Answer::Forgotten => {
                connection = renewed(state, connection, kind, packet_id)?;
                send_request(this, state, topic, kind, qos, packet_id)?;
            }
        }
    }
}

fn send_request(
    this: Obj,
    state: *mut State,
    topic: Obj,
    kind: AckKind,
    qos: u8,
    packet_id: u16,
) -> Result<()> {
    let filter = topic.buffer();
    let stream = io::socket(this)?;
    let size = encode::packet_size(2 + 2 + filter.len() + 1);
    // SAFETY: the state is the client's own; no other code runs while the filter's bytes are read.
    unsafe {
        let block = Block::take(state, size).ok_or_else(no_memory)?;
        let mut memory = block.memory();
        let n = match kind {
            AckKind::SubAck => encode::subscribe(&mut memory, packet_id, filter.as_slice(), qos),
            _ => encode::unsubscribe(&mut memory, packet_id, filter.as_slice()),
        }
        .map_err(packet_error)?;
        block.send(this, state, stream, n)
    }
}

/// `ping`.
pub fn ping(this: Obj) -> Result<()> {
    let stream = io::socket(this)?;
    // SAFETY: the packet is a constant.
    unsafe { io::write_all(this, stream, PINGREQ.as_ptr(), PINGREQ.len()) }
}

/// `_send_str`: writes a length-prefixed field.
pub fn send_str(this: Obj, s: Obj) -> Result<()> {
    let field = s.buffer();
    let len = u16::try_from(field.len())
        .map_err(|_| packet_error(mqtt_core::Error::StringTooLong))?
        .to_be_bytes();
    let stream = io::socket(this)?;
    let state = State::of(this)?;
    // SAFETY: the state is the client's own; the field is copied before other code runs.
    unsafe {
        let block = Block::take(state, 2 + field.len()).ok_or_else(no_memory)?;
        let mut memory = block.memory();
        let n = memory.fill(len.as_ptr(), len.len()) + memory.fill(field.as_ptr(), field.len());
        block.send(this, state, stream, n)
    }
}

/// Writes a remaining length to `pkt[1:]` and returns the index of its last byte, as umqtt.simple's helper of that name.
#[function]
#[signature(pkt: "bytearray", sz: "int", -> "int")]
pub fn _encode_len(pkt: Obj, sz: Obj) -> Result<usize> {
    let (bytes, n) = encode_remaining_length(sz.to_int()? as u32);
    let packet = pkt.buffer_mut();
    for (i, byte) in bytes.iter().enumerate().take(n) {
        if !packet.set(1 + i, *byte) {
            return Err(Error::text(
                qstr!("IndexError"),
                c"bytearray index out of range",
            ));
        }
    }
    Ok(n)
}
