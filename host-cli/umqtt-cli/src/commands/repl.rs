//! `umqtt repl`: decides how a terminal and a board's interpreter talk: what is typed goes out as the board can take
//! it, what is pasted goes through its paste mode, and a board that comes back after a reset is talked to again.

use std::collections::VecDeque;
use std::io::{IsTerminal, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::{Duration, Instant};

use board_link::{Lang, LinkError, PortSpec, Transport, share_nothing};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};

use crate::direct;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::options::board::ReplOptions;
use crate::repl::history::History;
use crate::repl::restart::Restarts;
use crate::repl::screen::Screen;
use crate::stop::Stop;
use crate::trace;

/// Ctrl-], which leaves.
const LEAVE: u8 = 0x1d;
const CTRL_C: u8 = 0x03;
/// Leaves the raw REPL; at an ordinary prompt it shows the banner again.
const CTRL_B: u8 = 0x02;
/// Ctrl-D, which starts Python anew where it comes at the prompt.
const RESTARTS: u8 = 0x04;
/// A restart that comes to no prompt for so long has come to a program.
const RESTART: Duration = Duration::from_secs(5);
/// Shows a prompt again.
const ENTER: u8 = b'\r';
/// Paste mode: it takes whole programs, without indenting them once more.
const PASTE: u8 = 0x05;
const END_OF_PASTE: u8 = 0x04;

/// Bytes that a board is sent before it echoes some: far below the smallest input buffer.
const AHEAD: usize = 32;
/// A board that echoes nothing for so long (a program reads in silence) gets the next bytes all the same.
const NO_ECHO: Duration = Duration::from_millis(250);
/// After the end of piped input, an answer may take so long.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The first one even longer: QEMU looks once a second whether somebody has opened its line.
const FIRST_WORDS: Duration = Duration::from_millis(2_500);
const SLICE: Duration = Duration::from_millis(10);
/// Between two looks whether the board is back.
const RETURN: Duration = Duration::from_millis(300);
const WRITE: Duration = Duration::from_secs(5);

pub fn run(options: &ReplOptions, lang: Lang) -> Result<(), Failure> {
    lines::refuse(
        lang.pick(
            "umqtt repl is a conversation, which no JSON can hold",
            "umqtt repl es una conversación, que no cabe en JSON",
        ),
        lang.pick(
            "umqtt exec --json runs code and prints its output as JSON",
            "umqtt exec --json ejecuta código y da su salida en JSON",
        ),
    )?;
    let stop = Stop::on_signals(lang)?;
    let (transport, _simulated) = direct::open(&options.port, &stop, lang)?;
    let mut wire = Plain(share_nothing(transport));
    interact(&mut wire, stop, lang)
}

/// The connection that a terminal talks over.
pub trait Wire {
    fn transport(&mut self) -> &mut dyn Transport;

    /// The board is back on a new connection.
    fn reconnected(&mut self, transport: Box<dyn Transport>);

    /// What is sent first.
    fn greeting(&self) -> Vec<u8>;

    /// The board shows the prompt of a Python that has just started. Answers what is to be said about it.
    fn started(&mut self) -> Option<String>;

    /// The board starts anew by itself, or may have done so while it was away.
    fn restarts(&mut self);

    /// What is to be said about a board that started anew and comes to no prompt.
    fn reminder(&self) -> Option<String>;

    /// How long there has been nothing on it that the terminal does not see; `None` if there never was.
    fn idle(&self) -> Option<Duration>;
}

/// A connection with nothing else on it.
struct Plain(Box<dyn Transport>);

impl Wire for Plain {
    fn transport(&mut self) -> &mut dyn Transport {
        &mut *self.0
    }

    fn reconnected(&mut self, transport: Box<dyn Transport>) {
        self.0 = share_nothing(transport);
    }

    fn greeting(&self) -> Vec<u8> {
        vec![CTRL_B]
    }

    fn started(&mut self) -> Option<String> {
        None
    }

    fn restarts(&mut self) {}

    fn reminder(&self) -> Option<String> {
        None
    }

    fn idle(&self) -> Option<Duration> {
        None
    }
}

