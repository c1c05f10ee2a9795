//! Receiving: `wait_msg`, `check_msg`, and what each packet from the broker does.

use core::ptr::addr_of_mut;

use micropython::{BytesBuilder, Errno, Error, Obj, Result, Stream, qstr};
use mqtt_core::{AckKind, Next, Packet, Part, Place, Receiver, encode};

use crate::io::Block;
use crate::state::State;
use crate::{EMPTY_BYTES, WAIT_MSG, assertion, io, packet_error};

/// Poll events after which a read does not wait: readable, or an end that the read will report
/// (`MP_STREAM_POLL_RD`, `_ERR`, `_HUP` and `_NVAL` of `py/stream.h`).
const POLL_READ: usize = 0x01;

/// What one step of reading a packet came to.
pub enum Step {
    More,
    Complete,
    /// Nothing is there now and the stream does not block.
    Blocked,
    EndOfStream,
}

/// Reads the next bytes of the packet at hand. What was read is noted at once, so that the packet goes on where
/// it stopped, whatever exception comes between.
///
/// # Safety
/// `state` must come from [`State::of`].
#[inline]
pub unsafe fn advance(stream: Stream, state: *mut State) -> Result<Step> {
    // SAFETY: the state is the client's own and is borrowed by nobody; the borrow ends before the read.
    let (into, len) = unsafe {
        match (*state).session.receiver.step() {
            Ok(Next::Complete) => return Ok(Step::Complete),
            Ok(Next::Read(buf)) => (buf.as_mut_ptr(), buf.len()),
            Ok(Next::Allocate {
                topic_len,
                payload_len,
            }) => {
                allocate(state, topic_len, payload_len)?;
                return Ok(Step::More);
            }
            Ok(Next::Store { place, offset, len }) => {
                let field = match place {
                    Place::Topic => (*state).topic,
                    Place::Payload => (*state).payload,
                };
                (field.ok_or_else(lost_storage)?.data().add(offset), len)
            }
            Err(error) => {
                (*state).session.receiver.reset();
                return Err(packet_error(error));
            }
        }
    };
    // SAFETY: the receiver's own buffer or a bytes object's contents; the collector moves neither.
    match unsafe { stream.read(into, len)? } {
        Ok(0) => Ok(Step::EndOfStream),
        Ok(n) => {
            // SAFETY: as above.
            unsafe { (*state).session.receiver.advance(n) };
            Ok(Step::More)
        }
        Err(Errno::AGAIN) => Ok(Step::Blocked),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the two objects of a large PUBLISH. If there is no memory, the packet waits as it is for the next call.
unsafe fn allocate(state: *mut State, topic_len: usize, payload_len: usize) -> Result<()> {
    let (topic, payload) = match new_message(topic_len, payload_len) {
        Ok(message) => message,
        Err(_) => {
            // The block that is kept for sending may be what stands in the way.
            // SAFETY: the state is the client's own.
            unsafe { Block::drop_kept(state) };
            new_message(topic_len, payload_len)?
        }
    };
    // SAFETY: the state is the client's own. The beginnings that the receiver holds are no longer than the
    // fields themselves, for which there is room now.
    unsafe {
        let (topic_start, payload_start) = (*state)
            .session
            .receiver
            .allocated()
            .map_err(packet_error)?;
        topic
            .data()
            .copy_from_nonoverlapping(topic_start.as_ptr(), topic_start.len());
        payload
            .data()
            .copy_from_nonoverlapping(payload_start.as_ptr(), payload_start.len());
        addr_of_mut!((*state).topic).write(Some(topic));
        addr_of_mut!((*state).payload).write(Some(payload));
    }
    Ok(())
}

/// Room for a message, its contents not initialised.
fn new_message(topic_len: usize, payload_len: usize) -> Result<(BytesBuilder, BytesBuilder)> {
    // The larger one first, while there is most room.
    let payload = BytesBuilder::new(EMPTY_BYTES.get(), payload_len)?;
    Ok((BytesBuilder::new(EMPTY_BYTES.get(), topic_len)?, payload))
}

/// Reads one packet and does what it asks for. `None` if nothing was there or the packet was a PINGRESP, else the
/// packet's first byte.
///
/// `restore`: put the socket back into its blocking mode, as umqtt.simple's `wait_msg` always does.
pub fn serve(this: Obj, state: *mut State, restore: bool) -> Result<Option<u8>> {
    let stream = io::socket(this)?;
    let mut restored = false;
    loop {
        // SAFETY: the state is the client's own.
        match unsafe { advance(stream, state)? } {
            Step::More => {}
            Step::Complete => break,
            Step::EndOfStream => {
                // SAFETY: as above.
                return Err(cut(unsafe { &(*state).session.receiver }));
            }
            Step::Blocked => {
                // SAFETY: as above.
                let idle = unsafe { (*state).session.receiver.is_idle() };
                if restored && !idle {
                    return Err(Errno::AGAIN.into());
                }
                io::restore_blocking(this);
                restored = true;
                if idle {
                    return Ok(None);
                }
            }
        }
    }
    if restore && !restored {
        io::restore_blocking(this);
    }
    // SAFETY: as above.
    unsafe { handle(this, state) }
}

/// What a complete packet from the broker means.
enum Event {
    Message {
        topic: Obj,
        payload: Obj,
        qos: u8,
        packet_id: u16,
    },
    Ack {
        kind: AckKind,
        packet_id: u16,
        return_code: u8,
    },
    Pong,
    Nothing,
}

unsafe fn handle(this: Obj, state: *mut State) -> Result<Option<u8>> {
    // SAFETY: the state is the client's own. Making the objects of a message allocates, which runs no Python
    // code; if there is no memory, the packet stays for the next call.
    let (first_byte, event) = unsafe {
        let first_byte = (*state).session.receiver.first_byte();
        let event = match (*state).session.receiver.packet() {
            Ok(packet) => event(packet, state)?,
            Err(_) => {
                (*state).session.receiver.reset();
                return Err(malformed(first_byte));
            }
        };
        forget_packet(state);
        (first_byte, event)
    };
    match event {
        Event::Pong => return Ok(None),
        Event::Nothing => {}
        Event::Ack {
            kind,
            packet_id,
            return_code,
        } => {
            // SAFETY: as above.
            let session = unsafe { &mut (*state).session };
            if !session.acks.settle(kind, packet_id, return_code) && kind != AckKind::PubAck {
                session.stray_ack = 1;
            }
        }
        Event::Message {
            topic,
            payload,
            qos,
            packet_id,
        } => {
            // SAFETY: as above.
            let connection = unsafe { (*state).session.connection };
            this.call_method(qstr!("cb"), &[topic, payload]);
            match qos {
                0 => {}
                1 => {
                    // The callback may have connected anew. What came on the old connection is not acknowledged on
                    // the new one, where that identifier means something else (section 4.4).
                    // SAFETY: as above.
                    if unsafe { (*state).session.connection } == connection {
                        let ack = encode::puback(packet_id);
                        let stream = io::socket(this)?;
                        // SAFETY: `ack` is a local.
                        unsafe { io::write_all(this, stream, ack.as_ptr(), ack.len())? };
                    }
                }
                _ => return Err(assertion(c"QoS 2 is not supported")),
            }
        }
    }
    Ok(Some(first_byte))
}

fn event(packet: Packet, state: *mut State) -> Result<Event> {
    let ack = |kind, packet_id, return_code| Event::Ack {
        kind,
        packet_id,
        return_code,
    };
    Ok(match packet {
        Packet::Publish(publish) => {
            // SAFETY: the state is the client's own.
            let (topic, payload) = unsafe { ((*state).topic, (*state).payload) };
            Event::Message {
                topic: object(publish.topic, topic)?,
                payload: object(publish.payload, payload)?,
                qos: publish.qos,
                packet_id: publish.packet_id,
            }
        }
        Packet::PubAck { packet_id } => ack(AckKind::PubAck, packet_id, 0),
        Packet::SubAck {
            packet_id,
            return_code,
        } => ack(AckKind::SubAck, packet_id, return_code),
        Packet::UnsubAck { packet_id } => ack(AckKind::UnsubAck, packet_id, 0),
        Packet::PingResp => Event::Pong,
        Packet::ConnAck { .. } | Packet::Other => Event::Nothing,
    })
}

/// A field of a message as a bytes object.
fn object(part: Part, stored: Option<BytesBuilder>) -> Result<Obj> {
    match part {
        Part::Here(bytes) => {
            let object = BytesBuilder::new(EMPTY_BYTES.get(), bytes.len())?;
            // SAFETY: the object has room for as many bytes.
            unsafe {
                object
                    .data()
                    .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
            };
            Ok(object.object())
        }
        Part::Stored => stored.map(|bytes| bytes.object()).ok_or_else(lost_storage),
    }
}

fn lost_storage() -> Error {
    Error::text(qstr!("RuntimeError"), c"_state was changed")
}

unsafe fn forget_packet(state: *mut State) {
    // SAFETY: the state is the client's own.
    unsafe {
        (*state).session.receiver.reset();
        (*state).packets = (*state).packets.wrapping_add(1);
        (*state).topic = None;
        (*state).payload = None;
    }
}

/// The error of an acknowledgement or message whose fields do not fit: umqtt.simple asserts the lengths of
/// acknowledgements.
fn malformed(first_byte: u8) -> Error {
    if first_byte >> 4 == 3 {
        packet_error(mqtt_core::Error::MalformedPacket)
    } else {
        assertion(c"malformed packet from broker")
    }
}

/// The error of a stream that ends: `OSError(-1)` at a packet's start and wherever umqtt.simple would go on with
/// what it has; its IndexError or AssertionError where it asks for a byte that is not there.
fn cut(receiver: &Receiver) -> Error {
    let closed = || Error::int(qstr!("OSError"), -1);
    let first_byte = receiver.first_byte();
    match first_byte >> 4 {
        3 => {
            let has_packet_id = first_byte & 6 != 0;
            match receiver.topic_len() {
                None => closed_inside(),
                Some(topic_len) => {
                    let payload_start = 2 + topic_len + if has_packet_id { 2 } else { 0 };
                    if has_packet_id && receiver.taken() < payload_start {
                        closed_inside()
                    } else {
                        closed()
                    }
                }
            }
        }
        4 if receiver.remaining().is_none() => assertion(c"connection closed inside PUBACK"),
        4 | 9 | 11 | 13 => closed_inside(),
        _ => closed(),
    }
}

/// `wait_msg`.
pub fn wait_msg(this: Obj) -> Result<Obj> {
    let first_byte = serve(this, State::of(this)?, true)?;
    Ok(returned(first_byte))
}

/// `check_msg`.
pub fn check_msg(this: Obj) -> Result<Obj> {
    let state = State::of(this)?;
    let stream = io::socket(this)?;
    let wait_msg = this.method(qstr!("wait_msg"));
    let overridden = !wait_msg.is(WAIT_MSG.get());
    // SAFETY: the state is the client's own.
    let idle = unsafe { (*state).session.receiver.is_idle() };
    if !overridden {
        match stream.poll(POLL_READ) {
            Some(0) if idle => return Ok(Obj::none()),
            Some(_) => return Ok(returned(serve(this, state, false)?)),
            None => {}
        }
    }
    stream
        .object()
        .call_method(qstr!("setblocking"), &[Obj::from_bool(false)]);
    if overridden {
        return Ok(wait_msg.call(&[]));
    }
    Ok(returned(serve(this, state, true)?))
}

fn returned(first_byte: Option<u8>) -> Obj {
    match first_byte {
        Some(byte) => Obj::from_int(isize::from(byte)),
        None => Obj::none(),
    }
}

/// Serves one packet on behalf of a call that waits for an acknowledgement: through the client's `wait_msg`,
/// which a subclass may have overridden.
pub fn serve_virtually(this: Obj, state: *mut State) -> Result<()> {
    let wait_msg = this.method(qstr!("wait_msg"));
    if wait_msg.is(WAIT_MSG.get()) {
        serve(this, state, false)?;
        return Ok(());
    }
    // SAFETY: the state is the client's own.
    let before = unsafe { (*state).packets };
    let op = wait_msg.call(&[]);
    // SAFETY: as above.
    let untouched = unsafe { (*state).packets == before && (*state).session.receiver.is_idle() };
    if untouched && !op.is_none() {
        // It read a packet's first byte by itself and left the rest to the caller, as umqtt.simple's own does.
        let first_byte = op.to_int()? as u8;
        if matches!(first_byte, 0x40 | 0x90 | 0xb0) {
            // SAFETY: as above.
            unsafe { (*state).session.receiver.start_with(first_byte) };
            serve(this, state, false)?;
        }
    }
    Ok(())
}

/// `_recv_len`.
pub fn recv_len(this: Obj) -> Result<usize> {
    let stream = io::socket(this)?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let mut byte = 0u8;
        // SAFETY: `byte` is a local.
        match unsafe { stream.read(&raw mut byte, 1)? } {
            Ok(0) => return Err(closed_inside()),
            Ok(_) => length |= usize::from(byte & 0x7f) << shift,
            Err(errno) => return Err(errno.into()),
        }
        if byte & 0x80 == 0 {
            return Ok(length);
        }
        shift += 7;
        if shift > 21 {
            return Err(packet_error(mqtt_core::Error::MalformedLength));
        }
    }
}

fn closed_inside() -> Error {
    Error::text(qstr!("IndexError"), c"connection closed inside a packet")
}
