//! Opening and closing the connection.

use micropython::import;
use micropython::prelude::*;
use mqtt_core::Due;
use mqtt_core::encode::{Connect, DISCONNECT, Will};
use mqtt_core::topic::{check_name, check_string};

use crate::incoming::{CONNACK, forget_packet, read, receive};
use crate::io::Block;
use crate::outgoing::resend;
use crate::state::State;
use crate::wait::{FOREVER, Wait, left, milliseconds, seconds, ticks, timed_out};
use crate::{again, caught, io, mqtt_exception, packet_error, refuse};

/// Level and option name of `setsockopt` that switch Nagle's algorithm off: IPPROTO_TCP and TCP_NODELAY, the
/// same numbers on Linux and on lwIP.
const TCP_NODELAY: (i16, i16) = (6, 1);

/// `connect`: returns 1 if the broker kept a session, else 0.
pub fn connect(this: Obj, clean_session: Obj, timeout: Obj) -> Result<isize> {
    let state = State::of(this)?;
    io::close(this);
    if !timeout.is_none() {
        this.set(qstr!("timeout"), timeout);
    }
    let begun = Deadline::begin(this, state);
    let connected = caught(|| {
        open(this, state, &begun)?;
        send_connect(this, state, clean_session.is_true())?;
        // SAFETY: the state is the client's own.
        unsafe { (*state).shaking_limit = 0 };
        await_connack(this, state, &begun)
    });
    if connected.is_err() {
        // What came is no part of a session, and a board has few sockets.
        // SAFETY: the state is the client's own.
        unsafe { forget_packet(state) };
        io::close(this);
    }
    connected
}

/// When a call began, and how many milliseconds it may take.
struct Deadline {
    start: u32,
    limit: u32,
}

impl Deadline {
    fn begin(this: Obj, state: *mut State) -> Self {
        let limit = milliseconds(this.get(qstr!("timeout")));
        let start = if limit == FOREVER { 0 } else { ticks() };
        // SAFETY: the state is the client's own; nothing borrows it.
        unsafe {
            (*state).session.reconnect();
            forget_packet(state);
            (*state).session.keep_alive.start(0, 0);
            (*state).poller = Default::default();
            (*state).armed = 0;
            (*state).armed_seconds = Default::default();
            (*state).tls = 0;
            (*state).shaking_limit = 0;
        }
        Deadline { start, limit }
    }

    /// Gives the socket what is left of the time. An error if nothing is.
    fn arm(&self, state: *mut State, sock: Obj) -> Result<()> {
        if self.limit == FOREVER {
            return Ok(());
        }
        let rest = left(self.start, self.limit, ticks());
        if rest == 0 {
            return Err(timed_out());
        }
        let limit = seconds(rest);
        // SAFETY: the state is the client's own.
        unsafe {
            (*state).armed = rest;
            (*state).armed_seconds = limit.into();
        }
        sock.call_method(qstr!("settimeout"), &[limit]);
        Ok(())
    }
}

/// Makes the socket, connects it and wraps it in TLS where the client asks for that.
fn open(this: Obj, state: *mut State, deadline: &Deadline) -> Result<()> {
    let module = Obj::global(qstr!("socket"));
    let sock = module.call_method(qstr!("socket"), &[]);
    this.set(qstr!("sock"), sock);
    this.set(qstr!("_raw"), sock);
    let server = this.get(qstr!("server"));
    let found = module.call_method(qstr!("getaddrinfo"), &[server, this.get(qstr!("port"))]);
    let address = found.item(Obj::small(0)).item(Obj::small(-1));
    deadline.arm(state, sock)?;
    sock.call_method(qstr!("connect"), &[address]);
    if let Some(setsockopt) = sock.method_maybe(qstr!("setsockopt")) {
        let (level, option) = TCP_NODELAY;
        setsockopt.call(&[Obj::small(level), Obj::small(option), Obj::small(1)]);
    }

    let ssl = this.get(qstr!("ssl"));
    if !ssl.is_true() {
        return Ok(());
    }
    let (wrapper, params, in_one_go) = if ssl == Obj::from_bool(true) {
        let params = this.get(qstr!("ssl_params"));
        (import(qstr!("ssl")), params, qstr!("do_handshake"))
    } else {
        let params = Obj::new_dict();
        params.set_item(Obj::from_qstr(qstr!("server_hostname")), server);
        (ssl, params, qstr!("do_handshake_on_connect"))
    };
    let wrap = wrapper.method(qstr!("wrap_socket"));
    // With a limit the handshake does not block: the CONNECT is written until it is done (`wait::shakes_hands`). mbedTLS
    // takes that, and a context may be one that does not know the argument; nothing is sent before the write.
    let in_steps = (deadline.limit != FOREVER).then(|| {
        catch(|| {
            import(qstr!("tls")).get(qstr!("MBEDTLS_VERSION"));
            let params = params.call_method(qstr!("copy"), &[]);
            params.set_item(Obj::from_qstr(in_one_go), Obj::from_bool(false));
            wrap.call_with(&[sock], params)
        })
    });
    let wrapped = match in_steps {
        Some(Ok(wrapped)) => {
            io::set_blocking(sock, false);
            // SAFETY: the state is the client's own.
            unsafe {
                (*state).shaking_since = deadline.start;
                (*state).shaking_limit = deadline.limit;
            }
            wrapped
        }
        _ => {
            deadline.arm(state, sock)?;
            wrap.call_with(&[sock], params)
        }
    };
    this.set(qstr!("sock"), wrapped);
    // SAFETY: the state is the client's own.
    unsafe { (*state).tls = 1 };
    Ok(())
}

