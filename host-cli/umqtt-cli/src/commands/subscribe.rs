//! `umqtt sub`: prints messages as mosquitto_sub does.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use board_link::Lang;
use broker::{Direction, TapEvent};
use rumqttc::{
    Client, ConnectionError, Event, Outgoing, Packet, Publish, QoS, SubscribeFilter,
    SubscribeReasonCode,
};

use crate::display;
use crate::events::Events;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::message_format::{Format, Moment};
use crate::mqtt_client::{self, Named};
use crate::options::mqtt::SubOptions;
use crate::stop::Stop;

/// Requests that wait for the connection.
const QUEUED: usize = 1000;

/// How often it is looked whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The pause before a lost connection is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long the end may take: the last acknowledgements and DISCONNECT.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

pub fn run(options: &SubOptions, lang: Lang) -> Result<(), Failure> {
    match subscribe(options, lang) {
        Err(failure) if options.client.quiet => Err(Failure::shown(failure.kind())),
        done => done,
    }
}

fn subscribe(options: &SubOptions, lang: Lang) -> Result<(), Failure> {
    let mut named = mqtt_client::named(&options.client, lang)?;
    let mut filters = options.topics.clone();
    filters.extend(named.topic.take());
    for filter in filters
        .iter()
        .chain(&options.filter_out)
        .chain(&options.unsubscribe)
    {
        check_filter(filter, lang)?;
    }
    let format = match &options.format {
        Some(text) => Format::parse(text, lang)?,
        None if options.with_topic => Format::with_topic(),
        None => Format::payload(),
    };
    let stop = Stop::on_signals(lang)?;
    let (client, connection) = Client::new(named.options.clone(), QUEUED);
    let mut connection = Events::of(connection);
    let mut session = Session {
        options,
        named,
        filters,
        format,
        client,
        printed: 0,
        subscribed: false,
        connected_once: false,
        unreleased: HashSet::new(),
        ending: None,
        lang,
    };
    let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
    loop {
        if session.ending.is_none() {
            if stop.is_requested() {
                session.end(Ok(()));
            } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                session.end(Err(Failure::shown(Status::TimeOver)));
            }
        }
        if let Some((since, _)) = &session.ending
            && since.elapsed() > LEAVE_WITHIN
        {
            break;
        }
        match connection.recv_timeout(LOOK_EVERY) {
            Ok(Ok(event)) => {
                if options.client.debug {
                    eprintln!("{}", mqtt_client::debug_line(&event, lang));
                }
                if session.handle(&event)? {
                    break;
                }
            }
            Ok(Err(_)) if session.ending.is_some() => break,
            Ok(Err(error)) => session.lost(&error)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    session.ending.map_or(Ok(()), |(_, ending)| ending)
}

/// A message as an event of the kind that `--json` prints.
fn received(publish: &Publish) -> TapEvent {
    TapEvent {
        time: SystemTime::now(),
        connection: 0,
        client_id: Arc::from(""),
        direction: Direction::ToClient,
        packet: broker::describe(&Packet::Publish(publish.clone()), usize::MAX),
    }
}

fn check_filter(filter: &str, lang: Lang) -> Result<(), Failure> {
    if broker::is_valid_filter(filter) {
        return Ok(());
    }
    Err(Failure::new(
        Status::Usage,
        match lang {
            Lang::En => format!("\"{filter}\" is no topic filter"),
            Lang::Es => format!("\"{filter}\" no es un filtro de temas"),
        },
        lang.pick(
            "+ stands alone between slashes, # alone at the end: casa/+/temperatura, casa/#",
            "+ va solo entre barras, # solo al final: casa/+/temperatura, casa/#",
        ),
    ))
}

struct Session<'a> {
    options: &'a SubOptions,
    named: Named,
    filters: Vec<String>,
    format: Format,
    client: Client,
    printed: u64,
    subscribed: bool,
    connected_once: bool,
    /// QoS 2 messages that the broker has not released yet.
    unreleased: HashSet<u16>,
    /// Since when it is ending, and how.
    ending: Option<(Instant, Result<(), Failure>)>,
    lang: Lang,
}