/// Lets the terminal talk to the board until the user leaves.
pub fn interact(wire: &mut dyn Wire, stop: Stop, lang: Lang) -> Result<(), Failure> {
    let identity = identity(&wire.transport().describe());
    let terminal = Terminal::take(lang)?;
    let mut session = Session {
        wire,
        identity,
        typed: typed_input(),
        keys: Keys::new(terminal.is_some()),
        recall: terminal.is_some().then(Recall::new),
        restarts: Restarts::default(),
        stop,
        lang,
    };
    session.say(lang.pick(
        "Ctrl-] leaves, Ctrl-C stops the board's program, Ctrl-D restarts Python",
        "Ctrl-] sale, Ctrl-C detiene el programa de la placa, Ctrl-D reinicia Python",
    ));
    let done = session.talk();
    drop(terminal);
    done
}

/// What names the board at this port however it is plugged in next: its serial number where it has one.
fn identity(port: &str) -> PortSpec {
    let serial = board_link::list().ok().and_then(|ports| {
        let port = ports.into_iter().find(|info| info.device == port)?;
        port.usb?.serial
    });
    match serial {
        Some(serial) => PortSpec::Id(serial),
        None => port.parse().unwrap_or(PortSpec::Device(port.to_owned())),
    }
}

/// A terminal that gives every key as it is pressed; put back on drop.
struct Terminal;

impl Terminal {
    fn take(lang: Lang) -> Result<Option<Terminal>, Failure> {
        if !std::io::stdin().is_terminal() {
            return Ok(None);
        }
        enable_raw_mode().map_err(|error| {
            let message = lang.pick(
                "the terminal does not give single keys",
                "el terminal no entrega teclas sueltas",
            );
            Failure::complete(Status::Failed, format!("{message}: {error}"))
        })?;
        // Bracketed paste: the terminal says what was pasted.
        let _ = std::io::stdout().lock().write_all(b"\x1b[?2004h");
        Ok(Some(Terminal))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = std::io::stdout().lock().write_all(b"\x1b[?2004l");
        let _ = disable_raw_mode();
    }
}

/// Standard input, piece by piece; the channel ends with it.
fn typed_input() -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

struct Session<'a> {
    wire: &'a mut dyn Wire,
    identity: PortSpec,
    typed: Receiver<Vec<u8>>,
    keys: Keys,
    /// For a person at a terminal.
    recall: Option<Recall>,
    restarts: Restarts,
    stop: Stop,
    lang: Lang,
}

/// Why a conversation paused.
enum Pause {
    /// Ctrl-], or the end of piped input.
    Left,
    Lost(std::io::Error),
}

