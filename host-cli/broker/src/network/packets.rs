//! Decides where a packet begins in a stream that passes by, so that whole packets can be lost.
//!
//! What a stream holds is told by its first byte: MQTT begins with CONNECT or CONNACK, TLS with a record of its
//! handshake. Of TLS the records with application data count, one of which is mostly one packet. Anything else (a
//! WebSocket) counts by what comes at a time.

/// CONNECT and CONNACK: the first byte of MQTT from a client and from a broker (2.2.1).
const MQTT: [u8; 2] = [0x10, 0x20];

/// The content types of TLS records (RFC 8446, 5.1); the last is application data.
const TLS: std::ops::RangeInclusive<u8> = 20..=23;
const TLS_DATA: u8 = 23;

/// Bytes of a TLS record in front of its content: type, version, length.
const TLS_HEADER: u8 = 5;

/// Where in the stream the next byte is.
#[derive(Debug, Clone, Copy, Default)]
enum At {
    /// Before the first byte.
    #[default]
    Unknown,
    /// In front of a packet.
    Mqtt,
    /// In a packet's Remaining Length (2.2.3), of which so much is known.
    MqttLength {
        value: usize,
        shift: u32,
    },
    /// So many bytes before the next packet.
    MqttBody(usize),
    Tls,
    /// In a record's header: bytes of it that have passed, and the last two of them.
    TlsHeader {
        passed: u8,
        length: usize,
    },
    TlsBody(usize),
    /// In what cannot be told apart.
    Other,
}

/// Follows one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Packets(At);

impl Packets {
    /// How many of `bytes` get through; fewer than all if `lose` said so of a packet that begins there.
    pub(super) fn through(&mut self, bytes: &[u8], mut lose: impl FnMut() -> bool) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            self.0 = match self.0 {
                At::Unknown => {
                    self.0 = match byte {
                        _ if MQTT.contains(&byte) => At::Mqtt,
                        _ if TLS.contains(&byte) => At::Tls,
                        _ => At::Other,
                    };
                    continue;
                }
                At::Other => {
                    return if lose() { at } else { bytes.len() };
                }
                At::Mqtt if lose() => return at,
                At::Mqtt => {
                    at += 1;
                    At::MqttLength { value: 0, shift: 0 }
                }
                At::MqttLength { value, shift } => {
                    at += 1;
                    let value = value | usize::from(byte & 0x7f) << shift;
                    match (byte & 0x80 != 0, shift, value) {
                        // Four bytes at most; more is no MQTT.
                        (true, 21, _) => At::Other,
                        (true, ..) => At::MqttLength {
                            value,
                            shift: shift + 7,
                        },
                        (false, _, 0) => At::Mqtt,
                        (false, _, length) => At::MqttBody(length),
                    }
                }
                At::Tls if byte == TLS_DATA && lose() => return at,
                At::Tls => {
                    at += 1;
                    At::TlsHeader {
                        passed: 1,
                        length: 0,
                    }
                }
                At::TlsHeader { passed, length } => {
                    at += 1;
                    let length = (length << 8 | usize::from(byte)) & 0xffff;
                    match (passed + 1, length) {
                        (TLS_HEADER, 0) => At::Tls,
                        (TLS_HEADER, length) => At::TlsBody(length),
                        (passed, length) => At::TlsHeader { passed, length },
                    }
                }
                At::MqttBody(left) | At::TlsBody(left) => {
                    let part = left.min(bytes.len() - at);
                    at += part;
                    match (self.0, left - part) {
                        (At::MqttBody(_), 0) => At::Mqtt,
                        (At::MqttBody(_), left) => At::MqttBody(left),
                        (_, 0) => At::Tls,
                        (_, left) => At::TlsBody(left),
                    }
                }
            };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a stream in pieces of every size and loses packet number `which`; how many bytes got through.
    fn through(stream: &[u8], piece: usize, which: usize) -> usize {
        let (mut packets, mut seen, mut passed) = (Packets::default(), 0, 0);
        for bytes in stream.chunks(piece) {
            let count = packets.through(bytes, || {
                seen += 1;
                seen - 1 == which
            });
            passed += count;
            if count < bytes.len() {
                break;
            }
        }
        passed
    }

    #[test]
    fn mqtt_packets_are_lost_whole_wherever_reads_cut_them() {
        // CONNECT, a PUBLISH with a Remaining Length of two bytes, PINGREQ, DISCONNECT.
        let mut stream = vec![0x10, 3, 1, 2, 3, 0x30, 0x80, 0x02];
        stream.extend([7; 256]);
        stream.extend([0xc0, 0, 0xe0, 0]);
        for piece in 1..=stream.len() {
            for (which, at) in [(0, 0), (1, 5), (2, 264), (3, 266), (4, 268)] {
                assert_eq!(through(&stream, piece, which), at, "{piece} {which}");
            }
        }
    }

    #[test]
    fn of_tls_only_records_with_data_are_lost() {
        let mut stream = vec![22, 3, 1, 0, 4, 1, 2, 3, 4, 20, 3, 3, 0, 1, 1];
        stream.extend([23, 3, 3, 1, 0]);
        stream.extend([9; 256]);
        stream.extend([23, 3, 3, 0, 2, 5, 5]);
        for piece in 1..=stream.len() {
            for (which, at) in [(0, 15), (1, 276), (2, 283)] {
                assert_eq!(through(&stream, piece, which), at, "{piece} {which}");
            }
        }
    }

    #[test]
    fn what_is_neither_is_lost_by_reads() {
        assert_eq!(through(b"GET /mqtt HTTP/1.1\r\n", 5, 1), 5);
        // A length of five bytes is no MQTT.
        assert_eq!(through(&[0x10, 0xff, 0xff, 0xff, 0xff, 1, 1], 1, 9), 7);
    }
}
