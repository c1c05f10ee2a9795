//! A laboratory that runs, and its page: a WebSocket client of the test.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Message, client};

use super::{Done, Home, finish};

/// How long anything may take on a computer that has other things to do.
const LONG: Duration = Duration::from_secs(60);

/// A laboratory that runs, and its page.
pub struct Laboratory {
    child: Child,
    /// The line that says where it is.
    pub said: Value,
    page: WebSocket<TcpStream>,
}

impl Laboratory {
    pub fn start(home: &Home, arguments: &[&str], authority: Option<&str>) -> Self {
        let usual = ["lab", "--no-open", "--listen", "127.0.0.1:0", "--json"];
        let mut command = home.umqtt(usual.iter().chain(arguments));
        command.env("XDG_DATA_HOME", home.path());
        if let Some(authority) = authority {
            command.env("SSL_CERT_FILE", home.script("authority.pem", authority));
        }
        let mut child = command.spawn().expect("umqtt starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        let said = loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("lines") == 0 {
                panic!("it ended: {:#?}", finish(child));
            }
            let value: Value = serde_json::from_str(&line).expect("JSON");
            if value["event"] == "laboratory" {
                break value;
            }
        };
        // What it says later has to go somewhere.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let url = said["page"].as_str().expect("an address");
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(address).expect("the page's server");
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a time-out");
        let mut request = format!("ws://{address}/ws")
            .into_client_request()
            .expect("a request");
        let origin = format!("http://{address}");
        request
            .headers_mut()
            .insert("Origin", origin.parse().expect("a header"));
        let mut handshake = client(request, stream);
        let page = loop {
            use tokio_tungstenite::tungstenite::handshake::HandshakeError;
            match handshake {
                Ok((page, _)) => break page,
                Err(HandshakeError::Interrupted(middle)) => handshake = middle.handshake(),
                Err(HandshakeError::Failure(error)) => panic!("no page: {error}"),
            }
        };
        Self { child, said, page }
    }

    pub fn send(&mut self, message: &Value) {
        let text = Message::text(message.to_string());
        self.page.send(text).expect("the laboratory listens");
    }

    /// Waits for a message that says what is wanted; what comes before is passed over.
    pub fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LONG;
        let mut passed = Vec::new();
        while Instant::now() < deadline {
            match self.page.read() {
                Ok(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text).expect("JSON");
                    if wanted(&value) {
                        return value;
                    }
                    passed.push(value);
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
                Err(error) => panic!("the WebSocket failed: {error}"),
            }
        }
        panic!("what was wanted did not come, but: {passed:#?}");
    }

    /// Ends it as Ctrl-C does.
    pub fn end(mut self) -> Done {
        let _ = self.page.close(None);
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("it runs");
        finish(self.child)
    }
}
