//! `umqtt monitor`: shows what goes on at a broker. Against `umqtt broker` on this computer that is everything, for the
//! broker tells it; of any other broker it is what an observer gets who subscribes to `#`.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use board_link::Lang;
use broker::{BrokerState, Direction, MONITOR_TOPIC, MonitorMessage, TapEvent};
use rumqttc::{Client, ConnectionError, Event, Packet, QoS, SubscribeReasonCode};
use serde_json::json;

use crate::broker_choice::{self, BrokerChoice, OutsideBroker};
use crate::display::{Display, Form, Message};
use crate::events::Events;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::monitor::model::Model;
use crate::monitor::screen::{self, Frame, Scrolled};
use crate::monitor::terminal::{Key, Terminal};
use crate::mqtt_client;
use crate::options::mqtt::MonitorOptions;
use crate::stop::Stop;
use crate::tls_client::Trust;

/// How long the broker may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How often keys are looked for and the screen is drawn.
const TURN: Duration = Duration::from_millis(50);

/// A filter that nothing is published to. Its UNSUBACK comes behind what the broker sends for MONITOR_TOPIC.
const FENCE: &str = "$SYS/umqtt/fence";

pub fn run(options: &MonitorOptions, lang: Lang) -> Result<(), Failure> {
    let broker = match options.broker.as_deref() {
        None => OutsideBroker {
            host: "127.0.0.1".to_owned(),
            port: broker::DEFAULT_PORT,
            tls: false,
            user: None,
            password: None,
        },
        Some(text) => match broker_choice::named(text, lang)? {
            BrokerChoice::Outside(broker) => broker,
            BrokerChoice::Embedded => {
                return Err(Failure::new(
                    Status::Usage,
                    lang.pick(
                        "the embedded broker of this command would have no clients",
                        "el broker incluido en esta orden no tendría clientes",
                    ),
                    lang.pick(
                        "start umqtt broker, and umqtt monitor beside it without a name",
                        "inicia umqtt broker, y al lado umqtt monitor sin nombre",
                    ),
                ));
            }
        },
    };
    let trust = Trust {
        files: options.cafile.iter().cloned().collect(),
        ..Trust::default()
    };
    let stop = Stop::on_signals(lang)?;
    let settings = mqtt_client::options(&broker, &trust, lang)?;
    let (client, connection) = Client::new(settings, 100);
    let mut connection = Events::of(connection);
    let state = begin(&client, &mut connection, &broker, &stop, lang)?;
    let view = if io::stdout().is_terminal() && io::stdin().is_terminal() && !lines::wanted() {
        View::screen(&broker, state.as_ref(), lang)?
    } else {
        View::lines(&broker, state.as_ref(), &stop, lang)
    };
    let done = watch(&mut connection, view, &broker, &stop, lang);
    // A connection that is gone needs none.
    let _ = client.try_disconnect();
    // What is left of DISCONNECT goes out with the next turn.
    let _ = connection.recv_timeout(TURN);
    done
}

/// Subscribes; the state where the broker is ours and tells it, else none.
fn begin(
    client: &Client,
    connection: &mut Events,
    broker: &OutsideBroker,
    stop: &Stop,
    lang: Lang,
) -> Result<Option<BrokerState>, Failure> {
    // The queue has room for these.
    let _ = client.try_subscribe(MONITOR_TOPIC, QoS::AtMostOnce);
    let _ = client.try_unsubscribe(FENCE);
    let mut state = None;
    let mut asked_for_all = false;
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        stop.interrupted(lang)?;
        match connection.recv_timeout(TURN) {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) if publish.topic == MONITOR_TOPIC => {
                if let Some(MonitorMessage::State(found)) = MonitorMessage::decode(&publish.payload)
                {
                    state = Some(found);
                }
            }
            Ok(Ok(Event::Incoming(Packet::UnsubAck(_)))) => {
                if state.is_some() {
                    return Ok(state);
                }
                asked_for_all = true;
                let _ = client.try_subscribe("#", QoS::ExactlyOnce);
            }
            Ok(Ok(Event::Incoming(Packet::SubAck(ack)))) if asked_for_all => {
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    return Err(Failure::new(
                        Status::Failed,
                        lang.pick(
                            "the broker does not let this user read all topics",
                            "el broker no deja que este usuario lea todos los temas",
                        ),
                        lang.pick(
                            "name a user who may: USER:PASSWORD@HOST",
                            "indica un usuario que pueda: USUARIO:CONTRASEÑA@HOST",
                        ),
                    ));
                }
                return Ok(None);
            }
            Ok(Err(error)) => return Err(mqtt_client::unreachable(broker, &error, lang)),
            Ok(Ok(_)) => {}
            Err(_) if Instant::now() < deadline => {}
            Err(_) => {
                let error = ConnectionError::NetworkTimeout;
                return Err(mqtt_client::unreachable(broker, &error, lang));
            }
        }
    }
}

fn watch(
    connection: &mut Events,
    mut view: View,
    broker: &OutsideBroker,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    let mut drawn = Instant::now();
    let result = loop {
        if stop.is_requested() {
            break Ok(());
        }
        match connection.recv_timeout(TURN) {
            Ok(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                if publish.topic != MONITOR_TOPIC {
                    view.event(observed(&publish));
                } else if let Some(MonitorMessage::Events { events, dropped }) =
                    MonitorMessage::decode(&publish.payload)
                {
                    events.into_iter().for_each(|event| view.event(event));
                    view.missed(dropped);
                }
            }
            Ok(Err(error)) => break Err(mqtt_client::unreachable(broker, &error, lang)),
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Ok(Ok(_)) | Err(RecvTimeoutError::Timeout) => {}
        }
        if drawn.elapsed() >= TURN {
            drawn = Instant::now();
            match view.turn() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(Failure::complete(Status::Failed, error.to_string())),
            }
        }
    };
    view.finish();
    result
}

