//! A page of the tests: a WebSocket client that keeps what it was told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use board_link::{Board, FileState, Lang, LinkError, PortSpec, Timeouts};
use lab::{EmbeddedBroker, Lab, LabBroker, LabConfig, Loan, Maker, Outfit, Words};
use serde_json::{Value, json};
use testkit::Version;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Message, client};

/// How long anything may take on a computer that has other things to do.
pub const LONG: Duration = Duration::from_secs(60);

/// Boards are simulated with this, if it is there.
pub fn micropython() -> Result<Maker, String> {
    let found = board_sim::MicroPython::find(&Version::V1_25.find_options(), &mut |_| {});
    found
        .map(|micropython| Maker { micropython })
        .map_err(|error| format!("{error}; `cargo xtask setup` fetches it"))
}

/// Gives boards the committed module of this computer's architecture.
struct Prebuilt;

struct Given;

impl Outfit for Prebuilt {
    fn loan(&self, _: Option<SocketAddr>) -> Box<dyn Loan> {
        Box::new(Given)
    }
}

impl Loan for Given {
    fn give(
        &mut self,
        board: &mut Board,
        _: bool,
        _: &mut dyn FnMut(Words),
    ) -> Result<(), LinkError> {
        if board.state("/umqtt/simple.mpy")? == FileState::Missing {
            let arch = if cfg!(target_arch = "x86_64") {
                "x64"
            } else {
                "x86"
            };
            let file = format!("native-module/prebuilt/{arch}/umqtt/simple.mpy");
            let module = std::fs::read(testkit::repository().join(file)).expect("a module");
            board.mkdir_p("/umqtt")?;
            board.put("/umqtt/simple.mpy", &module)?;
        }
        Ok(())
    }

    fn show(&self, _: &mut Board) -> Result<(), LinkError> {
        Ok(())
    }

    fn take_back(&mut self, _: &mut Board) -> Result<(), LinkError> {
        Ok(())
    }
}

/// What the tests' laboratories have in common: no boards yet, patience.
pub fn config(simulated: Option<Maker>) -> LabConfig {
    let usual = Timeouts::default();
    LabConfig {
        listen: "127.0.0.1:0".parse().expect("an address"),
        lang: Lang::Es,
        broker: LabBroker::Embedded(EmbeddedBroker::default()),
        outfit: Arc::new(Prebuilt),
        simulated,
        boards: Vec::new(),
        folder: None,
        online: false,
        timeouts: Timeouts {
            enter: usual.enter * 10,
            reply: usual.reply * 10,
            boot: usual.boot * 10,
            exec: usual.exec * 10,
            stop: usual.stop * 10,
            write: usual.write * 10,
            ..usual
        },
    }
}

/// A laboratory with simulated boards.
pub fn lab_with(maker: Maker, boards: usize) -> Lab {
    let mut config = config(Some(maker));
    config.boards = vec![PortSpec::Sim; boards];
    Lab::start(config).expect("a laboratory")
}

/// A page, with what it was told and nobody has asked for yet.
pub struct Page {
    socket: WebSocket<TcpStream>,
    told: VecDeque<Value>,
    /// What boards printed, which comes in whatever order to the rest.
    printed: BTreeMap<u64, String>,
}

/// Tries to open the WebSocket with these headers instead of a browser's.
pub fn connect(
    address: SocketAddr,
    headers: &[(&'static str, &str)],
) -> Result<WebSocket<TcpStream>, String> {
    let stream = TcpStream::connect(address).expect("the server");
    stream
        .set_read_timeout(Some(LONG))
        .expect("a time-out of a socket");
    let mut request = format!("ws://{address}/ws")
        .into_client_request()
        .expect("a request");
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(*name, value.parse().expect("a header"));
    }
    match client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(error.to_string()),
    }
}

