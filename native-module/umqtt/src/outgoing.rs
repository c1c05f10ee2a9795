//! Publishing.

use core::mem::MaybeUninit;

use micropython::prelude::*;
use micropython::{KeptBytes, Stream};
use mqtt_core::encode::{PUBLISH_OVERHEAD, PublishHead, pubrel};
use mqtt_core::topic::check_name;
use mqtt_core::{Awaits, Delivery, WINDOW};

use crate::again::recover;
use crate::io::{ALIGNMENT, Block, KEPT_MAX, Memory};
use crate::serve::serve_for;
use crate::state::{Kept, State};
use crate::wait::Wait;
use crate::{caught, closed, io, packet_error};

/// Packets up to this size are put together on the stack, in bytes.
const STACK_PACKET: usize = 320;

/// `publish`. Returns the packet identifier of a message that is in flight still.
pub fn publish(
    this: Obj,
    topic: Obj,
    msg: Obj,
    retain: Obj,
    qos: Obj,
    wait: Obj,
    size: Obj,
) -> Result<Obj> {
    // What is left out mostly is looked at without a call.
    let qos = if qos == Obj::small(0) {
        0
    } else {
        qos.to_int()?
    };
    let retain = retain != Obj::from_bool(false) && retain.is_true();
    if qos == 0 && size.is_none() {
        while let Err(error) = send(this, topic, msg, retain, None, false) {
            recover(this, State::of(this)?, error)?;
        }
        return Ok(Obj::none());
    }
    if !(0..=2).contains(&qos) {
        return Err(crate::BAD_QOS);
    }
    let source = Source {
        topic,
        msg,
        retain,
        size,
    };
    source.publish(this, qos as u8, wait.is_true())
}

/// A message to publish, as the program gave it: `msg` is a stream if there is a `size`.
#[derive(Clone, Copy)]
struct Source {
    topic: Obj,
    msg: Obj,
    retain: bool,
    size: Obj,
}

impl Source {
    #[inline(never)]
    fn publish(&self, this: Obj, qos: u8, waits: bool) -> Result<Obj> {
        let streamed = !self.size.is_none();
        if streamed && !waits {
            return Err(error!("ValueError", "a stream needs wait=True"));
        }
        let state = State::of(this)?;
        io::socket(this)?;
        if qos == 0 {
            self.send(this, None)?;
            return Ok(Obj::none());
        }
        let window = this.get(qstr!("window")).to_int()?;
        let window = window.clamp(1, WINDOW as isize) as usize;
        wait_until(this, state, Until::Below(window))?;
        let packet_id = next_packet_id(this, state)?;
        // SAFETY: the state is the client's own.
        let connection = unsafe { (*state).session.connection };
        let mut kept = Kept::default();
        if !streamed {
            kept.topic = self.topic.into();
            kept.message = self.msg.into();
        }
        let sent = self.send(this, Some((qos, packet_id)));
        if let Err(error) = sent
            && (streamed || !error.is(qstr!("OSError")) || !crate::again::has_policy(this))
        {
            return Err(error);
        }
        // Not before it is sent: an exception in between must not leave it to be sent by somebody else. A message that
        // could not be sent is sent by `connect`, with the others.
        // SAFETY: as above.
        unsafe {
            let delivery = Delivery::new(packet_id, qos, self.retain, kept);
            (*state).session.outgoing.add(delivery);
        }
        let mut done = sent.or_else(|error| recover(this, state, error));
        if done.is_ok() && !waits {
            return Ok(Obj::small(packet_id));
        }
        if done.is_ok() {
            let connection = streamed.then_some(connection);
            done = wait_until(this, state, Until::Settled(packet_id, connection));
        }
        // SAFETY: as above.
        let lost = unsafe {
            (*state).session.outgoing.forget(packet_id);
            streamed && (*state).session.connection != connection
        };
        done?;
        // What came from a stream cannot be sent again.
        if lost {
            Err(closed(c"connection lost"))
        } else {
            Ok(Obj::none())
        }
    }

