//! The laboratory of `umqtt lab`: one page on this computer with boards, their parts, a broker and its messages.
//!
//! ```text
//! page ── WebSocket ── server, page ── laboratory ─┬─ board/   one thread per board, on its serial line
//!                           ▲                      └─ mqtt/    the broker, its tap, the page's own client
//!                         view ◀── everything that changes
//! ```
//!
//! | file | question it answers |
//! |---|---|
//! | `protocol` | what pages and the laboratory say to each other |
//! | `server` | who may connect, and what is served |
//! | `page` | what one page is told, and what becomes of what it says |
//! | `view` | what pages see |
//! | `laboratory` | which boards there are, and who does what is asked for |
//! | `board/` | what a board is, simulated or real, and how a program runs on it |
//! | `mqtt/` | how the broker is run, watched and published to, or an outside one is |
//! | `assets`, `examples` | what is embedded |
//! | `folder` | the student's own program, read and saved |
//! | `words` | how the laboratory's sentences exist in two languages |
//!
//! The page itself is in `page/`, which npm builds; how a board gets `umqtt` is the command's knowledge ([`Outfit`]).

mod assets;
mod board;
mod examples;
mod folder;
mod laboratory;
mod mqtt;
mod page;
mod protocol;
mod server;
mod view;
mod words;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use board_link::{Lang, LinkError, PortSpec, Timeouts};
use thiserror::Error;
use tokio::sync::oneshot;

use laboratory::Laboratory;

pub use assets::page_is_built;
pub use board::{Loan, Maker, Outfit};
pub use folder::{Folder, FolderError};
pub use mqtt::{EmbeddedBroker, LabBroker, OutsideBroker, Secure};
pub use words::Words;

/// What a laboratory is to be like.
pub struct LabConfig {
    /// Where the page is served: an address of the loopback; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The language of a page until it chooses another.
    pub lang: Lang,
    /// The broker.
    pub broker: LabBroker,
    /// How boards get umqtt.
    pub outfit: Arc<dyn Outfit>,
    /// What simulated boards are made of; none where there can be none.
    pub simulated: Option<Maker>,
    /// The boards to begin with; [`PortSpec::Sim`] is a simulated one.
    pub boards: Vec<PortSpec>,
    /// The program or folder that boards begin with, and where pages may save.
    pub folder: Option<Arc<Folder>>,
    /// Leads the names of public brokers to the real ones.
    pub online: bool,
    /// How long boards may take.
    pub timeouts: Timeouts,
}

/// Why a laboratory could not start.
#[derive(Debug, Error)]
pub enum LabError {
    /// Whoever reaches the page can run programs on this computer's boards.
    #[error(
        "{address} can be reached by others, and whoever reaches the page runs programs here; 127.0.0.1 is this computer only"
    )]
    Open { address: SocketAddr },
    /// The page's port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    /// The broker cannot be had.
    #[error(transparent)]
    Broker(#[from] broker::BrokerError),
    /// The system gives no more threads or files.
    #[error("the laboratory cannot start: {0}")]
    System(io::Error),
}

/// A running laboratory. Dropping it ends the pages' connections, the boards and the broker.
pub struct Lab {
    address: SocketAddr,
    laboratory: Arc<Laboratory>,
    stop: Option<oneshot::Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Lab {
    /// Starts everything; when this returns, the page can be opened. Boards may still be starting.
    ///
    /// # Errors
    /// Where the page or the broker cannot listen.
    pub fn start(config: LabConfig) -> Result<Self, LabError> {
        let wanted = config.listen;
        if !wanted.ip().is_loopback() {
            return Err(LabError::Open { address: wanted });
        }
        let failed = |source| LabError::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(LabError::System)?;
        let laboratory = Laboratory::start(&config)?;
        let (stop, stopped) = oneshot::channel();
        let thread = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(LabError::System)
        };
        let serving = Arc::clone(&laboratory);
        let looking = Arc::clone(&laboratory);
        let adding = Arc::clone(&laboratory);
        let boards = config.boards;
        let project = config.folder.map(|folder| folder.project().clone());
        let project = project.unwrap_or_default();
        let threads = vec![
            thread(
                "umqtt-lab",
                Box::new(move || server::run(&runtime, listener, address, serving, stopped)),
            )?,
            thread("umqtt-lab-look", Box::new(move || looking.keep_looking()))?,
            thread(
                "umqtt-lab-boards",
                Box::new(move || {
                    for port in boards {
                        adding.add(port, project.clone());
                    }
                }),
            )?,
        ];
        Ok(Self {
            address,
            laboratory,
            stop: Some(stop),
            threads,
        })
    }

    /// Where the page is, with the port it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where boards find the broker.
    pub fn broker(&self) -> SocketAddr {
        self.laboratory.mqtt().address()
    }

    /// Where they find it over TLS.
    pub fn secure_broker(&self) -> Option<SocketAddr> {
        self.laboratory.mqtt().secure()
    }
}

impl Lab {
    /// Ends it, as dropping does; returns why boards are not as they were found, for each that is not.
    pub fn end(mut self) -> Vec<LinkError> {
        self.finish()
    }

    fn finish(&mut self) -> Vec<LinkError> {
        drop(self.stop.take());
        let regrets = self.laboratory.end();
        for thread in self.threads.drain(..) {
            // A panic of that thread has been reported by itself.
            let _ = thread.join();
        }
        regrets
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.finish();
    }
}
