//! Decides how an outside broker is watched: an ordinary client that subscribes to everything there.
//!
//! It sees what the broker hands out, so packets other than PUBLISH stay unseen, and so do topics that
//! the user may not read.

use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use board_link::Lang;
use broker::TapEvent;
use rumqttc::{Client, ConnectionError, Event, Packet, QoS};

use crate::broker_choice::OutsideBroker;
use crate::display::{Message, Sender};
use crate::events::Events;
use crate::failure::Failure;
use crate::mqtt_client;
use crate::stop::Stop;
use crate::tls_client::Trust;

/// How long the broker may take to accept the observer.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The pause before a lost connection is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

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
        let (client, connection) =
            Client::new(mqtt_client::options(broker, &Trust::default(), lang)?, 10);
        let mut connection = Events::of(connection);
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
                Ok(Ok(_)) | Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Ok(Err(error)) => return Err(mqtt_client::unreachable(broker, &error, lang)),
                _ => {
                    return Err(mqtt_client::unreachable(
                        broker,
                        &ConnectionError::NetworkTimeout,
                        lang,
                    ));
                }
            }
        }
        let ended = Stop::detached();
        let thread = std::thread::spawn({
            let (ended, name) = (ended.clone(), broker.to_string());
            let client = client.clone();
            move || watch(&client, &mut connection, &display, &ended, &name, lang)
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

/// Shows messages until it is to end. A connection that is lost is made again when that is possible.
fn watch(
    client: &Client,
    connection: &mut Events,
    display: &Sender,
    ended: &Stop,
    name: &str,
    lang: Lang,
) {
    let mut lost = false;
    while !ended.is_requested() {
        match connection.recv_timeout(LOOK_EVERY) {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                display.show(Message::Mqtt(TapEvent::received(publish, usize::MAX)))
            }
            Ok(Ok(Event::Incoming(Packet::ConnAck(_)))) if lost => {
                // The queue is empty: nothing else is asked for.
                let _ = client.try_subscribe("#", QoS::AtMostOnce);
            }
            Ok(Ok(Event::Incoming(Packet::SubAck(_)))) if lost => {
                lost = false;
                display.note(match lang {
                    Lang::En => format!("{name} is there again, its messages are shown"),
                    Lang::Es => format!("{name} ha vuelto, se muestran sus mensajes"),
                });
            }
            Ok(Err(error)) if !ended.is_requested() => {
                if !lost {
                    lost = true;
                    let (why, _) = mqtt_client::why(&error, lang);
                    display.note(match lang {
                        Lang::En => format!(
                            "the connection to {name} was lost, its messages are not shown until it is back: {why}"
                        ),
                        Lang::Es => format!(
                            "se perdió la conexión con {name}, no se muestran sus mensajes hasta que vuelva: {why}"
                        ),
                    });
                }
                let again = Instant::now() + AGAIN_AFTER;
                while Instant::now() < again && !ended.is_requested() {
                    std::thread::sleep(LOOK_EVERY);
                }
            }
            Err(RecvTimeoutError::Disconnected) => return,
            _ => {}
        }
    }
}
