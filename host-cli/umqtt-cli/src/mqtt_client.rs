//! Decides how a client of this command reaches a broker, and what it says when it does not: for `pub`, `sub`, `monitor`,
//! `lab` and the observer of `run`.

use std::io;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use board_link::Lang;
use rumqttc::{
    Client, ConnectionError, Event, LastWill, MqttOptions, Outgoing, Packet, QoS, StateError,
    TlsConfiguration, Transport,
};

use crate::broker_choice::{BrokerChoice, OutsideBroker};
use crate::display::text;
use crate::events::Events;
use crate::failure::{self, Failure, Status};
use crate::options::mqtt::ClientOptions;
use crate::stop::Stop;
use crate::tls_client::{self, Trust};

/// The largest message that is taken or sent, in bytes: MQTT's own limit.
const LARGEST_PACKET: usize = 268_435_455;

/// Keep alive of those who do not name one.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A client identifier that no other client of the broker has.
pub fn fresh_id() -> String {
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("umqtt-{:x}-{:x}", std::process::id(), time.subsec_nanos())
}

/// Options for a client of this broker that trusts what this computer trusts.
///
/// # Errors
/// Where TLS cannot be used.
pub fn options(broker: &OutsideBroker, trust: &Trust, lang: Lang) -> Result<MqttOptions, Failure> {
    let mut options = MqttOptions::new(fresh_id(), broker.host.clone(), broker.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_max_packet_size(LARGEST_PACKET, LARGEST_PACKET);
    if let Some(user) = &broker.user {
        options.set_credentials(user, broker.password.as_deref().unwrap_or_default());
    }
    if broker.tls {
        let tls = tls_client::config(trust, lang)?;
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    Ok(options)
}

/// How long a broker may take to let a client in.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Connects once and goes again, so that what is wrong is said before anything is begun.
///
/// # Errors
/// Why there is no connection.
pub fn try_out(
    broker: &OutsideBroker,
    options: MqttOptions,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    let (client, connection) = Client::new(options, 10);
    let mut events = Events::of(connection);
    let deadline = Instant::now() + CONNECT_WITHIN;
    loop {
        stop.interrupted(lang)?;
        let error = match events.recv_timeout(Duration::from_millis(100)) {
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                // The connection ends with its events in any case.
                let _ = client.try_disconnect();
                return Ok(());
            }
            Ok(Ok(_)) | Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => continue,
            Ok(Err(error)) => error,
            _ => ConnectionError::NetworkTimeout,
        };
        return Err(unreachable(broker, &error, lang));
    }
}

/// What the letters of Mosquitto's clients say.
#[derive(Debug)]
pub struct Named {
    pub broker: OutsideBroker,
    pub options: MqttOptions,
    /// The topic of `-L`.
    pub topic: Option<String>,
    pub qos: QoS,
}

/// Takes `pub`'s and `sub`'s common options together.
///
/// # Errors
/// Where they do not fit, or a file cannot be used.
pub fn named(given: &ClientOptions, lang: Lang) -> Result<Named, Failure> {
    let tls = given.cafile.is_some() || given.capath.is_some() || given.tls_use_os_certs;
    let (mut broker, topic) = match &given.url {
        Some(url) => in_url(url, lang)?,
        None => (
            OutsideBroker {
                host: given.host.clone().unwrap_or_else(|| "localhost".to_owned()),
                port: 0,
                tls: false,
                user: given.user.clone(),
                password: given.password.clone(),
            },
            None,
        ),
    };
    if given.url.is_none() {
        broker.tls = tls || given.tcp_port == Some(8883);
        broker.port = given
            .tcp_port
            .unwrap_or(if broker.tls { 8883 } else { 1883 });
    }
    let mut files: Vec<_> = given.cafile.iter().cloned().collect();
    if let Some(folder) = &given.capath {
        let entries = std::fs::read_dir(folder).map_err(|error| {
            let message = failure::cannot_read(folder.display(), &error, lang);
            Failure::complete(Status::Usage, message)
        })?;
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    let trust = Trust {
        files,
        own: given.cert.as_deref().zip(given.key.as_deref()),
        any_host: given.insecure,
        version: given.tls_version.as_deref(),
    };
    let mut options = options(&broker, &trust, lang)?;
    if let Some(id) = &given.id {
        options.set_client_id(id.clone());
    } else if let Some(prefix) = &given.id_prefix {
        options.set_client_id(format!("{prefix}{}", std::process::id()));
    }
    if let Some(seconds) = given.keepalive {
        options.set_keep_alive(Duration::from_secs(seconds.into()));
    }
    options.set_clean_session(!given.persistent);
    if let Some(topic) = &given.will_topic {
        check_topic(topic, lang)?;
        let payload = given.will_payload.clone().unwrap_or_default();
        let qos = as_qos(given.will_qos.unwrap_or(0));
        options.set_last_will(LastWill::new(topic, payload, qos, given.will_retain));
    }
    Ok(Named {
        broker,
        options,
        topic,
        qos: as_qos(given.qos.unwrap_or(0)),
    })
}

fn as_qos(number: u8) -> QoS {
    match number {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

/// `mqtt[s]://[user[:password]@]host[:port]/topic`
fn in_url(url: &str, lang: Lang) -> Result<(OutsideBroker, Option<String>), Failure> {
    let wrong = || {
        Failure::new(
            Status::Usage,
            match lang {
                Lang::En => format!("\"{}\" names no broker and topic", without_password(url)),
                Lang::Es => format!(
                    "\"{}\" no nombra un broker y un tema",
                    without_password(url)
                ),
            },
            "mqtt://test.mosquitto.org/casa/temperatura, mqtts://ana@host:8883/casa",
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    // A password may hold a slash, so the topic begins behind the last @'s host.
    let host = rest.rfind('@').map_or(0, |at| at + 1);
    let slash = rest[host..].find('/').ok_or_else(wrong)? + host;
    let (authority, topic) = (&rest[..slash], &rest[slash + 1..]);
    let Ok(BrokerChoice::Outside(broker)) = format!("{scheme}://{authority}").parse() else {
        return Err(wrong());
    };
    if topic.is_empty() {
        return Err(wrong());
    }
    Ok((broker, Some(topic.to_owned())))
}

fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

/// Refuses a topic that cannot be published to.
///
/// # Errors
/// Where it is empty or has wildcards.
pub fn check_topic(topic: &str, lang: Lang) -> Result<(), Failure> {
    if broker::is_valid_topic(topic) {
        return Ok(());
    }
    Err(Failure::new(
        Status::Usage,
        match lang {
            Lang::En => format!("\"{topic}\" is no topic to publish to"),
            Lang::Es => format!("en \"{topic}\" no se puede publicar"),
        },
        lang.pick(
            "a topic is not empty and has no + and #; those are for subscribing",
            "un tema no está vacío ni lleva + o #; eso es para suscribirse",
        ),
    ))
}

/// Why there is no connection, and what to try.
pub fn unreachable(broker: &OutsideBroker, error: &ConnectionError, lang: Lang) -> Failure {
    let (why, help) = why(error, lang);
    let message = match lang {
        Lang::En => format!("no connection to the broker {broker}: {why}"),
        Lang::Es => format!("sin conexión con el broker {broker}: {why}"),
    };
    Failure::new(Status::Failed, message, help)
}

/// What is wrong with a connection, and what to try.
pub fn why(error: &ConnectionError, lang: Lang) -> (String, &'static str) {
    let elsewhere = lang.pick(
        "check host, port, and TLS against none",
        "revisa host, puerto, y si es con TLS o sin él",
    );
    let (english, spanish) = match error {
        ConnectionError::ConnectionRefused(code) => {
            let help = lang.pick(
                "check user and password (-u and -P, or USER:PASSWORD@HOST)",
                "revisa usuario y contraseña (-u y -P, o USUARIO:CONTRASEÑA@HOST)",
            );
            return (text::refusal(*code as u8, lang), help);
        }
        ConnectionError::Tls(error) => {
            let help = lang.pick(
                "if its certificate has an authority of your own, name that with --cafile or in SSL_CERT_FILE",
                "si su certificado tiene una autoridad propia, indícala con --cafile o en SSL_CERT_FILE",
            );
            return (format!("TLS: {error}"), help);
        }
        ConnectionError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let help = lang.pick(
                "check host and port, and that the broker runs (umqtt broker starts one)",
                "revisa host y puerto, y que el broker esté en marcha (umqtt broker inicia uno)",
            );
            let nobody = lang.pick("nobody listens there", "nadie escucha ahí");
            return (nobody.to_owned(), help);
        }
        // What Rust's own look-up says; the kind of this error is not public.
        ConnectionError::Io(error) if error.to_string().contains("lookup address") => {
            let help = lang.pick(
                "check how it is spelt, and this computer's network",
                "revisa cómo está escrito, y la red de este equipo",
            );
            let nobody = lang.pick(
                "nobody knows that host name",
                "nadie conoce ese nombre de host",
            );
            return (nobody.to_owned(), help);
        }
        ConnectionError::NetworkTimeout => ("no answer", "no responde"),
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            ("the broker ended the connection", "el broker la cerró")
        }
        ConnectionError::MqttState(StateError::AwaitPingResp) => (
            "the broker does not answer PINGREQ",
            "el broker no responde a PINGREQ",
        ),
        ConnectionError::MqttState(StateError::Deserialization(_))
        | ConnectionError::NotConnAck(_) => (
            "what answers there is no MQTT 3.1.1",
            "lo que contesta ahí no es MQTT 3.1.1",
        ),
        ConnectionError::MqttState(StateError::Io(error)) | ConnectionError::Io(error) => {
            match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    ("the connection broke", "se cortó")
                }
                io::ErrorKind::TimedOut => ("no answer", "no responde"),
                _ => return (error.to_string(), elsewhere),
            }
        }
        other => return (other.to_string(), elsewhere),
    };
    (lang.pick(english, spanish).to_owned(), elsewhere)
}

/// A line about a packet for `-d`.
pub fn debug_line(event: &Event, lang: Lang) -> String {
    match event {
        Event::Incoming(packet) => format!("← {}", text::incoming(packet, lang)),
        Event::Outgoing(outgoing) => {
            let (name, id) = match outgoing {
                Outgoing::Publish(id) => ("PUBLISH", Some(id)),
                Outgoing::Subscribe(id) => ("SUBSCRIBE", Some(id)),
                Outgoing::Unsubscribe(id) => ("UNSUBSCRIBE", Some(id)),
                Outgoing::PubAck(id) => ("PUBACK", Some(id)),
                Outgoing::PubRec(id) => ("PUBREC", Some(id)),
                Outgoing::PubRel(id) => ("PUBREL", Some(id)),
                Outgoing::PubComp(id) => ("PUBCOMP", Some(id)),
                Outgoing::PingReq => ("PINGREQ", None),
                Outgoing::PingResp => ("PINGRESP", None),
                Outgoing::Disconnect => ("DISCONNECT", None),
                Outgoing::AwaitAck(_) => ("…", None),
            };
            match id.filter(|id| **id != 0) {
                Some(id) => format!("→ {name} #{id}"),
                None => format!("→ {name}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_broker_and_topic() {
        let cases = [
            ("mqtt://h/t", "mqtt://h:1883", "t"),
            ("mqtts://ana:a/b@h:1/casa/#", "mqtts://ana@h:1", "casa/#"),
            ("mqtt://[::1]/a/b/", "mqtt://[::1]:1883", "a/b/"),
        ];
        for (url, broker, topic) in cases {
            let (found, rest) = in_url(url, Lang::En).expect(url);
            assert_eq!(
                (found.to_string().as_str(), rest.as_deref()),
                (broker, Some(topic))
            );
        }
        for url in [
            "h/t",
            "mqtt://h",
            "mqtt://h/",
            "ws://h/t",
            "mqtt:///t",
            "mqtt://ana:secreta@/t",
        ] {
            let failure = in_url(url, Lang::Es).expect_err(url);
            assert!(!failure.to_string().contains("secreta"), "{failure}");
        }
    }
}
