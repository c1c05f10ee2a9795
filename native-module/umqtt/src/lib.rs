//! `umqtt.simple`, natively: which names the module has and what its class is made of.
//!
//! `MQTTClient` is a real Python class whose methods are native functions (`client.rs`).
#![no_std]

use core::ffi::CStr;

use micropython::prelude::*;
use micropython::{Qstr, import};

use crate::incoming::forget_packet;
use crate::state::State;

mod again;
mod client;
mod connect;
mod deliver;
mod incoming;
mod io;
mod outgoing;
mod pieces;
mod requests;
mod serve;
mod state;
mod wait;

// On RISC-V a static whose name others may know is reached through the table of addresses. The linker would have to make
// a detour of each access to another one.

/// The class's own `wait_msg`: a client whose `wait_msg` is this one can be served without a Python call.
#[cfg_attr(target_arch = "riscv32", unsafe(export_name = "umqtt.WAIT_MSG"))]
static WAIT_MSG: Static = Static::new();

/// `time.ticks_ms`, or None where there is none.
#[cfg_attr(target_arch = "riscv32", unsafe(export_name = "umqtt.TICKS"))]
static TICKS: Static = Static::new();

/// MicroPython's MQTT client.
#[module]
mod simple {
    use super::*;

    #[export]
    use crate::client::{Client, MqttException};
    #[export]
    use crate::requests::_encode_len;

    #[init]
    fn init(module: &Module) {
        // Not every board has a clock, and not every client needs one.
        let clock = catch(|| import(qstr!("time")).get(qstr!("ticks_ms")));
        TICKS.set(clock.unwrap_or(Obj::none()));
        // Looked up when a connection is made, so that a test may put another module in its place.
        module.set(qstr!("socket"), import(qstr!("socket")));
        let class = module.get(qstr!("MQTTClient"));
        // A lesson spells it so.
        class.set(qstr!("suscribe"), class.get(qstr!("subscribe")));
        // umqtt.robust's class has True there.
        class.set(qstr!("_robust"), Obj::from_bool(false));
        WAIT_MSG.set(class.get(qstr!("wait_msg")));
        let version = Obj::from_text(env!("CARGO_PKG_VERSION"));
        module.set(qstr!("__version__"), version);
    }
}

/// Runs `f`. What Python code raises in it comes back as an error, too, so that the caller can put its state right.
fn caught<R>(mut f: impl FnMut() -> Result<R>) -> Result<R> {
    catch(&mut f).unwrap_or_else(|exception| Err(exception.into()))
}

/// `MQTTException(code, words)`.
#[cold]
#[inline(never)]
fn mqtt_exception(code: u8, words: &'static CStr) -> Error {
    with_words(qstr!("MQTTException"), isize::from(code), words)
}

/// `OSError(-1, words)`, the number being umqtt.simple's for a stream that has ended.
#[cold]
#[inline(never)]
fn closed(words: &'static CStr) -> Error {
    with_words(qstr!("OSError"), -1, words)
}

#[inline(never)]
fn with_words(class: Qstr, number: isize, words: &'static CStr) -> Error {
    let args = [Obj::from_int(number), Obj::from_c_text(words)];
    Error::instance(Obj::global(class).call(&args))
}

const BAD_QOS: Error = error!("ValueError", "qos must be 0, 1 or 2");

/// The error of a packet that cannot be encoded, or is not understood.
#[cold]
#[inline(never)]
fn packet_error(error: mqtt_core::Error) -> Error {
    let class = if error.is_peers() {
        qstr!("MQTTException")
    } else {
        qstr!("ValueError")
    };
    Error::text(class, error.words())
}

/// Closes the connection of a broker that breaks the protocol ([MQTT-4.8.0-1]) and says why: an AssertionError about those
/// packets whose lengths umqtt.simple asserts.
#[cold]
#[inline(never)]
fn refuse(client: Obj, state: *mut State, error: mqtt_core::Error) -> Error {
    // SAFETY: the state is the client's own.
    let first_byte = unsafe {
        let first_byte = (*state).session.receiver.first_byte();
        forget_packet(state);
        first_byte
    };
    io::close(client);
    match first_byte >> 4 {
        2 | 4 | 9 | 13 if error != mqtt_core::Error::UnexpectedPacket => {
            Error::text(qstr!("AssertionError"), error.words())
        }
        _ => packet_error(error),
    }
}
