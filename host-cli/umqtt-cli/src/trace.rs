//! Decides what is told about the work itself: the log of `-v`, the transcript of `--trace`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use board_link::{Lang, Traced, Transport, Way};

use crate::failure::{Failure, Status};

/// Where the transcript goes, and since when.
struct Transcript {
    file: Mutex<File>,
    start: Instant,
}

static TRANSCRIPT: OnceLock<Transcript> = OnceLock::new();

/// How many boards are being told something that nobody else should read.
static HIDDEN: AtomicUsize = AtomicUsize::new(0);

/// Until this is dropped, the transcript has lengths in the place of bytes.
pub struct Hidden(());

/// What follows holds passwords.
pub fn hide() -> Hidden {
    HIDDEN.fetch_add(1, Ordering::SeqCst);
    Hidden(())
}

impl Drop for Hidden {
    fn drop(&mut self) {
        HIDDEN.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Opens the transcript before anything is said to a board.
pub fn start_transcript(path: &Path, lang: Lang) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| {
        let path = path.display();
        let message = match lang {
            Lang::En => format!("the transcript {path} cannot be written: {error}"),
            Lang::Es => format!(
                "no se puede escribir la transcripción {path}: {}",
                lang.reason(&error)
            ),
        };
        let help = lang.pick(
            "name a file in a folder of yours behind --trace",
            "indica tras --trace un fichero en una carpeta tuya",
        );
        Failure::new(Status::Failed, message, help)
    })?;
    TRANSCRIPT.get_or_init(|| Transcript {
        file: Mutex::new(file),
        start: Instant::now(),
    });
    Ok(())
}

/// `transport`, watched where `--trace` wants it.
///
/// One line for each piece: seconds, direction (`>` to the board), port, the bytes, escaped.
pub fn watched(transport: Box<dyn Transport>) -> Box<dyn Transport> {
    let Some(transcript) = TRANSCRIPT.get() else {
        return transport;
    };
    let port = transport.describe();
    let watcher = move |way: Way, bytes: &[u8]| {
        let seconds = transcript.start.elapsed().as_secs_f64();
        let arrow = match way {
            Way::ToBoard => '>',
            Way::FromBoard => '<',
        };
        let line = if HIDDEN.load(Ordering::SeqCst) > 0 {
            format!(
                "{seconds:9.4} {arrow} {port} ({} bytes, not shown: settings)\n",
                bytes.len()
            )
        } else {
            format!("{seconds:9.4} {arrow} {port} {}\n", bytes.escape_ascii())
        };
        // A full disk must not end the work that is watched.
        if let Ok(mut file) = transcript.file.lock() {
            let _ = file.write_all(line.as_bytes());
        }
    };
    Box::new(Traced::new(transport, Box::new(watcher)))
}

/// Writes `log`'s records to standard error.
struct Log {
    start: Instant,
}

static LOG: OnceLock<Log> = OnceLock::new();

impl log::Log for Log {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        ["board_link", "umqtt"].contains(&metadata.target().split("::").next().unwrap_or(""))
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let seconds = self.start.elapsed().as_secs_f64();
            let line = format!("[{seconds:8.3}] {}\n", record.args());
            // There is nowhere left to report that standard error is closed.
            let _ = std::io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// How much is told: nothing, steps, and from two on also what is sent.
pub fn start_log(level: u8) {
    let level = match level {
        0 => return,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    let log = LOG.get_or_init(|| Log {
        start: Instant::now(),
    });
    // Only a second logger would be refused, and there is none.
    if log::set_logger(log).is_ok() {
        log::set_max_level(level);
    }
}