impl Session<'_> {
    /// Begins to end; what came with QoS 2 is finished before.
    fn end(&mut self, how: Result<(), Failure>) {
        if self.ending.is_none() {
            self.ending = Some((Instant::now(), how));
        }
        if self.unreleased.is_empty() {
            // A connection that is gone needs none.
            let _ = self.client.try_disconnect();
        }
    }

    /// Handles an event; `true` when it was the last.
    fn handle(&mut self, event: &Event) -> Result<bool, Failure> {
        match event {
            Event::Incoming(Packet::ConnAck(ack)) => {
                self.connected_once = true;
                // A session that is still there has its subscriptions, and may have new ones.
                let _ = ack;
                self.ask()?;
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                let refused = |code: &_| *code == SubscribeReasonCode::Failure;
                let place = ack.return_codes.iter().position(refused);
                if let Some(filter) = place.and_then(|place| self.filters.get(place)) {
                    return Err(Failure::complete(
                        Status::Failed,
                        match self.lang {
                            Lang::En => {
                                format!("the broker does not let this user subscribe to {filter}")
                            }
                            Lang::Es => {
                                format!("el broker no deja que este usuario se suscriba a {filter}")
                            }
                        },
                    ));
                }
                self.subscribed = true;
                if self.options.exit_after_subscribing {
                    self.end(Ok(()));
                }
            }
            Event::Incoming(Packet::UnsubAck(_))
                if self.filters.is_empty() && self.options.exit_after_subscribing =>
            {
                self.end(Ok(()));
            }
            Event::Incoming(Packet::Publish(publish)) if self.ending.is_none() => {
                if publish.qos == QoS::ExactlyOnce {
                    self.unreleased.insert(publish.pkid);
                }
                self.message(publish)?;
            }
            Event::Incoming(Packet::PubRel(release)) => {
                self.unreleased.remove(&release.pkid);
            }
            Event::Outgoing(Outgoing::PubComp(_))
                if self.ending.is_some() && self.unreleased.is_empty() =>
            {
                let _ = self.client.try_disconnect();
            }
            Event::Outgoing(Outgoing::Disconnect) => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    /// Subscribes and unsubscribes. The queue has room for both.
    fn ask(&self) -> Result<(), Failure> {
        let full =
            |error: rumqttc::ClientError| Failure::complete(Status::Failed, error.to_string());
        if !self.filters.is_empty() {
            let wanted = self
                .filters
                .iter()
                .map(|filter| SubscribeFilter::new(filter.clone(), self.named.qos));
            self.client.try_subscribe_many(wanted).map_err(full)?;
        }
        for filter in &self.options.unsubscribe {
            self.client.try_unsubscribe(filter).map_err(full)?;
        }
        Ok(())
    }

    fn message(&mut self, publish: &Publish) -> Result<(), Failure> {
        if self.options.retained_only && !publish.retain {
            self.end(Ok(()));
            return Ok(());
        }
        let matches = |filter: &String| broker::matches(filter, &publish.topic);
        if self.options.filter_out.iter().any(matches) {
            return Ok(());
        }
        if self.options.remove_retained && publish.retain {
            // A full queue leaves it for the next time.
            let _ = self
                .client
                .try_publish(&publish.topic, QoS::AtLeastOnce, true, Vec::new());
        }
        if self.options.no_retained && publish.retain {
            return Ok(());
        }
        let mut line = Vec::new();
        if lines::wanted() {
            line.extend(display::packet_line(&received(publish)).bytes());
        } else if let Err(why) = self
            .format
            .write(&mut line, publish, &Moment::now(), self.lang)
        {
            eprintln!("umqtt: {why}");
            return Ok(());
        }
        if !self.options.no_line_end && !lines::wanted() {
            line.push(b'\n');
        }
        let mut output = io::stdout().lock();
        let written = output.write_all(&line).and_then(|()| output.flush());
        if let Err(error) = written {
            // Whoever read this has gone (`umqtt sub … | head`).
            self.end(match error.kind() {
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(Failure::complete(Status::Failed, error.to_string())),
            });
            return Ok(());
        }
        self.printed += 1;
        if self.options.count == Some(self.printed) {
            self.end(Ok(()));
        }
        Ok(())
    }

    /// A connection that never was is an error; one that was is tried again.
    fn lost(&mut self, error: &ConnectionError) -> Result<(), Failure> {
        let failure = mqtt_client::unreachable(&self.named.broker, error, self.lang);
        if !self.connected_once || matches!(error, ConnectionError::ConnectionRefused(_)) {
            return Err(failure);
        }
        if !self.options.client.quiet {
            failure.print(self.lang);
        }
        std::thread::sleep(AGAIN_AFTER);
        Ok(())
    }
}
