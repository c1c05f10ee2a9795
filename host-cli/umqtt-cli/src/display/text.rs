//! Decides how a packet reads in one line, in English and Spanish.

use board_link::Lang;
use broker::{CloseReason, Direction, TapEvent, TapPacket};

/// The line for an event; `None` for those that only `--json` shows (acknowledgements, mostly) unless
/// `all` is set.
pub fn line(event: &TapEvent, all: bool, lang: Lang) -> Option<String> {
    let arrow = match event.direction {
        Direction::ToBroker => '→',
        Direction::ToClient => '←',
    };
    let text = packet(event, lang);
    (all || is_worth_a_line(event)).then(|| match event.packet {
        TapPacket::Opened { .. } | TapPacket::Closed { .. } => format!("· {text}"),
        _ => format!("{arrow} {text}"),
    })
}

/// What the broker receives, what it hands out, and what went wrong.
fn is_worth_a_line(event: &TapEvent) -> bool {
    match &event.packet {
        TapPacket::ConnAck { code, .. } => *code != 0,
        TapPacket::SubAck { codes, .. } => codes.contains(&0x80),
        TapPacket::Opened { .. }
        | TapPacket::UnsubAck { .. }
        | TapPacket::PingResp
        | TapPacket::PubAck { .. }
        | TapPacket::PubRec { .. }
        | TapPacket::PubRel { .. }
        | TapPacket::PubComp { .. } => false,
        TapPacket::Closed { reason } => !matches!(
            reason,
            CloseReason::Disconnected | CloseReason::Protocol(_) | CloseReason::Refused(_)
        ),
        _ => true,
    }
}

/// A packet that a client of this command received.
pub fn incoming(packet_of_client: &rumqttc::Packet, lang: Lang) -> String {
    let event = TapEvent {
        time: std::time::SystemTime::now(),
        connection: 0,
        client_id: std::sync::Arc::from(""),
        direction: Direction::ToClient,
        packet: broker::describe(packet_of_client, 200),
    };
    packet(&event, lang)
}

fn packet(event: &TapEvent, lang: Lang) -> String {
    let es = lang == Lang::Es;
    match &event.packet {
        TapPacket::Opened { peer } if es => format!("conexión desde {peer}"),
        TapPacket::Opened { peer } => format!("connection from {peer}"),
        TapPacket::Connect {
            clean_session,
            keep_alive,
            user,
            will,
        } => {
            let mut text = format!("CONNECT {}", event.client_id);
            if let Some(user) = user {
                text.push_str(&format!(" {} {user}", lang.pick("user", "usuario")));
            }
            if *keep_alive != 0 {
                text.push_str(&format!(" keepalive {keep_alive}"));
            }
            if !clean_session {
                text.push_str(lang.pick(" persistent session", " sesión persistente"));
            }
            if let Some(will) = will {
                let label = lang.pick("will", "testamento");
                text.push_str(&format!(
                    " {label} {}: {}",
                    will.topic,
                    payload(&will.payload, will.payload.len(), lang)
                ));
            }
            text
        }
        TapPacket::ConnAck {
            code: 0,
            session_present: true,
        } => {
            format!(
                "CONNACK {}",
                lang.pick("accepted, session resumed", "aceptado, sesión retomada")
            )
        }
        TapPacket::ConnAck { code: 0, .. } => {
            format!("CONNACK {}", lang.pick("accepted", "aceptado"))
        }
        TapPacket::ConnAck { code, .. } => format!("CONNACK {}", refusal(*code, lang)),
        TapPacket::Publish {
            topic,
            payload: bytes,
            length,
            qos,
            retain,
            duplicate,
            packet_id,
        } => {
            let mut text = format!("PUBLISH {topic}: {}", payload(bytes, *length, lang));
            if *qos > 0 {
                text.push_str(&format!(" (QoS {qos}{})", number(*packet_id)));
            }
            if *retain {
                text.push_str(lang.pick(" (retained)", " (retenido)"));
            }
            if *duplicate {
                text.push_str(lang.pick(" (sent again)", " (reenviado)"));
            }
            text
        }
        TapPacket::PubAck { packet_id } => format!("PUBACK #{packet_id}"),
        TapPacket::PubRec { packet_id } => format!("PUBREC #{packet_id}"),
        TapPacket::PubRel { packet_id } => format!("PUBREL #{packet_id}"),
        TapPacket::PubComp { packet_id } => format!("PUBCOMP #{packet_id}"),
        TapPacket::Subscribe { packet_id, filters } => {
            let filters: Vec<_> = filters
                .iter()
                .map(|(filter, qos)| {
                    if *qos == 0 {
                        filter.clone()
                    } else {
                        format!("{filter} (QoS {qos})")
                    }
                })
                .collect();
            format!("SUBSCRIBE {} #{packet_id}", filters.join(", "))
        }
        TapPacket::SubAck { packet_id, codes } => {
            let codes: Vec<_> = codes
                .iter()
                .map(|code| match code {
                    0x80 => lang.pick("refused", "rechazado").to_owned(),
                    qos => format!("QoS {qos}"),
                })
                .collect();
            format!("SUBACK {} #{packet_id}", codes.join(", "))
        }
        TapPacket::Unsubscribe { packet_id, filters } => {
            format!("UNSUBSCRIBE {} #{packet_id}", filters.join(", "))
        }
        TapPacket::UnsubAck { packet_id } => format!("UNSUBACK #{packet_id}"),
        TapPacket::PingReq => "PINGREQ".to_owned(),
        TapPacket::PingResp => "PINGRESP".to_owned(),
        TapPacket::Disconnect => "DISCONNECT".to_owned(),
        TapPacket::Malformed { reason, bytes } => {
            let bytes: Vec<_> = bytes
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let label = lang.pick("not MQTT 3.1.1", "no es MQTT 3.1.1");
            format!("{label}: {reason} [{}]", bytes.join(" "))
        }
        TapPacket::Dropped { topic, length } if es => {
            format!(
                "perdido: {} no lee lo que le llega ({topic}, {length} bytes)",
                event.client_id
            )
        }
        TapPacket::Dropped { topic, length } => {
            format!(
                "dropped: {} does not read what it gets ({topic}, {length} bytes)",
                event.client_id
            )
        }
        TapPacket::NotRetained { topic, length } if es => {
            format!("no retenido: el broker no guarda más ({topic}, {length} bytes)")
        }
        TapPacket::NotRetained { topic, length } => {
            format!("not retained: the broker keeps no more ({topic}, {length} bytes)")
        }
        TapPacket::Closed { reason } => {
            let client = if event.client_id.is_empty() {
                lang.pick("a client", "un cliente")
            } else {
                &event.client_id
            };
            format!("{client}: {}", closing(reason, lang))
        }
    }
}

