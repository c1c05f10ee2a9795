//! What the page and a board's thread share: what is typed, what is printed, and the wish to stop.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use board_link::Transport;

/// What may be typed ahead, in bytes; the rest is lost, as on a board.
const TYPED: usize = 16 << 10;

/// What may wait to be shown, in bytes, before the board's line is left alone: a program that prints without end is
/// slowed, and the page stays usable.
const PRINTED: usize = 64 << 10;

/// How long a board may take to accept what is typed.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Shared {
    typed: Vec<u8>,
    printed: String,
}

/// Both ends of a board's console.
#[derive(Default)]
pub struct Line {
    shared: Mutex<Shared>,
    shown: Condvar,
    /// Whatever is typed now reaches the board; else a conversation of ours is under way.
    open: AtomicBool,
    stop: Arc<AtomicBool>,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn type_in(&self, text: &[u8]) {
        let mut shared = self.lock();
        let room = TYPED.saturating_sub(shared.typed.len());
        shared
            .typed
            .extend_from_slice(&text[..text.len().min(room)]);
    }

    /// Lets what is typed reach the board, or keeps it.
    pub fn open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
    }

    /// Shows what the board printed; waits while too much is not shown yet, at the longest until the next look.
    pub fn print(&self, text: &str) {
        let mut shared = self.lock();
        shared.printed.push_str(text);
        if shared.printed.len() > PRINTED {
            // Nobody may look any more: the laboratory ends.
            drop(self.shown.wait_timeout(shared, Duration::from_millis(200)));
        }
    }

    /// Takes what was printed since the last time.
    pub fn printed(&self) -> String {
        let text = std::mem::take(&mut self.lock().printed);
        self.shown.notify_all();
        text
    }

    /// Whoever works for the page on this board is to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// A piece of work begins, which nobody wants to stop yet.
    pub fn begin(&self) {
        self.stop.store(false, Ordering::SeqCst);
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    pub fn stop_flag(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    fn take_typed(&self) -> Vec<u8> {
        if !self.open.load(Ordering::SeqCst) {
            return Vec::new();
        }
        std::mem::take(&mut self.lock().typed)
    }
}

/// A board's serial line on which what is typed goes out whenever it is read.
pub struct Typing {
    inner: Box<dyn Transport>,
    line: Arc<Line>,
}

impl Typing {
    pub fn new(inner: Box<dyn Transport>, line: Arc<Line>) -> Self {
        Self { inner, line }
    }
}

impl Transport for Typing {
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        let typed = self.line.take_typed();
        if !typed.is_empty() {
            self.inner.write(&typed, WRITE_WITHIN)?;
        }
        self.inner.read(buffer, timeout)
    }

    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()> {
        self.inner.write(data, timeout)
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        self.inner.set_baud(baud)
    }

    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        self.inner.set_lines(dtr, rts)
    }
}
