//! Decides how `umqtt sub` writes a message: the formats of mosquitto_sub's `-F`.

use std::fmt::Write as _;

use board_link::Lang;
use chrono::{DateTime, Local};
use rumqttc::Publish;
use serde_json::json;

use crate::failure::{Failure, Status};

/// When a message came.
pub struct Moment(DateTime<Local>);

impl Moment {
    pub fn now() -> Self {
        Self(Local::now())
    }
}

/// A format taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    Field(Field),
    /// A letter of strftime(3).
    Time(char),
    Nanoseconds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    letter: char,
    left: bool,
    zeros: bool,
    width: usize,
    /// The most letters.
    most: Option<usize>,
}

/// Letters that stand for properties of MQTT 5, which MQTT 3.1.1 messages do not have: they print nothing.
const OF_MQTT_5: &str = "ACDEFPRS";

/// Letters for what a message has.
const KNOWN: &str = "lmpqrtxXjJIU";

/// Letters of strftime(3) that are handed on.
const OF_TIME: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ";

impl Format {
    /// The message and nothing else.
    pub fn payload() -> Self {
        Self(vec![Piece::field('p')])
    }

    /// `-v`: the topic, a blank, the message.
    pub fn with_topic() -> Self {
        Self(vec![
            Piece::field('t'),
            Piece::Bytes(b" ".to_vec()),
            Piece::field('p'),
        ])
    }

    /// Takes the text of `-F` apart.
    ///
    /// # Errors
    /// Where it has a letter that stands for nothing, or ends inside a sequence.
    pub fn parse(text: &str, lang: Lang) -> Result<Self, Failure> {
        let mut pieces = Vec::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let piece = match letter {
                '%' => percent(&mut letters),
                '@' => match letters.next() {
                    Some('@') => Some(Piece::Bytes(b"@".to_vec())),
                    Some('N') => Some(Piece::Nanoseconds),
                    Some(letter) if OF_TIME.contains(letter) => Some(Piece::Time(letter)),
                    _ => None,
                },
                '\\' => letters.next().and_then(escaped),
                other => Some(Piece::Bytes(other.to_string().into_bytes())),
            };
            match piece {
                Some(Piece::Bytes(more)) => match pieces.last_mut() {
                    Some(Piece::Bytes(bytes)) => bytes.extend(more),
                    _ => pieces.push(Piece::Bytes(more)),
                },
                Some(piece) => pieces.push(piece),
                None => return Err(unknown(text, lang)),
            }
        }
        Ok(Self(pieces))
    }

    /// Appends a message.
    ///
    /// # Errors
    /// In the words for it: with `%J`, where the message is no JSON.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        message: &Publish,
        moment: &Moment,
        lang: Lang,
    ) -> Result<(), String> {
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => out.extend(bytes),
                Piece::Nanoseconds => {
                    out.extend(format!("{:09}", moment.0.timestamp_subsec_nanos()).bytes());
                }
                Piece::Time(letter) => {
                    let pattern = format!("%{letter}");
                    out.extend(moment.0.format(&pattern).to_string().bytes());
                }
                Piece::Field(field) => field.write(out, message, moment, lang)?,
            }
        }
        Ok(())
    }
}

impl Piece {
    fn field(letter: char) -> Self {
        Self::Field(Field {
            letter,
            left: false,
            zeros: false,
            width: 0,
            most: None,
        })
    }
}

/// What follows a `%`: flags, width, letter.
fn percent(letters: &mut std::iter::Peekable<std::str::Chars>) -> Option<Piece> {
    if letters.next_if_eq(&'%').is_some() {
        return Some(Piece::Bytes(b"%".to_vec()));
    }
    let (mut left, mut zeros) = (false, false);
    while let Some(flag) = letters.next_if(|letter| matches!(letter, '0' | '-')) {
        left |= flag == '-';
        zeros |= flag == '0';
    }
    let mut number = || {
        let mut digits = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        // Wider than any line is of no use.
        digits
            .parse::<usize>()
            .ok()
            .map(|number| number.min(10_000))
    };
    let width = number().unwrap_or(0);
    let most = if letters.next_if_eq(&'.').is_some() {
        let mut digits = String::new();
        while let Some(digit) = letters.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok()
    } else {
        None
    };
    let letter = letters.next()?;
    (KNOWN.contains(letter) || OF_MQTT_5.contains(letter)).then_some(Piece::Field(Field {
        letter,
        left,
        zeros: zeros && !left,
        width,
        most,
    }))
}

fn escaped(letter: char) -> Option<Piece> {
    let byte = match letter {
        '\\' => b'\\',
        '0' => 0,
        'a' => 7,
        'e' => 27,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        _ => return None,
    };
    Some(Piece::Bytes(vec![byte]))
}

fn unknown(text: &str, lang: Lang) -> Failure {
    Failure::new(
        Status::Usage,
        match lang {
            Lang::En => format!("the format \"{text}\" has a sequence that stands for nothing"),
            Lang::Es => format!("el formato \"{text}\" tiene una secuencia que no significa nada"),
        },
        lang.pick(
            "%t %p %q %r %l %m %x %X %j %J %I %U, @ and a letter of strftime, \\n \\t \\0; %% @@ \\\\ for the characters themselves",
            "%t %p %q %r %l %m %x %X %j %J %I %U, @ y una letra de strftime, \\n \\t \\0; %% @@ \\\\ para los propios signos",
        ),
    )
}

