//! The embedded MQTT 3.1.1 broker and the tap that shows every packet of it.
//!
//! One thread serves all connections. `frame` cuts bytes into packets (decoded by `rumqttc`), `hub`
//! decides what becomes of them, `session` what each client is owed, `link` what waits to be written,
//! and `tap` tells observers. Dropping the `Broker` ends the thread, every connection and the listener.
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

mod connection;
mod frame;
mod hub;
mod link;
mod port_owner;
mod server;
mod session;
mod tap;
mod topic;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;

use thiserror::Error;
use tokio::sync::oneshot;

pub use tap::{CloseReason, Direction, Tap, TapEvent, TapOptions, TapPacket, TapWill};
pub use topic::{is_valid_filter, is_valid_topic, matches};

/// The port that MQTT without TLS has with IANA.
pub const DEFAULT_PORT: u16 = 1883;

/// What a broker is to be like.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The address to listen on; port 0 takes a free one, see `Broker::addr`.
    pub listen: SocketAddr,
    /// The largest packet taken from a client, in bytes after its fixed header.
    pub packet_limit: usize,
}

impl Default for BrokerConfig {
    /// On this computer only, on MQTT's own port, for packets of up to 16 MiB.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            packet_limit: 16 << 20,
        }
    }
}

/// Why the broker could not start.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// Another program has the port; `owner` names it where the system tells.
    #[error(
        "cannot listen on {address}: {} already uses that port; stop it or choose another port with --listen",
        owner.as_deref().unwrap_or("another program")
    )]
    Taken {
        address: SocketAddr,
        owner: Option<String>,
    },
    /// The system does not let this user have the port: ports below 1024, mostly.
    #[error("cannot listen on {address}: not permitted; choose a port of 1024 or above")]
    NotPermitted { address: SocketAddr },
    /// No network interface of this computer has the address.
    #[error(
        "cannot listen on {address}: this computer does not have that address; 127.0.0.1 and 0.0.0.0 always work"
    )]
    NoSuchAddress { address: SocketAddr },
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

/// A running broker. Anyone who reaches its address may connect, publish and subscribe.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    taps: tap::Taps,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Broker {
    /// Starts a broker. When this returns, clients can connect.
    pub fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        let failed = |source| BrokerError::new(config.listen, source);
        let listener = TcpListener::bind(config.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = server::runtime().map_err(failed)?;
        let taps = tap::Taps::default();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("umqtt-broker".to_owned())
            .spawn({
                let taps = taps.clone();
                move || server::run(runtime, listener, taps, config.packet_limit, stopped)
            })
            .map_err(failed)?;
        Ok(Self {
            address,
            taps,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address that it listens on, with the port it got.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// A new observer of everything from now on. There may be several.
    pub fn tap(&self, options: TapOptions) -> Tap {
        self.taps.add(options)
    }
}

impl Drop for Broker {
    /// Ends every connection and frees the port before it returns.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by itself; there is nothing left to free.
            let _ = thread.join();
        }
    }
}
