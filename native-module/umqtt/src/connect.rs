//! Opening and closing the connection.

use micropython::{Errno, Error, Obj, Result, import, qstr};
use mqtt_core::encode::{Connect, DISCONNECT, Will};
use mqtt_core::{Packet, PacketType, Receiver};

use crate::incoming::{Step, advance};
use crate::io::Block;
use crate::state::State;
use crate::{assertion, io, mqtt_exception, no_memory, packet_error};

/// Level and option name of `setsockopt` that switch Nagle's algorithm off: IPPROTO_TCP and TCP_NODELAY, the
/// same numbers on Linux and on lwIP.
const TCP_NODELAY: (isize, isize) = (6, 1);

/// `connect`: returns 1 if the broker kept a session, else 0.
pub fn connect(this: Obj, clean_session: Obj, timeout: Obj) -> Result<isize> {
    let state = State::of(this)?;
    let old = this.get(qstr!("sock"));
    if old.is_true() {
        old.call_method(qstr!("close"), &[]);
    }
    // SAFETY: the state is the client's own; nothing borrows it.
    unsafe { (*state).session.reconnect() };
    open(this, timeout)?;
    send_connect(this, state, clean_session.is_true())?;
    let answer = await_connack(this, state);
    if answer.is_err() {
        // What came is no part of a session.
        // SAFETY: the state is the client's own; nothing borrows it.
        unsafe { (*state).session.receiver.reset() };
    }
    answer
}

/// Makes the socket, connects it and wraps it in TLS where the client asks for that.
fn open(this: Obj, timeout: Obj) -> Result<()> {
    let module = Obj::global(qstr!("socket"));
    let sock = module.call_method(qstr!("socket"), &[]);
    this.set(qstr!("sock"), sock);
    this.set(qstr!("_raw"), sock);
    this.set(qstr!("_timeout"), timeout);
    if !timeout.is_none() {
        sock.call_method(qstr!("settimeout"), &[timeout]);
    }
    let server = this.get(qstr!("server"));
    let found = module.call_method(qstr!("getaddrinfo"), &[server, this.get(qstr!("port"))]);
    let address = found.item(Obj::from_int(0)).item(Obj::from_int(-1));
    sock.call_method(qstr!("connect"), &[address]);
    if let Some(setsockopt) = sock.method_maybe(qstr!("setsockopt")) {
        let (level, option) = TCP_NODELAY;
        setsockopt.call(&[
            Obj::from_int(level),
            Obj::from_int(option),
            Obj::from_int(1),
        ]);
    }

    let ssl = this.get(qstr!("ssl"));
    if ssl == Obj::from_bool(true) {
        let mut pairs = [[Obj::none(); 2]; 10];
        let params = this.get(qstr!("ssl_params")).dict_entries(&mut pairs)?;
        let wrap = import(qstr!("ssl")).method(qstr!("wrap_socket"));
        this.set(qstr!("sock"), wrap.call_with(&[sock], params));
    } else if ssl.is_true() {
        let wrap = ssl.method(qstr!("wrap_socket"));
        let name = [[Obj::from_qstr(qstr!("server_hostname")), server]];
        this.set(qstr!("sock"), wrap.call_with(&[sock], &name));
    }
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
        .map_err(|_| assertion(c"keepalive must be 0 to 65535 seconds"))?;
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
    let stream = io::socket(this)?;

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
    // SAFETY: the state is the client's own.
    unsafe {
        let block = Block::take(state, packet.size()).ok_or_else(no_memory)?;
        let n = packet.encode(&mut block.memory()).map_err(packet_error)?;
        block.send(this, state, stream, n)
    }
}

/// Reads the CONNACK (section 3.2) and returns its session-present bit.
fn await_connack(this: Obj, state: *mut State) -> Result<isize> {
    let stream = io::socket(this)?;
    let mut restored = false;
    loop {
        // SAFETY: the state is the client's own.
        match unsafe { advance(stream, state)? } {
            Step::Complete => break,
            Step::More => {}
            Step::EndOfStream => {
                // SAFETY: as above; nothing else borrows it.
                return Err(connack_cut(unsafe { &(*state).session.receiver }));
            }
            Step::Blocked if restored => return Err(Errno::AGAIN.into()),
            Step::Blocked => {
                io::restore_blocking(this);
                restored = true;
            }
        }
        // SAFETY: as above.
        let receiver = unsafe { &(*state).session.receiver };
        if receiver.remaining().is_some() && !is_connack_so_far(receiver) {
            return Err(assertion(c"the broker's answer is no CONNACK"));
        }
    }
    // SAFETY: as above; the packet is copied out before other code runs.
    let packet = unsafe {
        let receiver = &mut (*state).session.receiver;
        let packet = match receiver.packet() {
            Ok(Packet::ConnAck { flags, return_code }) => Some((flags, return_code)),
            _ => None,
        };
        receiver.reset();
        packet
    };
    match packet {
        Some((flags, 0)) => Ok(isize::from(flags & 1)),
        Some((_, return_code)) => Err(mqtt_exception(return_code)),
        None => Err(assertion(c"the broker's answer is no CONNACK")),
    }
}

/// False as soon as the packet at hand cannot be a CONNACK: its first byte is 0x20, its remaining length 2.
fn is_connack_so_far(receiver: &Receiver) -> bool {
    receiver.first_byte() == PacketType::ConnAck.first_byte(0)
        && receiver.remaining().is_none_or(|n| n == 2)
}

/// The error of a stream that ends inside the CONNACK: umqtt.simple's, which indexes what it has.
fn connack_cut(receiver: &Receiver) -> Error {
    if receiver.is_idle() || is_connack_so_far(receiver) {
        Error::text(qstr!("IndexError"), c"connection closed before CONNACK")
    } else {
        assertion(c"the broker's answer is no CONNACK")
    }
}

/// `disconnect`.
pub fn disconnect(this: Obj) -> Result<()> {
    let stream = io::socket(this)?;
    // SAFETY: the packet is a constant.
    unsafe { io::write_all(this, stream, DISCONNECT.as_ptr(), DISCONNECT.len())? };
    this.get(qstr!("sock")).call_method(qstr!("close"), &[]);
    Ok(())
}
