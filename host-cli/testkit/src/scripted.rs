//! Decides how a conversation of a `.case` file is played: a broker on a TCP socket of its own for every case, beside a
//! MicroPython that runs the client's lines one after the other and reports each.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use socket2::SockRef;

use crate::case::{Act, Case, Line, Outcome, Step, shown};
use crate::{Interpreter, Module, Program, Running};

/// How the broker's bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pieces {
    /// What the broker says in one go, in one write.
    Whole,
    /// Byte by byte, each in a segment of its own with a pause behind it. Of what is longer than a kilobyte, only the
    /// first 300 bytes and the last 100 travel so.
    Bytes,
}

/// A step that takes longer than this is one that hangs: much more than any needs on a busy computer.
const LIMIT: Duration = Duration::from_secs(60);
/// After so many failures the rest would only cost time.
const ENOUGH: usize = 25;
/// Between two bytes of [`Pieces::Bytes`]; the system sleeps somewhat longer.
const PAUSE: Duration = Duration::from_micros(20);

/// What stands for the number of finished lines when the client has closed its sockets.
const ENDED: usize = usize::MAX;

/// What a line of Python came to, as `python/tests/scripted.py` reports it.
#[derive(Debug, Deserialize)]
struct Report {
    value: Option<String>,
    /// Type, arguments and text of an exception.
    error: Option<[String; 3]>,
    calls: Vec<String>,
    ms: u64,
}

/// A MicroPython that plays the client's part of one case after the other.
struct Client<'a> {
    interpreter: &'a Interpreter,
    module: &'a Module,
    process: Option<Process>,
}

struct Process {
    running: Running,
    lines: BufReader<TcpStream>,
}

/// Plays all cases and returns what was wrong, one text for each case that failed.
///
/// # Panics
/// Where MicroPython cannot be started or the loopback cannot be used.
pub fn play(
    interpreter: &Interpreter,
    module: &Module,
    cases: &[Case],
    pieces: Pieces,
) -> Vec<String> {
    let mut client = Client {
        interpreter,
        module,
        process: None,
    };
    let mut failures = Vec::new();
    for case in cases {
        if failures.len() == ENOUGH {
            failures.push("… and the cases after these were not played".into());
            break;
        }
        let wrong = play_one(&mut client, case, pieces);
        if !wrong.is_empty() {
            failures.push(format!(
                "{} ({}, {pieces:?})\n    {}",
                case.name,
                case.place,
                wrong.join("\n    ")
            ));
        }
    }
    client.stop();
    failures
}

fn play_one(client: &mut Client, case: &Case, pieces: Pieces) -> Vec<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let finished = Arc::new((Mutex::new(0), Condvar::new()));
    let (script_done, when_done) = mpsc::channel();
    let broker = {
        let acts = acts(case);
        let finished = Arc::clone(&finished);
        thread::spawn(move || {
            let mut broker = Broker::new(listener, pieces);
            let played = broker.play(&acts, &finished);
            // The other end is gone where the client failed first.
            let _ = script_done.send(());
            // After an error nobody may connect any more.
            played?;
            wait_for(&finished, ENDED);
            broker.nothing_more()
        })
    };
    let lines: Vec<&Line> = case
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Client(line) => Some(line),
            Step::Broker(_) => None,
        })
        .collect();
    let mut wrong = Vec::new();
    let mut alive = client.begin(port, &lines);
    for line in &lines {
        let Some(report) = alive.then(|| client.report()).flatten() else {
            if alive {
                wrong.push(format!("py {}: no answer after {LIMIT:?}", line.code));
                wrong.extend(client.stop());
            }
            alive = false;
            break;
        };
        wrong.extend(judge(line, &report));
        let (count, changed) = &*finished;
        *count.lock().expect("a number") += 1;
        changed.notify_all();
    }
    if alive {
        // The client keeps its sockets until the broker has seen all it waits for, step by step.
        let _ = when_done.recv_timeout(LIMIT * 10);
        if !client.end() {
            wrong.push("MicroPython ended".into());
            wrong.extend(client.stop());
        }
    }
    // A broker that still waits for a line of the client waits in vain.
    *finished.0.lock().expect("a number") = ENDED;
    finished.1.notify_all();
    if let Err(error) = broker.join().expect("the broker") {
        wrong.insert(0, error);
    }
    wrong
}

/// Waits until the client has finished so many lines; false where that takes too long.
fn wait_for(finished: &(Mutex<usize>, Condvar), count: usize) -> bool {
    let number = finished.0.lock().expect("a number");
    let waited = finished
        .1
        .wait_timeout_while(number, LIMIT, |number| *number < count);
    !waited.expect("a number").1.timed_out()
}

