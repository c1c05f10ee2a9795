//! MQTT 3.1.1 for a client, as bytes in and bytes out.
//!
//! Nothing here knows a socket, a clock, an allocator or Python. The caller owns every buffer:
//!
//! * [`encode`] writes whole packets (or the head of a PUBLISH) into a slice;
//! * [`Receiver`] says which bytes to read next and where to put them, and hands out a packet when one
//!   is complete. It never asks for a byte beyond the packet at hand, and it can be left in the middle
//!   of a packet and continued later;
//! * [`Acks`] matches acknowledgements to the calls that wait for them, by packet identifier.
//!
//! The structures that live between calls ([`Receiver`], [`Acks`], [`Session`]) consist of plain
//! integers only, every bit pattern of which is a valid state: a caller may keep them in untyped memory.
//!
//! Section numbers are those of the OASIS standard "MQTT Version 3.1.1", 29 October 2014.
#![no_std]
#![forbid(unsafe_code)]

mod acks;
pub mod encode;
mod error;
mod packet;
mod receive;
mod session;

pub use acks::{AckKind, Acks, Answer};
pub use error::Error;
pub use packet::{
    PacketType, REMAINING_LENGTH_MAX, decode_remaining_length, encode_remaining_length,
};
pub use receive::{CHUNK, Next, Packet, Part, Place, Publish, Receiver};
pub use session::Session;
