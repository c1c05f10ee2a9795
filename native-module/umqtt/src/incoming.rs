//! Receiving: reading packets, and what each packet from the broker does.

use micropython::prelude::*;
use micropython::{BytesBuilder, Stream};
use mqtt_core::topic::check_name;
use mqtt_core::{Error as CoreError, Next, PacketType, Part, Place, Publish, encode};

use crate::connect::NOT_CONNACK;
use crate::deliver::{self, Message};
use crate::io::Block;
use crate::pieces::{self, NO_PIECES, OVER_BUFFER, OVER_MAX_SIZE, PIECES, SILENT};
use crate::state::State;
use crate::wait::{Role, Wait};
use crate::{closed, io, outgoing, packet_error, refuse};

/// The first byte of a CONNACK.
pub const CONNACK: u8 = PacketType::ConnAck.first_byte(0);
/// The first byte of a PINGRESP.
const PINGRESP: u8 = PacketType::PingResp.first_byte(0);

/// What one step of reading a packet came to.
enum Step {
    More,
    Complete,
    /// A piece of a message fills the buffer.
    Piece,
    /// The call's time is up before a packet has begun, or it does not wait and nothing is there.
    Nothing,
    /// Nothing is there now and the stream does not block.
    Blocked,
    EndOfStream,
}

/// What a complete packet was.
pub enum Served {
    /// Any packet but a PINGRESP, by its first byte.
    Packet(u8),
    /// A PINGRESP; whether it answers a PINGREQ of our own.
    Pong { own: bool },
    /// None.
    Nothing,
}

/// Reads the next bytes of the packet at hand. What was read is noted at once, so that the packet goes on where
/// it stopped, whatever exception comes between.
#[inline]
unsafe fn advance(stream: Stream, wait: &mut Wait) -> Result<Step> {
    let state = wait.state;
    // SAFETY: the state is the client's own and is borrowed by nobody; the borrow ends before the read.
    let (into, len) = unsafe {
        match (*state).session.receiver.step() {
            Ok(Next::Complete) => return Ok(Step::Complete),
            Ok(Next::Read(buf)) => (buf.as_mut_ptr(), buf.len()),
            Ok(Next::Allocate {
                topic_len,
                payload_len,
            }) => {
                allocate(wait, topic_len, payload_len)?;
                return Ok(Step::More);
            }
            Ok(Next::Store { place, offset, len }) => match place_for(state, place, offset, len) {
                Some(place) => place,
                None => return Ok(Step::Piece),
            },
            Err(error) => return Err(refuse(wait.this, state, error)),
        }
    };
    if !wait.ready(stream)? {
        return Ok(Step::Nothing);
    }
    // SAFETY: the receiver's own buffer, a bytes object's contents or the program's buffer; the collector moves none.
    match unsafe { stream.read(into, len)? } {
        Ok(0) => Ok(Step::EndOfStream),
        Ok(n) => {
            // SAFETY: as above.
            unsafe {
                let receiver = &mut (*state).session.receiver;
                receiver.advance(n);
                if receiver.is_large() && receiver.taken() >= 2 {
                    wait.heard();
                }
            }
            Ok(Step::More)
        }
        Err(Errno::AGAIN) => Ok(Step::Blocked),
        Err(errno) if wait.came_back(errno) => Ok(Step::More),
        Err(errno) => Err(errno.into()),
    }
}

/// Where the next bytes of a large message go, and how many; `None` if a piece of it is full.
unsafe fn place_for(
    state: *mut State,
    place: Place,
    offset: usize,
    len: usize,
) -> Option<(*mut u8, usize)> {
    // SAFETY: the state is the client's own; within the storage that `allocate` has found.
    unsafe {
        if place == Place::Topic {
            return Some(((*state).topic_at.add(offset), len));
        }
        let at = offset - (*state).piece_start.min(offset);
        let room = (*state).payload_room.saturating_sub(at);
        if room == 0 {
            return None;
        }
        Some(((*state).payload_at.add(at), len.min(room)))
    }
}

