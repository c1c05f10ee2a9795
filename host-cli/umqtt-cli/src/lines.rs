//! Decides the one shape of what `--json` prints: a line is an object with `t`, the seconds since the command's start,
//! and `source`. Where that is `script` the line has `stream` and `text`, where it is `mqtt` it has `packet`, and where it
//! is `umqtt` it has `event`. The last line of every command is `end`, with its exit status, and what failed and what to
//! try if something did.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::SystemTime;

use board_link::Lang;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Status};
use crate::output;

/// Set once, where `--json` was asked for.
static STARTED: OnceLock<SystemTime> = OnceLock::new();

/// From here on, all that is printed has this shape.
pub fn start() {
    STARTED.get_or_init(SystemTime::now);
}

/// Whether `--json` was asked for.
pub fn wanted() -> bool {
    STARTED.get().is_some()
}

/// A line that says something of the command's own.
pub fn event(event: &str, fields: Value) -> String {
    let mut object = json!({ "event": event });
    add(&mut object, fields);
    line(SystemTime::now(), "umqtt", object)
}

/// Prints such a line.
pub fn print(name: &str, fields: Value, lang: Lang) -> Result<(), Failure> {
    output::print(event(name, fields).as_bytes(), lang)
}

/// A line with a piece of what the board's program printed.
pub fn script(stream: &str, text: &str) -> String {
    let fields = json!({ "stream": stream, "text": text });
    line(SystemTime::now(), "script", fields)
}

/// A line: when it happened, whose it is, and what there is to say.
pub fn line(time: SystemTime, source: &str, rest: Value) -> String {
    let started = STARTED.get().copied().unwrap_or(time);
    let seconds = time
        .duration_since(started)
        .unwrap_or_default()
        .as_secs_f64();
    // Milliseconds are what a reader can use.
    let mut object = json!({ "t": (seconds * 1000.0).round() / 1000.0, "source": source });
    add(&mut object, rest);
    format!("{object}\n")
}

fn add(object: &mut Value, rest: Value) {
    if let (Value::Object(object), Value::Object(rest)) = (object, rest) {
        object.extend::<Map<String, Value>>(rest);
    }
}

/// For a command that has nothing to say in this shape.
///
/// # Errors
/// If `--json` was asked for.
pub fn refuse(why: &str, help: &str) -> Result<(), Failure> {
    if wanted() {
        return Err(Failure::new(Status::Usage, why, help));
    }
    Ok(())
}

/// Prints the last line: a word for how it ended, and what failed, if something did.
pub fn end(done: &Result<&'static str, Failure>) {
    if !wanted() {
        return;
    }
    let fields = match done {
        Ok(ending) => json!({ "ending": ending, "status": 0 }),
        Err(failure) => json!({
            "ending": "failed", "status": failure.status(), "error": failure.message(), "help": failure.help(),
        }),
    };
    let mut out = io::stdout().lock();
    // There is nowhere left to report that standard output is closed.
    let _ = out
        .write_all(event("end", fields).as_bytes())
        .and_then(|()| out.flush());
}