impl Session<'_> {
    fn talk(&mut self) -> Result<(), Failure> {
        let mut greeting = self.wire.greeting();
        loop {
            match self.converse(&greeting) {
                Pause::Left => {
                    self.say("");
                    return Ok(());
                }
                Pause::Lost(error) => {
                    let text = match self.lang {
                        Lang::En => format!("the board is gone ({error}); waiting for it"),
                        Lang::Es => format!("la placa se fue ({error}); se la espera"),
                    };
                    self.say(&text);
                }
            }
            if !self.wait_for_return()? {
                return Ok(());
            }
            self.say(self.lang.pick("it is back", "ha vuelto"));
            self.restarts = Restarts::after_an_absence();
            self.wire.restarts();
            // It has just started by itself: its own banner comes.
            greeting = Vec::new();
        }
    }

    fn converse(&mut self, greeting: &[u8]) -> Pause {
        let mut out = Outgoing::default();
        out.queue.extend(greeting);
        let mut input_ended = None;
        let mut patience = FIRST_WORDS;
        let mut buffer = [0; 4096];
        loop {
            match self.wire.transport().read(&mut buffer, SLICE) {
                Ok(0) => {}
                Ok(count) => {
                    out.echoed(&buffer[..count]);
                    if let Some(recall) = &mut self.recall {
                        recall.heard(&buffer[..count]);
                    }
                    let mut screen = std::io::stdout().lock();
                    if (screen
                        .write_all(&buffer[..count])
                        .and_then(|()| screen.flush()))
                    .is_err()
                    {
                        return Pause::Left;
                    }
                    if self.restarts.heard(&buffer[..count]) {
                        self.wire.restarts();
                    }
                    let found_again = self.restarts.ends_at_a_prompt() && out.at_prompt();
                    if out.has_started() || found_again {
                        self.restarts.ended();
                        if let Some(text) = self.wire.started() {
                            self.say(&text);
                            out.queue.push_front(ENTER);
                        }
                    }
                    input_ended = input_ended.map(|_| Instant::now());
                    patience = LAST_WORDS;
                }
                Err(error) => return Pause::Lost(error),
            }
            if self.restarts.is_due()
                && let Some(text) = self.wire.reminder()
            {
                self.say(&text);
            }
            match self.typed.try_recv() {
                Ok(bytes) => {
                    if bytes.contains(&CTRL_C) {
                        self.restarts.interrupted();
                    }
                    let (at_prompt, recall) = (out.at_prompt(), self.recall.as_mut());
                    if (self.keys).take(&bytes, at_prompt, &mut out.queue, recall) {
                        return Pause::Left;
                    }
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    input_ended.get_or_insert_with(Instant::now);
                }
            }
            if self.stop.is_requested() {
                return Pause::Left;
            }
            if let Err(error) = out.send(self.wire.transport()) {
                return Pause::Lost(error);
            }
            let answered = input_ended.is_some_and(|at| at.elapsed() > patience)
                && self.wire.idle().is_none_or(|idle| idle > patience);
            if answered && out.queue.is_empty() {
                return Pause::Left;
            }
        }
    }

    /// False if the user does not want to wait any longer.
    fn wait_for_return(&mut self) -> Result<bool, Failure> {
        loop {
            match self.typed.recv_timeout(RETURN) {
                Ok(bytes) if bytes.contains(&LEAVE) || bytes.contains(&CTRL_C) => return Ok(false),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let error = LinkError::PortMissing {
                        port: self.identity.to_string(),
                    };
                    return Err(Failure::from_link(&error, self.lang));
                }
            }
            if self.stop.is_requested() {
                return Ok(false);
            }
            // Until it is there every attempt fails.
            if let Ok(transport) = board_link::open(&self.identity) {
                self.wire.reconnected(trace::watched(transport));
                return Ok(true);
            }
        }
    }

    /// A line of ours among the board's.
    fn say(&self, text: &str) {
        let line = if text.is_empty() {
            "\r\n".to_owned()
        } else {
            format!("\r\numqtt: {text}\r\n")
        };
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// A key as far as the history is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Up,
    Down,
    Enter,
    Stop,
    Other,
}

/// Brings lines back that were entered before, in this session or an earlier one. The board's own history ends with
/// every reset.
struct Recall {
    screen: Screen,
    history: History,
    /// How often Enter was pressed without a line's end from the board so far.
    entered: usize,
}

impl Recall {
    fn new() -> Self {
        Self {
            screen: Screen::default(),
            history: History::load(),
            entered: 0,
        }
    }

    fn heard(&mut self, bytes: &[u8]) {
        for line in self.screen.follow(bytes) {
            // An empty one may be the board's own, when it says its banner again.
            if self.entered > 0 && !line.is_empty() {
                self.entered -= 1;
                self.history.add(&line);
            }
        }
    }

    /// What goes to the board in the key's place; `None` for the key itself.
    fn pressed(&mut self, key: Key, all_sent: bool) -> Option<Vec<u8>> {
        if !matches!(key, Key::Up | Key::Down) {
            match key {
                Key::Enter => self.entered += 1,
                // What waits to be sent is thrown away, and so is the line.
                Key::Stop => self.entered = 0,
                _ => {}
            }
            self.history.key();
            return None;
        }
        // What an arrow key brought stands there soon, with the cursor at its end.
        let (text, behind) = match self.history.shown() {
            Some(shown) => (shown.to_owned(), 0),
            None if all_sent => {
                let edited = self.screen.edited()?;
                (edited.text, edited.behind)
            }
            None => return None,
        };
        let line = self.history.step(key == Key::Up, &text);
        let Some(line) = line else {
            return Some(Vec::new());
        };
        let mut bytes = b"\x1b[C".repeat(behind);
        bytes.extend(vec![0x7f; text.chars().count()]);
        bytes.extend(line.bytes());
        Some(bytes)
    }
}

const PROMPT: &[u8] = b">>> ";
/// The last line of what MicroPython says when it starts.
const BANNER: &[u8] = b"Type \"help()\" for more information.\r\n>>> ";
/// Of what the board said, so much is remembered.
const LAST: usize = 64;

