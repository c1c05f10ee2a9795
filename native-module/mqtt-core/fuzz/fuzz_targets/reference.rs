//! Decides what a stream holds, to hold the core against: a decoder that has all bytes at hand and was written from the
//! standard alone.

use crate::stream::{Event, STORED_MAX};

/// The packet at the start of `bytes` and its size, by the standard; `None` if it is not complete.
///
/// # Errors
/// Where a server may not send it to this client (no reason: which one is found first is no one's business).
pub fn decode(bytes: &[u8]) -> Result<Option<(Event, usize)>, ()> {
    let [first, rest @ ..] = bytes else {
        return Ok(None);
    };
    // Section 2.2.3.
    let (mut length, mut size) = (0usize, 1);
    let body = loop {
        let Some(byte) = rest.get(size - 1) else {
            return if size > 4 { Err(()) } else { Ok(None) };
        };
        if size > 4 {
            return Err(());
        }
        length |= usize::from(byte & 0x7f) << (7 * (size - 1));
        size += 1;
        if byte & 0x80 == 0 {
            match rest.get(size - 1..size - 1 + length) {
                Some(body) => break body,
                None => return Ok(None),
            }
        }
    };
    let number = |at: usize| match body.get(at..at + 2) {
        Some(bytes) => Ok(u16::from(bytes[0]) << 8 | u16::from(bytes[1])),
        None => Err(()),
    };
    let identifier = |at| number(at).and_then(|id| if id == 0 { Err(()) } else { Ok(id) });
    let (kind, flags) = (first >> 4, first & 15);
    let event = match (kind, flags) {
        (2, 0) if length == 2 && body[0] < 2 => Event::ConnAck {
            session_present: body[0] == 1,
            return_code: body[1],
        },
        (3, _) => {
            let qos = flags >> 1 & 3;
            // Figure 3.10: no third QoS; DUP only with an acknowledgement to come.
            if qos == 3 || qos == 0 && flags & 8 != 0 {
                return Err(());
            }
            let topic_end = 2 + usize::from(number(0)?);
            let topic = body.get(2..topic_end).ok_or(())?;
            let (packet_id, payload) = match qos {
                0 => (0, topic_end),
                _ => (identifier(topic_end)?, topic_end + 2),
            };
            let payload = &body[payload..];
            if length > mqtt_core::CHUNK && topic.len() + payload.len() > STORED_MAX {
                Event::Skipped { qos, packet_id }
            } else {
                let text = std::str::from_utf8(topic).map_err(drop)?;
                if text.is_empty() || text.contains(['\0', '+', '#']) {
                    return Err(());
                }
                Event::Publish {
                    topic: topic.to_vec(),
                    payload: payload.to_vec(),
                    qos,
                    packet_id,
                }
            }
        }
        (4 | 5 | 7 | 11, 0) | (6, 2) if length == 2 => Event::Ack(kind, identifier(0)?, 0),
        (9, 0) if length == 3 && matches!(body[2], 0..=2 | 0x80) => {
            Event::Ack(kind, identifier(0)?, body[2])
        }
        (13, 0) if length == 0 => Event::PingResp,
        _ => return Err(()),
    };
    Ok(Some((event, size + length)))
}
