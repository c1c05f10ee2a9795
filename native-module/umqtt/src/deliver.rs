//! Handing messages to the callback: one at a time, and never one within another because of a call that the callback
//! makes.
//!
//! A call within the callback that waits for the broker (`Role::OwedInCallback`) puts the messages that come into a ring
//! of places; they are handed over when the callback has returned.

use micropython::Attribute;
use micropython::prelude::*;
use mqtt_core::encode;

use crate::state::State;
use crate::{io, pieces};

/// Where clients have their callback.
static CB: Attribute = Attribute::new();

/// How many messages can wait for the callback.
const PLACES: usize = 32;

/// A message that was received, and how it is to be acknowledged after the callback.
#[derive(Clone, Copy)]
pub struct Message {
    pub topic: Obj,
    pub payload: Obj,
    /// The packet identifier at QoS 1, else 0: a message of QoS 2 has its PUBREC already.
    pub packet_id: u16,
    /// The connection on which it came.
    pub connection: u16,
}

/// Sees to it that there is a place for one more message. An error if there is none; may raise MemoryError.
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn make_place(state: *mut State) -> Result<()> {
    // SAFETY: as the caller promises.
    unsafe {
        if usize::from((*state).deferred_len) >= PLACES {
            return Err(error!(
                "RuntimeError",
                "too many messages wait for the callback"
            ));
        }
        if (*state).deferred.get().is_none() {
            let places = List::new(&[Obj::none(); PLACES]);
            (*state).deferred = places.obj().into();
        }
    }
    Ok(())
}

/// The entry for a message, to be put into a place. May raise MemoryError.
pub fn entry(message: Message) -> Obj {
    let owed = i32::from(message.packet_id) << 8 | i32::from(message.connection & 0xff);
    Obj::from_items(&[message.topic, message.payload, Obj::small(owed)])
}

/// Puts an entry into the place that [`make_place`] has found. Does not raise.
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn put(state: *mut State, entry: Obj) {
    // SAFETY: as the caller promises.
    unsafe {
        let index = usize::from((*state).deferred_first) + usize::from((*state).deferred_len);
        if let Some(Ok(list)) = (*state).deferred.get().map(List::from_obj) {
            list.set(index % PLACES, entry);
            (*state).deferred_len += 1;
        }
    }
}

/// Takes the oldest message out.
unsafe fn take(state: *mut State) -> Option<Message> {
    // SAFETY: as for `put`.
    let entry = unsafe {
        if (*state).deferred_len == 0 {
            return None;
        }
        let first = usize::from((*state).deferred_first) % PLACES;
        (*state).deferred_first = ((first + 1) % PLACES) as u8;
        (*state).deferred_len -= 1;
        let list = List::from_obj((*state).deferred.get()?).ok()?;
        let entry = list.get(first)?;
        list.set(first, Obj::none());
        entry
    };
    let entry = Tuple::from_obj(entry).ok()?;
    let [topic, payload, owed] = entry.as_slice() else {
        return None;
    };
    let owed = owed.to_int_truncated();
    // SAFETY: as for `put`.
    let connection = unsafe { (*state).session.connection };
    Some(Message {
        topic: *topic,
        payload: *payload,
        packet_id: (owed >> 8) as u16,
        connection: connection & !0xff | owed as u16 & 0xff,
    })
}

/// Hands over what has waited, oldest first. True if there was anything.
///
/// # Safety
/// `state` must come from [`State::of`].
#[inline(always)]
pub unsafe fn hand_over_deferred(this: Obj, state: *mut State) -> Result<bool> {
    // SAFETY: as the caller promises.
    unsafe {
        if (*state).deferred_len == 0 {
            return Ok(false);
        }
        hand_over_all(this, state)
    }
}

#[cold]
#[inline(never)]
unsafe fn hand_over_all(this: Obj, state: *mut State) -> Result<bool> {
    // SAFETY: as for `hand_over_deferred`.
    while let Some(message) = unsafe { take(state) } {
        // SAFETY: as above.
        unsafe { hand_over(this, state, message)? };
    }
    Ok(true)
}

/// Calls the callback with a message, and acknowledges the message.
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn hand_over(this: Obj, state: *mut State, message: Message) -> Result<()> {
    // SAFETY: as the caller promises.
    unsafe {
        if (*state).piece_view.get().is_some() {
            pieces::whole(this, state, message.topic, message.payload)?;
        } else {
            call_back(this, state, &[message.topic, message.payload])?;
        }
        acknowledge(this, state, message.packet_id, message.connection)
    }
}

/// Sends the PUBACK of a message that was handed over. The callback may have connected anew: what came on the old
/// connection is not acknowledged on the new one, where that identifier means something else (section 4.4).
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn acknowledge(
    this: Obj,
    state: *mut State,
    packet_id: u16,
    connection: u16,
) -> Result<()> {
    // SAFETY: as the caller promises; `ack` is a local.
    unsafe {
        if packet_id == 0 || (*state).session.connection != connection {
            return Ok(());
        }
        let ack = encode::puback(packet_id);
        io::send(this, &ack)
    }
}

/// Calls the callback. What it raises comes back as an error, with the client's state as before.
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn call_back<const N: usize>(
    this: Obj,
    state: *mut State,
    args: &[Obj; N],
) -> Result<()> {
    // SAFETY: as the caller promises.
    unsafe {
        let (outer, role) = ((*state).in_callback, (*state).role);
        (*state).in_callback = 1;
        (*state).role = 0;
        let result = catch(|| {
            this.get_own(qstr!("cb"), &CB).call(args);
        });
        (*state).in_callback = outer;
        (*state).role = role;
        result.map_err(|exception| {
            (*state).callback_error = exception.object().into();
            exception.into()
        })
    }
}
