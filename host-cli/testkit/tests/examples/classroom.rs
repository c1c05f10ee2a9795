//! A student's desk: a simulated board that starts a lesson as its main.py, the embedded broker, and Mosquitto's clients.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use board_link::PortSpec;
use board_sim::{BrokerHosts, HostMap, MicroPython, SimBoard, SimConfig};
use broker::{Broker, BrokerConfig, Direction, Identity, Tap, TapOptions, TapPacket, Users};
use testkit::{LossyNetwork, Version, repository};
use weather::Weather;

/// Far more than anything here takes on a busy computer.
const LIMIT: Duration = Duration::from_secs(60);

/// The simulated board's serial number is in its topics; the lessons put it there themselves.
pub struct Classroom {
    pub board: SimBoard,
    /// What answers for Open-Meteo.
    pub weather: Weather,
    /// The network between the board and the broker, where it is a bad one.
    pub network: Option<LossyNetwork>,
    login: Option<(String, String)>,
    broker: Option<Broker>,
    address: SocketAddr,
    tap: Tap,
    printed: Arc<Mutex<String>>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

/// What is unusual about a lesson's desk.
#[derive(Default)]
pub struct Desk {
    /// The user whom alone the broker lets in, and the password.
    pub login: Option<(&'static str, &'static str)>,
    /// The broker speaks TLS, and its authority's certificate is on the board as `ca.der`.
    pub tls: bool,
    /// A network that drops each connection after this many bytes or up to twice as many.
    pub loses_after: Option<usize>,
    /// Another broker, to which all names lead.
    pub broker: Option<SocketAddr>,
    /// What the student changes in the program: each text, which is there once, becomes the other.
    pub changes: Vec<(String, String)>,
}

/// A message as the broker sees it.
#[derive(Debug)]
pub struct Message {
    pub topic: String,
    pub text: String,
    pub retain: bool,
}

fn config(listen: SocketAddr) -> BrokerConfig {
    BrokerConfig {
        listen,
        ..BrokerConfig::default()
    }
}

impl Classroom {
    /// The lesson of `examples/NAME`, running. `wire` connects buttons and sensors before the board has power.
    ///
    /// # Errors
    /// What is missing on this computer.
    pub fn open(name: &str, wire: impl FnOnce(&SimBoard)) -> Result<Classroom, String> {
        Self::at(Desk::default(), name, wire)
    }

