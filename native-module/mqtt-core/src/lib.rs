//! MQTT 3.1.1 for a client, as bytes in and bytes out.
//!
//! Nothing here knows a socket, a clock, an allocator or Python. The caller owns every buffer:
//!
//! * [`encode`] writes whole packets (or the head of a PUBLISH) into a slice;
//! * [`Receiver`] says which bytes to read next and where to put them, and hands out a packet when one
//!   is complete. It never asks for a byte beyond the packet at hand, and it can be left in the middle
//!   of a packet and continued later;
//! * [`Session`] keeps what outlives a packet: [`Outgoing`] the published messages that are in flight, [`Incoming`] the
//!   received ones of QoS 2 that are not released, [`Acks`] the requests that are not answered, [`KeepAlive`] the time;
//! * [`topic`] says which topics and strings are allowed.
//!
//! MQTT 5 would add properties behind a packet's variable header. They have a place in [`encode`] and in
//! [`Receiver::packet`], which alone know what a body consists of; reading, the session and time stay as they are.
//!
//! The structures that live between calls ([`Session`] and its parts) consist of plain
//! integers only, every bit pattern of which is a valid state: a caller may keep them in untyped memory.
//!
//! Section numbers are those of the OASIS standard "MQTT Version 3.1.1", 29 October 2014.
#![no_std]
#![forbid(unsafe_code)]

mod acks;
pub mod encode;
mod error;
mod incoming;
mod keep_alive;
mod outgoing;
mod packet;
mod receive;
mod session;
pub mod topic;

pub use acks::{Acks, Answer};
pub use error::Error;
pub use incoming::{Incoming, QOS2_MAX};
pub use keep_alive::{Due, KeepAlive};
pub use outgoing::{Awaits, Delivery, Outgoing, WINDOW};
pub use packet::{
    Ack, AckKind, PacketType, REMAINING_LENGTH_MAX, decode_remaining_length, next_length_byte,
};
pub use receive::{CHUNK, Next, Packet, Part, Place, Publish, Receiver};
pub use session::Session;
