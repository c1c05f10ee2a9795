//! Decides when a command should end: at Ctrl-C, when its terminal closes, or when its time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use board_link::Lang;

use crate::failure::{Failure, Status};

/// Shared by all that wait: set once, never cleared.
#[derive(Debug, Clone)]
pub struct Stop {
    requested: Arc<AtomicBool>,
}

impl Stop {
    /// Takes over Ctrl-C, SIGTERM and SIGHUP, which from here on only set the flag.
    pub fn on_signals(lang: Lang) -> Result<Self, Failure> {
        let stop = Self::detached();
        let handler = stop.clone();
        ctrlc::set_handler(move || {
            handler.request();
        })
        .map_err(|error| {
            let message = lang.pick("Ctrl-C cannot be handled", "no se puede atender a Ctrl-C");
            Failure::complete(Status::Failed, format!("{message}: {error}"))
        })?;
        Ok(stop)
    }

    /// One that no signal sets, for a thread's own end.
    pub fn detached() -> Self {
        Self {
            requested: Arc::default(),
        }
    }

    /// Asks everybody to end.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// The flag, for those who keep it.
    pub fn shared(&self) -> Arc<AtomicBool> {
        self.requested.clone()
    }

    /// The flag itself, for those who only know flags.
    pub fn flag(&self) -> &AtomicBool {
        &self.requested
    }

    /// Asks for the end when `seconds` have passed, from a thread of its own.
    pub fn request_after(&self, seconds: Duration) {
        let stop = self.clone();
        let deadline = Instant::now() + seconds;
        std::thread::spawn(move || {
            while Instant::now() < deadline && !stop.is_requested() {
                std::thread::sleep(Duration::from_millis(20));
            }
            stop.request();
        });
    }

    /// The failure of a command that was interrupted before it could do its work.
    pub fn interrupted(&self, lang: Lang) -> Result<(), Failure> {
        if self.is_requested() {
            let message = lang.pick(
                "interrupted before the work was done",
                "interrumpido antes de terminar el trabajo",
            );
            return Err(Failure::complete(Status::Failed, message));
        }
        Ok(())
    }
}
