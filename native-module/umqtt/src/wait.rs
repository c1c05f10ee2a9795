//! How long a call may wait: one deadline per call, and the keep alive that is looked after meanwhile.
//!
//! A call that has neither a deadline nor a keep alive to watch just reads, and the socket blocks as it will. Otherwise
//! the socket gets a timeout that is no longer than what is left, so that a read comes back in time, and what is left is
//! looked at again before each read. A TLS socket loses its connection where a read of the socket below times out;
//! there, reads do not block and `select.poll` waits.

use micropython::prelude::*;
use micropython::{Attribute, Errno, Stream, import};
use mqtt_core::Due;
use mqtt_core::encode::PINGREQ;

use crate::state::State;
use crate::{TICKS, io};

/// Poll events after which a read does not wait: readable, or an end that the read will report
/// (`MP_STREAM_POLL_RD`, `_ERR`, `_HUP` and `_NVAL` of `py/stream.h`).
const POLL_READ: usize = 0x01;

/// No limit, in milliseconds.
pub const FOREVER: u32 = u32::MAX;

/// MicroPython's clock comes round after so many milliseconds at the least.
const PERIOD: u32 = 1 << 30;

/// The longest limit, half a period: what is longer cannot be told from what is over.
const LONGEST: isize = (PERIOD / 2 - 1) as isize;

/// What a call waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// For whatever comes; that takes as long as it takes.
    Idle = 0,
    /// For something that the broker owes.
    Owed = 1,
    /// As `Owed`, within a callback: messages that come are handed over later.
    OwedInCallback = 2,
    /// For nothing: looks at what is there.
    Check = 3,
    /// For the answer to a CONNECT, before which nothing else may come.
    ConnAck = 4,
}

/// How a call waits.
pub struct Wait {
    pub this: Obj,
    pub state: *mut State,
    pub role: Role,
    /// Whether there is a deadline or a keep alive to watch; not known before [`Wait::begin`].
    limited: Option<bool>,
    /// When the call has begun.
    call: Option<u32>,
    /// The same, or in an idle call when the packet at hand has begun.
    start: Option<u32>,
    /// How many milliseconds that may take.
    limit: u32,
    /// How many milliseconds an idle call waits for a packet to begin.
    idle_limit: u32,
    /// The time of the last look at the clock.
    now: u32,
    begun: bool,
    looked: bool,
    /// For a call that does not wait: what a poll has said that was not acted upon yet.
    known: Option<bool>,
    /// What `watch` has found: the time is up, or there is nothing to be read.
    over: bool,
}

/// The clock, in milliseconds.
pub fn ticks() -> u32 {
    TICKS.get().call(&[]).to_int_truncated() as u32
}

/// How many milliseconds of a limit that began at `start` are left; 0 if it is over.
pub fn left(start: u32, limit: u32, now: u32) -> u32 {
    let passed = now.wrapping_sub(start) % PERIOD;
    match limit {
        FOREVER => FOREVER,
        _ => limit.saturating_sub(passed),
    }
}

/// A time in seconds, which may be an int, a float or None, in milliseconds. Raises TypeError.
pub fn milliseconds(seconds: Obj) -> u32 {
    if seconds.is_none() {
        return FOREVER;
    }
    let product = seconds.times(Obj::small(1000));
    let whole = Obj::global(qstr!("int")).call(&[product]);
    (whole.to_int_truncated() as isize).clamp(0, LONGEST) as u32
}

/// The same the other way: up to [`LONGEST`].
#[inline(never)]
pub fn seconds(milliseconds: u32) -> Obj {
    Obj::small(milliseconds as i32).divided_by(Obj::small(1000))
}

/// `time.sleep_ms`.
pub fn sleep(milliseconds: u32) {
    import(qstr!("time")).call_method(qstr!("sleep_ms"), &[Obj::small(milliseconds as i32)]);
}

