//! The embedded MQTT 3.1.1 broker and the tap that shows every packet of it.
//!
//! One thread serves all connections. `server` accepts them, `opening` finds out what a client speaks (MQTT as it is, in
//! TLS, in a WebSocket), `frame` cuts bytes into packets (decoded by `rumqttc`), `admission` decides who comes in (by
//! `users` and `password`), `hub` what becomes of packets, `subscriptions` who gets a message, `session` what each client
//! is owed, `store` what of that outlives the broker, `link` what waits to be written, `tap` tells observers of this process
//! and `monitor` those of others; `network` makes the way to it worse, for lessons. Dropping the `Broker` ends the thread,
//! every connection and the listeners.
//!
//! # Why it is not rumqttd
//!
//! rumqttd 0.20 was tried first, on its own, with all its limits raised. It cannot serve a lesson:
//!
//! - CONNECT with keep alive 0, the default of `umqtt.simple`, is closed without a CONNACK
//!   (`link/remote.rs`, `ZeroKeepAlive`); the standard gives 0 the meaning "off" (3.1.2.10).
//! - A PUBLISH whose topic starts with a letter such as `ñ` ends the router's thread for good: `matches`
//!   in `protocol/mod.rs` cuts the topic after one byte. No client is answered after that.
//! - Two CONNECTs with a client identifier that holds `/`, `+`, `#` or `$` poison a lock
//!   (`server/broker.rs`, `remote`); every later connection is closed unanswered.
//! - UNSUBSCRIBE from a filter that is not subscribed to gets no UNSUBACK, so that `unsubscribe` waits
//!   for ever (`router/routing.rs`; the standard wants one in any case, 3.10.4).
//! - With QoS 1, 100 of 500 retained messages arrive: the limit is a constant (`router/iobufs.rs`,
//!   `MAX_INFLIGHT`), no setting. Any empty payload clears a retained message, also one without RETAIN.
//! - Messages go out with the QoS of the subscription even where that of the message is lower (3.8.4),
//!   and once for each overlapping filter.
//! - Its threads cannot be ended, and it brings 176 crates that this one does not need.
//!
//! The tests of this crate hold each of these cases.

mod admission;
mod budget;
mod connection;
mod frame;
mod hub;
mod link;
mod monitor;
pub mod network;
mod opening;
mod pace;
mod password;
mod port_owner;
mod server;
mod session;
mod store;
mod subscriptions;
mod tap;
mod tls;
mod topic;
mod users;
mod websocket;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use store::Store;

pub use monitor::{BrokerState, ClientState, MONITOR_TOPIC, MonitorMessage, RetainedMessage};
pub use password::StoredPassword;
pub use port_owner::{PortOwner, find as port_owner};
pub use store::StoreError;
pub use tap::{CloseReason, Direction, Tap, TapEvent, TapOptions, TapPacket, TapWill, describe};
pub use tls::{Identity, TlsError, Trust};
pub use topic::{is_valid_filter, is_valid_topic, matches};
pub use users::{Users, UsersError, remove_user, set_password};
pub use websocket::PATH as WEBSOCKET_PATH;

/// The port that MQTT without TLS has with IANA.
pub const DEFAULT_PORT: u16 = 1883;

/// The port that MQTT over TLS has with IANA.
pub const DEFAULT_TLS_PORT: u16 = 8883;

/// What a broker is to be like.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The address to listen on, for MQTT and for MQTT in WebSockets; port 0 takes a free one, see `Broker::addr`.
    pub listen: SocketAddr,
    /// Where the same is offered over TLS, and with which certificate.
    pub tls: Option<(SocketAddr, Identity)>,
    /// Who may connect; without, everybody.
    pub users: Option<Arc<Users>>,
    /// Lets clients in that give no user: with `users` beside them, without `users` also on addresses that others reach.
    pub anonymous: bool,
    /// The pages (`https://example.org`, `*` for all) that may open WebSockets besides those of this computer.
    pub origins: Vec<String>,
    pub limits: Limits,
    /// How the network to its clients is made worse on purpose.
    pub network: network::Conditions,
    /// The folder in which retained messages and the sessions of clients without clean session outlive the broker.
    pub persist: Option<PathBuf>,
}

/// How much a broker takes on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Clients that are connected at a time; one more is told that the server is unavailable.
    pub clients: usize,
    /// The largest packet taken from a client, in bytes after its fixed header.
    pub packet: usize,
    /// Messages that a client may publish in a second; one that has more is read more slowly.
    pub rate: Option<NonZeroU32>,
    /// Messages of QoS 1 and 2 that may wait for one client; the newest are dropped beyond that.
    pub waiting: usize,
    /// Topics with a retained message; a message to one more is passed on and not retained.
    pub retained: usize,
    /// Bytes of all messages that wait for clients or are retained; beyond that the newest are dropped.
    pub kept_bytes: usize,
    /// How long a connection may take until its CONNECT is there, TLS and WebSocket included.
    pub connect_within: Duration,
}

impl Default for BrokerConfig {
    /// On this computer only, on MQTT's own port, for everybody there.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            tls: None,
            users: None,
            anonymous: false,
            origins: Vec::new(),
            limits: Limits::default(),
            network: network::Conditions::default(),
            persist: None,
        }
    }
}