/// Bytes that wait until the board can take them.
#[derive(Default)]
struct Outgoing {
    queue: VecDeque<u8>,
    /// Sent, and no echo seen yet.
    ahead: usize,
    moved: Option<Instant>,
    /// The end of what the board said.
    last: Vec<u8>,
    /// Ctrl-D went out at the prompt: nothing follows it before the next prompt, which the restart comes to.
    restarting: Option<Instant>,
}

impl Outgoing {
    fn echoed(&mut self, bytes: &[u8]) {
        self.ahead = self.ahead.saturating_sub(bytes.len());
        self.moved = Some(Instant::now());
        self.last.extend_from_slice(bytes);
        let surplus = self.last.len().saturating_sub(LAST);
        self.last.drain(..surplus);
        if self.at_prompt() {
            self.restarting = None;
        }
    }

    /// The board is in its paste mode, where Ctrl-D is the end of what is pasted.
    fn is_pasting(&self) -> bool {
        self.last.windows(4).any(|text| text == b"=== ")
    }

    /// True once for each banner that is followed by the prompt.
    fn has_started(&mut self) -> bool {
        let banner = self.last.windows(BANNER.len()).any(|text| text == BANNER);
        let started = banner && self.at_prompt();
        if started {
            self.last.clear();
            self.last.extend(PROMPT);
        }
        started
    }

    fn at_prompt(&self) -> bool {
        self.last.ends_with(PROMPT)
    }

    fn send(&mut self, transport: &mut dyn Transport) -> std::io::Result<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        // Ctrl-C overtakes all that was typed before it.
        if let Some(at) = self.queue.iter().rposition(|byte| *byte == CTRL_C) {
            self.queue.drain(..at);
            self.ahead = 0;
        } else if self.ahead > 0 && self.moved.is_some_and(|at| at.elapsed() > NO_ECHO) {
            self.ahead = 0;
        }
        if self.restarting.is_some_and(|at| at.elapsed() < RESTART)
            && self.queue.front() != Some(&CTRL_C)
        {
            return Ok(());
        }
        let mut count = AHEAD.saturating_sub(self.ahead).min(self.queue.len());
        if count == 0 {
            return Ok(());
        }
        match self.queue.iter().position(|byte| *byte == RESTARTS) {
            Some(0) if self.at_prompt() => {
                count = 1;
                self.restarting = Some(Instant::now());
            }
            // What was typed before it may still come to a prompt.
            Some(0)
                if !self.is_pasting() && self.moved.is_some_and(|at| at.elapsed() < NO_ECHO) =>
            {
                return Ok(());
            }
            Some(0) => count = 1,
            Some(at) => count = count.min(at),
            None => {}
        }
        let now: Vec<u8> = self.queue.drain(..count).collect();
        transport.write(&now, WRITE)?;
        self.ahead += count;
        self.moved = Some(Instant::now());
        Ok(())
    }
}

/// Turns what the terminal sends into what the board gets.
struct Keys {
    terminal: bool,
    /// What was pasted so far, between the terminal's two marks.
    pasted: Option<Vec<u8>>,
    /// A mark's beginning that ended a piece of input.
    pending: Vec<u8>,
}

const PASTE_BEGINS: &[u8] = b"\x1b[200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

impl Keys {
    fn new(terminal: bool) -> Keys {
        Keys {
            terminal,
            pasted: None,
            pending: Vec::new(),
        }
    }

