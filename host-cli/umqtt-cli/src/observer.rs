//! Decides how an outside broker is watched: an ordinary client that subscribes to everything there.
//!
//! It sees what the broker hands out, so packets other than PUBLISH stay unseen, and so do topics that
//! the user may not read.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use board_link::Lang;
use broker::{Direction, TapEvent, TapPacket};
use rumqttc::{
    Client, Connection, ConnectionError, Event, MqttOptions, Packet, QoS, TlsConfiguration,
    Transport,
};

use crate::broker_choice::OutsideBroker;
use crate::display::{Message, Sender, text};
use crate::failure::{Failure, Status};
use crate::stop::Stop;

/// How long the broker may take to accept the observer.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The largest message that is shown, in bytes; a larger one would end the connection.
const LARGEST_PACKET: usize = 16 << 20;

/// Watches until it is dropped.
pub struct Observer {
    client: Client,
    ended: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Observer {
    /// Connects and subscribes; when this returns, what is published from now on will be shown.
    pub fn start(
        broker: &OutsideBroker,
        display: Sender,
        stop: &Stop,
        lang: Lang,
    ) -> Result<Self, Failure> {
        let (client, mut connection) = Client::new(options(broker, lang)?, 10);
        let deadline = Instant::now() + CONNECT_WITHIN;
        // The queue of requests has room for this one.
        let _ = client.subscribe("#", QoS::AtMostOnce);
        loop {
            stop.interrupted(lang)?;
            match connection.recv_timeout(Duration::from_millis(100)) {
                Ok(Ok(Event::Incoming(Packet::SubAck(ack)))) => {
                    let refused = |code: &_| matches!(code, rumqttc::SubscribeReasonCode::Failure);
                    if ack.return_codes.iter().any(refused) {
                        display.note(lang.pick(
                            "the broker does not let this user read all topics; its messages cannot be shown",
                            "el broker no deja que este usuario lea todos los temas; no se pueden mostrar los mensajes",
                        ));
                    }
                    break;
                }
                Ok(Ok(_)) | Err(rumqttc::RecvTimeoutError::Timeout)
                    if Instant::now() < deadline => {}
                Ok(Err(error)) => return Err(unreachable(broker, &error, lang)),
                _ => return Err(unreachable(broker, &ConnectionError::NetworkTimeout, lang)),
            }
        }
        let ended = Stop::detached();
        let thread = std::thread::spawn({
            let (ended, name) = (ended.clone(), broker.to_string());
            move || watch(&mut connection, &display, &ended, &name, lang)
        });
        Ok(Self {
            client,
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.ended.request();
        // It fails only where the connection is gone already.
        let _ = self.client.try_disconnect();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(connection: &mut Connection, display: &Sender, ended: &Stop, name: &str, lang: Lang) {
    while !ended.is_requested() {
        match connection.recv_timeout(Duration::from_millis(50)) {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                display.show(Message::Mqtt(TapEvent {
                    time: SystemTime::now(),
                    connection: 0,
                    client_id: Arc::from(""),
                    direction: Direction::ToClient,
                    packet: TapPacket::Publish {
                        topic: publish.topic,
                        length: publish.payload.len(),
                        payload: publish.payload,
                        qos: publish.qos as u8,
                        retain: publish.retain,
                        duplicate: publish.dup,
                        packet_id: None,
                    },
                }))
            }
            Ok(Err(error)) if !ended.is_requested() => {
                display.note(match lang {
                    Lang::En => format!(
                        "the connection to {name} ended, its messages are no longer shown: {error}"
                    ),
                    Lang::Es => format!(
                        "se cortó la conexión con {name}, ya no se muestran sus mensajes: {error}"
                    ),
                });
                return;
            }
            Err(rumqttc::RecvTimeoutError::Disconnected) => return,
            _ => {}
        }
    }
}

fn options(broker: &OutsideBroker, lang: Lang) -> Result<MqttOptions, Failure> {
    // Two observers of one broker must not take each other's place.
    let time = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let client_id = format!("umqtt-{:x}-{:x}", std::process::id(), time.subsec_nanos());
    let mut options = MqttOptions::new(client_id, broker.host.clone(), broker.port);
    options
        .set_keep_alive(Duration::from_secs(30))
        .set_max_packet_size(LARGEST_PACKET, LARGEST_PACKET);
    if let Some(user) = &broker.user {
        options.set_credentials(user, broker.password.as_deref().unwrap_or_default());
    }
    if broker.tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls(
            lang,
        )?)));
    }
    Ok(options)
}

/// TLS that trusts what this computer trusts; SSL_CERT_FILE names further authorities.
fn tls(lang: Lang) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let failed = |why: String| {
        Failure::new(
            Status::Failed,
            match lang {
                Lang::En => format!("TLS cannot be used: {why}"),
                Lang::Es => format!("no se puede usar TLS: {why}"),
            },
            lang.pick(
                "install the system's certificates (Debian: ca-certificates), or name a file of them in SSL_CERT_FILE",
                "instala los certificados del sistema (Debian: ca-certificates), o indica un fichero en SSL_CERT_FILE",
            ),
        )
    };
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found
            .errors
            .first()
            .map_or_else(|| "no certificates".to_owned(), ToString::to_string);
        return Err(failed(why));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn unreachable(broker: &OutsideBroker, error: &ConnectionError, lang: Lang) -> Failure {
    let (why, help) = match error {
        ConnectionError::ConnectionRefused(code) => (
            text::refusal(*code as u8, lang),
            lang.pick(
                "check user and password: --broker USER:PASSWORD@HOST",
                "revisa usuario y contraseña: --broker USUARIO:CONTRASEÑA@HOST",
            ),
        ),
        ConnectionError::Tls(error) => (
            format!("TLS: {error}"),
            lang.pick(
                "if its certificate has an authority of your own, name that in SSL_CERT_FILE",
                "si su certificado tiene una autoridad propia, indícala en SSL_CERT_FILE",
            ),
        ),
        ConnectionError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => (
            lang.pick("nobody listens there", "nadie escucha ahí")
                .to_owned(),
            lang.pick(
                "check host and port, and that the broker runs",
                "revisa host y puerto, y que el broker esté en marcha",
            ),
        ),
        ConnectionError::NetworkTimeout => (
            lang.pick("no answer", "no responde").to_owned(),
            lang.pick(
                "check host, port, and mqtts:// against mqtt://",
                "revisa host, puerto, y si es mqtts:// o mqtt://",
            ),
        ),
        other => (
            other.to_string(),
            lang.pick(
                "check host, port, and mqtts:// against mqtt://",
                "revisa host, puerto, y si es mqtts:// o mqtt://",
            ),
        ),
    };
    let message = match lang {
        Lang::En => format!("no connection to the broker {broker}: {why}"),
        Lang::Es => format!("sin conexión con el broker {broker}: {why}"),
    };
    Failure::new(Status::Failed, message, help)
}