    fn send(&self, this: Obj, delivery: Option<(u8, u16)>) -> Result<()> {
        if self.size.is_none() {
            return send(this, self.topic, self.msg, self.retain, delivery, false);
        }
        let size = usize::try_from(self.size.to_int()?);
        let size = size.map_err(|_| error!("ValueError", "size is negative"))?;
        look_at(self.topic)?;
        let topic = TOPIC.bytes();
        let head = PublishHead {
            // SAFETY: the slice is used only to encode the head, which runs no Python code.
            topic: unsafe { topic.as_slice() },
            payload_len: size,
            retain: self.retain,
            dup: false,
            delivery,
        };
        let state = State::of(this)?;
        let bound = (PUBLISH_OVERHEAD + topic.len()).max(KEPT_MAX);
        // SAFETY: the state is the client's own.
        let block = unsafe { Block::take(state, bound) }.ok_or(Error::NO_MEMORY)?;
        let n = head.encode(&mut block.memory()).map_err(packet_error)?;
        // Once the head is out, only the whole message can follow. What reading or writing raises must not pass by.
        let sent = caught(|| block.send_from(this, n, Stream::new(self.msg), size));
        // SAFETY: as above; nobody uses the block any more.
        unsafe { block.give_back(state) };
        if sent.is_err() {
            io::close(this);
        }
        sent
    }
}

/// What a call waits for.
#[derive(Clone, Copy)]
enum Until {
    /// Fewer messages are in flight.
    Below(usize),
    /// The message with this packet identifier is not in flight; or there is another connection than this.
    Settled(u16, Option<u16>),
}

/// Serves packets until something is so.
///
/// Each turn looks after the connection: with a policy, a lost one is made anew.
#[inline(never)]
fn wait_until(this: Obj, state: *mut State, until: Until) -> Result<()> {
    let mut wait = Wait::owed(this, state);
    loop {
        // SAFETY: the state is the client's own.
        let session = unsafe { &(*state).session };
        let is_so = match until {
            Until::Below(most) => session.outgoing.len() < most,
            Until::Settled(packet_id, connection) => {
                connection.is_some_and(|connection| connection != session.connection)
                    || !session.outgoing.contains(packet_id)
            }
        };
        if is_so {
            return Ok(());
        }
        if let Err(error) = serve_for(&mut wait) {
            recover(this, state, error)?;
            wait.restart();
        }
    }
}

/// `flush`: returns when nothing is in flight.
pub fn flush(this: Obj) -> Result<()> {
    let state = State::of(this)?;
    wait_until(this, state, Until::Below(1))
}

/// Sends what is in flight again, in the order of publishing (section 4.4).
pub fn resend(this: Obj, state: *mut State) -> Result<()> {
    let mut index = 0;
    loop {
        // SAFETY: the state is the client's own; the entry is copied.
        let Some(delivery) = (unsafe { (*state).session.outgoing.get(index).copied() }) else {
            return Ok(());
        };
        index += 1;
        let qos = match delivery.awaits() {
            Awaits::PubComp => {
                io::send(this, &pubrel(delivery.packet_id))?;
                continue;
            }
            Awaits::PubAck => 1,
            Awaits::PubRec => 2,
        };
        if let (Some(topic), Some(msg)) =
            (delivery.message.topic.get(), delivery.message.message.get())
        {
            let delivery_to = Some((qos, delivery.packet_id));
            send(this, topic, msg, delivery.retain(), delivery_to, true)?;
        }
    }
}

/// The topic of the last message, which most messages share, checked.
static TOPIC: KeptBytes = KeptBytes::new();

/// Lets go of the topic that was published to last.
pub fn forget_topic() {
    TOPIC.forget();
}