/// Finds storage for a large PUBLISH. If there is no memory, the packet waits as it is for the next call.
unsafe fn allocate(wait: &Wait, topic_len: usize, payload_len: usize) -> Result<()> {
    let state = wait.state;
    // SAFETY: the state is the client's own. The beginnings that the receiver holds are no longer than the
    // fields themselves, for which there is room; in the program's buffer, because it is no smaller than the chunk.
    unsafe {
        let receiver = &mut (*state).session.receiver;
        let in_pieces = (*state).piece_view.get().is_some() && wait.role != Role::OwedInCallback;
        let max_size = (*state).max_size;
        let dropped = if max_size != 0 && payload_len > max_size {
            OVER_MAX_SIZE
        } else if in_pieces && topic_len >= (*state).buffer_len {
            OVER_BUFFER
        } else {
            0
        };
        if dropped != 0 {
            (*state).dropped = dropped;
            return receiver.skip().map_err(packet_error);
        }
        if in_pieces {
            (*state).pieces = PIECES;
            (*state).topic_at = (*state).buffer;
            (*state).payload_at = (*state).buffer.add(topic_len);
            (*state).payload_room = (*state).buffer_len - topic_len;
        } else {
            // Where they lie, they may be in the way of a large block.
            (*state).last_topic = None;
            outgoing::forget_topic();
            let (topic, payload) = match new_message(topic_len, payload_len) {
                Ok(message) => message,
                Err(_) => {
                    // The block that is kept for sending may be what stands in the way.
                    Block::drop_kept(state);
                    new_message(topic_len, payload_len)?
                }
            };
            (*state).topic_at = topic.data();
            (*state).payload_at = payload.data();
            (*state).payload_room = payload_len;
            (*state).topic = Some(topic);
            (*state).payload = Some(payload);
        }
        let (topic_start, payload_start) = receiver.allocated().map_err(packet_error)?;
        (*state)
            .topic_at
            .copy_from_nonoverlapping(topic_start.as_ptr(), topic_start.len());
        (*state)
            .payload_at
            .copy_from_nonoverlapping(payload_start.as_ptr(), payload_start.len());
    }
    Ok(())
}

/// Room for a message, its contents not initialised.
fn new_message(topic_len: usize, payload_len: usize) -> Result<(BytesBuilder, BytesBuilder)> {
    // The larger one first, while there is most room.
    let payload = BytesBuilder::new(payload_len)?;
    Ok((BytesBuilder::new(topic_len)?, payload))
}

/// Reads one packet and does what it asks for.
pub fn serve(wait: &mut Wait) -> Result<Served> {
    if receive(wait)? {
        // SAFETY: the state is the client's own.
        unsafe { handle(wait) }
    } else {
        Ok(Served::Nothing)
    }
}

/// Reads a packet. False if none is complete and the call does not wait for it.
///
/// umqtt.simple's `wait_msg` makes the socket blocking each time, which costs as much as reading does. Here it is made
/// blocking where it turns out not to be.
#[inline(never)]
pub fn receive(wait: &mut Wait) -> Result<bool> {
    let this = wait.this;
    wait.begin()?;
    let stream = io::socket(this)?;
    let Some(at_once) = wait.reads_at_once(stream) else {
        return Ok(false);
    };
    if at_once {
        io::set_blocking(stream.object(), false);
    }
    let complete = read(stream, wait, at_once);
    if !at_once {
        return complete;
    }
    // After an error the socket may be closed, which must not hide the error.
    match catch(|| io::restore_blocking(this)) {
        Err(exception) if complete.is_ok() => Err(exception.into()),
        _ => complete,
    }
}

/// Reads until a packet is complete. False if none is and the call does not wait for it.
pub fn read(stream: Stream, wait: &mut Wait, at_once: bool) -> Result<bool> {
    let state = wait.state;
    let connack = wait.role == Role::ConnAck;
    let mut restored = false;
    loop {
        // SAFETY: the state is the client's own.
        match unsafe { advance(stream, wait)? } {
            Step::More if connack => {
                // SAFETY: as above.
                let first_byte = unsafe { (*state).session.receiver.first_byte() };
                if !matches!(first_byte, 0 | CONNACK) {
                    return Err(NOT_CONNACK);
                }
            }
            Step::More => {}
            Step::Complete => return Ok(true),
            Step::Nothing => return Ok(false),
            // SAFETY: as above.
            Step::Piece => unsafe { hand_over_piece(wait)? },
            Step::EndOfStream if connack => return Err(closed(c"closed before CONNACK")),
            Step::EndOfStream => {
                // SAFETY: as above.
                let idle = unsafe { (*state).session.receiver.is_idle() };
                return Err(if idle {
                    Errno(-1).into()
                } else {
                    closed(c"closed inside a packet")
                });
            }
            Step::Blocked if wait.role == Role::Check => return Ok(false),
            // What came was not enough for TLS to go on.
            Step::Blocked if at_once => crate::wait::sleep(1),
            Step::Blocked => {
                // SAFETY: as above.
                let idle = unsafe { (*state).session.receiver.is_idle() };
                if restored && (connack || !idle) {
                    return Err(Errno::AGAIN.into());
                }
                io::restore_blocking(wait.this);
                restored = true;
                if idle && !connack {
                    return Ok(false);
                }
            }
        }
    }
}