/// `OSError(errno.ETIMEDOUT)`, a number that differs from port to port.
#[cold]
pub fn timed_out() -> Error {
    Error::with(qstr!("OSError"), etimedout())
}

fn etimedout() -> Obj {
    import(qstr!("errno")).get(qstr!("ETIMEDOUT"))
}

/// A write has taken nothing for as long as the socket's timeout is. True if that was one of ours and the call's time is
/// not up; `waited` adds up what has passed.
pub fn may_write_again(client: Obj, errno: Errno, waited: &mut u32) -> Result<bool> {
    let state = State::of(client)?;
    // SAFETY: the state is the client's own.
    let (armed, tls) = unsafe { ((*state).armed, (*state).tls != 0) };
    if armed == 0 || tls || Obj::small(errno.0) != etimedout() {
        return Ok(false);
    }
    *waited = waited.saturating_add(armed);
    // SAFETY: as above.
    let given_up = unsafe { (*state).session.keep_alive.given_up() };
    Ok(*waited < milliseconds(client.get(qstr!("timeout"))).min(given_up))
}

/// A write has found that the TLS handshake needs more from the broker: waits for it. False if none is under way; an error
/// if the time of the call that connects is up.
pub fn shakes_hands(client: Obj) -> Result<bool> {
    let state = State::of(client)?;
    // SAFETY: the state is the client's own.
    let (start, limit) = unsafe { ((*state).shaking_since, (*state).shaking_limit) };
    if limit == 0 {
        return Ok(false);
    }
    let rest = left(start, limit, ticks());
    if rest == 0 {
        return Err(timed_out());
    }
    // Not for long: where it is the socket that takes no more, nothing comes that would end the waiting.
    Wait::check(client, state).poll(rest.min(SHAKING_POLL));
    Ok(true)
}

/// For how many milliseconds at most a handshake waits before it is tried again.
const SHAKING_POLL: u32 = 100;

impl Wait {
    /// Waits for something that the broker owes, with the client's `timeout`.
    pub fn owed(this: Obj, state: *mut State) -> Self {
        // SAFETY: the state is the client's own.
        let role = if unsafe { (*state).in_callback != 0 } {
            Role::OwedInCallback
        } else {
            Role::Owed
        };
        static TIMEOUT: Attribute = Attribute::new();
        let timeout = this.get_own(qstr!("timeout"), &TIMEOUT);
        Self::new(this, state, role, milliseconds(timeout))
    }

    /// Waits for whatever comes. Within an overridden `wait_msg` that was called on behalf of another call, as that one.
    pub fn idle(this: Obj, state: *mut State, timeout: Obj) -> Self {
        let mut wait = Self::owed(this, state);
        // SAFETY: the state is the client's own.
        let (role, start, limit) =
            unsafe { ((*state).role, (*state).role_start, (*state).role_limit) };
        wait.role = match role {
            1 => Role::Owed,
            2 => Role::OwedInCallback,
            3 => Role::Check,
            _ => Role::Idle,
        };
        if wait.role == Role::Idle {
            wait.idle_limit = milliseconds(timeout);
        } else {
            wait.start = Some(start);
            wait.limit = limit;
        }
        wait
    }

    /// Waits for the answer to a CONNECT, in what is left of the call's time.
    pub fn connack(this: Obj, state: *mut State, start: u32, limit: u32) -> Self {
        let mut wait = Self::new(this, state, Role::ConnAck, limit);
        wait.start = Some(start);
        wait
    }

    /// Looks at what is there.
    pub fn check(this: Obj, state: *mut State) -> Self {
        Self::new(this, state, Role::Check, FOREVER)
    }

    fn new(this: Obj, state: *mut State, role: Role, limit: u32) -> Self {
        Wait {
            this,
            state,
            role,
            limited: None,
            call: None,
            start: None,
            limit,
            idle_limit: FOREVER,
            now: 0,
            begun: false,
            looked: false,
            known: None,
            over: false,
        }
    }

