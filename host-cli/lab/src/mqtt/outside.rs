//! A broker that somebody else runs, as far as a subscription shows it: messages, and neither packets nor clients.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use broker::TapEvent;
use rumqttc::MqttOptions;

use super::client::{Client, Heard, Message};
use super::tell::{PAYLOAD, tell};
use crate::protocol::BrokerView;
use crate::view::View;
use crate::words::Words;

/// All topics but those that begin with `$` (4.7.2).
const EVERYTHING: &str = "#";

/// Messages that may wait for the pages; more are dropped and counted.
const WAITING: usize = 4096;

/// How an outside broker is reached.
#[derive(Debug, Clone)]
pub struct OutsideBroker {
    /// What pages call it, without a password: `mqtts://ana@example.org:8883`.
    pub name: String,
    /// Where simulated boards are led.
    pub tcp: SocketAddr,
    /// The same for TLS.
    pub tls: Option<SocketAddr>,
    /// How the laboratory itself connects, with a client identifier that no other client has.
    pub client: MqttOptions,
}

/// Watched and published to until it is dropped.
pub struct Outside {
    wanted: OutsideBroker,
    connected: Arc<AtomicBool>,
    /// None once it has ended.
    client: Mutex<Option<Client>>,
    telling: Mutex<Option<JoinHandle<()>>>,
}

impl Outside {
    /// Begins to watch; a broker that is not there yet is tried again and again.
    pub fn start(wanted: OutsideBroker) -> (Arc<View>, Self) {
        let view = Arc::new(View::new(shown(&wanted.name, false)));
        let connected = Arc::<AtomicBool>::default();
        let dropped = Arc::<AtomicU64>::default();
        let (events, coming) = sync_channel(WAITING);
        let hearing = Hearing {
            name: wanted.name.clone(),
            view: Arc::clone(&view),
            connected: Arc::clone(&connected),
            told: false,
            events,
            dropped: Arc::clone(&dropped),
        };
        let client = Client::start(
            wanted.client.clone(),
            Some(EVERYTHING.to_owned()),
            hearing.into_closure(),
        );
        let telling = std::thread::spawn({
            let view = Arc::clone(&view);
            move || {
                tell(
                    &view,
                    |wait| coming.recv_timeout(wait),
                    || dropped.load(Ordering::Relaxed),
                );
            }
        });
        let outside = Self {
            wanted,
            connected,
            client: Mutex::new(Some(client)),
            telling: Mutex::new(Some(telling)),
        };
        (view, outside)
    }

    pub fn address(&self) -> SocketAddr {
        self.wanted.tcp
    }

    pub fn secure(&self) -> Option<SocketAddr> {
        self.wanted.tls
    }

    /// Publishes a message by the laboratory's client.
    ///
    /// # Errors
    /// In words, while there is no connection.
    pub fn publish(&self, message: Message) -> Result<(), Words> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match &*client {
            Some(client) if self.connected.load(Ordering::SeqCst) => client.publish(message),
            _ => Err(Words::new(
                format!("there is no connection to {}", self.wanted.name),
                format!("no hay conexión con {}", self.wanted.name),
            )),
        }
    }

    /// Says goodbye to the broker.
    pub fn end(&self) {
        // The thread that tells the pages ends with the client, which has the other end of its channel.
        drop(take(&self.client));
        if let Some(thread) = take(&self.telling) {
            let _ = thread.join();
        }
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn shown(name: &str, connected: bool) -> BrokerView {
    BrokerView {
        address: name.to_owned(),
        running: connected,
        external: true,
        secure: None,
        lan: false,
    }
}

/// What becomes of what the client tells.
struct Hearing {
    name: String,
    view: Arc<View>,
    connected: Arc<AtomicBool>,
    /// The pages know that there is no connection.
    told: bool,
    events: SyncSender<TapEvent>,
    dropped: Arc<AtomicU64>,
}

impl Hearing {
    fn into_closure(mut self) -> impl FnMut(Heard) + Send + 'static {
        move |heard| self.hear(heard)
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Connected => {
                self.told = false;
                self.connected.store(true, Ordering::SeqCst);
                self.view.broker(shown(&self.name, true));
            }
            Heard::Refused => self.view.error(
                None,
                Words::new(
                    format!("{} does not let this user read all topics: its messages cannot be shown", self.name),
                    format!("{} no deja que este usuario lea todos los temas: no se pueden mostrar los mensajes", self.name),
                ),
            ),
            Heard::Message(publish) => {
                // A page that cannot keep up must not keep the broker waiting.
                if self.events.try_send(TapEvent::received(publish, PAYLOAD)).is_err() {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Heard::Lost(error) => {
                self.connected.store(false, Ordering::SeqCst);
                if !self.told {
                    self.told = true;
                    self.view.broker(shown(&self.name, false));
                    self.view.error(
                        None,
                        Words::new(
                            format!("no connection to {}, it is tried again: {error}", self.name),
                            format!("sin conexión con {}, se intenta otra vez: {error}", self.name),
                        ),
                    );
                }
            }
        }
    }
}