/// A message that a broker handed to this observer. The exchange with the observer itself is of no interest.
fn observed(publish: &rumqttc::Publish) -> TapEvent {
    let mut publish = publish.clone();
    publish.pkid = 0;
    TapEvent {
        time: SystemTime::now(),
        connection: 0,
        client_id: Arc::from(""),
        direction: Direction::ToClient,
        packet: broker::describe(&Packet::Publish(publish), 4096),
    }
}

/// How it is shown.
enum View {
    Screen {
        terminal: Terminal,
        model: Box<Model>,
        frame: Frame,
        changed: bool,
        size: (usize, usize),
    },
    Lines {
        display: Display,
        missed: u64,
        lang: Lang,
    },
}

impl View {
    fn screen(
        broker: &OutsideBroker,
        state: Option<&BrokerState>,
        lang: Lang,
    ) -> Result<Self, Failure> {
        let mut model = Box::<Model>::default();
        if let Some(state) = state {
            model.begin(state, lang);
        }
        let terminal = Terminal::begin()
            .map_err(|error| Failure::complete(Status::Failed, error.to_string()))?;
        Ok(Self::Screen {
            terminal,
            model,
            frame: Frame {
                broker: broker.to_string(),
                sees_all: state.is_some(),
                paused: false,
                chosen: Scrolled::Topics,
                over: [0, 0],
                lang,
            },
            changed: true,
            size: (0, 0),
        })
    }

    /// Begins with what is there: who sees what, clients, retained messages.
    fn lines(broker: &OutsideBroker, state: Option<&BrokerState>, stop: &Stop, lang: Lang) -> Self {
        let form = Form {
            json: lines::wanted(),
            all_packets: true,
            lang,
        };
        let display = Display::start(form, stop);
        let sender = display.sender();
        sender.note(match (lang, state.is_some()) {
            (Lang::En, true) => format!("{broker} tells everything; Ctrl-C ends"),
            (Lang::Es, true) => format!("{broker} lo cuenta todo; Ctrl-C termina"),
            (Lang::En, false) => format!(
                "{broker} shows an observer messages only: no clients, no subscriptions, no handshakes; Ctrl-C ends"
            ),
            (Lang::Es, false) => format!(
                "{broker} solo muestra mensajes a un observador: ni clientes, ni suscripciones, ni intercambios; Ctrl-C termina"
            ),
        });
        if let Some(state) = state {
            for client in &state.clients {
                let filters: Vec<String> = client
                    .subscriptions
                    .iter()
                    .map(|(filter, qos)| format!("{filter} (QoS {qos})"))
                    .collect();
                let away = match client.connection {
                    Some(_) => "",
                    None => lang.pick(" (away)", " (ausente)"),
                };
                sender.show(Message::Result {
                    text: format!("{}{away}: {}", client.client_id, filters.join(", ")),
                    fields: json!({
                        "event": "client",
                        "client_id": client.client_id,
                        "connected": client.connection.is_some(),
                        "subscriptions": client.subscriptions,
                        "waiting": client.waiting,
                    }),
                });
            }
            let mut model = Model::default();
            model.begin(state, lang);
            for (topic, kept) in &model.topics {
                sender.show(Message::Result {
                    text: format!("{topic}: {} ®", kept.payload),
                    fields: json!({
                        "event": "retained", "topic": topic, "payload": kept.payload, "qos": kept.qos,
                    }),
                });
            }
        }
        Self::Lines {
            display,
            missed: 0,
            lang,
        }
    }

    fn event(&mut self, event: TapEvent) {
        match self {
            Self::Screen {
                model,
                frame,
                changed,
                ..
            } => {
                // What comes during a pause is counted in, and shown afterwards.
                model.apply(&event, frame.lang);
                *changed = true;
            }
            Self::Lines { display, .. } => display.sender().show(Message::Mqtt(event)),
        }
    }

    /// Notes how many events were too fast so far.
    fn missed(&mut self, count: u64) {
        match self {
            Self::Screen { model, .. } => model.missed = count,
            Self::Lines {
                display,
                missed,
                lang,
            } if count > *missed => {
                let more = count - *missed;
                *missed = count;
                display.sender().note(match lang {
                    Lang::En => format!("{more} packets were too fast to be shown"),
                    Lang::Es => format!("{more} paquetes iban demasiado rápido para mostrarlos"),
                });
            }
            Self::Lines { .. } => {}
        }
    }

    /// Heeds the keys and draws; `false` where a key ends it.
    fn turn(&mut self) -> io::Result<bool> {
        let Self::Screen {
            terminal,
            model,
            frame,
            changed,
            size,
        } = self
        else {
            return Ok(true);
        };
        for key in terminal.keys() {
            match key {
                Key::End => return Ok(false),
                Key::Pause => frame.paused = !frame.paused,
                Key::Next => frame.choose_other(),
                Key::Up => frame.scroll(-1, model),
                Key::Down => frame.scroll(1, model),
            }
            // The line of keys says that it is paused, so a key is always answered.
            *changed = true;
            if key == Key::Pause && frame.paused {
                let (width, height) = terminal.size();
                terminal.show(screen::render(model, frame, width, height))?;
            }
        }
        let now = terminal.size();
        if (*changed && !frame.paused) || now != *size {
            *size = now;
            *changed = false;
            terminal.show(screen::render(model, frame, now.0, now.1))?;
        }
        Ok(true)
    }

    fn finish(self) {
        if let Self::Lines { display, .. } = self {
            display.finish();
        }
    }
}