/// Hands over the piece that fills the buffer.
unsafe fn hand_over_piece(wait: &Wait) -> Result<()> {
    let (this, state) = (wait.this, wait.state);
    // SAFETY: the state is the client's own; topic and piece fill the buffer.
    unsafe {
        let receiver = &(*state).session.receiver;
        let topic_len = receiver.topic_len().unwrap_or(0);
        let offset = (*state).piece_start;
        if offset == 0 {
            begin_pieces(wait, topic_len)?;
        }
        let total = receiver.payload_len();
        let len = (*state).payload_room;
        (*state).piece_start = offset + len;
        if (*state).pieces == SILENT {
            return Ok(());
        }
        pieces::hand_over(this, state, topic_len, offset, len, total)
    }
}

/// Before the first piece: refuses a bad topic, and keeps silent about a message that was handed over already.
unsafe fn begin_pieces(wait: &Wait, topic_len: usize) -> Result<()> {
    let (this, state) = (wait.this, wait.state);
    // SAFETY: the state is the client's own; the topic is in the buffer.
    unsafe {
        let checked = pieces::check_topic(state, topic_len);
        let publish = checked.and_then(|()| (*state).session.receiver.publish());
        let session = &(*state).session;
        let new = publish.and_then(|publish| match publish.qos {
            2 => session.incoming.is_new(publish.packet_id),
            _ => Ok(true),
        });
        if !new.map_err(|error| refuse(this, state, error))? {
            (*state).pieces = SILENT;
        }
    }
    Ok(())
}

/// Does what a complete packet asks for. Until all that can fail is done, the packet stays for the next call.
pub unsafe fn handle(wait: &Wait) -> Result<Served> {
    let (this, state) = (wait.this, wait.state);
    // SAFETY: the state is the client's own. What borrows the receiver is copied before other code runs.
    unsafe {
        let first_byte = (*state).session.receiver.first_byte();
        if first_byte == PINGRESP {
            let own = (*state).session.keep_alive.answered();
            forget_packet(state);
            return Ok(Served::Pong { own });
        }
        if first_byte >> 4 == PacketType::Publish as u8 {
            // SAFETY: it was filled when it was made.
            let last_topic = (*state)
                .last_topic
                .as_ref()
                .map_or(&[][..], |last| last.bytes());
            let publish = (*state).session.receiver.publish_after(last_topic);
            message(wait, publish.map_err(|error| refuse(this, state, error))?)?;
            return Ok(Served::Packet(first_byte));
        }
        // A CONNACK is none, and not expected here.
        let ack = (*state).session.receiver.ack();
        let ack = ack.map_err(|error| refuse(this, state, error))?;
        if let Some(reply) = ack.reply() {
            io::send(this, &reply)?;
        }
        (*state).session.settle(ack);
        forget_packet(state);
        Ok(Served::Packet(first_byte))
    }
}