/// The broker's part; what it sends in one go is one act.
fn acts(case: &Case) -> Vec<Act> {
    let mut acts: Vec<Act> = Vec::new();
    for step in &case.steps {
        let Step::Broker(act) = step else { continue };
        match (acts.last_mut(), act) {
            (Some(Act::Send(bytes)), Act::Send(more)) => bytes.extend(more),
            _ => acts.push(act.clone()),
        }
    }
    acts
}

fn judge(line: &Line, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let came = match (&report.error, &report.value) {
        (Some([kind, arguments, text]), _) => format!("raised {kind}{arguments}: {text}"),
        (None, value) => format!("returned {}", value.as_deref().unwrap_or("None")),
    };
    let fine = match (&line.outcome, &report.error) {
        (Outcome::Returns(value), None) => {
            value == "*" || *value == *report.value.as_deref().unwrap_or("None")
        }
        (
            Outcome::Raises {
                kind,
                arguments,
                words,
            },
            Some([its_kind, its_arguments, text]),
        ) => {
            kind == its_kind
                && arguments.as_ref().is_none_or(|a| a == its_arguments)
                && words.as_ref().is_none_or(|words| text.contains(words))
        }
        _ => false,
    };
    if !fine {
        wrong.push(format!(
            "py {}: expected {:?}, it {came}",
            line.code, line.outcome
        ));
    }
    if line.callbacks != report.calls {
        wrong.push(format!(
            "py {}: expected callbacks {:?}, came {:?}",
            line.code, line.callbacks, report.calls
        ));
    }
    if let Some(takes) = &line.takes
        && !takes.contains(&report.ms)
    {
        wrong.push(format!(
            "py {}: expected to take {takes:?} ms, took {}",
            line.code, report.ms
        ));
    }
    wrong
}

impl Client<'_> {
    /// Tells the client its lines; starts MicroPython if none runs.
    fn begin(&mut self, port: u16, lines: &[&Line]) -> bool {
        if self.process.is_none() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let control = listener.local_addr().expect("its address").port();
            let running = Program::new(self.interpreter, self.module, "scripted")
                .argument("127.0.0.1")
                .argument(control)
                .start();
            let (stream, _) = listener.accept().expect("MicroPython connects");
            stream
                .set_read_timeout(Some(LIMIT))
                .expect("a limit can be set");
            stream.set_nodelay(true).expect("an option can be set");
            self.process = Some(Process {
                running,
                lines: BufReader::new(stream),
            });
        }
        let code: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
        let message = serde_json::json!({ "port": port, "lines": code });
        self.say(&message.to_string())
    }

    fn say(&mut self, text: &str) -> bool {
        self.process.as_mut().is_some_and(|process| {
            let line = format!("{text}\n");
            process.lines.get_mut().write_all(line.as_bytes()).is_ok()
        })
    }

    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.process.as_mut()?.lines.read_line(&mut line) {
            Ok(n) if n > 0 => Some(line),
            _ => None,
        }
    }

    /// What the next line came to; `None` where it hangs or MicroPython died.
    fn report(&mut self) -> Option<Report> {
        let line = self.hear()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}")))
    }

    /// Lets the client close its sockets.
    fn end(&mut self) -> bool {
        self.say("end") && self.hear().is_some_and(|line| line.trim() == "ended")
    }

    /// Ends MicroPython; returns what it complained of, which is nothing if all is well.
    fn stop(&mut self) -> Option<String> {
        let Process { running, lines } = self.process.take()?;
        drop(lines);
        let finished = running.finish(Duration::ZERO);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        (!said.trim().is_empty()).then(|| said.trim().to_owned())
    }
}

/// The broker's side of one case.
struct Broker {
    listener: TcpListener,
    stream: Option<TcpStream>,
    pieces: Pieces,
}

impl Broker {
    fn new(listener: TcpListener, pieces: Pieces) -> Broker {
        listener
            .set_nonblocking(true)
            .expect("an option can be set");
        Broker {
            listener,
            stream: None,
            pieces,
        }
    }

