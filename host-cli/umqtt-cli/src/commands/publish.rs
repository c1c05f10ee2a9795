//! `umqtt pub`: publishes messages as mosquitto_pub does, and ends when the broker has them.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use board_link::Lang;
use rumqttc::{Client, Event, Outgoing, Packet, QoS};
use serde_json::json;

use crate::events::Events;
use crate::failure::{self, Failure, Status};
use crate::lines;
use crate::mqtt_client::{self, Named};
use crate::options::mqtt::PubOptions;
use crate::stop::Stop;

/// Messages that wait in this process before reading more of them.
const QUEUED: usize = 16;

/// How long the broker may take to accept the client.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// How often it is looked whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub fn run(options: &PubOptions, lang: Lang) -> Result<(), Failure> {
    let done = publish(options, lang);
    match done {
        Err(failure) if options.client.quiet => Err(Failure::shown(failure.kind())),
        done => done,
    }
}

fn publish(options: &PubOptions, lang: Lang) -> Result<(), Failure> {
    let mut named = mqtt_client::named(&options.client, lang)?;
    let topic = named.topic.take().or_else(|| options.topic.clone());
    let topic = topic.unwrap_or_default();
    mqtt_client::check_topic(&topic, lang)?;
    if let Some(count) = options.max_inflight {
        named.options.set_inflight(count);
    }
    let first = message(options, lang)?;
    let stop = Stop::on_signals(lang)?;
    let (client, connection) = Client::new(named.options.clone(), QUEUED);
    let mut connection = Events::of(connection);
    connect(&mut connection, &named, options.client.debug, &stop, lang)?;

    let outbox = Outbox {
        client,
        topic: topic.clone(),
        qos: named.qos,
        retain: options.retain,
        handed_over: Arc::default(),
    };
    let handed_over = Arc::clone(&outbox.handed_over);
    let (repeat, pause) = (options.repeat.unwrap_or(1), options.repeat_delay);
    let feeding = std::thread::spawn(move || match first {
        Some(payload) => outbox.repeat(&payload, repeat, pause),
        None => outbox.lines(),
    });
    let mut arrived = 0;
    loop {
        if stop.is_requested() {
            return stop.interrupted(lang);
        }
        if feeding.is_finished() && arrived >= handed_over.load(Ordering::SeqCst) {
            let done = feeding.join();
            let client = done.unwrap_or_else(|_| Err(io::Error::other("a fault of this program")));
            let client = client.map_err(|error| unreadable("stdin", &error, lang))?;
            // The queue is empty.
            let _ = client.try_disconnect();
            leave(&mut connection, options.client.debug, lang);
            if lines::wanted() {
                let fields = json!({
                    "topic": topic, "messages": arrived, "qos": named.qos as u8, "retain": options.retain,
                });
                lines::print("published", fields, lang)?;
            }
            return Ok(());
        }
        match connection.recv_timeout(LOOK_EVERY) {
            Ok(Ok(event)) => {
                if options.client.debug {
                    eprintln!("{}", mqtt_client::debug_line(&event, lang));
                }
                arrived += u64::from(is_done(&event, named.qos));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Err(error)) => {
                let sent = handed_over.load(Ordering::SeqCst);
                let failure = mqtt_client::unreachable(&named.broker, &error, lang);
                return Err(Failure::complete(
                    Status::Failed,
                    match lang {
                        Lang::En => format!("{failure}; {arrived} of {sent} messages had arrived"),
                        Lang::Es => {
                            format!("{failure}; habían llegado {arrived} de {sent} mensajes")
                        }
                    },
                ));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::shown(Status::Failed)),
        }
    }
}

/// Whether this is the last that is heard of a message.
fn is_done(event: &Event, qos: QoS) -> bool {
    matches!(
        (event, qos),
        (Event::Outgoing(Outgoing::Publish(_)), QoS::AtMostOnce)
            | (Event::Incoming(Packet::PubAck(_)), QoS::AtLeastOnce)
            | (Event::Incoming(Packet::PubComp(_)), QoS::ExactlyOnce)
    )
}

fn connect(
    connection: &mut Events,
    named: &Named,
    debug: bool,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    let deadline = Instant::now() + CONNECT_WITHIN;
    loop {
        stop.interrupted(lang)?;
        match connection.recv_timeout(LOOK_EVERY) {
            Ok(Ok(event)) => {
                if debug {
                    eprintln!("{}", mqtt_client::debug_line(&event, lang));
                }
                if matches!(event, Event::Incoming(Packet::ConnAck(_))) {
                    return Ok(());
                }
            }
            Ok(Err(error)) => return Err(mqtt_client::unreachable(&named.broker, &error, lang)),
            Err(_) if Instant::now() < deadline => {}
            Err(_) => {
                let error = rumqttc::ConnectionError::NetworkTimeout;
                return Err(mqtt_client::unreachable(&named.broker, &error, lang));
            }
        }
    }
}

/// Waits until DISCONNECT is on its way, behind all messages.
fn leave(connection: &mut Events, debug: bool, lang: Lang) {
    while let Ok(Ok(event)) = connection.recv_timeout(CONNECT_WITHIN) {
        if debug {
            eprintln!("{}", mqtt_client::debug_line(&event, lang));
        }
        if matches!(event, Event::Outgoing(Outgoing::Disconnect)) {
            break;
        }
    }
}

/// The message of all forms but `-l`.
fn message(options: &PubOptions, lang: Lang) -> Result<Option<Vec<u8>>, Failure> {
    if options.lines {
        return Ok(None);
    }
    if options.null {
        return Ok(Some(Vec::new()));
    }
    if let Some(text) = &options.message {
        return Ok(Some(text.clone().into_bytes()));
    }
    if let Some(file) = &options.file {
        let read = std::fs::read(file);
        return read
            .map(Some)
            .map_err(|error| unreadable(&file.display().to_string(), &error, lang));
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable("stdin", &error, lang))?;
    Ok(Some(bytes))
}

fn unreadable(what: &str, error: &io::Error, lang: Lang) -> Failure {
    let message = failure::cannot_read(what, error, lang);
    Failure::complete(Status::Failed, message)
}

/// Hands messages to the connection, and gives the client back when there are no more.
struct Outbox {
    client: Client,
    topic: String,
    qos: QoS,
    retain: bool,
    handed_over: Arc<AtomicU64>,
}

impl Outbox {
    fn send(&self, payload: Vec<u8>) -> bool {
        self.handed_over.fetch_add(1, Ordering::SeqCst);
        self.client
            .publish(&self.topic, self.qos, self.retain, payload)
            .is_ok()
    }

    fn repeat(self, payload: &[u8], count: u32, pause: Option<Duration>) -> io::Result<Client> {
        for number in 0..count {
            if let Some(pause) = pause.filter(|_| number > 0) {
                std::thread::sleep(pause);
            }
            if !self.send(payload.to_vec()) {
                break;
            }
        }
        Ok(self.client)
    }

    fn lines(self) -> io::Result<Client> {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line)? > 0 {
            let mut payload = std::mem::take(&mut line);
            if payload.ends_with(b"\n") {
                payload.pop();
            }
            if payload.ends_with(b"\r") {
                payload.pop();
            }
            if !self.send(payload) {
                break;
            }
        }
        Ok(self.client)
    }
}
