//! Decides how long work shows that it moves: a bar on a terminal's standard error once a second has passed.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work that is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar over a number of bytes.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl Progress {
    /// `label` says what is moved.
    pub fn new(total: usize, label: impl Into<String>) -> Self {
        Self::of(
            Some(total),
            "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            label,
        )
    }

    /// The same where nobody has said how many bytes there will be.
    pub fn open_ended(label: impl Into<String>) -> Self {
        Self::of(None, "{msg} {spinner} {bytes} {bytes_per_sec}", label)
    }

    fn of(total: Option<usize>, template: &str, label: impl Into<String>) -> Self {
        let total = total.map(|total| total as u64);
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(template);
        // The template is a constant; a mistake in it shows in the first test.
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(label.into());
        Self {
            bar,
            started: Instant::now(),
            shown: false,
        }
    }

    /// So many bytes are done.
    pub fn at(&mut self, done: usize) {
        if !self.shown && self.started.elapsed() >= PATIENCE {
            self.shown = true;
            // Nothing is drawn where standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done as u64);
    }

    pub fn label(&self, label: impl Into<String>) {
        self.bar.set_message(label.into());
    }

    /// Takes the bar away; how long it took.
    pub fn finish(self) -> Duration {
        self.bar.finish_and_clear();
        self.started.elapsed()
    }
}

/// A bar over steps of about the same length, from the begin on; on a terminal only.
pub struct Steps(ProgressBar);

impl Steps {
    pub fn new(total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {eta}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    /// So many steps are done.
    pub fn at(&self, done: usize) {
        self.0.set_position(done as u64);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Work of which nobody can tell how much is left; shown like a bar.
pub struct Waiting {
    /// Closing it ends the thread.
    end: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    /// `label` says for what.
    pub fn new(label: impl Into<String>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                end: None,
                thread: None,
            };
        }
        let label = label.into();
        let (end, ended) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::new_spinner().with_message(label);
            bar.enable_steady_tick(Duration::from_millis(120));
            // Nothing is ever sent; this waits for the end.
            let _ = ended.recv();
            bar.finish_and_clear();
        });
        Self {
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been printed by itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `12.3 KB/s`; nothing where nothing was moved.
pub fn speed(bytes: usize, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    format!("{:.1} KB/s", bytes as f64 / 1000.0 / seconds)
}