impl Default for Limits {
    /// A class, however busy, stays far below; a program that has gone wild does not take the computer with it.
    fn default() -> Self {
        Self {
            clients: 500,
            packet: 16 << 20,
            rate: None,
            waiting: 100_000,
            retained: 100_000,
            kept_bytes: 512 << 20,
            connect_within: Duration::from_secs(10),
        }
    }
}

/// Why the broker could not start.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Another program has the port; `owner` names it where the system tells.
    #[error(
        "cannot listen on {address}: {} already uses that port; stop it or choose another port with --listen",
        owner.as_ref().map_or("another program".to_owned(), PortOwner::to_string)
    )]
    Taken {
        address: SocketAddr,
        owner: Option<PortOwner>,
    },
    /// The system does not let this user have the port: ports below 1024, mostly.
    #[error("cannot listen on {address}: not permitted; choose a port of 1024 or above")]
    NotPermitted { address: SocketAddr },
    /// No network interface of this computer has the address.
    #[error(
        "cannot listen on {address}: this computer does not have that address; 127.0.0.1 and 0.0.0.0 always work"
    )]
    NoSuchAddress { address: SocketAddr },
    /// Others reach the address, and anybody could connect.
    #[error(
        "{address} can be reached by others, and anybody could connect: name a password file, or allow it with --anonymous"
    )]
    Open { address: SocketAddr },
    /// What was kept cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        address: SocketAddr,
        source: io::Error,
    },
}

impl BrokerError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken {
                address,
                owner: port_owner::find(address),
            },
            io::ErrorKind::PermissionDenied => Self::NotPermitted { address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address },
            _ => Self::Other { address, source },
        }
    }
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    taps: tap::Taps,
    failure: Arc<Mutex<Option<StoreError>>>,
    /// What Linux says of the broker's thread.
    of_thread: Arc<OnceLock<PathBuf>>,
    questions: mpsc::UnboundedSender<server::Question>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker. When this returns, clients can connect.
    ///
    /// # Errors
    /// Where it cannot listen, or must not.
    pub fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        let (listener, address) = listen(config.listen, &config)?;
        let secure = match &config.tls {
            None => None,
            Some((wanted, identity)) => {
                let (listener, address) = listen(*wanted, &config)?;
                Some((listener, address, identity.clone()))
            }
        };
        let tls_address = secure.as_ref().map(|(_, address, _)| *address);
        let wanted = config.listen;
        let failed = |source| BrokerError::new(wanted, source);
        let kept = config.persist.as_deref().map(Store::open).transpose()?;
        let runtime = server::runtime().map_err(failed)?;
        let taps = tap::Taps::default();
        let failure: Arc<Mutex<Option<StoreError>>> = Arc::default();
        let of_thread: Arc<OnceLock<PathBuf>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let (questions, asked) = mpsc::unbounded_channel();
        let orders = server::Orders {
            questions: asked,
            stop: stopped,
        };
        let thread = std::thread::Builder::new()
            .name("umqtt-broker".to_owned())
            .spawn({
                let taps = taps.clone();
                let secure = secure.map(|(listener, _, identity)| (listener, identity));
                let failure = Arc::clone(&failure);
                let of_thread = Arc::clone(&of_thread);
                move || {
                    // Elsewhere there is no such link, and nobody is told.
                    if let Ok(path) = std::fs::read_link("/proc/thread-self") {
                        let _ = of_thread.set(Path::new("/proc").join(path));
                    }
                    let failed = server::run(runtime, listener, secure, taps, kept, config, orders);
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = failed;
                }
            })
            .map_err(failed)?;
        Ok(Self {
            address,
            tls_address,
            taps,
            failure,
            of_thread,
            questions,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address that it listens on, with the port it got.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The address that it listens on for TLS, with the port it got.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// Why it has ended by itself, once: it could no longer keep what it has to keep.
    pub fn failure(&self) -> Option<StoreError> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }

    /// Who is there and what is retained, with the first bytes of each payload; none once the broker has ended by itself.
    pub fn state(&self) -> Option<BrokerState> {
        let (answer, answered) = std::sync::mpsc::channel();
        self.questions.send(answer).ok()?;
        answered.recv().ok()
    }

    /// Where Linux keeps what it knows of the broker's thread, `/proc/PROCESS/task/THREAD`; none on other systems.
    pub fn thread_in_proc(&self) -> Option<&Path> {
        self.of_thread.get().map(PathBuf::as_path)
    }

    /// A new observer of everything from now on. There may be several.
    pub fn tap(&self, options: TapOptions) -> Tap {
        self.taps.add(options)
    }
}

fn listen(
    wanted: SocketAddr,
    config: &BrokerConfig,
) -> Result<(TcpListener, SocketAddr), BrokerError> {
    if !wanted.ip().is_loopback() && config.users.is_none() && !config.anonymous {
        return Err(BrokerError::Open { address: wanted });
    }
    let failed = |source| BrokerError::new(wanted, source);
    let listener = TcpListener::bind(wanted).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Drop for Broker {
    /// Ends every connection and frees the ports before it returns.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by itself; there is nothing left to free.
            let _ = thread.join();
        }
    }
}