/// Sees to it that [`TOPIC`] has the bytes of this topic, until other code runs. An error for one that no message can have.
#[inline(always)]
fn look_at(topic: Obj) -> Result<()> {
    if TOPIC.is(topic) {
        return Ok(());
    }
    look_closely_at(topic)
}

#[inline(never)]
fn look_closely_at(topic: Obj) -> Result<()> {
    let bytes = topic.buffer();
    // SAFETY: no other code runs while the slice lives.
    check_name(unsafe { bytes.as_slice() }).map_err(packet_error)?;
    TOPIC.set(topic, bytes);
    Ok(())
}

/// Writes a PUBLISH: without touching the heap up to [`STACK_PACKET`]; in one write up to [`KEPT_MAX`], and a larger one in
/// two: as much as that, then the rest straight from the caller's object.
#[inline(never)]
fn send(
    this: Obj,
    topic: Obj,
    msg: Obj,
    retain: bool,
    delivery: Option<(u8, u16)>,
    dup: bool,
) -> Result<()> {
    // The buffers are looked at before any other code runs.
    let payload = msg.buffer();
    look_at(topic)?;
    let head = PublishHead {
        // SAFETY: the slice is used only to encode the head, which runs no Python code.
        topic: unsafe { TOPIC.bytes().as_slice() },
        payload_len: payload.len(),
        retain,
        dup,
        delivery,
    };
    let stream = io::socket(this)?;
    let head_bound = ALIGNMENT + PUBLISH_OVERHEAD + head.topic.len();
    let bound = head_bound + payload.len();
    let mut out = MaybeUninit::<[u8; STACK_PACKET]>::uninit();
    let mut start = out.as_mut_ptr().cast::<u8>();
    let mut room = STACK_PACKET;
    let mut taken = None;
    if bound > STACK_PACKET {
        let state = State::of(this)?;
        // With little memory the head alone will do, and the payload goes out from where it is.
        // SAFETY: the state is the client's own.
        let block = unsafe {
            Block::take(state, bound.min(KEPT_MAX.max(head_bound)))
                .or_else(|| Block::take(state, head_bound))
        };
        let block = block.ok_or(Error::NO_MEMORY)?;
        (start, room) = block.place();
        taken = Some((state, block));
    }
    // Where the payload comes to lie as it lies in its object, it is copied by words. No room for that is no reason to
    // write a packet in two.
    let size = head.size();
    let mut pad = payload.as_ptr().addr().wrapping_sub(start.addr() + size) % ALIGNMENT;
    if room < pad + size + payload.len() {
        pad = 0;
    }
    // SAFETY: `out` is a local, the block belongs to nobody else, and both have room for head and padding. The payload's
    // bytes are copied before other code runs; what is sent has been filled in. What goes out straight from the object is
    // read at its address of now, which the object keeps unless a callback resizes it while the stream waits, as with
    // umqtt.simple.
    unsafe {
        (start, room) = (start.add(pad), room - pad);
        let n = head
            .encode(&mut Memory::new(start, room))
            .map_err(packet_error)?;
        let copied = payload.len().min(room - n);
        io::copy(start.add(n), payload.as_ptr(), copied);
        let sent = io::write_all(this, stream, start, n + copied);
        if let Some((state, block)) = taken {
            block.give_back(state);
        }
        sent?;
        let rest = payload.len() - copied;
        if rest > 0 {
            io::write_all(this, stream, payload.as_ptr().add(copied), rest)?;
        }
    }
    Ok(())
}

/// Takes the packet identifier after the client's `pid`, and stores it there.
pub fn next_packet_id(this: Obj, state: *mut State) -> Result<u16> {
    let last = this.get(qstr!("pid")).to_int_truncated() as u16;
    // SAFETY: the state is the client's own.
    let packet_id = unsafe { (*state).session.next_packet_id(last) };
    this.set(qstr!("pid"), Obj::small(packet_id));
    Ok(packet_id)
}