impl Field {
    fn write(
        &self,
        out: &mut Vec<u8>,
        message: &Publish,
        moment: &Moment,
        lang: Lang,
    ) -> Result<(), String> {
        let mut text = Vec::new();
        match self.letter {
            'p' => text.extend(&message.payload[..]),
            't' => text.extend(message.topic.bytes()),
            'l' => text.extend(message.payload.len().to_string().bytes()),
            'm' => text.extend(message.pkid.to_string().bytes()),
            'q' => text.push(b'0' + message.qos as u8),
            'r' => text.push(b'0' + u8::from(message.retain)),
            'x' => text.extend(hexadecimal(&message.payload, false).bytes()),
            'X' => text.extend(hexadecimal(&message.payload, true).bytes()),
            'I' => text.extend(iso(moment).bytes()),
            'U' => {
                let seconds = moment.0.timestamp();
                let rest = moment.0.timestamp_subsec_nanos();
                text.extend(format!("{seconds}.{rest:09}").bytes());
            }
            'j' | 'J' => text.extend(json_line(message, moment, self.letter == 'J', lang)?.bytes()),
            // What only MQTT 5 has.
            _ => {}
        }
        if let Some(most) = self.most
            && matches!(self.letter, 't' | 'I')
        {
            let cut: String = String::from_utf8_lossy(&text).chars().take(most).collect();
            text = cut.into_bytes();
        }
        // Letters, so that columns stand below each other; mosquitto_sub counts bytes.
        let length = String::from_utf8_lossy(&text).chars().count();
        // As there, these have no width.
        let width = if "qrUjJ".contains(self.letter) {
            0
        } else {
            self.width
        };
        let missing = width.saturating_sub(length);
        let fill = if self.zeros && "lmxX".contains(self.letter) {
            b'0'
        } else {
            b' '
        };
        if !self.left {
            out.extend(std::iter::repeat_n(fill, missing));
        }
        out.extend(text);
        if self.left {
            out.extend(std::iter::repeat_n(b' ', missing));
        }
        Ok(())
    }
}

fn hexadecimal(bytes: &[u8], upper: bool) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A String takes everything.
        let _ = if upper {
            write!(text, "{byte:02X}")
        } else {
            write!(text, "{byte:02x}")
        };
    }
    text
}

/// As in the manual page of mosquitto_sub: 2016-08-10T09:47:38+0100.
fn iso(moment: &Moment) -> String {
    moment.0.format("%Y-%m-%dT%H:%M:%S%z").to_string()
}

fn json_line(
    message: &Publish,
    moment: &Moment,
    as_json: bool,
    lang: Lang,
) -> Result<String, String> {
    let time = moment.0.format("%Y-%m-%dT%H:%M:%S%.6f%z").to_string();
    let mut object = format!(
        "{{\"tst\":{},\"topic\":{},\"qos\":{},\"retain\":{},\"payloadlen\":{}",
        json!(time),
        json!(message.topic),
        message.qos as u8,
        u8::from(message.retain),
        message.payload.len()
    );
    if message.pkid != 0 {
        let _ = write!(object, ",\"mid\":{}", message.pkid);
    }
    let payload = if as_json {
        // As it came, numbers and order of keys included.
        serde_json::from_slice::<&serde_json::value::RawValue>(&message.payload)
            .map(|raw| raw.get().to_owned())
            .map_err(|_| match lang {
                Lang::En => format!("the message of {} is no JSON", message.topic),
                Lang::Es => format!("el mensaje de {} no es JSON", message.topic),
            })?
    } else {
        json!(String::from_utf8_lossy(&message.payload)).to_string()
    };
    let _ = write!(object, ",\"payload\":{payload}}}");
    Ok(object)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use rumqttc::QoS;

    use super::*;

    fn written(format: &str, payload: &str) -> Result<String, String> {
        let mut message = Publish::new("casa/ñ", QoS::AtLeastOnce, payload);
        message.pkid = 7;
        let moment = Moment(
            Local
                .timestamp_opt(1_470_818_943, 786_368_637)
                .single()
                .expect("a moment"),
        );
        let mut out = Vec::new();
        Format::parse(format, Lang::En).expect(format).write(
            &mut out,
            &message,
            &moment,
            Lang::En,
        )?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn each_sequence_stands_for_what_the_manual_says() {
        let cases = [
            ("%t %p", "casa/ñ 21"),
            ("%q|%r|%l|%m", "1|0|2|7"),
            ("%x %X", "3231 3231"),
            ("%%@@\\\\", "%@\\"),
            ("%8t|%-8t|", "  casa/ñ|casa/ñ  |"),
            ("%.3t|%8.2t|", "cas|      ca|"),
            ("%05l|%-05l|%5q", "00002|2    |1"),
            ("%U", "1470818943.786368637"),
            ("@N", "786368637"),
            ("@Y-@s", "2016-1470818943"),
            ("a\\tb\\n\\e[0m", "a\tb\n\u{1b}[0m"),
            ("[%E%R%P]", "[]"),
        ];
        for (format, expected) in cases {
            assert_eq!(written(format, "21").as_deref(), Ok(expected), "{format}");
        }
        for format in ["%", "%z", "@", "@!", "\\", "\\q", "%5"] {
            assert!(Format::parse(format, Lang::Es).is_err(), "{format}");
        }
    }

    #[test]
    fn json_holds_the_message_as_text_or_as_json() {
        let text = written("%j", "{\"b\": 1.0, \"a\": 2}").expect("text");
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["payload"], "{\"b\": 1.0, \"a\": 2}");
        assert_eq!(
            (&value["topic"], &value["qos"], &value["retain"]),
            (&"casa/ñ".into(), &1.into(), &0.into())
        );
        let raw = written("%J", "{\"b\": 1.0, \"a\": 2}").expect("JSON");
        assert!(
            raw.ends_with(",\"payload\":{\"b\": 1.0, \"a\": 2}}"),
            "{raw}"
        );
        assert!(written("%J", "no").is_err());
    }
}
