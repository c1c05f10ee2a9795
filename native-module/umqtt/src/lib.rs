//! `umqtt.simple`, natively: which names the module has and what its class is made of.
//!
//! `MQTTClient` is a real Python class whose methods are native functions. What upstream keeps in attributes
//! is kept in attributes here, under the same names, so that scripts and subclasses may read and set them; three
//! more are ours: `_timeout`, what `connect` was told, `_raw`, the socket below `sock` where that is a TLS one,
//! and `_state` ([`state::State`]).
#![no_std]

use core::ffi::CStr;

use micropython::{
    Class, Error, Module, Obj, Result, Static, function, import, module, qstr, qstrs,
};

mod connect;
mod construct;
mod incoming;
mod io;
mod outgoing;
mod state;

module!(init);

qstrs![
    "AssertionError",
    "AttributeError",
    "Exception",
    "IndexError",
    "MQTTClient",
    "MQTTException",
    "MemoryError",
    "OSError",
    "RuntimeError",
    "ValueError",
    "__init__",
    "__version__",
    "_encode_len",
    "_raw",
    "_recv_len",
    "_send_str",
    "_send_subunsub",
    "_state",
    "_timeout",
    "ack_n",
    "ack_op",
    "cb",
    "check_msg",
    "clean_session",
    "client_id",
    "close",
    "connect",
    "disconnect",
    "f",
    "getaddrinfo",
    "keepalive",
    "lw_msg",
    "lw_qos",
    "lw_retain",
    "lw_topic",
    "msg",
    "object",
    "password",
    "pid",
    "ping",
    "pkt",
    "port",
    "pswd",
    "publish",
    "qos",
    "retain",
    "s",
    "self",
    "server",
    "server_hostname",
    "set_callback",
    "set_last_will",
    "setblocking",
    "setsockopt",
    "settimeout",
    "sock",
    "socket",
    "ssl",
    "ssl_params",
    "subscribe",
    "suscribe",
    "sz",
    "timeout",
    "topic",
    "typ",
    "unsubscribe",
    "user",
    "wait_msg",
    "wrap_socket",
];

/// The class's own `wait_msg`: a client whose `wait_msg` is this one can be served without a Python call.
static WAIT_MSG: Static = Static::new();

/// An empty bytes object, which lends its type to those that are made for received messages.
static EMPTY_BYTES: Static = Static::new();

fn init(module: &Module) -> Result<()> {
    EMPTY_BYTES.set(Obj::from_bytes(b""));
    // Looked up when a connection is made, so that a test may put another module in its place.
    module.set(qstr!("socket"), import(qstr!("socket")));

    let exception = Class::new(
        module,
        qstr!("MQTTException"),
        &[Obj::global(qstr!("Exception"))],
    );
    module.set(qstr!("MQTTException"), exception.finish());

    let class = Class::new(module, qstr!("MQTTClient"), &[Obj::global(qstr!("object"))]);
    class.method(qstr!("__init__"), function!(construct::init));
    class.method(qstr!("set_callback"), function!(construct::set_callback));
    class.method(qstr!("set_last_will"), function!(construct::set_last_will));
    class.method(qstr!("connect"), function!(connect::connect));
    class.method(qstr!("disconnect"), function!(connect::disconnect));
    class.method(qstr!("ping"), function!(outgoing::ping));
    class.method(qstr!("publish"), function!(outgoing::publish));
    let subscribe = class.method(qstr!("subscribe"), function!(outgoing::subscribe));
    // A lesson spells it so.
    class.attribute(qstr!("suscribe"), subscribe);
    class.method(qstr!("unsubscribe"), function!(outgoing::unsubscribe));
    WAIT_MSG.set(class.method(qstr!("wait_msg"), function!(incoming::wait_msg)));
    class.method(qstr!("check_msg"), function!(incoming::check_msg));
    class.method(qstr!("_send_str"), function!(outgoing::send_str));
    class.method(qstr!("_recv_len"), function!(incoming::recv_len));
    class.method(qstr!("_send_subunsub"), function!(outgoing::send_subunsub));
    module.set(qstr!("MQTTClient"), class.finish());

    let encode_len = module.function(function!(outgoing::encode_len));
    module.set(qstr!("_encode_len"), encode_len);
    module.set(
        qstr!("__version__"),
        Obj::from_text(env!("CARGO_PKG_VERSION")),
    );
    Ok(())
}

/// `AssertionError(message)`: the exception that umqtt.simple's assertions raise.
#[cold]
#[inline(never)]
fn assertion(message: &'static CStr) -> Error {
    Error::text(qstr!("AssertionError"), message)
}

/// `MQTTException(code)`.
#[cold]
#[inline(never)]
fn mqtt_exception(code: u8) -> Error {
    Error::int(qstr!("MQTTException"), isize::from(code))
}

/// `MemoryError`, as MicroPython words it.
#[cold]
#[inline(never)]
fn no_memory() -> Error {
    Error::text(qstr!("MemoryError"), c"memory allocation failed")
}

/// The error of a packet that cannot be encoded or understood.
#[cold]
#[inline(never)]
fn packet_error(error: mqtt_core::Error) -> Error {
    use mqtt_core::Error as E;
    match error {
        E::StringTooLong => Error::text(qstr!("ValueError"), c"longer than 65535 bytes"),
        E::PacketTooLarge => assertion(c"packet too large"),
        E::BufferTooSmall => Error::text(qstr!("RuntimeError"), c"packet buffer too small"),
        E::MalformedLength | E::MalformedPacket => {
            Error::text(qstr!("MQTTException"), c"malformed packet from broker")
        }
    }
}
