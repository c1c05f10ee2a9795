//! Decides what `--json` prints of each kind of message; what the lines have in common is in `lines`.

use std::io::{self, Write};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::{Direction, TapEvent, TapPacket};
use serde_json::{Value, json};

use super::{Message, Renderer};
use crate::lines;

#[derive(Debug, Default)]
pub struct Json {
    /// What the script printed since its last line end.
    line: String,
}

fn write_script(out: &mut dyn Write, stream: &str, text: &str) -> io::Result<()> {
    out.write_all(lines::script(stream, text).as_bytes())
}

impl Renderer for Json {
    fn show(&mut self, out: &mut dyn Write, message: &Message) -> io::Result<()> {
        match message {
            Message::Script(text) => {
                self.line.push_str(text);
                while let Some(end) = self.line.find('\n') {
                    let line: String = self.line.drain(..=end).collect();
                    write_script(out, "stdout", &line)?;
                }
                Ok(())
            }
            Message::Traceback(text) => {
                self.finish(out)?;
                write_script(out, "stderr", text)
            }
            Message::Mqtt(event) => out.write_all(packet_line(event).as_bytes()),
            Message::Note(text) => {
                let line = lines::event("note", json!({ "message": text }));
                out.write_all(line.as_bytes())
            }
            Message::Result { fields, .. } => {
                let line = lines::line(SystemTime::now(), "umqtt", fields.clone());
                out.write_all(line.as_bytes())
            }
        }
    }

    fn is_open(&self) -> bool {
        // A line that is not ended is kept here and cut by nothing.
        false
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            write_script(out, "stdout", &line)?;
        }
        Ok(())
    }
}

/// The line for a packet.
pub fn packet_line(event: &TapEvent) -> String {
    lines::line(event.time, "mqtt", describe(event))
}

fn describe(event: &TapEvent) -> Value {
    let (packet, fields) = packet(&event.packet);
    let direction = match event.direction {
        Direction::ToBroker => "to_broker",
        Direction::ToClient => "to_client",
    };
    let mut object = json!({
        "connection": event.connection,
        "client_id": &*event.client_id,
        "direction": direction,
        "packet": packet,
    });
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

/// The packet's name as the standard writes it, and what is in it.
fn packet(packet: &TapPacket) -> (&'static str, Value) {
    match packet {
        TapPacket::Opened { peer } => ("OPENED", json!({ "peer": peer.to_string() })),
        TapPacket::Connect {
            clean_session,
            keep_alive,
            user,
            will,
        } => {
            let will = will.as_ref().map(|will| {
                let mut object = payload(&will.payload);
                object["topic"] = json!(will.topic);
                object["qos"] = json!(will.qos);
                object["retain"] = json!(will.retain);
                object
            });
            let fields = json!({
                "clean_session": clean_session, "keep_alive": keep_alive, "user": user, "will": will,
            });
            ("CONNECT", fields)
        }
        TapPacket::ConnAck {
            session_present,
            code,
        } => (
            "CONNACK",
            json!({ "session_present": session_present, "code": code }),
        ),
        TapPacket::Publish {
            topic,
            payload: bytes,
            length,
            qos,
            retain,
            duplicate,
            packet_id,
        } => {
            let mut fields = payload(bytes);
            fields["topic"] = json!(topic);
            fields["length"] = json!(length);
            fields["qos"] = json!(qos);
            fields["retain"] = json!(retain);
            fields["dup"] = json!(duplicate);
            if let Some(packet_id) = packet_id {
                fields["packet_id"] = json!(packet_id);
            }
            ("PUBLISH", fields)
        }
        TapPacket::PubAck { packet_id } => ("PUBACK", json!({ "packet_id": packet_id })),
        TapPacket::PubRec { packet_id } => ("PUBREC", json!({ "packet_id": packet_id })),
        TapPacket::PubRel { packet_id } => ("PUBREL", json!({ "packet_id": packet_id })),
        TapPacket::PubComp { packet_id } => ("PUBCOMP", json!({ "packet_id": packet_id })),
        TapPacket::Subscribe { packet_id, filters } => {
            let filters: Vec<_> = filters
                .iter()
                .map(|(filter, qos)| json!({ "filter": filter, "qos": qos }))
                .collect();
            (
                "SUBSCRIBE",
                json!({ "packet_id": packet_id, "filters": filters }),
            )
        }
        TapPacket::SubAck { packet_id, codes } => {
            ("SUBACK", json!({ "packet_id": packet_id, "codes": codes }))
        }
        TapPacket::Unsubscribe { packet_id, filters } => (
            "UNSUBSCRIBE",
            json!({ "packet_id": packet_id, "filters": filters }),
        ),
        TapPacket::UnsubAck { packet_id } => ("UNSUBACK", json!({ "packet_id": packet_id })),
        TapPacket::PingReq => ("PINGREQ", json!({})),
        TapPacket::PingResp => ("PINGRESP", json!({})),
        TapPacket::Disconnect => ("DISCONNECT", json!({})),
        TapPacket::Malformed { reason, bytes } => (
            "MALFORMED",
            json!({ "reason": reason, "bytes_base64": STANDARD.encode(bytes) }),
        ),
        TapPacket::Dropped { topic, length } => {
            ("DROPPED", json!({ "topic": topic, "length": length }))
        }
        TapPacket::NotRetained { topic, length } => {
            ("NOT_RETAINED", json!({ "topic": topic, "length": length }))
        }
        TapPacket::Closed { reason } => ("CLOSED", json!({ "reason": reason.to_string() })),
    }
}

/// `payload` where it is text, `payload_base64` where it is not.
fn payload(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "payload": text }),
        Err(_) => json!({ "payload_base64": STANDARD.encode(bytes) }),
    }
}