/// Takes a message: hands it over now, or later, or not if it was handed over before.
unsafe fn message(wait: &Wait, publish: Publish) -> Result<()> {
    let (this, state) = (wait.this, wait.state);
    let (qos, packet_id) = (publish.qos, publish.packet_id);
    // SAFETY: the state is the client's own. The slices in `publish` are the receiver's; they are copied before it is
    // reset, and no other code runs before that but a write, which reads nothing.
    unsafe {
        let new = qos < 2
            || (*state)
                .session
                .incoming
                .is_new(packet_id)
                .map_err(|error| refuse(this, state, error))?;
        let connection = (*state).session.connection;
        let puback = if qos == 1 { packet_id } else { 0 };
        let skipped = (*state).session.receiver.is_skipped() || over_max_size(state, publish);
        if skipped || !new {
            if qos == 2 {
                pubrec(this, state, packet_id)?;
            }
            forget_packet(state);
            return deliver::acknowledge(this, state, puback, connection);
        }
        let later = wait.role == Role::OwedInCallback;
        if (*state).piece_view.get().is_some() && !later {
            return last_piece(wait, publish, puback, connection);
        }
        let (topic, payload) = ((*state).topic, (*state).payload);
        let message = Message {
            topic: match (publish.topic, (*state).last_topic) {
                (Part::Here(same), Some(last)) if same.as_ptr() == last.data() => last.object(),
                (Part::Here(bytes), _) => {
                    let topic = filled(bytes)?;
                    (*state).last_topic = Some(topic);
                    topic.object()
                }
                (Part::Stored, _) => topic.map(|bytes| bytes.object()).ok_or(LOST_STORAGE)?,
            },
            payload: match publish.payload {
                Part::Here(bytes) => filled(bytes)?.object(),
                Part::Stored => payload.map(|bytes| bytes.object()).ok_or(LOST_STORAGE)?,
            },
            packet_id: puback,
            connection,
        };
        if publish.topic == Part::Stored && check_name(message.topic.buffer().as_slice()).is_err() {
            return Err(refuse(this, state, CoreError::BadTopic));
        }
        let entry = if later {
            deliver::make_place(state)?;
            Some(deliver::entry(message))
        } else {
            None
        };
        if qos == 2 {
            pubrec(this, state, packet_id)?;
        }
        forget_packet(state);
        match entry {
            Some(entry) => {
                deliver::put(state, entry);
                Ok(())
            }
            None => deliver::hand_over(this, state, message),
        }
    }
}

/// A message that came in one go may be larger than the client takes, too.
unsafe fn over_max_size(state: *mut State, publish: Publish) -> bool {
    // SAFETY: the state is the client's own.
    unsafe {
        let over = match publish.payload {
            Part::Here(payload) => (*state).max_size != 0 && payload.len() > (*state).max_size,
            Part::Stored => false,
        };
        if over {
            (*state).dropped = OVER_MAX_SIZE;
        }
        over
    }
}

/// Sends the PUBREC and notes that the message is here: from now on it is handed over no more.
unsafe fn pubrec(this: Obj, state: *mut State, packet_id: u16) -> Result<()> {
    let ack = encode::pubrec(packet_id);
    // SAFETY: the state is the client's own; `ack` is a local.
    unsafe {
        io::send(this, &ack)?;
        if !(*state).session.incoming.contains(packet_id) {
            (*state).session.incoming.insert(packet_id);
        }
    }
    Ok(())
}

/// Hands over the rest of a message that is received into the program's buffer.
unsafe fn last_piece(wait: &Wait, publish: Publish, puback: u16, connection: u16) -> Result<()> {
    let (this, state) = (wait.this, wait.state);
    // SAFETY: the state is the client's own; topic and piece are in the buffer, as `allocate` and `place_for` saw to, or
    // fit it because it is no smaller than the receiver's chunk.
    unsafe {
        let receiver = &(*state).session.receiver;
        let topic_len = receiver.topic_len().unwrap_or(0);
        let total = receiver.payload_len();
        let mut offset = (*state).piece_start;
        if let (Part::Here(topic), Part::Here(payload)) = (publish.topic, publish.payload) {
            offset = 0;
            pieces::copy(state, 0, topic);
            pieces::copy(state, topic_len, payload);
        } else if offset == 0 {
            begin_pieces(wait, topic_len)?;
        }
        let silent = (*state).pieces == SILENT;
        if publish.qos == 2 {
            pubrec(this, state, publish.packet_id)?;
        }
        forget_packet(state);
        if !silent {
            pieces::hand_over(
                this,
                state,
                topic_len,
                offset,
                total - offset.min(total),
                total,
            )?;
        }
        deliver::acknowledge(this, state, puback, connection)
    }
}

/// A field of a message as a bytes object.
fn filled(bytes: &[u8]) -> Result<BytesBuilder> {
    let object = BytesBuilder::new(bytes.len())?;
    // SAFETY: the object has room for as many bytes.
    unsafe { io::copy(object.data(), bytes.as_ptr(), bytes.len()) };
    Ok(object)
}

const LOST_STORAGE: Error = error!("RuntimeError", "_state was changed");

/// Forgets the packet at hand.
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn forget_packet(state: *mut State) {
    // SAFETY: as the caller promises.
    unsafe {
        (*state).session.receiver.reset();
        (*state).packets = (*state).packets.wrapping_add(1);
        (*state).topic = None;
        (*state).payload = None;
        // These would keep a large message alive, too.
        (*state).topic_at = core::ptr::null_mut();
        (*state).payload_at = core::ptr::null_mut();
        (*state).piece_start = 0;
        (*state).pieces = NO_PIECES;
    }
}
