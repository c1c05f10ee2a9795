//! The laboratory's own broker: started and stopped as a page says, watched for all pages, and published to for them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::{
    Broker, BrokerConfig, BrokerError, DEFAULT_PORT, DEFAULT_TLS_PORT, Identity, TapOptions,
};

use rumqttc::{ConnectionError, MqttOptions};

use super::client::{Client, Heard, Message};
use super::tell::{PAYLOAD, tell};
use crate::protocol::BrokerView;
use crate::view::View;
use crate::words::Words;

/// The client identifier of what pages publish, by which they tell its packets from those of boards.
const CLIENT_ID: &str = "umqtt-lab";

/// The largest message that a page publishes, in bytes, with room for what is around it.
const LARGEST: usize = 2 << 20;

/// What the laboratory's own broker is to be like.
#[derive(Debug, Clone)]
pub struct EmbeddedBroker {
    /// Where it listens.
    pub ip: Ipv4Addr,
    /// Others may come in without a password, since the boards that are meant to know none.
    pub open: bool,
    /// How it is reached over TLS, if at all.
    pub secure: Option<Secure>,
}

impl Default for EmbeddedBroker {
    /// On this computer only, without TLS.
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST,
            open: false,
            secure: None,
        }
    }
}

/// What it shows of itself over TLS.
#[derive(Debug, Clone)]
pub struct Secure {
    /// For `localhost` and the addresses at which the broker listens.
    pub identity: Identity,
    /// The certificate of the authority that signed it, in DER: what boards trust it by.
    pub authority: Vec<u8>,
}

/// Where a broker listens, without and with TLS.
#[derive(Debug, Clone, Copy)]
struct Ports {
    tcp: u16,
    tls: u16,
}

struct Running {
    // The client goes first: it says goodbye to the broker.
    client: Option<Client>,
    broker: Broker,
    watching: JoinHandle<()>,
}

/// The embedded broker, running or not.
pub struct Embedded {
    view: Arc<View>,
    wanted: EmbeddedBroker,
    /// Where it listens, also while it is stopped: boards try there.
    address: SocketAddr,
    /// The same over TLS.
    secure: Option<SocketAddr>,
    running: Mutex<Option<Running>>,
}

impl Embedded {
    /// Starts the broker on MQTT's own ports, or on free ones where these are taken.
    ///
    /// # Errors
    /// Where it cannot listen at all.
    pub fn start(wanted: EmbeddedBroker) -> Result<(Arc<View>, Self), BrokerError> {
        let mut ports = Ports {
            tcp: DEFAULT_PORT,
            tls: DEFAULT_TLS_PORT,
        };
        let broker = loop {
            match begin(&wanted, ports) {
                Err(BrokerError::Taken { address, .. }) if address.port() == DEFAULT_PORT => {
                    ports.tcp = 0;
                }
                Err(BrokerError::Taken { address, .. }) if address.port() == DEFAULT_TLS_PORT => {
                    ports.tls = 0;
                }
                started => break started?,
            }
        };
        let (address, secure) = (broker.addr(), broker.tls_addr());
        let view = Arc::new(View::new(shown(&wanted, address, secure, true)));
        let watching = watch(&broker, &view);
        let mqtt = Self {
            view: Arc::clone(&view),
            wanted,
            address,
            secure,
            running: Mutex::new(Some(Running {
                client: None,
                broker,
                watching,
            })),
        };
        Ok((view, mqtt))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for TLS.
    pub fn secure(&self) -> Option<SocketAddr> {
        self.secure
    }

    fn shown(&self, running: bool) -> BrokerView {
        shown(&self.wanted, self.address, self.secure, running)
    }

    /// Stops the broker with all its connections; what it retained is forgotten.
    pub fn stop(&self) {
        let Some(Running {
            client,
            broker,
            watching,
        }) = self.lock().take()
        else {
            return;
        };
        drop(client);
        drop(broker);
        // The tap ends with the broker, and its thread with the tap.
        let _ = watching.join();
        self.view.mqtt_state(Default::default());
        self.view.broker(self.shown(false));
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// In words, where the port is somebody else's by now.
    pub fn start_again(&self) -> Result<(), Words> {
        let mut running = self.lock();
        if running.is_none() {
            let ports = Ports {
                tcp: self.address.port(),
                tls: self.secure.map_or(0, |address| address.port()),
            };
            let broker = begin(&self.wanted, ports).map_err(|error| {
                Words::new(
                    format!("the broker does not start: {error}"),
                    format!("el broker no arranca: {error}"),
                )
            })?;
            let watching = watch(&broker, &self.view);
            *running = Some(Running {
                client: None,
                broker,
                watching,
            });
            self.view.broker(self.shown(true));
        }
        Ok(())
    }

    /// Tells the pages who is there.
    pub fn tell_state(&self) {
        let state = match &*self.lock() {
            Some(running) => running.broker.state(),
            None => None,
        };
        if let Some(state) = state {
            self.view.mqtt_state(state);
        }
    }

    /// Publishes a message as a client of its own.
    ///
    /// # Errors
    /// In words, where the broker is stopped.
    pub fn publish(&self, message: Message) -> Result<(), Words> {
        let mut running = self.lock();
        let Some(running) = &mut *running else {
            return Err(Words::new(
                "the broker is stopped: start it, then publish",
                "el broker está parado: arráncalo y después publica",
            ));
        };
        let client = running
            .client
            .get_or_insert_with(|| client(self.address, &self.view));
        client.publish(message)
    }
}

fn shown(
    wanted: &EmbeddedBroker,
    address: SocketAddr,
    secure: Option<SocketAddr>,
    running: bool,
) -> BrokerView {
    BrokerView {
        address: address.to_string(),
        running,
        external: false,
        secure: secure.map(|address| address.to_string()),
        lan: wanted.open,
    }
}

fn begin(wanted: &EmbeddedBroker, ports: Ports) -> Result<Broker, BrokerError> {
    let at = |port| SocketAddr::from((wanted.ip, port));
    let secure = wanted.secure.as_ref();
    Broker::start(BrokerConfig {
        listen: at(ports.tcp),
        tls: secure.map(|secure| (at(ports.tls), secure.identity.clone())),
        anonymous: wanted.open,
        ..BrokerConfig::default()
    })
}

/// Tells the pages of every packet until the broker ends.
fn watch(broker: &Broker, view: &Arc<View>) -> JoinHandle<()> {
    let tap = broker.tap(TapOptions {
        payload_limit: PAYLOAD,
        ..TapOptions::default()
    });
    let view = Arc::clone(view);
    std::thread::spawn(move || tell(&view, |wait| tap.try_next(wait), || tap.dropped()))
}

/// The client by which pages publish; what is wrong with it is said once.
fn client(broker: SocketAddr, view: &Arc<View>) -> Client {
    let mut options = MqttOptions::new(CLIENT_ID, broker.ip().to_string(), broker.port());
    options.set_keep_alive(Duration::from_secs(30));
    options.set_max_packet_size(LARGEST, LARGEST);
    let view = Arc::clone(view);
    let mut told = false;
    Client::start(options, None, move |heard| match heard {
        Heard::Connected => told = false,
        Heard::Lost(error) if !told && !matches!(error, ConnectionError::RequestsDone) => {
            told = true;
            view.error(
                None,
                Words::new(
                    format!("the page's own connection to the broker failed: {error}"),
                    format!("falló la conexión de la página con el broker: {error}"),
                ),
            );
        }
        Heard::Lost(_) | Heard::Refused | Heard::Message(_) => {}
    })
}
