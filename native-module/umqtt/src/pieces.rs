//! Receiving into a buffer of the program's: a message is handed over in pieces of what fits, as two memoryviews that
//! are moved, so that no message takes memory, whatever its size.
//!
//! The buffer holds the topic first, then the piece.

use micropython::View;
use micropython::prelude::*;
use mqtt_core::topic::check_name;
use mqtt_core::{CHUNK, Error as CoreError};

use crate::deliver::call_back;
use crate::state::State;

/// What is done with the PUBLISH at hand: nothing special,
pub const NO_PIECES: u8 = 0;
/// it is handed over in pieces,
pub const PIECES: u8 = 1;
/// or it was handed over on an earlier connection, and is read only.
pub const SILENT: u8 = 2;

/// Why a message was read over: larger than the client's `max_size`,
pub const OVER_MAX_SIZE: u8 = 1;
/// or its topic larger than the buffer.
pub const OVER_BUFFER: u8 = 2;

/// Takes the buffer into which messages are received, or None for objects of their own.
pub fn set_buffer(state: *mut State, buffer: Obj) -> Result<()> {
    if buffer.is_none() {
        // SAFETY: the state is the client's own.
        unsafe {
            (*state).topic_view = Default::default();
            (*state).piece_view = Default::default();
        }
        return Ok(());
    }
    let bytes = buffer.buffer_mut();
    if bytes.len() < CHUNK {
        return Err(error!("ValueError", "buffer under 288 bytes"));
    }
    let class = Obj::global(qstr!("memoryview"));
    let (topic, piece) = (class.call(&[buffer]), class.call(&[buffer]));
    // SAFETY: as above; nothing raises between.
    unsafe {
        (*state).topic_view = topic.into();
        (*state).piece_view = piece.into();
        (*state).buffer = bytes.as_ptr();
        (*state).buffer_len = bytes.len();
    }
    Ok(())
}

/// How many bytes of payload fit the buffer beside a topic.
///
/// # Safety
/// `state` must come from [`State::of`], as in all functions here.
pub unsafe fn room(state: *mut State, topic_len: usize) -> usize {
    // SAFETY: as the caller promises.
    unsafe { (*state).buffer_len.saturating_sub(topic_len) }
}

/// Copies bytes into the buffer, as far as there is room.
///
/// # Safety
/// See [`room`]; `bytes` must not lie in the buffer.
pub unsafe fn copy(state: *mut State, at: usize, bytes: &[u8]) {
    // SAFETY: as the caller promises; within the buffer.
    unsafe {
        let n = bytes.len().min(room(state, at));
        if n > 0 {
            (*state)
                .buffer
                .add(at)
                .copy_from_nonoverlapping(bytes.as_ptr(), n);
        }
    }
}

/// Hands over a piece that lies in the buffer behind its topic: `len` bytes from `offset` of `total`.
///
/// # Safety
/// See [`room`]; topic and piece must fit the buffer.
pub unsafe fn hand_over(
    this: Obj,
    state: *mut State,
    topic_len: usize,
    offset: usize,
    len: usize,
    total: usize,
) -> Result<()> {
    // SAFETY: as the caller promises; the views are those of `set_buffer`, over as many bytes.
    unsafe {
        let (Some(topic), Some(piece)) = ((*state).topic_view.get(), (*state).piece_view.get())
        else {
            return Ok(());
        };
        View::of(topic).place(0, topic_len);
        View::of(piece).place(topic_len, len);
        let (offset, total) = (Obj::small(offset as i32), Obj::small(total as i32));
        call_back(this, state, &[topic, piece, offset, total])
    }
}

/// Checks the topic that lies in the buffer.
///
/// # Safety
/// See [`room`]; the topic must fit the buffer.
pub unsafe fn check_topic(
    state: *mut State,
    topic_len: usize,
) -> core::result::Result<(), CoreError> {
    // SAFETY: as the caller promises; no other code runs while the slice lives.
    let topic = unsafe { core::slice::from_raw_parts((*state).buffer, topic_len) };
    check_name(topic).map_err(|_| CoreError::BadTopic)
}

/// Hands over a message that had to be received into objects of its own, as one piece.
///
/// # Safety
/// See [`room`].
pub unsafe fn whole(this: Obj, state: *mut State, topic: Obj, payload: Obj) -> Result<()> {
    let class = Obj::global(qstr!("memoryview"));
    let total = Obj::small(payload.buffer().len() as i32);
    let args = [
        class.call(&[topic]),
        class.call(&[payload]),
        Obj::small(0),
        total,
    ];
    // SAFETY: as the caller promises.
    unsafe { call_back(this, state, &args) }
}
