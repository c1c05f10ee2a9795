//! Decides how the broker's thread lives: it accepts connections until it is told to stop, and takes
//! every connection with it when it does.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;

use crate::admission::Admission;
use crate::connection;
use crate::hub::Hub;
use crate::monitor::{BrokerState, SEND_EVERY};
use crate::network::Carrier;
use crate::store::{Change, Store, StoreError};
use crate::tap::Taps;
use crate::{BrokerConfig, Identity, Limits};

/// The pause after a connection could not be accepted, mostly for want of file descriptors; long
/// enough not to spin, short enough for a person not to notice.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Asks for the state; the answer goes to this end of a channel.
pub(crate) type Question = std::sync::mpsc::Sender<BrokerState>;

/// What reaches the broker from its own process.
pub(crate) struct Orders {
    pub(crate) questions: mpsc::UnboundedReceiver<Question>,
    pub(crate) stop: oneshot::Receiver<()>,
}

/// What all connections share.
pub(crate) struct Service {
    pub(crate) hub: RefCell<Hub>,
    pub(crate) admission: Admission,
    pub(crate) limits: Limits,
    /// The bad network that clients have on purpose.
    pub(crate) network: Option<Rc<Carrier>>,
    /// The pages that may open WebSockets besides those of this computer.
    pub(crate) origins: Vec<String>,
}

/// Makes the runtime that `run` needs, so that its failure is known before the thread starts.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

/// How often what was written is forced to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Serves `listener`, and `secure` over TLS, on this thread until `orders.stop` is dropped or sent to, or what must be kept
/// cannot be: then it returns why.
pub(crate) fn run(
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    secure: Option<(TcpListener, Identity)>,
    taps: Taps,
    kept: Option<(Store, Vec<Change>)>,
    config: BrokerConfig,
    orders: Orders,
) -> Option<StoreError> {
    let Orders { questions, stop } = orders;
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let service = Rc::new(Service {
            hub: RefCell::new(Hub::new(taps, &config, kept)),
            admission: Admission::new(config.users, config.anonymous),
            limits: config.limits,
            network: (!config.network.is_clear())
                .then(|| Rc::new(Carrier::unchanging(config.network))),
            origins: config.origins,
        });
        let secure = async {
            match secure {
                Some((listener, identity)) => {
                    accept(listener, Some(TlsAcceptor::from(identity.0)), &service).await;
                }
                None => std::future::pending().await,
            }
        };
        let failed = service.hub.borrow().failed();
        tokio::select! {
            () = accept(listener, None, &service) => {}
            () = secure => {}
            () = sync(&service) => {}
            () = serve_monitors(&service) => {}
            () = answer(questions, &service) => {}
            () = failed.notified() => {}
            _ = stop => {}
        }
        let mut hub = service.hub.borrow_mut();
        if let Some(file) = hub.take_unsynced() {
            // The system writes it anyway, if not at once.
            let _ = file.sync_data();
        }
        hub.failure()
    })
}

/// Tells those of this process who ask who is there.
async fn answer(mut questions: mpsc::UnboundedReceiver<Question>, service: &Service) {
    while let Some(question) = questions.recv().await {
        // Who asked may have gone.
        let _ = question.send(service.hub.borrow().state());
    }
    // Nobody can ask any more; the broker goes on until it is told to end.
    std::future::pending().await
}

async fn serve_monitors(service: &Service) {
    loop {
        tokio::time::sleep(SEND_EVERY).await;
        service.hub.borrow_mut().serve_monitors();
    }
}

/// Forces what was written to the disk, now and then.
async fn sync(service: &Service) {
    loop {
        tokio::time::sleep(SYNC_EVERY).await;
        let file = service.hub.borrow_mut().take_unsynced();
        if let Some(file) = file {
            // The broker's thread goes on meanwhile. What fails here fails again when the next record is written.
            let _ = tokio::task::spawn_blocking(move || file.sync_data()).await;
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, service: &Rc<Service>) {
    // The listener is known to be bound and non-blocking; registering it fails only where the
    // runtime itself could not have been made.
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, service) = (tls.clone(), Rc::clone(service));
                tokio::task::spawn_local(connection::serve(stream, tls, service));
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
        }
    }
}
