//! The laboratory's broker: started and stopped as a page says, watched for all pages, and published to for them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, UNIX_EPOCH};

use broker::{
    Broker, BrokerConfig, BrokerError, DEFAULT_PORT, DEFAULT_TLS_PORT, Identity, Tap, TapEvent,
    TapOptions,
};

use crate::protocol::{BrokerView, MqttEvent};
use crate::publisher::{Message, Publisher};
use crate::view::View;
use crate::words::Words;

/// Pages are told of packets this often.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Packets in one message to the pages at most.
const BATCH: usize = 500;

/// Bytes of a payload that pages get to see.
const PAYLOAD: usize = 4096;

/// What the laboratory's own broker shows of itself over TLS.
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
    // The publisher goes first: it says goodbye to the broker.
    publisher: Option<Publisher>,
    broker: Broker,
    watching: JoinHandle<()>,
}

/// The embedded broker, running or not.
pub struct Mqtt {
    view: Arc<View>,
    identity: Option<Identity>,
    /// Where it listens, also while it is stopped: boards try there.
    address: SocketAddr,
    /// The same over TLS.
    secure: Option<SocketAddr>,
    running: Mutex<Option<Running>>,
}

impl Mqtt {
    /// Starts the broker on MQTT's own ports, or on free ones where these are taken.
    ///
    /// # Errors
    /// Where it cannot listen at all.
    pub fn start(secure: Option<&Secure>) -> Result<(Arc<View>, Self), BrokerError> {
        let identity = secure.map(|secure| secure.identity.clone());
        let mut ports = Ports {
            tcp: DEFAULT_PORT,
            tls: DEFAULT_TLS_PORT,
        };
        let broker = loop {
            match begin(identity.as_ref(), ports) {
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
        let view = Arc::new(View::new(BrokerView::embedded(address, secure, true)));
        let watching = watch(&broker, &view);
        let mqtt = Self {
            view: Arc::clone(&view),
            identity,
            address,
            secure,
            running: Mutex::new(Some(Running {
                publisher: None,
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
        BrokerView::embedded(self.address, self.secure, running)
    }

    /// Stops the broker with all its connections; what it retained is forgotten.
    pub fn stop(&self) {
        let Some(Running {
            publisher,
            broker,
            watching,
        }) = self.lock().take()
        else {
            return;
        };
        drop(publisher);
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
            let broker = begin(self.identity.as_ref(), ports).map_err(|error| {
                Words::new(
                    format!("the broker does not start: {error}"),
                    format!("el broker no arranca: {error}"),
                )
            })?;
            let watching = watch(&broker, &self.view);
            *running = Some(Running {
                publisher: None,
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
        let publisher = running
            .publisher
            .get_or_insert_with(|| Publisher::start(self.address, Arc::clone(&self.view)));
        publisher.publish(message);
        Ok(())
    }
}

fn begin(identity: Option<&Identity>, ports: Ports) -> Result<Broker, BrokerError> {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Broker::start(BrokerConfig {
        listen: at(ports.tcp),
        tls: identity.map(|identity| (at(ports.tls), identity.clone())),
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
    std::thread::spawn(move || tell(&tap, &view))
}

fn tell(tap: &Tap, view: &View) {
    loop {
        let mut events = Vec::new();
        let mut gone = false;
        let begun = Instant::now();
        while events.len() < BATCH {
            // Without a packet it waits for one; with one, for what comes within the same moment.
            let wait = TELL_EVERY.saturating_sub(begun.elapsed());
            match tap.try_next(wait) {
                Ok(event) => events.push(stamped(event)),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    gone = true;
                    break;
                }
            }
        }
        view.mqtt(events, tap.dropped());
        if gone {
            return;
        }
    }
}

fn stamped(event: TapEvent) -> MqttEvent {
    let since = event.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    MqttEvent {
        event,
        t: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
    }
}
