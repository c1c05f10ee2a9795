//! Subscribing and unsubscribing, and umqtt.simple's helpers that scripts may call.

use micropython::prelude::*;
use mqtt_core::encode::{self, PINGREQ};
use mqtt_core::topic::check_filter;
use mqtt_core::{AckKind, Answer, Error as CoreError, next_length_byte};

use crate::again::{self, recover};
use crate::io::Block;
use crate::outgoing::next_packet_id;
use crate::serve::serve_for;
use crate::state::State;
use crate::wait::{Wait, ticks};
use crate::{BAD_QOS, io, mqtt_exception, packet_error};

/// `subscribe`. Returns the packet identifier if it does not wait.
pub fn subscribe(this: Obj, topic: Obj, qos: Obj, wait: Obj) -> Result<Obj> {
    if this.get(qstr!("cb")).is_none() {
        return Err(error!("AssertionError", "Subscribe callback is not set"));
    }
    request(this, topic, AckKind::SubAck, qos_of(qos)?, wait.is_true())
}

/// `unsubscribe`. Returns the packet identifier if it does not wait.
pub fn unsubscribe(this: Obj, topic: Obj, wait: Obj) -> Result<Obj> {
    request(this, topic, AckKind::UnsubAck, 0, wait.is_true())
}

/// `_send_subunsub`: `typ` says which request it is.
pub fn send_subunsub(this: Obj, topic: Obj, typ: Obj, qos: Obj) -> Result<Obj> {
    match typ.to_int()? {
        0x82 => request(this, topic, AckKind::SubAck, qos_of(qos)?, true),
        0xa2 => request(this, topic, AckKind::UnsubAck, 0, true),
        _ => Err(error!("ValueError", "typ must be 0x82 or 0xa2")),
    }
}

fn qos_of(qos: Obj) -> Result<u8> {
    let qos = qos.to_int()?;
    if (0..=2).contains(&qos) {
        Ok(qos as u8)
    } else {
        Err(BAD_QOS)
    }
}

/// Sends a SUBSCRIBE or UNSUBSCRIBE and waits for its answer.
fn request(this: Obj, topic: Obj, kind: AckKind, qos: u8, waits: bool) -> Result<Obj> {
    let state = State::of(this)?;
    io::socket(this)?;
    // SAFETY: no other code runs while the slice lives.
    check_filter(unsafe { topic.buffer().as_slice() }).map_err(packet_error)?;
    let packet_id = next_packet_id(this, state)?;
    loop {
        // SAFETY: the state is the client's own.
        let connection = unsafe {
            (*state).session.acks.expect(kind, packet_id);
            (*state).session.connection
        };
        let mut result = send(this, state, topic, kind, qos, packet_id);
        if result.is_ok() && waits {
            result = await_answer(this, state, packet_id, connection);
        }
        let error = match result {
            Ok(()) => {
                // SAFETY: as above.
                unsafe { again::remember(state, topic, kind, qos)? };
                let id = Obj::small(packet_id);
                return Ok(if waits { Obj::none() } else { id });
            }
            Err(error) => error,
        };
        // SAFETY: as above.
        let connected_anew = unsafe {
            (*state).session.acks.forget(packet_id);
            (*state).session.connection != connection
        };
        // Where an overridden `wait_msg` has connected anew, as umqtt.robust's does, the request is sent there.
        if !(connected_anew && error.is(qstr!("OSError"))) {
            recover(this, state, error)?;
        }
    }
}

/// Waits for the answer to a request. `OSError` if it got lost with its connection.
fn await_answer(this: Obj, state: *mut State, packet_id: u16, connection: u16) -> Result<()> {
    let mut wait = Wait::owed(this, state);
    loop {
        serve_for(&mut wait)?;
        // SAFETY: the state is the client's own.
        match unsafe { (*state).session.acks.take(packet_id) } {
            Answer::Came(0x80) => return Err(mqtt_exception(0x80, c"subscription refused")),
            Answer::Came(_) => return Ok(()),
            Answer::Pending => {}
            // SAFETY: as above.
            Answer::Forgotten if unsafe { (*state).session.connection } != connection => {
                return Err(crate::closed(c"connection lost"));
            }
            Answer::Forgotten => {
                return Err(error!("RuntimeError", "too many calls wait for the broker"));
            }
        }
    }
}

/// Sends a SUBSCRIBE or UNSUBSCRIBE.
pub fn send(
    this: Obj,
    state: *mut State,
    topic: Obj,
    kind: AckKind,
    qos: u8,
    packet_id: u16,
) -> Result<()> {
    let filter = topic.buffer();
    let size = encode::packet_size(2 + 2 + filter.len() + 1);
    // SAFETY: the state is the client's own; no other code runs while the filter's bytes are read.
    unsafe {
        let block = Block::take(state, size).ok_or(Error::NO_MEMORY)?;
        let mut memory = block.memory();
        let qos = (kind == AckKind::SubAck).then_some(qos);
        let n = encode::request(&mut memory, packet_id, filter.as_slice(), qos)
            .map_err(packet_error)?;
        block.send(this, state, n)
    }
}

/// `pending`: how many messages are in flight, or whether the request or message with this packet identifier is.
pub fn pending(this: Obj, pid: Obj) -> Result<Obj> {
    let state = State::of(this)?;
    // SAFETY: the state is the client's own.
    let session = unsafe { &mut (*state).session };
    if pid.is_none() {
        return Ok(Obj::small(session.outgoing.len() as i32));
    }
    let packet_id = pid.to_int()? as u16;
    let is = match session.acks.take(packet_id) {
        Answer::Came(0x80) => return Err(mqtt_exception(0x80, c"subscription refused")),
        Answer::Pending => true,
        Answer::Came(_) | Answer::Forgotten => session.outgoing.contains(packet_id),
    };
    Ok(Obj::from_bool(is))
}

/// `ping`.
pub fn ping(this: Obj) -> Result<()> {
    io::send(this, &PINGREQ)?;
    let state = State::of(this)?;
    // SAFETY: the state is the client's own.
    unsafe {
        if (*state).session.keep_alive.is_on() {
            let now = ticks();
            (*state).session.keep_alive.asked(now, false);
        }
    }
    Ok(())
}

/// `_send_str`: writes a length-prefixed field.
pub fn send_str(this: Obj, s: Obj) -> Result<()> {
    let field = s.buffer();
    let len = u16::try_from(field.len()).map_err(|_| packet_error(CoreError::StringTooLong))?;
    io::send(this, &len.to_be_bytes())?;
    // SAFETY: the object keeps its bytes unless a callback resizes it while the stream waits, as with umqtt.simple.
    io::send(this, unsafe { field.as_slice() })
}

/// Writes a remaining length to `pkt[1:]` and returns the index of its last byte, as umqtt.simple's helper of that name.
#[function]
#[signature(pkt: "bytearray", sz: "int", -> "int")]
pub fn _encode_len(pkt: Obj, sz: Obj) -> Result<usize> {
    let mut rest = sz.to_int()? as usize;
    let packet = pkt.buffer_mut();
    let mut n = 0;
    loop {
        n += 1;
        if !packet.set(n, next_length_byte(&mut rest)) {
            return Err(error!("IndexError", "bytearray index out of range"));
        }
        if rest == 0 || n == 4 {
            return Ok(n);
        }
    }
}
