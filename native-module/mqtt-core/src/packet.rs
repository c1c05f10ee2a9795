//! The fixed header that every packet starts with (section 2.2).

use crate::{Error, encode};

/// The largest remaining length: 268,435,455 bytes, four bytes of seven bits (section 2.2.3).
pub const REMAINING_LENGTH_MAX: u32 = 268_435_455;

/// Control packet types, the high four bits of a packet's first byte (section 2.2.1, table 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
}

impl PacketType {
    /// The type in a packet's first byte; `None` for the reserved values 0 and 15.
    pub const fn of(first_byte: u8) -> Option<Self> {
        Some(match first_byte >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            _ => return None,
        })
    }

    /// The first byte of a packet of this type with the given flags in its low four bits.
    pub const fn first_byte(self, flags: u8) -> u8 {
        (self as u8) << 4 | flags
    }
}

/// The packets that consist of a packet identifier, with a return code in SUBACK; the numbers are their types'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AckKind {
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    SubAck = 9,
    UnsubAck = 11,
}

/// An acknowledgement from the broker (sections 3.4 to 3.7, 3.9 and 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    pub kind: AckKind,
    pub packet_id: u16,
    /// Of a SUBACK: the QoS granted, or 0x80; else 0.
    pub return_code: u8,
}

impl Ack {
    /// The packet that must answer it: a PUBREL to a PUBREC, a PUBCOMP to a PUBREL, known or not ([MQTT-4.3.3-1],
    /// [MQTT-4.3.3-2]).
    pub fn reply(self) -> Option<[u8; 4]> {
        match self.kind {
            AckKind::PubRec => Some(encode::pubrel(self.packet_id)),
            AckKind::PubRel => Some(encode::pubcomp(self.packet_id)),
            _ => None,
        }
    }
}

/// The first byte of what is left of a remaining length (section 2.2.3), which is taken off it: 0 is left after the last.
#[inline]
pub fn next_length_byte(rest: &mut usize) -> u8 {
    let byte = (*rest & 0x7f) as u8;
    *rest >>= 7;
    if *rest == 0 { byte } else { byte | 0x80 }
}

/// Reads a remaining length from the one to four bytes that follow a packet's first byte.
///
/// `Ok(None)` if more bytes are needed, [`Error::MalformedLength`] if the fourth still asks for more.
pub fn decode_remaining_length(bytes: &[u8]) -> Result<Option<u32>, Error> {
    let mut value = 0;
    let mut shift = 0;
    for byte in bytes {
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(Some(value));
        }
        shift += 7;
        if shift > 21 {
            return Err(Error::MalformedLength);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// Table 2.4 of section 2.2.3: where each size of the field begins and ends.
    const TABLE_2_4: [(u32, &[u8]); 8] = [
        (0, &[0x00]),
        (127, &[0x7f]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 0x01]),
        (2_097_151, &[0xff, 0xff, 0x7f]),
        (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
        (268_435_455, &[0xff, 0xff, 0xff, 0x7f]),
    ];

    #[test]
    fn remaining_length_is_as_in_table_2_4() {
        for (value, bytes) in TABLE_2_4 {
            let mut rest = value as usize;
            let mut encoded = std::vec![next_length_byte(&mut rest)];
            while rest > 0 {
                encoded.push(next_length_byte(&mut rest));
            }
            assert_eq!(encoded, bytes, "{value}");
            assert_eq!(decode_remaining_length(bytes), Ok(Some(value)));
            assert_eq!(decode_remaining_length(&bytes[..bytes.len() - 1]), Ok(None));
        }
    }

    #[test]
    fn a_fifth_length_byte_is_malformed() {
        assert_eq!(
            decode_remaining_length(&[0x80, 0x80, 0x80, 0x80]),
            Err(Error::MalformedLength)
        );
    }

    #[test]
    fn every_type_keeps_its_number() {
        for byte in 0..=255u8 {
            match PacketType::of(byte) {
                Some(kind) => assert_eq!(kind.first_byte(byte & 15), byte),
                None => assert!(byte >> 4 == 0 || byte >> 4 == 15),
            }
        }
    }
}