    /// True if the user leaves. `recall` hears of every key, and may give other bytes for it.
    fn take(
        &mut self,
        bytes: &[u8],
        at_prompt: bool,
        out: &mut VecDeque<u8>,
        mut recall: Option<&mut Recall>,
    ) -> bool {
        if !self.terminal {
            // A pipe has lines, and a carriage return enters one.
            let returns = bytes
                .iter()
                .map(|byte| if *byte == b'\n' { b'\r' } else { *byte });
            out.extend(returns);
            return false;
        }
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let mut at = 0;
        while at < all.len() {
            let rest = &all[at..];
            if rest.starts_with(PASTE_BEGINS) {
                self.pasted = Some(Vec::new());
                at += PASTE_BEGINS.len();
            } else if rest.starts_with(PASTE_ENDS) {
                let text = self.pasted.take().unwrap_or_default();
                out.extend(for_the_board(&text, at_prompt && out.is_empty()));
                at += PASTE_ENDS.len();
            } else if (rest.len() > 2 || self.pasted.is_some())
                && [PASTE_BEGINS, PASTE_ENDS]
                    .iter()
                    .any(|mark| mark.starts_with(rest))
            {
                self.pending = rest.to_vec();
                break;
            } else if let Some(pasted) = &mut self.pasted {
                pasted.push(all[at]);
                at += 1;
            } else if all[at] == LEAVE {
                return true;
            } else {
                let (pressed, length) = match rest {
                    [0x1b, b'[' | b'O', b'A', ..] => (Key::Up, 3),
                    [0x1b, b'[' | b'O', b'B', ..] => (Key::Down, 3),
                    [b'\r', ..] => (Key::Enter, 1),
                    [CTRL_C, ..] => (Key::Stop, 1),
                    _ => (Key::Other, 1),
                };
                let recall = recall.as_mut();
                match recall.and_then(|recall| recall.pressed(pressed, out.is_empty())) {
                    Some(bytes) => out.extend(bytes),
                    None => out.extend(&rest[..length]),
                }
                at += length;
            }
        }
        false
    }
}

/// Pasted text: several lines at a prompt go through the board's paste mode.
fn for_the_board(text: &[u8], at_prompt: bool) -> Vec<u8> {
    let text = String::from_utf8_lossy(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    // The REPL would take control characters for commands.
    let text: String = text
        .chars()
        .filter(|c| !c.is_control() || ['\n', '\t'].contains(c))
        .collect();
    let lines = text.trim_end_matches('\n').contains('\n');
    let body = text.replace('\n', "\r").into_bytes();
    if !lines || !at_prompt {
        return body;
    }
    [&[PASTE], body.as_slice(), &[END_OF_PASTE]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut keys, mut out) = (Keys::new(true), VecDeque::new());
        let left = pieces
            .iter()
            .any(|piece| keys.take(piece, true, &mut out, None));
        (out.into(), left)
    }

    #[test]
    fn keys_pass_and_the_one_that_leaves_does_not() {
        assert_eq!(keys(&[b"a\x1b[A\x03"]), (b"a\x1b[A\x03".to_vec(), false));
        assert_eq!(keys(&[b"a\x1dz"]), (b"a".to_vec(), true));
    }

    #[test]
    fn a_paste_goes_through_paste_mode_wherever_it_is_cut() {
        let typed = b"\x1b[200~if a:\n  b\x1d\x03\n\x1b[201~x";
        let wanted = b"\x05if a:\r  b\r\x04x".to_vec();
        for cut in 3..typed.len() {
            assert_eq!(
                keys(&[&typed[..cut], &typed[cut..]]),
                (wanted.clone(), false),
                "{cut}"
            );
        }
        assert_eq!(keys(&[b"\x1b[200~one\x1b[201~"]).0, b"one");
    }

    #[test]
    fn a_board_gets_no_more_than_it_echoes() {
        struct Wire(Vec<u8>);
        impl Transport for Wire {
            fn read(&mut self, _: &mut [u8], _: Duration) -> std::io::Result<usize> {
                Ok(0)
            }
            fn write(&mut self, data: &[u8], _: Duration) -> std::io::Result<()> {
                self.0.extend_from_slice(data);
                Ok(())
            }
            fn describe(&self) -> String {
                String::new()
            }
        }
        let mut wire = Wire(Vec::new());
        let mut out = Outgoing::default();
        out.queue.extend([b'a'; 100]);
        for _ in 0..3 {
            out.send(&mut wire).expect("it takes all");
        }
        assert_eq!(wire.0.len(), AHEAD);
        out.echoed(&[b'a'; 20]);
        out.send(&mut wire).expect("it takes all");
        assert_eq!(wire.0.len(), AHEAD + 20);
        out.queue.push_back(CTRL_C);
        out.send(&mut wire).expect("it takes all");
        assert_eq!(wire.0.len(), AHEAD + 21, "Ctrl-C overtakes");
        assert_eq!(wire.0.last(), Some(&CTRL_C));
    }
}