fn send_connect(this: Obj, state: *mut State, clean_session: bool) -> Result<()> {
    let client_id = this.get(qstr!("client_id")).buffer();
    let user = this.get(qstr!("user"));
    let login = if user.is_true() {
        Some((user.buffer(), this.get(qstr!("pswd")).buffer()))
    } else {
        None
    };
    let keepalive = this.get(qstr!("keepalive"));
    let keep_alive = if keepalive.is_true() {
        keepalive.to_int()?
    } else {
        0
    };
    let keep_alive = u16::try_from(keep_alive)
        .map_err(|_| error!("AssertionError", "keepalive must be 0 to 65535 seconds"))?;
    let lw_topic = this.get(qstr!("lw_topic"));
    let will = if lw_topic.is_true() {
        let qos = this.get(qstr!("lw_qos")).to_int()? as u8 & 3;
        let retain = this.get(qstr!("lw_retain")).is_true();
        Some((
            lw_topic.buffer(),
            this.get(qstr!("lw_msg")).buffer(),
            qos,
            retain,
        ))
    } else {
        None
    };
    let max_size = this.get(qstr!("max_size")).to_int()?;
    let now = if keep_alive != 0 { ticks() } else { 0 };

    // SAFETY: from here to the end of `encode` no Python code runs, so the objects keep their bytes.
    let packet = unsafe {
        Connect {
            client_id: client_id.as_slice(),
            clean_session,
            keep_alive,
            will: will.map(|(topic, message, qos, retain)| Will {
                topic: topic.as_slice(),
                message: message.as_slice(),
                qos,
                retain,
            }),
            login: login.map(|(user, password)| (user.as_slice(), password.as_slice())),
        }
    };
    check(&packet)?;
    // SAFETY: the state is the client's own.
    unsafe {
        (*state).clean_session = u8::from(clean_session);
        (*state).max_size = usize::try_from(max_size).unwrap_or(0);
        (*state).session.keep_alive.start(keep_alive, now);
        let block = Block::take(state, packet.size()).ok_or(Error::NO_MEMORY)?;
        let n = packet.encode(&mut block.memory()).map_err(packet_error)?;
        block.send(this, state, n)
    }
}

/// Refuses what the broker would ([MQTT-3.1.3-4], [MQTT-3.1.3-7], [MQTT-3.1.3-10], [MQTT-3.1.3-11]).
fn check(packet: &Connect) -> Result<()> {
    if packet.client_id.is_empty() && !packet.clean_session {
        return Err(error!("ValueError", "empty client_id needs clean_session"));
    }
    check_string(packet.client_id)
        .and_then(|()| packet.will.map_or(Ok(()), |will| check_name(will.topic)))
        .and_then(|()| packet.login.map_or(Ok(()), |(user, _)| check_string(user)))
        .map_err(packet_error)
}

