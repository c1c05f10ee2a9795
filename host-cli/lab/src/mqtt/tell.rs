//! Decides how packets get to the pages: in batches, so that a busy broker does not drown them.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, UNIX_EPOCH};

use broker::TapEvent;

use crate::protocol::MqttEvent;
use crate::view::View;

/// Pages are told of packets this often.
const TELL_EVERY: Duration = Duration::from_millis(50);

/// Packets in one message to the pages at most.
const BATCH: usize = 500;

/// Bytes of a payload that pages get to see.
pub const PAYLOAD: usize = 4096;

/// Tells the pages of every packet that `next` has within its time, and how many were lost on the way to it, until there
/// will be none.
pub fn tell(
    view: &View,
    next: impl Fn(Duration) -> Result<TapEvent, RecvTimeoutError>,
    dropped: impl Fn() -> u64,
) {
    loop {
        let mut events = Vec::new();
        let mut gone = false;
        let begun = Instant::now();
        while events.len() < BATCH {
            // Without a packet it waits for one; with one, for what comes within the same moment.
            let wait = TELL_EVERY.saturating_sub(begun.elapsed());
            match next(wait) {
                Ok(event) => events.push(stamped(event)),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    gone = true;
                    break;
                }
            }
        }
        view.mqtt(events, dropped());
        if gone {
            return;
        }
    }
}

fn stamped(event: TapEvent) -> MqttEvent {
    let since = event.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    MqttEvent {
        event,
        t: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
    }
}