/// A payload as text where it is text, else in hexadecimal; cut where it is long.
pub fn payload(bytes: &[u8], length: usize, lang: Lang) -> String {
    /// Letters, or bytes in hexadecimal, that a line shows.
    const SHOWN: usize = 200;
    let complete = bytes.len() == length;
    // A cut at the limit of the tap may have gone through a letter.
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if !complete && bytes.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let (shown, cut) = match valid {
        Some(text)
            if text
                .chars()
                .all(|letter| !letter.is_control() || "\t\n\r".contains(letter)) =>
        {
            let shown: String = text.chars().take(SHOWN).collect();
            let cut = !complete || shown.len() < text.len();
            (
                shown
                    .replace('\r', "\\r")
                    .replace('\n', "\\n")
                    .replace('\t', "\\t"),
                cut,
            )
        }
        _ => {
            let hex: Vec<_> = bytes
                .iter()
                .take(SHOWN / 4)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            (
                format!("[{}]", hex.join(" ")),
                !complete || bytes.len() > SHOWN / 4,
            )
        }
    };
    match cut {
        true => format!(
            "{shown}… ({length} {})",
            lang.pick("bytes in all", "bytes en total")
        ),
        false => shown,
    }
}

fn number(packet_id: Option<u16>) -> String {
    packet_id
        .map(|number| format!(" #{number}"))
        .unwrap_or_default()
}

/// What a return code of CONNACK means (MQTT 3.1.1, table 3.1).
pub fn refusal(code: u8, lang: Lang) -> String {
    let (english, spanish) = match code {
        1 => (
            "this broker speaks MQTT 3.1.1 only",
            "este broker solo habla MQTT 3.1.1",
        ),
        2 => (
            "client identifier rejected",
            "identificador de cliente rechazado",
        ),
        3 => ("server unavailable", "servidor no disponible"),
        4 => (
            "bad user name or password",
            "usuario o contraseña incorrectos",
        ),
        5 => ("not authorized", "sin autorización"),
        _ => ("unknown code", "código desconocido"),
    };
    format!(
        "{} {code}: {}",
        lang.pick("refused", "rechazado"),
        lang.pick(english, spanish)
    )
}

fn closing(reason: &CloseReason, lang: Lang) -> String {
    if lang == Lang::En {
        return reason.to_string();
    }
    match reason {
        CloseReason::Disconnected => "el cliente se desconectó".to_owned(),
        CloseReason::Lost => "la conexión se cerró sin DISCONNECT".to_owned(),
        CloseReason::KeepAlive(seconds) => {
            format!("nada llegó en 1,5 veces su keepalive de {seconds} s")
        }
        CloseReason::NoConnect => "no llegó ningún CONNECT a tiempo".to_owned(),
        CloseReason::TakenOver => "otro cliente se conectó con el mismo identificador".to_owned(),
        CloseReason::Refused(code) => refusal(*code, lang),
        CloseReason::Protocol(reason) => format!("error de protocolo: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_shown_as_what_they_are() {
        let cases: [(&[u8], usize, &str); 6] = [
            ("21,5 °C".as_bytes(), 8, "21,5 °C"),
            (b"", 0, ""),
            (b"a\nb", 3, "a\\nb"),
            (b"\x00\xff", 2, "[00 ff]"),
            (b"\x1b[2J", 4, "[1b 5b 32 4a]"),
            (b"abc", 5000, "abc… (5000 bytes in all)"),
        ];
        for (bytes, length, expected) in cases {
            assert_eq!(payload(bytes, length, Lang::En), expected);
        }
        assert_eq!(
            payload("ññ".as_bytes().get(..3).expect("three bytes"), 4, Lang::En),
            "ñ… (4 bytes in all)"
        );
    }
}
