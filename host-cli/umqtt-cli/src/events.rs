//! Decides how a client of this command waits for what its broker says, with a limit.
//!
//! rumqttc's own `recv_timeout` gives up, when the time is over, whatever its `poll` was about: a connection that is
//! being made too, which the next call then begins anew. A broker that takes longer than the limit to let a client in
//! would never be reached. So a thread polls without a limit, and the limit is for what it has found.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::time::Duration;

use rumqttc::{Connection, ConnectionError, Event};

/// How many events may wait to be looked at; then the connection is not read any more.
const WAITING: usize = 256;

/// What happens on a connection. After an error nothing is tried until somebody asks for the next event; that connects
/// anew. The thread ends with its next event after this was dropped.
pub struct Events {
    found: Receiver<Result<Event, ConnectionError>>,
    go_on: Sender<()>,
    failed: bool,
}

impl Events {
    pub fn of(mut connection: Connection) -> Events {
        let (sender, found) = sync_channel(WAITING);
        let (go_on, asked) = channel();
        std::thread::spawn(move || {
            // It ends by itself where no client is left.
            for event in connection.iter() {
                let failed = event.is_err();
                if sender.send(event).is_err() || failed && asked.recv().is_err() {
                    break;
                }
            }
        });
        Events {
            found,
            go_on,
            failed: false,
        }
    }

    /// The next event; `Timeout` where there is none within the limit, `Disconnected` where there will be none.
    pub fn recv_timeout(
        &mut self,
        limit: Duration,
    ) -> Result<Result<Event, ConnectionError>, RecvTimeoutError> {
        if std::mem::take(&mut self.failed) {
            // Where the thread has ended, `found` says so.
            let _ = self.go_on.send(());
        }
        let event = self.found.recv_timeout(limit)?;
        self.failed = event.is_err();
        Ok(event)
    }
}
