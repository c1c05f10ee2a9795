//! `umqtt.simple`, natively: which names the module has and what its class is made of.
//!
//! `MQTTClient` is a real Python class whose methods are native functions (`client.rs`).
#![no_std]

use core::ffi::CStr;

use micropython::import;
use micropython::prelude::*;

mod client;
mod connect;
mod incoming;
mod io;
mod outgoing;
mod state;

/// The class's own `wait_msg`: a client whose `wait_msg` is this one can be served without a Python call.
static WAIT_MSG: Static = Static::new();

/// An empty bytes object, which lends its type to those that are made for received messages.
static EMPTY_BYTES: Static = Static::new();

/// MicroPython's MQTT client.
#[module]
mod simple {
    use super::*;

    #[export]
    use crate::client::{Client, MqttException};
    #[export]
    use crate::outgoing::_encode_len;

    #[init]
    fn init(module: &Module) {
        EMPTY_BYTES.set(Obj::from_bytes(b""));
        // Looked up when a connection is made, so that a test may put another module in its place.
        module.set(qstr!("socket"), import(qstr!("socket")));
        let class = module.get(qstr!("MQTTClient"));
        // A lesson spells it so.
        class.set(qstr!("suscribe"), class.get(qstr!("subscribe")));
        WAIT_MSG.set(class.get(qstr!("wait_msg")));
        let version = Obj::from_text(env!("CARGO_PKG_VERSION"));
        module.set(qstr!("__version__"), version);
    }
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
