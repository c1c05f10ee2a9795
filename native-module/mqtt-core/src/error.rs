//! What can be wrong with a packet, sorted by whose fault it is.

/// Why a packet could not be written or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller's buffer is smaller than the packet.
    BufferTooSmall,
    /// A string field is longer than 65,535 bytes (section 1.5.3).
    StringTooLong,
    /// The packet would be larger than the limit that [`crate::encode`] states.
    PacketTooLarge,
    /// The peer sent a remaining length of more than four bytes (section 2.2.3).
    MalformedLength,
    /// The peer sent a packet whose fields do not fit its remaining length.
    MalformedPacket,
}
