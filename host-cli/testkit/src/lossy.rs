//! Decides how a network that fails is had: a proxy in front of a broker that lets a number of bytes pass on each
//! connection and then drops it, in the middle of a packet as often as not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;

use socket2::SockRef;

/// A running proxy; it ends with the last connection after it was dropped.
#[derive(Debug)]
pub struct LossyNetwork {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dropped: AtomicUsize,
    ended: AtomicBool,
}

impl LossyNetwork {
    /// Starts one on a free port of the loopback. Each connection carries between `least` and twice as many bytes, both
    /// directions together; how many is the same in every run.
    ///
    /// # Panics
    /// Where no port can be had.
    pub fn start(broker: SocketAddr, least: usize) -> LossyNetwork {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            dropped: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            let mut random = 0x2545_f491_4f6c_dd1d_u64;
            for client in listener.incoming() {
                if own.ended.load(Ordering::Relaxed) {
                    break;
                }
                // xorshift64.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let budget = least + (random >> 11) as usize % least;
                let shared = Arc::clone(&own);
                // A client that has gone again, or a broker that has ended, is no connection.
                if let Ok(client) = client
                    && let Ok(broker) = TcpStream::connect(broker)
                {
                    thread::spawn(move || carry(client, broker, budget, &shared));
                }
            }
        });
        LossyNetwork { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has dropped.
    pub fn dropped(&self) -> usize {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for LossyNetwork {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // The listener sees it with the next connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn carry(client: TcpStream, broker: TcpStream, budget: usize, shared: &Shared) {
    let left = AtomicI64::new(i64::try_from(budget).unwrap_or(i64::MAX));
    for stream in [&client, &broker] {
        // Without it only the pace suffers.
        let _ = stream.set_nodelay(true);
    }
    thread::scope(|scope| {
        scope.spawn(|| forward(&client, &broker, &left, shared));
        forward(&broker, &client, &left, shared);
    });
}

/// Copies until one side ends or the bytes are used up.
fn forward(mut from: &TcpStream, mut to: &TcpStream, left: &AtomicI64, shared: &Shared) {
    let mut buffer = [0; 1500];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let size = i64::try_from(count).unwrap_or(i64::MAX);
        let before = left.fetch_sub(size, Ordering::Relaxed);
        let allowed = usize::try_from(before.clamp(0, size)).unwrap_or(0);
        if to.write_all(&buffer[..allowed]).is_err() {
            break;
        }
        if allowed < count {
            // The first of the two directions that runs dry counts it; every other time the ends see it aborted.
            if before > 0 {
                let number = shared.dropped.fetch_add(1, Ordering::Relaxed);
                if number % 2 == 1 {
                    let _ = SockRef::from(to).set_linger(Some(std::time::Duration::ZERO));
                    let _ = SockRef::from(from).set_linger(Some(std::time::Duration::ZERO));
                }
            }
            break;
        }
    }
    // Wakes the other direction; a side that is gone already needs nothing.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
