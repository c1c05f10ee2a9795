//! `wait_msg` and `check_msg`, and how other calls wait for the broker through them.

use micropython::prelude::*;
use mqtt_core::Error as CoreError;

use crate::again::{self, recover};
use crate::deliver::hand_over_deferred;
use crate::incoming::{Served, serve};
use crate::pieces::{OVER_BUFFER, OVER_MAX_SIZE};
use crate::state::State;
use crate::wait::{Role, Wait};
use crate::{WAIT_MSG, caught, io, packet_error};

/// The most packets that one `check_msg` serves, so that a flood of them does not keep a program from its work.
const CHECKED: usize = 32;

/// What stands for a message that had waited for the callback: a PUBLISH's first byte.
const PUBLISH: u8 = 0x30;

/// `wait_msg`.
pub fn wait_msg(this: Obj, timeout: Obj) -> Result<Obj> {
    let state = State::of(this)?;
    let mut wait = Wait::idle(this, state, timeout);
    loop {
        match wait_once(&mut wait) {
            Ok(Served::Pong { own: true }) => {}
            Ok(served) => {
                report_dropped(state)?;
                return Ok(returned(&served));
            }
            Err(error) => recover(this, state, error)?,
        }
        wait.resume();
    }
}

fn wait_once(wait: &mut Wait) -> Result<Served> {
    let (this, state) = (wait.this, wait.state);
    // SAFETY: the state is the client's own.
    if wait.role != Role::OwedInCallback && unsafe { hand_over_deferred(this, state)? } {
        return Ok(Served::Packet(PUBLISH));
    }
    let served = serve(wait)?;
    after(wait)?;
    Ok(served)
}

/// After a packet: hands over what a call within the callback has put aside.
fn after(wait: &Wait) -> Result<()> {
    // SAFETY: the state is the client's own.
    unsafe {
        if (*wait.state).in_callback == 0 {
            hand_over_deferred(wait.this, wait.state)?;
        }
    }
    Ok(())
}

/// `check_msg`.
pub fn check_msg(this: Obj) -> Result<Obj> {
    let state = State::of(this)?;
    let stream = io::socket(this)?;
    let wait_msg = this.method(qstr!("wait_msg"));
    if !wait_msg.is(WAIT_MSG.get()) {
        io::set_blocking(stream.object(), false);
        let served = as_role(state, Role::Check, 0, 0, || wait_msg.call(&[]))?;
        io::restore_blocking(this);
        return Ok(served);
    }
    let mut last = Obj::none();
    for _ in 0..CHECKED {
        match check_once(this, state) {
            Ok(Served::Nothing) => break,
            Ok(served) => {
                report_dropped(state)?;
                let served = returned(&served);
                if !served.is_none() {
                    last = served;
                }
            }
            Err(error) => again::note_loss(this, state, error)?,
        }
        if stream.object().is_instance_of_python_class() {
            break;
        }
    }
    Ok(last)
}

fn check_once(this: Obj, state: *mut State) -> Result<Served> {
    // SAFETY: the state is the client's own.
    if unsafe { (*state).lost != 0 } && !again::try_once(this, state)? {
        return Ok(Served::Nothing);
    }
    let mut wait = Wait::check(this, state);
    // SAFETY: as above.
    if unsafe { hand_over_deferred(this, state)? } {
        return Ok(Served::Packet(PUBLISH));
    }
    let served = serve(&mut wait)?;
    after(&wait)?;
    Ok(served)
}

fn returned(served: &Served) -> Obj {
    match served {
        Served::Packet(byte) => Obj::small(*byte),
        Served::Pong { .. } | Served::Nothing => Obj::none(),
    }
}

/// An error if a message was read over.
fn report_dropped(state: *mut State) -> Result<()> {
    // SAFETY: the state is the client's own.
    match unsafe { core::mem::take(&mut (*state).dropped) } {
        OVER_MAX_SIZE => Err(error!("MQTTException", "message over max_size")),
        OVER_BUFFER => Err(error!("MQTTException", "topic over buffer")),
        _ => Ok(()),
    }
}

/// Serves one packet on behalf of a call that waits for the broker. Whatever is raised comes back as an error, so that the
/// call can take back what it has noted.
pub fn serve_for(wait: &mut Wait) -> Result<()> {
    caught(|| serve_virtually(wait))
}

/// Serves through the client's `wait_msg`, which a subclass may have overridden.
fn serve_virtually(wait: &mut Wait) -> Result<()> {
    let (this, state) = (wait.this, wait.state);
    let wait_msg = this.method(qstr!("wait_msg"));
    if wait_msg.is(WAIT_MSG.get()) {
        serve(wait)?;
        return after(wait);
    }
    wait.begin()?;
    // SAFETY: the state is the client's own.
    let before = unsafe { (*state).packets };
    let (start, limit) = wait.deadline();
    let op = as_role(state, wait.role, start, limit, || wait_msg.call(&[]))?;
    // SAFETY: as above.
    let untouched = unsafe { (*state).packets == before && (*state).session.receiver.is_idle() };
    if untouched && !op.is_none() {
        // It read a packet's first byte by itself and left the rest to the caller, as umqtt.simple's own does.
        let first_byte = op.to_int()? as u8;
        if matches!(first_byte, 0x40 | 0x90 | 0xb0) {
            // SAFETY: as above.
            unsafe { (*state).session.receiver.start_with(first_byte) };
            serve(wait)?;
        }
    }
    Ok(())
}

/// Calls an overridden `wait_msg` so that it waits as this call does. What it raises comes back as an error, with the
/// client's state as before.
fn as_role(
    state: *mut State,
    role: Role,
    start: u32,
    limit: u32,
    mut call: impl FnMut() -> Obj,
) -> Result<Obj> {
    // SAFETY: the state is the client's own.
    unsafe {
        let outer = ((*state).role, (*state).role_start, (*state).role_limit);
        ((*state).role, (*state).role_start, (*state).role_limit) = (role as u8, start, limit);
        let result = catch(&mut call);
        ((*state).role, (*state).role_start, (*state).role_limit) = outer;
        Ok(result?)
    }
}

/// `_recv_len`: reads a remaining length from the socket.
pub fn recv_len(this: Obj) -> Result<usize> {
    let stream = io::socket(this)?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let mut byte = 0u8;
        // SAFETY: `byte` is a local.
        match unsafe { stream.read(&raw mut byte, 1)? } {
            Ok(0) => return Err(crate::closed(c"closed inside a packet")),
            Ok(_) => length |= usize::from(byte & 0x7f) << shift,
            Err(errno) => return Err(errno.into()),
        }
        if byte & 0x80 == 0 {
            return Ok(length);
        }
        shift += 7;
        if shift > 21 {
            return Err(packet_error(CoreError::MalformedLength));
        }
    }
}