    fn play(&mut self, acts: &[Act], finished: &(Mutex<usize>, Condvar)) -> Result<(), String> {
        for act in acts {
            let done = match act {
                Act::Accept => {
                    self.stream = None;
                    self.stream().map(drop)
                }
                Act::Expect(bytes) => self.expect(bytes),
                Act::ExpectClosed => self.expect_closed(),
                Act::Send(bytes) => self.send(bytes),
                Act::Close => self.close(None),
                Act::Reset => self.close(Some(Duration::ZERO)),
                Act::End => self.stream().and_then(|stream| {
                    stream
                        .shutdown(Shutdown::Write)
                        .map_err(|error| format!("the broker cannot close: {error}"))
                }),
                Act::Wait(time) => {
                    thread::sleep(*time);
                    Ok(())
                }
                Act::Sync(count) if wait_for(finished, *count) => Ok(()),
                Act::Sync(_) => Err("the client does not come so far".into()),
            };
            if let Err(error) = done {
                // The client learns of it by the end of its stream.
                self.stream = None;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The connection; waits for one if there is none.
    fn stream(&mut self) -> Result<&mut TcpStream, String> {
        if self.stream.is_none() {
            self.stream = Some(self.accept()?);
        }
        self.stream.as_mut().ok_or_else(|| "no connection".into())
    }

    /// Closes the connection; with a linger of zero the client sees that it was aborted.
    fn close(&mut self, linger: Option<Duration>) -> Result<(), String> {
        let lingering = SockRef::from(&*self.stream()?).set_linger(linger);
        self.stream = None;
        lingering.map_err(|error| format!("the broker cannot abort: {error}"))
    }

    fn accept(&self) -> Result<TcpStream, String> {
        let failed = |error: std::io::Error| format!("the broker cannot accept: {error}");
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).map_err(failed)?;
                    stream.set_nodelay(true).map_err(failed)?;
                    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    thread::sleep(Duration::from_micros(200));
                }
                Err(error) => return Err(failed(error)),
            }
        }
        Err("the client does not connect".into())
    }

    fn expect(&mut self, wanted: &[Option<u8>]) -> Result<(), String> {
        let stream = self.stream()?;
        let mut came = vec![0; wanted.len()];
        let mut count = 0;
        let mut ended = "";
        let agree = |came: &[u8]| {
            wanted
                .iter()
                .zip(came)
                .all(|(wanted, came)| wanted.is_none_or(|wanted| wanted == *came))
        };
        while count < wanted.len() && agree(&came[..count]) {
            match stream.read(&mut came[count..]) {
                Ok(0) => {
                    ended = ", then the client closed";
                    break;
                }
                Ok(n) => count += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ended = ", then nothing";
                    break;
                }
                Err(_) => {
                    ended = ", then the client aborted";
                    break;
                }
            }
        }
        came.truncate(count);
        if count == wanted.len() && agree(&came) {
            return Ok(());
        }
        // What else is there shows how the packet goes on.
        let mut more = [0; 64];
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
        if ended.is_empty()
            && let Ok(n) = stream.read(&mut more)
        {
            came.extend(&more[..n]);
        }
        let wanted: Vec<u8> = wanted.iter().map(|byte| byte.unwrap_or(b'?')).collect();
        Err(format!(
            "the broker expected {}\n                 and came {}{ended}",
            shown(&wanted),
            shown(&came)
        ))
    }

    fn expect_closed(&mut self) -> Result<(), String> {
        let mut bytes = [0; 200];
        match self.stream()?.read(&mut bytes) {
            Ok(0) => Ok(()),
            Ok(n) => Err(format!(
                "the client should have closed the connection and sent {}",
                shown(&bytes[..n])
            )),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err("the client does not close the connection".into())
            }
            // Closed with bytes unread.
            Err(_) => Ok(()),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let pieces = self.pieces;
        let stream = self.stream()?;
        // A client that has closed takes nothing more; what that means is seen at the client.
        let _ = match pieces {
            Pieces::Whole => stream.write_all(bytes),
            Pieces::Bytes => {
                let (first, rest) = bytes.split_at(match bytes.len() {
                    ..1024 => bytes.len(),
                    _ => 300,
                });
                let (middle, last) = rest.split_at(rest.len().saturating_sub(100));
                let one_by_one = |stream: &mut TcpStream, bytes: &[u8]| {
                    bytes.iter().try_for_each(|byte| {
                        stream.write_all(&[*byte])?;
                        thread::sleep(PAUSE);
                        Ok::<(), std::io::Error>(())
                    })
                };
                one_by_one(stream, first)
                    .and_then(|()| stream.write_all(middle))
                    .and_then(|()| one_by_one(stream, last))
            }
        };
        Ok(())
    }

    /// After its script: the client may close, and says nothing more.
    fn nothing_more(&mut self) -> Result<(), String> {
        // A client that was to do without a connection may have made one.
        let stream = self
            .stream
            .take()
            .or_else(|| self.listener.accept().ok().map(|(stream, _)| stream));
        let Some(mut stream) = stream else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        // An aborted connection has no more bytes either.
        let _ = stream.read_to_end(&mut bytes);
        match bytes.is_empty() {
            true => Ok(()),
            false => Err(format!("the client sent more: {}", shown(&bytes))),
        }
    }
}
