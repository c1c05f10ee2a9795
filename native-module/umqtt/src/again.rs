//! Connecting again after a lost connection: when, how often, and what is put right afterwards.
//!
//! A client does it that has a `policy`, and umqtt.robust's, whose own `reconnect()` is called then.

use micropython::import;
use micropython::prelude::*;
use mqtt_core::AckKind;

use crate::outgoing::next_packet_id;
use crate::state::State;
use crate::wait::{left, milliseconds, sleep, ticks};
use crate::{caught, requests};

/// The default policy: the first delay and the longest, in milliseconds.
const FIRST: u32 = 1000;
const LONGEST: u32 = 60_000;

/// True if lost connections are made anew.
pub fn has_policy(this: Obj) -> bool {
    is_robust(this) || this.get(qstr!("policy")).is_true()
}

fn is_robust(this: Obj) -> bool {
    this.get(qstr!("_robust")).is_true()
}

/// After an error: connects again if it is that of a lost connection and the client has a policy, and returns when that
/// has worked. Else returns the error.
#[cold]
#[inline(never)]
pub fn recover(this: Obj, state: *mut State, error: Error) -> Result<()> {
    if !is_loss(this, state, error) {
        return Err(error);
    }
    // What is raised here must not pass by the caller, who may have something to take back.
    caught(|| {
        if is_robust(this) {
            this.call_method(qstr!("log"), &[Obj::from_bool(false), error.exception()]);
            this.call_method(qstr!("reconnect"), &[]);
            return Ok(());
        }
        begin(state);
        while !try_once(this, state)? {
            sleep(to_next_try(state));
        }
        Ok(())
    })
}

/// For `check_msg`, which does not wait: notes that the connection is lost, so that it tries to make it anew. Returns the
/// error if that is not its business.
#[cold]
pub fn note_loss(this: Obj, state: *mut State, error: Error) -> Result<()> {
    if is_robust(this) || !is_loss(this, state, error) {
        return Err(error);
    }
    begin(state);
    Ok(())
}

fn is_loss(this: Obj, state: *mut State, error: Error) -> bool {
    // SAFETY: the state is the client's own.
    let of_callback = unsafe { (*state).callback_error.get() };
    error.is(qstr!("OSError")) && Some(error.exception()) != of_callback && has_policy(this)
}

fn begin(state: *mut State) {
    // SAFETY: the state is the client's own.
    unsafe {
        (*state).lost = 1;
        (*state).tries = 0;
    }
}

/// Tries to connect, if it is time. True if there is a connection now.
pub fn try_once(this: Obj, state: *mut State) -> Result<bool> {
    // SAFETY: the state is the client's own.
    let tries = unsafe { (*state).tries };
    if tries > 0 && to_next_try(state) > 0 {
        return Ok(false);
    }
    match connect(this, state) {
        Ok(_) => return Ok(true),
        Err(error) if may_pass(error) => {}
        Err(error) => return Err(error),
    }
    let delay = delay(this, tries)?;
    // SAFETY: as above.
    unsafe {
        (*state).tries = tries.saturating_add(1);
        (*state).failed_at = ticks();
        (*state).delay = delay;
    }
    Ok(false)
}

/// How many milliseconds it is to the next try.
fn to_next_try(state: *mut State) -> u32 {
    // SAFETY: the state is the client's own.
    unsafe { left((*state).failed_at, (*state).delay, ticks()) }
}

/// True if a failure to connect is one that time may heal: of the network, or a broker that is not available now.
fn may_pass(error: Error) -> bool {
    if error.is(qstr!("OSError")) {
        return true;
    }
    error.is(qstr!("MQTTException"))
        && error
            .exception()
            .get(qstr!("args"))
            .item(Obj::small(0))
            .equals(Obj::small(3))
}

/// How many milliseconds to wait after so many failures: the first delay doubled with each, up to the longest, and of
/// that a half to the whole by chance, so that many boards do not come at once.
fn delay(this: Obj, tries: u8) -> Result<u32> {
    let policy = this.get(qstr!("policy"));
    let (mut first, mut longest) = (FIRST, LONGEST);
    if policy != Obj::from_bool(true) {
        let policy = Tuple::from_obj(policy)?;
        let [a, b] = policy.as_slice() else {
            return Err(error!(
                "ValueError",
                "reconnect: True or (first, longest) seconds"
            ));
        };
        (first, longest) = (milliseconds(*a), milliseconds(*b));
    }
    let delay = first.saturating_mul(1 << tries.min(16)).min(longest);
    let clock = import(qstr!("time")).call_method(qstr!("ticks_us"), &[]);
    // The low bits of a microsecond clock after a failure of the network are chance enough.
    let chance = (clock.to_int_truncated() as u32).wrapping_mul(0x9e37_79b1) >> 16;
    Ok(delay / 2 + (delay >> 9) * (chance >> 8))
}

/// Connects once, through the client's `connect`, as the last time, and subscribes again to what the broker does not know
/// any more. Returns whether it kept a session.
pub fn connect(this: Obj, state: *mut State) -> Result<Obj> {
    // SAFETY: the state is the client's own.
    unsafe {
        (*state).resuming = 1;
        let clean_session = Obj::from_bool((*state).clean_session != 0);
        let connected = catch(|| this.call_method(qstr!("connect"), &[clean_session]));
        (*state).resuming = 0;
        let session_present = connected?;
        if !session_present.is_true() {
            subscribe_again(this, state)?;
        }
        Ok(session_present)
    }
}

/// Notes what is subscribed: for each filter the QoS and, above it, the connection on which it was subscribed. May raise
/// MemoryError.
///
/// # Safety
/// `state` must come from [`State::of`].
pub unsafe fn remember(state: *mut State, topic: Obj, kind: AckKind, qos: u8) -> Result<()> {
    // A copy, which the program cannot change and a dict can hold.
    // SAFETY: the bytes are copied before other code runs; the rest as the caller promises.
    unsafe {
        let filter = Obj::from_bytes(topic.buffer().as_slice());
        let dict = match (*state).subscriptions.get() {
            Some(dict) => dict,
            None => {
                let dict = Obj::new_dict();
                (*state).subscriptions = dict.into();
                dict
            }
        };
        if kind == AckKind::SubAck {
            let value = i32::from(qos) | i32::from((*state).session.connection) << 2;
            dict.set_item(filter, Obj::small(value));
        } else {
            dict.call_method(qstr!("pop"), &[filter, Obj::none()]);
        }
    }
    Ok(())
}

/// Subscribes to what was subscribed on earlier connections only. The answers are not waited for.
pub fn subscribe_again(this: Obj, state: *mut State) -> Result<()> {
    // SAFETY: the state is the client's own.
    unsafe {
        let Some(dict) = (*state).subscriptions.get() else {
            return Ok(());
        };
        let connection = (*state).session.connection;
        for (filter, value) in Dict::from_obj(dict)?.iter() {
            let value = value.to_int_truncated();
            if (value >> 2) as u16 == connection {
                continue;
            }
            let packet_id = next_packet_id(this, state)?;
            let qos = value as u8 & 3;
            requests::send(this, state, filter, AckKind::SubAck, qos, packet_id)?;
            // The key is there: the dict does not grow while it is gone through.
            remember(state, filter, AckKind::SubAck, qos)?;
        }
    }
    Ok(())
}
