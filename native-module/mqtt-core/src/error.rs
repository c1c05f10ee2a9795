//! What can be wrong with a packet, sorted by whose fault it is, and in words.

use core::ffi::CStr;

/// Why a packet could not be written or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// As large as a number of bytes: a `Result` of either goes through registers.
#[repr(usize)]
pub enum Error {
    // -- The caller's --
    /// The caller's buffer is smaller than the packet.
    BufferTooSmall,
    /// A string field is longer than 65,535 bytes (section 1.5.3).
    StringTooLong,
    /// The packet would be larger than 268,435,455 bytes (section 2.2.3).
    PacketTooLarge,
    /// A topic name or filter of no character ([MQTT-4.7.3-1]).
    EmptyTopic,
    /// A topic name with `+` or `#` in it ([MQTT-3.3.2-2]).
    WildcardInTopic,
    /// A filter in which `+` or `#` is not a whole level, or `#` not the last ([MQTT-4.7.1-2], [MQTT-4.7.1-3]).
    MisplacedWildcard,
    /// A string that is not UTF-8, or has a NUL in it ([MQTT-1.5.3-1], [MQTT-1.5.3-2]).
    BadUtf8,
    // -- The peer's --
    /// A remaining length of more than four bytes (section 2.2.3).
    MalformedLength,
    /// Fields that do not fit the remaining length, or a remaining length that the packet's type cannot have.
    BadLength,
    /// Flags of the fixed header that the packet's type cannot have ([MQTT-2.2.2-2]), or reserved bits set.
    BadFlags,
    /// A packet that a server does not send to a client, or not now.
    UnexpectedPacket,
    /// A packet identifier of 0 ([MQTT-2.3.1-1]).
    BadPacketId,
    /// A PUBLISH with both bits of its QoS set ([MQTT-3.3.1-4]).
    BadQos,
    /// A PUBLISH whose topic is no topic name ([MQTT-3.3.2-1], [MQTT-3.3.2-2], [MQTT-4.7.3-1]).
    BadTopic,
    /// A SUBACK with a reserved return code ([MQTT-3.9.3-2]).
    BadReturnCode,
    /// A PUBLISH marked as a duplicate at QoS 0 ([MQTT-3.3.1-2]).
    DupAtQos0,
    /// More messages of QoS 2 at once than [`crate::QOS2_MAX`].
    TooManyQos2,
}

/// The words, in the order of the variants.
const WORDS: [&CStr; Error::TooManyQos2 as usize + 1] = [
    c"packet buffer too small",
    c"longer than 65535 bytes",
    c"packet too large",
    c"empty topic",
    c"wildcard in topic",
    c"bad wildcard in filter",
    c"not UTF-8, or has a NUL",
    c"remaining length too long",
    c"bad length",
    c"bad flags",
    c"unexpected packet",
    c"bad packet id",
    c"bad QoS",
    c"bad topic",
    c"bad return code",
    c"DUP at QoS 0",
    c"too many QoS 2 messages",
];

impl Error {
    /// The reason in a few words.
    pub fn words(self) -> &'static CStr {
        WORDS.get(self as usize).copied().unwrap_or_default()
    }

    /// True if the peer broke the protocol, so that the connection must be closed ([MQTT-4.8.0-1]).
    pub fn is_peers(self) -> bool {
        self as u8 >= Error::MalformedLength as u8
    }
}