/// Reads the CONNACK (section 3.2), sends what is in flight again and returns the session-present bit.
fn await_connack(this: Obj, state: *mut State, deadline: &Deadline) -> Result<isize> {
    let mut wait = Wait::connack(this, state, deadline.start, deadline.limit);
    // SAFETY: the state is the client's own.
    if unsafe { (*state).tls != 0 } && deadline.limit != FOREVER {
        // Reading it does not block, see `wait`; after it, each call has all of the time.
        let limit = seconds(deadline.limit);
        // SAFETY: as above.
        unsafe {
            (*state).armed = deadline.limit;
            (*state).armed_seconds = limit.into();
        }
    }
    receive(&mut wait)?;
    accept(this, state)
}

/// Takes the CONNACK that has been read.
fn accept(this: Obj, state: *mut State) -> Result<isize> {
    // SAFETY: the state is the client's own; the packet is copied out before other code runs.
    let (session_present, return_code) = unsafe {
        let receiver = &(*state).session.receiver;
        if receiver.first_byte() != CONNACK {
            return Err(NOT_CONNACK);
        }
        let connack = receiver.connack();
        connack.map_err(|error| refuse(this, state, error))?
    };
    // SAFETY: as above.
    unsafe {
        forget_packet(state);
        if return_code != 0 {
            return Err(mqtt_exception(return_code, words(return_code)));
        }
        // A clean session has nothing of an older one ([MQTT-3.1.2-6]), whatever the broker says.
        let kept = session_present && (*state).clean_session == 0;
        (*state).session.accepted(kept);
        (*state).lost = 0;
        if !session_present && (*state).resuming == 0 {
            // The program subscribes by itself to what it wants.
            (*state).subscriptions = Default::default();
        }
    }
    resend(this, state)?;
    Ok(isize::from(session_present))
}

/// The error of an answer that is none to a CONNECT.
pub const NOT_CONNACK: Error = error!("AssertionError", "not a CONNACK");

/// What a return code means (section 3.2.2.3, table 3.1).
fn words(return_code: u8) -> &'static core::ffi::CStr {
    const WORDS: [&core::ffi::CStr; 5] = [
        c"protocol version refused",
        c"client id refused",
        c"server unavailable",
        c"bad user name or password",
        c"not authorized",
    ];
    let index = usize::from(return_code).wrapping_sub(1);
    WORDS.get(index).copied().unwrap_or(c"reserved code")
}

/// `_begin`: takes a connected stream, which does not block, and sends the CONNECT.
pub fn begin(this: Obj, sock: Obj, clean_session: Obj, resuming: Obj) -> Result<()> {
    let state = State::of(this)?;
    Deadline::begin(this, state);
    this.set(qstr!("sock"), sock);
    this.set(qstr!("_raw"), sock);
    // SAFETY: the state is the client's own.
    unsafe { (*state).resuming = u8::from(resuming.is_true()) };
    send_connect(this, state, clean_session.is_true())
}

/// `_connack`: as `connect` from there on, but returns None if the answer is not there yet.
pub fn connack(this: Obj) -> Result<Obj> {
    let state = State::of(this)?;
    let mut wait = Wait::check(this, state);
    wait.begin()?;
    if !read(io::socket(this)?, &mut wait, false)? {
        return Ok(Obj::none());
    }
    let session_present = accept(this, state)?;
    // SAFETY: the state is the client's own.
    if unsafe { core::mem::take(&mut (*state).resuming) } != 0 && session_present == 0 {
        again::subscribe_again(this, state)?;
    }
    Ok(Obj::small(session_present as i16))
}

/// `_due`: in how many milliseconds `check_msg` is to be called for the keep alive's sake; -1 for never.
pub fn due(this: Obj) -> Result<isize> {
    let state = State::of(this)?;
    // SAFETY: the state is the client's own.
    let keep_alive = unsafe { &(*state).session.keep_alive };
    Ok(match keep_alive.due(ticks()) {
        Due::Never => -1,
        Due::In(milliseconds) => milliseconds as isize,
        Due::Ping | Due::Dead => 0,
    })
}

/// `disconnect`. The socket is closed in any case.
pub fn disconnect(this: Obj) -> Result<()> {
    let told = io::send(this, &DISCONNECT);
    io::close(this);
    if let Ok(state) = State::of(this) {
        // SAFETY: the state is the client's own.
        unsafe {
            (*state).session.keep_alive.start(0, 0);
            (*state).lost = 0;
        }
    }
    told
}