    /// Before the first read: looks at the clock if there is a deadline or a keep alive to watch, and sees to the latter.
    #[inline(never)]
    pub fn begin(&mut self) -> Result<()> {
        if self.limited.is_some() {
            return Ok(());
        }
        // SAFETY: the state is the client's own.
        let (keep_alive, pieces) = unsafe {
            (
                (*self.state).session.keep_alive.is_on(),
                (*self.state).pieces,
            )
        };
        if self.role == Role::OwedInCallback && pieces != 0 {
            return Err(error!(
                "RuntimeError",
                "cannot wait between the pieces of a message: use wait=False"
            ));
        }
        let limited = keep_alive || self.limit != FOREVER || self.idle_limit != FOREVER;
        self.limited = Some(limited);
        if limited {
            self.now = ticks();
            let call = self.call.or(self.start).unwrap_or(self.now);
            self.call = Some(call);
            self.start = Some(call);
            if keep_alive {
                self.keep_alive()?;
            }
        } else if self.role != Role::Check {
            self.arm(0);
        }
        Ok(())
    }

    /// There is a new connection, with which the time begins anew.
    pub fn restart(&mut self) {
        self.call = None;
        self.start = None;
        self.resume();
    }

    /// A packet was served that the call does not wait for, or there is a new connection; its time goes on.
    pub fn resume(&mut self) {
        self.limited = None;
        self.begun = false;
        self.looked = false;
    }

    /// True if there is a deadline or a keep alive to watch.
    fn is_limited(&self) -> bool {
        self.limited == Some(true)
    }

    /// When the call began, and how many milliseconds it may take.
    pub fn deadline(&self) -> (u32, u32) {
        (self.start.unwrap_or(0), self.limit)
    }

    /// True if reads of the socket are not to block while this call reads. `None` if it need not read at all: it does not
    /// wait, and nothing is there.
    pub fn reads_at_once(&mut self, stream: Stream) -> Option<bool> {
        // SAFETY: the state is the client's own.
        let tls = unsafe { (*self.state).tls != 0 };
        if self.role != Role::Check {
            return Some(
                tls && self.is_limited() && !stream.object().is_instance_of_python_class(),
            );
        }
        match stream.poll(POLL_READ) {
            Some(0) => None,
            Some(_) => {
                self.known = Some(true);
                Some(tls)
            }
            None => Some(true),
        }
    }

    /// Sees to it that a read comes back in time. False if the call's time is up and nothing has begun to arrive, or if
    /// it does not wait and nothing is there.
    #[inline(always)]
    pub fn ready(&mut self, stream: Stream) -> Result<bool> {
        if self.role != Role::Check && !self.is_limited() {
            return Ok(true);
        }
        self.over = false;
        self.watch(stream)?;
        Ok(!self.over)
    }

    /// As `ready`; notes in `over` what it says otherwise.
    #[inline(never)]
    fn watch(&mut self, stream: Stream) -> Result<()> {
        if self.role == Role::Check {
            let known = self.known.take();
            self.over = !known.unwrap_or_else(|| stream.poll(POLL_READ) != Some(0));
            return Ok(());
        }
        // SAFETY: the state is the client's own.
        let (idle, armed, tls) = unsafe {
            (
                (*self.state).session.receiver.is_idle() && self.role == Role::Idle,
                (*self.state).armed,
                (*self.state).tls != 0,
            )
        };
        // A script, umqtt.robust's `check_msg` for one, may have made the socket non-blocking. Setting its timeout would
        // make it block: so the first read is as the socket is.
        if idle && !self.looked && armed != 0 && !tls && self.idle_limit == FOREVER {
            self.looked = true;
            return Ok(());
        }
        loop {
            self.now = ticks();
            let mut limit = self.limit;
            if idle {
                limit = self.idle_limit;
            } else if self.role == Role::Idle && !self.begun {
                self.begun = true;
                self.start = Some(self.now);
            }
            let mut rest = left(self.start.unwrap_or(0), limit, self.now);
            if rest == 0 {
                self.over = true;
                return if idle { Ok(()) } else { Err(timed_out()) };
            }
            rest = rest.min(self.keep_alive()?);
            if !tls {
                // Waiting for ever is waiting for as long as may be, again and again.
                self.arm(rest.min(self.limit).min(LONGEST as u32));
                return Ok(());
            }
            if stream.poll(POLL_READ) != Some(0) {
                return Ok(());
            }
            self.poll(rest);
        }
    }

