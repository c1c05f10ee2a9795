//! Decides how the broker's thread lives: it accepts connections until it is told to stop, and takes
//! every connection with it when it does.

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::connection;
use crate::hub::Hub;
use crate::tap::Taps;

/// The pause after a connection could not be accepted, mostly for want of file descriptors; long
/// enough not to spin, short enough for a person not to notice.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Makes the runtime that `run` needs, so that its failure is known before the thread starts.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
}

/// Serves `listener` on this thread until `stop` is dropped or sent to.
pub(crate) fn run(
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    taps: Taps,
    packet_limit: usize,
    stop: oneshot::Receiver<()>,
) {
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let hub = Rc::new(RefCell::new(Hub::new(taps)));
        // The listener is known to be bound and non-blocking; registering it fails only where the
        // runtime itself could not have been made.
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
            return;
        };
        let accept = async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        tokio::task::spawn_local(connection::serve(
                            stream,
                            Rc::clone(&hub),
                            packet_limit,
                        ));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_AGAIN_AFTER).await,
                }
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stop => {}
        }
    });
}
