//! Decides how a bad network between a client and a broker is had on purpose: cut, slow, or losing packets.
//!
//! TCP loses nothing inside a connection, so on a bad radio link MQTT messages are lost where a connection dies with them
//! on the way. That is what [`Conditions::loss`] does: each MQTT packet, in either direction, is swallowed with that
//! probability, and the connection breaks with it. What a client does about it is what its QoS and its reconnecting are.
//!
//! [`Network`] stands in front of a broker; [`BrokerConfig::network`](crate::BrokerConfig::network) has the same inside
//! the broker, where clients keep their addresses.

mod carry;
mod packets;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

pub(crate) use carry::{Carrier, carry};

/// The pause after a connection could not be accepted, mostly for want of file descriptors.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How a network is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Conditions {
    /// Nothing gets through: connections break, and new ones end at once.
    pub cut: bool,
    /// How much longer everything takes, in each direction.
    pub delay: Duration,
    /// Probability that a packet is lost, from 0 to 1.
    pub loss: f64,
}

impl Conditions {
    /// Whether it is as good as none.
    pub fn is_clear(&self) -> bool {
        !self.cut && self.delay.is_zero() && self.loss <= 0.0
    }
}

/// A network between clients and one broker: addresses of this computer that lead there, one for each at which the broker
/// listens. Dropping it ends it, with its connections.
#[derive(Debug)]
pub struct Network {
    address: SocketAddr,
    others: Vec<SocketAddr>,
    conditions: watch::Sender<Conditions>,
    lost: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Starts one, clear, on a free port of the loopback. The broker need not be there yet: a connection without one ends
    /// at once.
    ///
    /// # Errors
    /// The system's, where it has no port or thread to give.
    pub fn start(broker: SocketAddr) -> io::Result<Self> {
        Self::with_others(broker, &[])
    }

    /// The same for a broker that listens at `others` too (for TLS), all of which fail together.
    ///
    /// # Errors
    /// The system's, where it has no port or thread to give.
    pub fn with_others(broker: SocketAddr, others: &[SocketAddr]) -> io::Result<Self> {
        let (listener, address) = listen()?;
        let mut doors = vec![(listener, broker)];
        let mut addresses = Vec::new();
        for other in others {
            let (listener, address) = listen()?;
            doors.push((listener, *other));
            addresses.push(address);
        }
        let runtime = crate::server::runtime()?;
        let (conditions, received) = watch::channel(Conditions::default());
        let lost = Arc::<AtomicU64>::default();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("umqtt-network".to_owned())
            .spawn({
                let lost = Arc::clone(&lost);
                move || {
                    let carrier = Rc::new(Carrier::new(received, lost));
                    let tasks = LocalSet::new();
                    for (listener, broker) in doors {
                        tasks.spawn_local(accept(listener, broker, Rc::clone(&carrier)));
                    }
                    // The doors' tasks, and those of their connections, end with the set.
                    tasks.block_on(&runtime, async {
                        let _ = stopped.await;
                    });
                }
            })?;
        Ok(Self {
            address,
            others: addresses,
            conditions,
            lost,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where clients find the broker through it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where they find it at its other addresses, in the order in which these were given.
    pub fn others(&self) -> &[SocketAddr] {
        &self.others
    }

    /// How it is now.
    pub fn conditions(&self) -> Conditions {
        *self.conditions.borrow()
    }

    /// Cuts it, or joins it again.
    pub fn set_cut(&self, cut: bool) {
        self.conditions.send_modify(|now| now.cut = cut);
    }

    /// Makes everything take so much longer, in each direction.
    pub fn set_delay(&self, delay: Duration) {
        self.conditions.send_modify(|now| now.delay = delay);
    }

    /// Loses packets with this probability, from 0 to 1.
    pub fn set_loss(&self, loss: f64) {
        self.conditions
            .send_modify(|now| now.loss = loss.clamp(0.0, 1.0));
    }

    /// How many packets were lost so far.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by itself.
            let _ = thread.join();
        }
    }
}

/// A free port of the loopback.
fn listen() -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(listener: std::net::TcpListener, broker: SocketAddr, carrier: Rc<Carrier>) {
    // The listener is known to be bound and non-blocking; registering it fails only where the runtime itself could not
    // have been made.
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let carrier = Rc::clone(&carrier);
                tokio::task::spawn_local(async move {
                    if carrier.conditions().cut {
                        return carry::abort(client);
                    }
                    match TcpStream::connect(broker).await {
                        Ok(server) => {
                            // Without it only the pace suffers.
                            let _ = server.set_nodelay(true);
                            carry(client, server, &carrier).await;
                        }
                        Err(_) => carry::abort(client),
                    }
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
        }
    }
}