    /// A read has found nothing in the time that `ready` has left it. True if it may be tried again, false if that time
    /// was not ours.
    pub fn came_back(&self, errno: Errno) -> bool {
        if !self.is_limited() || Obj::small(errno.0) != etimedout() {
            return false;
        }
        // SAFETY: the state is the client's own.
        let armed = unsafe { (*self.state).armed };
        // The program has set a shorter timeout of its own: it means to be told.
        left(self.now, armed, ticks()) <= armed / 4
    }

    /// A part of a large packet has come.
    pub fn heard(&self) {
        if self.is_limited() {
            // SAFETY: the state is the client's own.
            unsafe { (*self.state).session.keep_alive.heard(self.now) };
        }
    }

    /// Sends a PINGREQ if it is time; an error if the last one was not answered in time. Returns for how many
    /// milliseconds there is nothing to be done.
    fn keep_alive(&self) -> Result<u32> {
        // SAFETY: the state is the client's own.
        let due = || unsafe { (*self.state).session.keep_alive.due(self.now) };
        if due() == Due::Ping {
            io::send(self.this, &PINGREQ)?;
            // SAFETY: the state is the client's own.
            unsafe { (*self.state).session.keep_alive.asked(self.now, true) };
        }
        match due() {
            Due::In(left) => Ok(left),
            Due::Dead => {
                io::close(self.this);
                let words = Obj::from_c_text(c"no PINGRESP");
                let class = Obj::global(qstr!("OSError"));
                Err(Error::instance(class.call(&[etimedout(), words])))
            }
            _ => Ok(FOREVER),
        }
    }

    /// Gives the socket a timeout of about so many milliseconds, no more; none for 0. Only where it has another one.
    fn arm(&self, milliseconds: u32) {
        // SAFETY: the state is the client's own.
        let armed = unsafe { (*self.state).armed };
        let fits = if milliseconds == 0 {
            armed == 0
        } else {
            // A little more than what is left is as good, so that not every call sets it anew.
            armed != 0 && armed <= milliseconds + milliseconds / 64 + 8 && armed >= milliseconds / 2
        };
        if fits {
            return;
        }
        // SAFETY: as above.
        unsafe {
            let limit = if milliseconds == 0 {
                Obj::none()
            } else {
                seconds(milliseconds)
            };
            (*self.state).armed_seconds = limit.into();
            (*self.state).armed = milliseconds;
        }
        io::restore_blocking(self.this);
    }

    /// Waits for the socket to have something to read, for so many milliseconds at most.
    fn poll(&self, milliseconds: u32) {
        // SAFETY: the state is the client's own; `poller` is set before other code can see it.
        let poller = match unsafe { (*self.state).poller.get() } {
            Some(poller) => poller,
            None => {
                let poller = import(qstr!("select")).call_method(qstr!("poll"), &[]);
                let sock = self.this.get(qstr!("sock"));
                let events = Obj::small(POLL_READ as i16);
                poller.call_method(qstr!("register"), &[sock, events]);
                // SAFETY: as above.
                unsafe { (*self.state).poller = poller.into() };
                poller
            }
        };
        let time = match milliseconds {
            FOREVER => -1,
            _ => milliseconds as i32,
        };
        // Unlike `poll`, it takes no memory.
        poller.call_method(qstr!("ipoll"), &[Obj::small(time)]);
    }
}
