//! Decides what becomes of the bytes of one connection: how late they come, which packet is lost, when it breaks.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Conditions;
use super::packets::Packets;

/// Bytes read at a time.
const READ_SIZE: usize = 4 << 10;

/// Reads that may be on the way in one direction; with more the sender waits, as on a line that is full.
const ON_THE_WAY: usize = 256;

/// What all connections of a network share.
pub(crate) struct Carrier {
    conditions: watch::Receiver<Conditions>,
    /// Kept where nobody changes them: a channel without a sender tells of no conditions.
    _unchanging: Option<watch::Sender<Conditions>>,
    lost: Arc<AtomicU64>,
    random: RefCell<u64>,
}

/// The connection has broken: nothing more gets through in either direction.
struct Broken;

impl Carrier {
    pub(crate) fn new(conditions: watch::Receiver<Conditions>, lost: Arc<AtomicU64>) -> Self {
        let mut seed = [0; 8];
        // Without random numbers of the system the losses come in the same order each time.
        let _ = SystemRandom::new().fill(&mut seed);
        Self {
            conditions,
            _unchanging: None,
            lost,
            random: RefCell::new(u64::from_le_bytes(seed) | 1),
        }
    }

    /// One whose network stays as it is; what it loses nobody counts.
    pub(crate) fn unchanging(network: Conditions) -> Self {
        let (sender, conditions) = watch::channel(network);
        Self {
            _unchanging: Some(sender),
            ..Self::new(conditions, Arc::default())
        }
    }

    /// How the network is now.
    pub(crate) fn conditions(&self) -> Conditions {
        *self.conditions.borrow()
    }

    /// Whether a packet is lost that begins now.
    fn loses(&self, loss: f64) -> bool {
        if loss <= 0.0 {
            return false;
        }
        let mut random = self.random.borrow_mut();
        // xorshift64; the upper 53 bits make a number from 0 up to 1.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let lost = (*random >> 11) as f64 / (1u64 << 53) as f64;
        lost < loss
    }
}

/// Ends a connection as a network does that breaks: without goodbye.
pub(super) fn abort(client: TcpStream) {
    // Where it cannot be said so, it ends as one that was closed.
    let _ = client.set_zero_linger();
    drop(client);
}

/// Carries a client's connection to the broker until either ends it or it breaks.
pub(crate) async fn carry(
    mut client: TcpStream,
    server: impl AsyncRead + AsyncWrite + Unpin,
    carrier: &Carrier,
) {
    let _ = client.set_nodelay(true);
    let (mut server_in, mut server_out) = tokio::io::split(server);
    let (mut client_in, mut client_out) = client.split();
    let mut conditions = carrier.conditions.clone();
    let both = async {
        tokio::try_join!(
            one_way(&mut client_in, &mut server_out, carrier),
            one_way(&mut server_in, &mut client_out, carrier),
        )
        .map(drop)
    };
    let done = tokio::select! {
        done = both => done,
        // Whoever sets the conditions outlives the connections, or ends them.
        _ = conditions.wait_for(|now| now.cut) => Err(Broken),
    };
    if let Err(Broken) = done {
        abort(client);
    }
}

/// Carries one direction until its sender has closed it and all is delivered.
async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    carrier: &Carrier,
) -> Result<(), Broken> {
    let (sender, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let send = async move {
        let mut packets = Packets::default();
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let count = match from.read(&mut buffer).await {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(_) => return Err(Broken),
            };
            let now = carrier.conditions();
            let through = packets.through(&buffer[..count], || carrier.loses(now.loss));
            let arrives = Instant::now() + now.delay.min(Duration::from_secs(60));
            if sender
                .send((arrives, buffer[..through].to_vec()))
                .await
                .is_err()
            {
                return Err(Broken);
            }
            if through < count {
                carrier.lost.fetch_add(1, Ordering::Relaxed);
                return Err(Broken);
            }
        }
    };
    let deliver = async {
        while let Some((arrives, bytes)) = arriving.recv().await {
            sleep_until(arrives).await;
            to.write_all(&bytes).await?;
            to.flush().await?;
        }
        io::Result::Ok(())
    };
    // What was sent before a packet that is lost still arrives.
    let (sent, delivered) = tokio::join!(send, deliver);
    match (sent, delivered) {
        (Ok(()), Ok(())) => {
            // The other side may have gone first.
            let _ = to.shutdown().await;
            Ok(())
        }
        _ => Err(Broken),
    }
}
