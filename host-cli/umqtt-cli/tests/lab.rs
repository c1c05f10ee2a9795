//! `umqtt lab` as it is started: with a broker of its own that boards of the network reach, and on Debian's Mosquitto. The
//! page is a WebSocket client of the test; how it looks in a browser is tested in `lab/page/tests`.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpStream;
use std::process::Child;
use std::time::{Duration, Instant};

use common::{Home, expect_no_process, finish, micropython};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use testkit::{Access, Certificates, Mosquitto, need};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Message, client};

/// How long anything may take on a computer that has other things to do.
const LONG: Duration = Duration::from_secs(60);

/// A laboratory that runs, and its page.
struct Laboratory {
    child: Child,
    /// The line that says where it is.
    said: Value,
    page: WebSocket<TcpStream>,
}

impl Laboratory {
    fn start(home: &Home, arguments: &[&str], authority: Option<&str>) -> Self {
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

    fn send(&mut self, message: &Value) {
        let text = Message::text(message.to_string());
        self.page.send(text).expect("the laboratory listens");
    }

    /// Waits for a message that says what is wanted; what comes before is passed over.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
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

    /// Publishes from the page and waits until the broker hands it out.
    fn publish_and_see(&mut self) {
        self.send(&json!({"type": "publish", "topic": "aula/ñ", "payload": "21,5 °C", "qos": 1}));
        self.wait(|message| {
            has_message(message, "ToClient", |publish| {
                publish["topic"] == "aula/ñ" && publish["payload"] == json!("21,5 °C".as_bytes())
            })
        });
    }

    /// Ends it as Ctrl-C does.
    fn end(mut self) {
        let _ = self.page.close(None);
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("it runs");
        finish(self.child).expect_status(0);
    }
}

/// Whether one of the events is a PUBLISH like this.
fn has_message(message: &Value, direction: &str, wanted: impl Fn(&Value) -> bool) -> bool {
    let events = message["events"].as_array();
    message["type"] == "mqtt"
        && events.into_iter().flatten().any(|event| {
            let publish = &event["packet"]["Publish"];
            event["direction"] == direction && publish.is_object() && wanted(publish)
        })
}

fn is_connected(message: &Value) -> bool {
    let broker = match message["type"].as_str() {
        Some("hello") => &message["broker"],
        Some("broker") => message,
        _ => return false,
    };
    broker["external"] == true && broker["running"] == true
}

/// The board is a simulated one that the test attached, so that the command takes it for a real one.
#[test]
fn a_real_board_is_told_where_the_broker_is() {
    let test = "a_real_board_is_told_where_the_broker_is";
    let micropython = need!(test, micropython());
    let home = Home::new();
    let attached = home.board(1, &micropython);
    let device = attached.device().display().to_string();
    let mut lab = Laboratory::start(&home, &["--port", &device, "--lan=127.0.0.1"], None);
    let hello = lab.wait(|message| message["type"] == "hello");
    assert_eq!(hello["broker"]["lan"], true);
    assert_eq!(hello["broker"]["address"], lab.said["broker"]);
    let program = "from settings import BROKER, BROKER_PORT
from umqtt.simple import MQTTClient
client = MQTTClient('de-verdad', BROKER, port=BROKER_PORT)
client.connect()
client.publish('aula', '{}:{}'.format(BROKER, BROKER_PORT))
client.disconnect()
";
    lab.send(&json!({
        "type": "run", "board": 1, "main": "main.py",
        "files": [{"name": "main.py", "text": program}],
    }));
    let told = lab.said["broker"].as_str().expect("an address").as_bytes();
    let told = json!(told);
    let seen = lab.wait(|message| {
        message["how"] == "error"
            || has_message(message, "ToBroker", |publish| {
                publish["topic"] == "aula" && publish["payload"] == told
            })
    });
    assert_eq!(seen["type"], "mqtt", "{seen}");
    lab.end();
}

#[test]
fn an_outside_broker_is_watched_with_user_and_password() {
    let test = "an_outside_broker_is_watched_with_user_and_password";
    need!(test, micropython());
    let mosquitto = need!(test, Mosquitto::start(&Access::User("ana", "se@cre:ta")));
    let home = Home::new();
    let name = |login: &str| format!("mqtt://{login}@{}", mosquitto.address());
    let mut lab = Laboratory::start(
        &home,
        &["--boards", "0", "--broker", &name("ana:se@cre:ta")],
        None,
    );
    let told = lab.wait(is_connected);
    assert!(!told.to_string().contains("cre:ta"), "{told}");
    lab.publish_and_see();
    lab.end();
    let refused = home.run(["lab", "--no-open", "--broker", &name("ana:wrong")]);
    refused.expect_status(1);
    assert!(
        refused.stderr.contains("refused") && !refused.stderr.contains("wrong"),
        "{refused:#?}"
    );
    expect_no_process();
}

#[test]
fn an_outside_broker_is_watched_over_tls_if_it_is_trusted() {
    let test = "an_outside_broker_is_watched_over_tls_if_it_is_trusted";
    need!(test, micropython());
    let certificates = need!(test, Certificates::generate());
    let mosquitto = need!(test, Mosquitto::start(&Access::Tls(&certificates)));
    let home = Home::new();
    let broker = format!("mqtts://localhost:{}", mosquitto.address().port());
    let arguments = ["--boards", "0", "--broker", &broker];
    let mut lab = Laboratory::start(&home, &arguments, Some(&certificates.authority_pem));
    lab.wait(is_connected);
    lab.publish_and_see();
    lab.end();
    let other = home.script("other.pem", &certificates.other_authority_pem);
    let mut command = home.umqtt(["lab", "--no-open", "--broker", &broker]);
    let distrusted = finish(
        command
            .env("SSL_CERT_FILE", other)
            .spawn()
            .expect("umqtt starts"),
    );
    distrusted.expect_status(1);
    assert!(distrusted.stderr.contains("TLS"), "{distrusted:#?}");
}

#[test]
fn what_is_no_broker_is_refused_before_anything_starts() {
    let test = "what_is_no_broker_is_refused_before_anything_starts";
    need!(test, micropython());
    let home = Home::new();
    for (arguments, status, words) in [
        (&["--broker", "http://h"][..], 2, "no es un broker"),
        (&["--broker", "127.0.0.1:1"], 1, "nadie escucha ahí"),
        (
            &["--lan", "--broker", "test.mosquitto.org"],
            2,
            "--lan es para el broker incluido",
        ),
        (&["--lan=nowhere"], 2, "no es una dirección"),
    ] {
        let usual = ["lab", "--no-open", "--lang", "es"];
        let done = home.run(usual.iter().chain(arguments));
        done.expect_status(status);
        assert!(done.stderr.contains(words), "{done:#?}");
    }
}
