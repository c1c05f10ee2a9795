//! Decides how a run is shown: in two columns on a terminal that is wide enough, else in lines with
//! their source in front, or as JSON. One thread writes, so that nothing mixes within a line.

mod clean;
mod json;
mod rows;
pub mod text;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use board_link::Lang;
use broker::TapEvent;
use serde_json::json;

use crate::lines;
pub use json::packet_line;

use crate::stop::Stop;

/// Messages that may wait to be written before their senders wait too.
const WAITING: usize = 1024;

/// Something to show.
#[derive(Debug)]
pub enum Message {
    /// A piece of the script's standard output, as it came.
    Script(String),
    /// A traceback with the script's own file name.
    Traceback(String),
    Mqtt(TapEvent),
    /// What the command itself has to say.
    Note(String),
    /// What the command found out or made: for people, and the fields of the object for `--json`.
    Result {
        text: String,
        fields: serde_json::Value,
    },
}

/// Which form to show things in.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub json: bool,
    /// Also those packets that say nothing but "received".
    pub all_packets: bool,
    pub lang: Lang,
}

/// How long others wait for the script to end a line that it has begun: `print` writes in pieces.
const LINE_WITHIN: Duration = Duration::from_millis(100);

/// Turns messages into output.
trait Renderer {
    fn show(&mut self, out: &mut dyn Write, message: &Message) -> io::Result<()>;
    /// Whether a line of the script is not ended yet, which another message would cut.
    fn is_open(&self) -> bool;
    /// Ends a line that is still open.
    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

/// The one that may send things to be shown; clones go to other threads.
#[derive(Debug, Clone)]
pub struct Sender(SyncSender<Message>);

impl Sender {
    /// One whose messages are taken by somebody else than a display; too many wait until they are.
    pub fn to_receiver() -> (Self, Receiver<Message>) {
        let (sender, messages) = mpsc::sync_channel(WAITING);
        (Self(sender), messages)
    }

    /// Shows a message. After the reader of our output has gone, it is dropped.
    pub fn show(&self, message: Message) {
        let _ = self.0.send(message);
    }

    pub fn note(&self, text: impl Into<String>) {
        self.show(Message::Note(text.into()));
    }
}

/// The thread that writes to standard output.
#[derive(Debug)]
pub struct Display {
    sender: SyncSender<Message>,
    thread: JoinHandle<()>,
}

impl Display {
    /// Starts showing. When nobody reads our output any more (`umqtt … | head`), `stop` is set.
    pub fn start(form: Form, stop: &Stop) -> Self {
        let (sender, messages) = mpsc::sync_channel(WAITING);
        let stop = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut renderer: Box<dyn Renderer> = if form.json {
                Box::new(json::Json::default())
            } else {
                Box::new(rows::Rows::new(form, rows::Style::of_stdout()))
            };
            if write_all(&messages, renderer.as_mut(), &mut io::stdout().lock()).is_err() {
                stop.request();
            }
        });
        Self { sender, thread }
    }

    /// Shows only notes, on standard error or as `--json` wants them: for commands whose output is not ours.
    pub fn of_notes() -> Self {
        let (sender, messages) = mpsc::sync_channel(WAITING);
        let thread = std::thread::spawn(move || {
            for message in messages {
                let Message::Note(text) = message else {
                    continue;
                };
                // There is nowhere left to report that a stream is closed.
                let _ = if lines::wanted() {
                    let line = lines::event("note", json!({ "message": text }));
                    io::stdout().lock().write_all(line.as_bytes())
                } else {
                    writeln!(io::stderr().lock(), "umqtt: {text}")
                };
            }
        });
        Self { sender, thread }
    }

    pub fn sender(&self) -> Sender {
        Sender(self.sender.clone())
    }

    /// Waits until everything is shown. All senders must be gone by then.
    pub fn finish(self) {
        drop(self.sender);
        // A panic of that thread has been printed by itself.
        let _ = self.thread.join();
    }
}

fn write_all(
    messages: &Receiver<Message>,
    renderer: &mut dyn Renderer,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let mut held: VecDeque<(Instant, Message)> = VecDeque::new();
    loop {
        match messages.recv_timeout(Duration::from_millis(20)) {
            Ok(message @ Message::Script(_)) => renderer.show(&mut out, &message)?,
            Ok(message) => held.push_back((Instant::now(), message)),
            Err(RecvTimeoutError::Timeout) => out.flush()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        while let Some((since, _)) = held.front()
            && (!renderer.is_open() || since.elapsed() >= LINE_WITHIN)
            && let Some((_, message)) = held.pop_front()
        {
            renderer.show(&mut out, &message)?;
        }
    }
    for (_, message) in held {
        renderer.show(&mut out, &message)?;
    }
    renderer.finish(&mut out)?;
    out.flush()
}

/// Whether standard output is a terminal that may get colours (see no-color.org).
fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_comes_in_pieces_is_not_cut() {
        let (sender, messages) = mpsc::sync_channel(WAITING);
        let form = Form {
            json: false,
            all_packets: false,
            lang: Lang::En,
        };
        let mut rows = rows::Rows::new(
            form,
            rows::Style {
                colours: false,
                terminal: false,
            },
        );
        let script = |text: &str| Message::Script(text.to_owned());
        for message in [
            script("a "),
            Message::Note("between".to_owned()),
            script("b\n"),
            script("open"),
        ] {
            sender.send(message).expect("room");
        }
        drop(sender);
        let mut out = Vec::new();
        write_all(&messages, &mut rows, &mut out).expect("memory takes everything");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text, "script | a b\numqtt  | between\nscript | open\n");
    }
}