    /// The same at a desk that is not as the others.
    ///
    /// # Errors
    /// What is missing on this computer.
    pub fn at(desk: Desk, name: &str, wire: impl FnOnce(&SimBoard)) -> Result<Classroom, String> {
        let micropython = MicroPython::find(&Version::V1_26.find_options(), &mut |_| {})
            .map_err(|error| error.to_string())?;
        for program in ["mosquitto_pub", "mosquitto_sub"] {
            if Command::new(program).arg("--help").output().is_err() {
                return Err(format!("{program} is not installed"));
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let copy = |from: &str, to: &str| {
            let to = folder.path().join(to);
            std::fs::create_dir_all(to.parent().expect("its folder")).expect("a folder");
            std::fs::copy(repository().join(from), &to)
                .unwrap_or_else(|error| panic!("{from}: {error}"));
        };
        copy(
            "native-module/prebuilt/x64/umqtt/simple.mpy",
            "umqtt/simple.mpy",
        );
        copy("python/umqtt/robust.py", "umqtt/robust.py");
        copy("python/umqtt/aio.py", "umqtt/aio.py");
        let mut broker = config(SocketAddr::from(([127, 0, 0, 1], 0)));
        let secrets = tempfile::tempdir().expect("a folder");
        if let Some((user, password)) = desk.login {
            let file = secrets.path().join("users");
            broker::set_password(&file, user, password.as_bytes(), true).expect("a password file");
            broker.users = Some(Arc::new(Users::load(&file).expect("it was written")));
        }
        if desk.tls {
            let names = ["localhost".to_owned()];
            let (identity, trust) =
                Identity::make(secrets.path(), &names, &[]).expect("a certificate");
            broker.tls = Some((broker.listen, identity));
            std::fs::copy(trust.der, folder.path().join("ca.der")).expect("a copy");
        }
        let broker = Broker::start(broker).expect("a broker");
        let address = broker.addr();
        let tap = broker.tap(TapOptions::default());
        let weather = Weather::start(|| {}).expect("a stand-in for Open-Meteo");
        let network = desk
            .loses_after
            .map(|bytes| LossyNetwork::start(address, bytes));
        let meets = desk
            .broker
            .or(network.as_ref().map(LossyNetwork::address))
            .unwrap_or(address);
        let mut settings = SimConfig::new(folder.path(), micropython);
        settings.hosts = HostMap {
            broker: Some(BrokerHosts {
                tcp: meets,
                tls: broker.tls_addr(),
            }),
            names: [
                (weather::HOST.to_owned(), weather.address()),
                // The broker on the student's own computer, on whatever port that has here.
                ("localhost".to_owned(), broker.tls_addr().unwrap_or(meets)),
            ]
            .into(),
            ..HostMap::default()
        };
        let board = SimBoard::start(settings).expect("a simulated board");
        wire(&board);
        let mut program = read(&format!("examples/{name}/main.py"));
        for (old, new) in &desk.changes {
            assert_eq!(program.matches(old).count(), 1, "{name}: {old}");
            program = program.replace(old, new);
        }
        std::fs::write(folder.path().join("main.py"), program).expect("the program");
        let spec = PortSpec::Device(board.device().display().to_string());
        let mut serial = board_link::open(&spec).expect("the board's port");
        let (printed, over) = (
            Arc::<Mutex<String>>::default(),
            Arc::<AtomicBool>::default(),
        );
        let reader = std::thread::spawn({
            let (printed, over) = (printed.clone(), over.clone());
            move || {
                let mut bytes = [0; 1024];
                while !over.load(Ordering::Relaxed) {
                    let Ok(count) = serial.read(&mut bytes, Duration::from_millis(50)) else {
                        break;
                    };
                    // The lessons print whole lines, each in one write.
                    printed
                        .lock()
                        .expect("the text")
                        .push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            }
        });
        board.reset();
        Ok(Classroom {
            board,
            weather,
            network,
            login: desk
                .login
                .map(|(user, password)| (user.to_owned(), password.to_owned())),
            broker: Some(broker),
            address,
            tap,
            printed,
            over,
            reader: Some(reader),
            folder,
        })
    }

    /// Everything the board has printed.
    pub fn printed(&self) -> String {
        self.printed.lock().expect("the text").clone()
    }

    /// Waits until the board has printed this.
    #[track_caller]
    pub fn sees(&self, text: &str) {
        self.until(|room| room.printed().contains(text), text);
    }

    /// Waits until something is so; `what` is for the message.
    #[track_caller]
    pub fn until(&self, so: impl Fn(&Classroom) -> bool, what: &str) {
        let start = Instant::now();
        while !so(self) {
            assert!(start.elapsed() < LIMIT, "never: {what}\n{}", self.printed());
            sleep(Duration::from_millis(5));
        }
    }

    /// The next message that the board publishes.
    #[track_caller]
    pub fn published(&self) -> Message {
        self.publication()
            .unwrap_or_else(|| panic!("nothing is published\n{}", self.printed()))
    }

    fn publication(&self) -> Option<Message> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            let event = self.tap.next(Duration::from_millis(100));
            let Some((
                Direction::ToBroker,
                TapPacket::Publish {
                    topic,
                    payload,
                    retain,
                    ..
                },
            )) = event.map(|event| (event.direction, event.packet))
            else {
                continue;
            };
            let text = String::from_utf8_lossy(&payload).into_owned();
            return Some(Message {
                topic,
                text,
                retain,
            });
        }
        None
    }

    /// The topic that the lesson named after `words`, such as `Publico en `.
    #[track_caller]
    pub fn topic_after(&self, words: &str) -> String {
        self.sees(words);
        let rest = |text: &str| Some(text.split_once(words)?.1.split_once("\r\n")?.0.to_owned());
        self.until(|room| rest(&room.printed()).is_some(), words);
        rest(&self.printed()).expect("it is there now")
    }

    /// One of Mosquitto's clients, for this broker.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()]);
        if let Some((user, password)) = &self.login {
            command.args(["-u", user, "-P", password]);
        }
        command
    }

