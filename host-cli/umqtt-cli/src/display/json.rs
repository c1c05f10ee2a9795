//! Decides what `--json` prints: one object per line, `t` in seconds since the start, `source` one of
//! `script`, `mqtt` and `umqtt`.

use std::io::{self, Write};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::{Direction, TapEvent, TapPacket};
use serde_json::{Map, Value, json};

use super::{Message, Renderer};

#[derive(Debug)]
pub struct Json {
    started: SystemTime,
    /// What the script printed since its last line end.
    line: String,
}

impl Json {
    pub fn new() -> Self {
        Self {
            started: SystemTime::now(),
            line: String::new(),
        }
    }

    fn write(
        &self,
        out: &mut dyn Write,
        time: SystemTime,
        source: &str,
        rest: Value,
    ) -> io::Result<()> {
        let seconds = time
            .duration_since(self.started)
            .unwrap_or_default()
            .as_secs_f64();
        let mut object = Map::new();
        // Milliseconds are what a reader can use.
        object.insert("t".to_owned(), json!((seconds * 1000.0).round() / 1000.0));
        object.insert("source".to_owned(), json!(source));
        if let Value::Object(rest) = rest {
            object.extend(rest);
        }
        serde_json::to_writer(&mut *out, &object)?;
        out.write_all(b"\n")
    }

    fn write_script(&self, out: &mut dyn Write, stream: &str, text: &str) -> io::Result<()> {
        self.write(
            out,
            SystemTime::now(),
            "script",
            json!({ "stream": stream, "text": text }),
        )
    }
}

impl Renderer for Json {
    fn show(&mut self, out: &mut dyn Write, message: &Message) -> io::Result<()> {
        match message {
            Message::Script(text) => {
                self.line.push_str(text);
                while let Some(end) = self.line.find('\n') {
                    let line: String = self.line.drain(..=end).collect();
                    self.write_script(out, "stdout", &line)?;
                }
                Ok(())
            }
            Message::Traceback(text) => {
                self.finish(out)?;
                self.write_script(out, "stderr", text)
            }
            Message::Mqtt(event) => self.write(out, event.time, "mqtt", describe(event)),
            Message::Note(text) => self.write(
                out,
                SystemTime::now(),
                "umqtt",
                json!({ "event": "note", "message": text }),
            ),
            Message::Result { fields, .. } => {
                self.write(out, SystemTime::now(), "umqtt", fields.clone())
            }
            Message::End {
                ending,
                status,
                error,
            } => {
                self.finish(out)?;
                let mut end = json!({ "event": "end", "ending": ending, "status": status });
                if let Some(error) = error {
                    end["error"] = json!(error);
                }
                self.write(out, SystemTime::now(), "umqtt", end)
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
            self.write_script(out, "stdout", &line)?;
        }
        Ok(())
    }
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
