//! Decides for whom a tool that works on a board waits, and how long: a tap in the board's line notes who speaks when.
//!
//! Until somebody speaks, the time was theirs: what goes by before the board says something is the board's, with the line
//! that leads to it; what goes by before the tool does is the tool's. So the times add up to the whole.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::slow_line;

/// Whose time goes by, in the order of a tool's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The tool, until its first byte: its process starts, finds the port and opens it.
    Start,
    /// The board: all that it does until it says something, or has taken what it was given.
    Board,
    /// The tool, between what the board says and what it says itself.
    Tool,
    /// The tool, from the last byte on.
    End,
}

/// Bytes came or were taken, and who had been waited for.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub at: Instant,
    /// [`Layer::Board`] or [`Layer::Tool`].
    pub of: Layer,
}

type Events = Arc<Mutex<Vec<Event>>>;

/// A line with a tap, as long as the board behind it is there.
pub struct Tap {
    pub device: PathBuf,
    events: Events,
    /// Kept open, so that the line outlives whoever opens the device.
    _end: File,
}

impl Tap {
    /// Lays one in front of `device`.
    pub fn before(device: &Path) -> Result<Tap> {
        let board = slow_line::open(device)?;
        let (ours, terminal) = slow_line::terminal()?;
        let end = slow_line::open(&terminal)?;
        let events = Events::default();
        carry(
            board.try_clone()?,
            ours.try_clone()?,
            Layer::Board,
            events.clone(),
        );
        carry(ours, board, Layer::Tool, events.clone());
        Ok(Tap {
            device: terminal,
            events,
            _end: end,
        })
    }

    /// What has passed since the last look.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Passes bytes on until one side is gone.
fn carry(mut from: File, mut to: File, of: Layer, events: Events) {
    let note = move |of| {
        let mut events = events.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Instant::now();
        events.push(Event { at, of });
    };
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            note(of);
            if to.write_all(&buffer[..count]).is_err() {
                return;
            }
            // The line keeps what the board is not ready for.
            note(Layer::Board);
        }
    });
}

/// How long each [`Layer`] took between two moments, in their order. What the board says before the tool has spoken is left from
/// before.
pub fn spent(started: Instant, events: &[Event], ended: Instant) -> [Duration; 4] {
    let mut spent = [Duration::ZERO; 4];
    let mut at = started;
    let mut spoken = false;
    let within = |event: &&Event| (started..=ended).contains(&event.at);
    for event in events.iter().filter(within) {
        let of = if spoken { event.of } else { Layer::Start };
        spoken |= event.of == Layer::Tool;
        spent[of as usize] += event.at - at;
        at = event.at;
    }
    let last = if spoken { Layer::End } else { Layer::Start };
    spent[last as usize] += ended - at;
    spent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_of_whoever_speaks_next_and_adds_up() {
        let started = Instant::now();
        let after = |ms| started + Duration::from_millis(ms);
        let event = |ms, of| Event { at: after(ms), of };
        let events = [
            event(1, Layer::Board),
            event(10, Layer::Tool),
            event(11, Layer::Board),
            event(31, Layer::Board),
            event(32, Layer::Board),
            event(40, Layer::Tool),
            event(42, Layer::Board),
            event(72, Layer::Board),
            event(100, Layer::Board),
        ];
        let spent = spent(started, &events, after(80));
        assert_eq!(
            spent.map(|time| time.as_millis()),
            [10, 54, 8, 8],
            "{spent:?}"
        );
        assert_eq!(
            spent.iter().sum::<Duration>(),
            Duration::from_millis(80),
            "they add up"
        );
    }

    #[test]
    fn a_tool_that_says_nothing_only_starts() {
        let started = Instant::now();
        let ended = started + Duration::from_millis(5);
        assert_eq!(spent(started, &[], ended)[0], Duration::from_millis(5));
    }
}