    /// Starts the lesson again with the program changed, as `Desk::changes` says.
    pub fn change(&self, old: &str, new: &str) {
        let path = self.folder.path().join("main.py");
        let program = std::fs::read_to_string(&path).expect("the program");
        assert_eq!(program.matches(old).count(), 1, "{old}");
        std::fs::write(&path, program.replace(old, new)).expect("the program");
        self.board.reset();
    }

    /// Puts a file on the board.
    pub fn put(&self, name: &str, content: &[u8]) {
        std::fs::write(self.folder.path().join(name), content).expect("a file on the board");
    }

    /// Takes a file off the board.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join(name)).expect("it was there");
    }

    /// Whether the broker takes a message from somebody who says no name.
    pub fn nobody_sends(&self, topic: &str, text: &str) -> bool {
        let output = Command::new("mosquitto_pub")
            .args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()])
            .args(["-q", "1", "-t", topic, "-m", text])
            .output()
            .expect("mosquitto_pub");
        output.status.success()
    }

    /// Sends a message as a classmate does.
    pub fn send(&self, topic: &str, text: &str) {
        let status = self
            .client("mosquitto_pub")
            .args(["-q", "1", "-t", topic, "-m", text])
            .status()
            .expect("mosquitto_pub");
        assert!(status.success(), "{status}");
    }

    /// What a classmate who subscribes now is told at once: the retained message.
    pub fn retained(&self, topic: &str) -> String {
        self.hears(topic, 1)
            .join()
            .expect("mosquitto_sub")
            .remove(0)
    }

    /// The next messages that a classmate is told who subscribes now, the retained one first. What the board publishes
    /// until he has subscribed is not seen by [`Classroom::published`].
    pub fn hears(&self, topic: &str, count: usize) -> JoinHandle<Vec<String>> {
        let mut command = self.client("mosquitto_sub");
        command
            .args(["-t", topic, "-C", &count.to_string(), "-W", "60"])
            .stdin(Stdio::null());
        let classmate = std::thread::spawn(move || {
            let output = command.output().expect("mosquitto_sub");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text.lines().count(), count, "{text:?}");
            text.lines().map(str::to_owned).collect()
        });
        self.until(
            |room| {
                let event = room.tap.next(Duration::from_millis(100));
                event.is_some_and(|event| matches!(event.packet, TapPacket::SubAck { .. }))
            },
            "a classmate subscribes",
        );
        classmate
    }

    /// Stops the broker, so that the board loses its connection.
    pub fn stop_broker(&mut self) {
        self.broker = None;
    }

    /// Starts a new one where the old one was.
    pub fn start_broker(&mut self) {
        let broker = Broker::start(config(self.address)).expect("the same port");
        self.tap = broker.tap(TapOptions::default());
        self.broker = Some(broker);
    }

    /// Presses a button that leads to ground, and lets it go; its contact bounces.
    pub fn press(&self, pin: u8) {
        for (from, to) in [(Some(true), Some(false)), (Some(false), Some(true))] {
            self.board.switch(pin, from, to);
            sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Classroom {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // Its panic, if any, has been printed; the test fails by what it did not see.
            let _ = reader.join();
        }
    }
}

/// A file of the repository.
#[track_caller]
pub fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders in `examples/`.
pub fn names() -> Vec<String> {
    let folder: PathBuf = repository().join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the examples")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
