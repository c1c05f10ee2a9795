//! Decides how much processor time a broker of this computer has taken, where the system tells: on Linux.
//!
//! A busy computer changes how long a load takes much more than how much of a processor a message costs.

use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use broker::Broker;

/// Whose time is counted.
#[derive(Debug)]
pub enum Counted {
    /// One thread, as `/proc/PROCESS/task/THREAD`.
    Thread(PathBuf),
    /// All threads of a process, as `/proc/PROCESS/task`.
    Process(PathBuf),
}

impl Counted {
    /// The embedded broker's thread.
    pub fn embedded(broker: &Broker) -> Option<Self> {
        Some(Self::Thread(broker.thread_in_proc()?.to_owned()))
    }

    /// The process that listens there, if that is on this computer for certain: at an address of the loopback.
    pub fn outside(host: &str, port: u16) -> Option<Self> {
        let mut addresses = (host, port).to_socket_addrs().ok()?;
        let address = addresses.find(|address| address.ip().is_loopback())?;
        let process = broker::port_owner(address)?.process;
        Some(Self::Process(format!("/proc/{process}/task").into()))
    }

    /// What it has taken since it began.
    pub fn taken(&self) -> Option<Duration> {
        match self {
            Self::Thread(folder) => of_thread(folder),
            Self::Process(folder) => {
                let threads = std::fs::read_dir(folder).ok()?.flatten();
                threads.map(|thread| of_thread(&thread.path())).sum()
            }
        }
    }
}

/// The first number of `schedstat` is nanoseconds on a processor (Linux, Documentation/scheduler/sched-stats).
fn of_thread(folder: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(folder.join("schedstat")).ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{SocketAddr, TcpListener};

    use broker::BrokerConfig;

    use super::*;

    #[test]
    fn time_is_counted_of_a_thread_and_of_a_process() {
        let config = BrokerConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ..BrokerConfig::default()
        };
        let broker = Broker::start(config).expect("a broker on a free port");
        // The thread has told who it is before it answers.
        broker.state().expect("it serves");
        let embedded = Counted::embedded(&broker).expect("a thread");
        let thread = embedded.taken().expect("its time");
        assert!(thread > Duration::ZERO);
        let port = broker.addr().port();
        let process = Counted::outside("127.0.0.1", port).expect("this process");
        let whole = process.taken().expect("its time");
        assert!(whole > thread, "{whole:?} {thread:?}");
        // Work is counted, and it is this process that is asked for.
        let mut sum = 0_u64;
        for number in 0..1_000_000 {
            sum = std::hint::black_box(sum.wrapping_mul(31) + number);
        }
        assert!(process.taken().expect("its time") > whole);
        drop(broker);
        // Another computer's port may have another owner here.
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        assert!(Counted::outside("192.0.2.1", port).is_none());
    }
}