impl Page {
    /// Opens the page as a browser does.
    pub fn open(lab: &Lab) -> Self {
        let origin = format!("http://{}", lab.address());
        let socket = connect(lab.address(), &[("Origin", &origin)]).expect("a page");
        socket
            .get_ref()
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a time-out of a socket");
        Self {
            socket,
            told: VecDeque::new(),
            printed: BTreeMap::new(),
        }
    }

    pub fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub fn send_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .expect("the laboratory listens");
    }

    /// The next message, waiting for it.
    pub fn next(&mut self) -> Value {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(value) = self.told.pop_front() {
                return value;
            }
            assert!(Instant::now() < deadline, "the laboratory says nothing");
            self.read();
        }
    }

    /// Takes what has come, if anything.
    pub fn read(&mut self) {
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                let value: Value = serde_json::from_str(&text).expect("JSON");
                if value["type"] == "console" {
                    let board = value["board"].as_u64().expect("a number");
                    let text = value["text"].as_str().expect("a text");
                    self.printed.entry(board).or_default().push_str(text);
                } else {
                    self.told.push_back(value);
                }
            }
            Ok(_) => {}
            Err(Error::Io(error))
                if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
            Err(error) => panic!("the WebSocket failed: {error}"),
        }
    }

    /// Waits for a message of a type that says what is wanted; what comes before is passed over.
    pub fn wait(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LONG;
        let mut passed = Vec::new();
        loop {
            while let Some(value) = self.told.pop_front() {
                if value["type"] == kind && wanted(&value) {
                    return value;
                }
                passed.push(value);
            }
            assert!(
                Instant::now() < deadline,
                "no {kind} as wanted came, but: {}",
                serde_json::to_string_pretty(&passed[passed.len().saturating_sub(12)..])
                    .expect("JSON")
            );
            self.read();
        }
    }

    /// Waits until a board is at its prompt; answers its number.
    pub fn wait_for_board(&mut self) -> u64 {
        let deadline = Instant::now() + LONG;
        while Instant::now() < deadline {
            let message = self.next();
            let boards = match message["type"].as_str() {
                Some("hello") => message["boards"].as_array().expect("boards").clone(),
                Some("board") => vec![message],
                _ => continue,
            };
            if let Some(board) = boards.iter().find(|board| board["state"] == "idle") {
                return board["id"].as_u64().expect("a number");
            }
        }
        panic!("no board came to its prompt");
    }

    /// What was told already and nobody has asked for.
    pub fn take(&mut self) -> Option<Value> {
        self.told.pop_front()
    }

    /// Waits until another board is at its prompt.
    pub fn wait_for_board_but(&mut self, one: u64) -> u64 {
        let idle = self.wait("board", |board| {
            board["state"] == "idle" && board["id"] != one
        });
        idle["id"].as_u64().expect("a number")
    }

    /// Runs a program of one file.
    pub fn run(&mut self, board: u64, program: &str) {
        self.send(&json!({
            "type": "run", "board": board, "main": "main.py",
            "files": [{"name": "main.py", "text": program}],
        }));
    }

    /// Waits until a board has printed a text; answers what it printed up to there since the last time.
    pub fn wait_for_text(&mut self, board: u64, text: &str) -> String {
        let deadline = Instant::now() + LONG;
        loop {
            let printed = self.printed.entry(board).or_default();
            if let Some(at) = printed.find(text) {
                return printed.drain(..at + text.len()).collect();
            }
            assert!(Instant::now() < deadline, "no {text:?} in {printed:?}");
            self.read();
        }
    }

    /// Waits until the program on a board has ended, and how.
    pub fn wait_for_end(&mut self, board: u64) -> Value {
        self.wait("ended", |message| message["board"] == board)
    }
}

/// Sends a request as it is, and takes the whole answer.
pub fn raw_request(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the server");
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The answer to a request for a path, by a browser on this computer.
pub fn get(address: SocketAddr, path: &str) -> String {
    raw_request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}
