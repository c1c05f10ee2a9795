//! The laboratory itself: its boards and its broker, and what becomes of what pages ask for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use board_link::{Lang, LinkError, PortSpec, Timeouts, UsbInfo};
use broker::network::Network;
use rumqttc::QoS;
use weather::Weather;

use crate::LabConfig;
use crate::board::{Handle, Maker, Names, Outfit, Parts, Regrets, Simulated};
use crate::examples;
use crate::folder::Folder;
use crate::mqtt::{LabBroker, Message, Mqtt};
use crate::protocol::{
    Activity, BoardId, BoardView, ClimateView, FromPage, InputsView, Kind, Level, PortView,
    Project, ToPage,
};
use crate::view::View;
use crate::words::Words;

/// Boards of one laboratory.
const BOARDS: usize = 64;

/// How often pages are told what a board shows.
const LOOK_EVERY: Duration = Duration::from_millis(33);

/// How often they are told who is at the broker.
const STATE_EVERY: Duration = Duration::from_secs(1);

/// What a 12-bit converter of an ESP32 is never given more of, in microvolts.
const MOST_MICROVOLTS: u32 = 3_300_000;

#[derive(Default)]
struct Boards {
    /// None while a board is being started.
    handles: BTreeMap<BoardId, Option<Arc<Handle>>>,
    last: BoardId,
}

pub struct Laboratory {
    view: Arc<View>,
    mqtt: Mqtt,
    boards: Mutex<Boards>,
    lang: Lang,
    outfit: Arc<dyn Outfit>,
    maker: Option<Maker>,
    timeouts: Timeouts,
    online: bool,
    /// The certificate by which boards trust the broker, if that is the laboratory's own.
    authority: Option<Vec<u8>>,
    /// Boards' programs are told where the broker is.
    lan: bool,
    folder: Option<Arc<Folder>>,
    /// Further names, and where they lead on simulated boards.
    names: BTreeMap<String, SocketAddr>,
    /// Whoever they lead to.
    _weather: Option<Weather>,
    ended: AtomicBool,
    regrets: Arc<Regrets>,
}

/// The ports of this computer where boards may be.
pub fn ports() -> Vec<PortView> {
    // A system that lists no ports has none to offer; one can be named all the same.
    let ports = board_link::list().unwrap_or_default();
    ports
        .into_iter()
        .filter(board_link::PortInfo::may_be_a_board)
        .map(|port| PortView {
            name: match port.usb.as_ref().and_then(UsbInfo::chip) {
                Some(chip) => format!("{} ({chip})", port.device),
                None => port.device.clone(),
            },
            port: port.device,
        })
        .collect()
}

impl Laboratory {
    /// Starts the broker; boards come with `add`.
    ///
    /// # Errors
    /// Where the broker cannot be had.
    pub fn start(config: &LabConfig) -> Result<Arc<Self>, broker::BrokerError> {
        let (authority, lan) = match &config.broker {
            LabBroker::Embedded(broker) => {
                let secure = broker.secure.as_ref();
                (secure.map(|secure| secure.authority.clone()), broker.open)
            }
            LabBroker::Outside(_) => (None, false),
        };
        let (view, mqtt) = Mqtt::start(config.broker.clone())?;
        let weather = (!config.online).then(|| simulated_weather(&view)).flatten();
        let names = weather
            .iter()
            .map(|weather| (weather::HOST.to_owned(), weather.address()));
        Ok(Arc::new(Self {
            view,
            mqtt,
            boards: Mutex::default(),
            lang: config.lang,
            outfit: Arc::clone(&config.outfit),
            maker: config.simulated.clone(),
            timeouts: config.timeouts.clone(),
            online: config.online,
            authority,
            lan,
            folder: config.folder.clone(),
            names: names.collect(),
            _weather: weather,
            ended: AtomicBool::new(false),
            regrets: Arc::default(),
        }))
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn lang(&self) -> Lang {
        self.lang
    }

    pub fn mqtt(&self) -> &Mqtt {
        &self.mqtt
    }

    fn lock(&self) -> MutexGuard<'_, Boards> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handles(&self) -> Vec<Arc<Handle>> {
        self.lock().handles.values().flatten().cloned().collect()
    }

    fn board(&self, id: BoardId) -> Result<Arc<Handle>, Words> {
        match self.lock().handles.get(&id) {
            Some(Some(handle)) => Ok(Arc::clone(handle)),
            Some(None) => Err(Words::new(
                format!("board {id} is still being started"),
                format!("la placa {id} todavía está arrancando"),
            )),
            None => Err(Words::new(
                format!("there is no board {id}"),
                format!("no hay ninguna placa {id}"),
            )),
        }
    }

    /// Shows what boards do and who is at the broker, on this thread, until the laboratory ends.
    pub fn keep_looking(&self) {
        let mut state_at = Instant::now();
        while !self.ended.load(Ordering::SeqCst) {
            for board in self.handles() {
                board.look();
            }
            if state_at.elapsed() >= STATE_EVERY {
                state_at = Instant::now();
                self.mqtt.tell_state();
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Ends all boards, then the broker. Returns why boards are not as they were found, for each that is not.
    pub fn end(&self) -> Vec<LinkError> {
        self.ended.store(true, Ordering::SeqCst);
        let boards = std::mem::take(&mut self.lock().handles);
        for board in boards.values().flatten() {
            board.end();
        }
        drop(boards);
        self.mqtt.end();
        let mut regrets = self.regrets.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *regrets)
    }

    /// Does what a page asks for; what takes its time goes on behind it.
    ///
    /// # Errors
    /// What makes no sense, in words.
    pub fn hear(self: &Arc<Self>, message: FromPage) -> Result<(), Words> {
        match message {
            FromPage::Run { board, files, main } => self.board(board)?.run(files, main)?,
            FromPage::Stop { board } => self.board(board)?.stop(),
            FromPage::Reset { board } => self.board(board)?.reset(),
            FromPage::Input { board, text } => self.board(board)?.type_in(&text),
            FromPage::Pin { board, pin, level } => {
                let level = of_level(level)?;
                self.board(board)?.sim()?.set_input(pin, level);
            }
            FromPage::Resistor { board, pin, level } => {
                let level = of_level(level)?;
                self.board(board)?.sim()?.set_resistor(pin, level);
            }
            FromPage::Press {
                board,
                pin,
                pressed,
                active_low,
                bounces,
            } => self
                .board(board)?
                .press(pin, pressed, !active_low, bounces)?,
            FromPage::Adc {
                board,
                pin,
                microvolts,
            } => {
                let microvolts = microvolts.min(MOST_MICROVOLTS);
                self.board(board)?.sim()?.set_adc(pin, microvolts);
                self.view.inputs(board, |inputs| {
                    inputs.adc.insert(pin, microvolts);
                });
            }
            FromPage::Climate {
                board,
                pin,
                temperature,
                humidity,
                unplugged,
            } => {
                let measured = climate(temperature, humidity, unplugged)?;
                self.board(board)?.sim()?.set_climate(pin, measured);
                self.view.inputs(board, |inputs| {
                    inputs.climate.insert(pin, shown_climate(measured));
                });
            }
            FromPage::Network {
                board,
                cut,
                delay_ms,
                loss,
            } => {
                let delay = delay_ms.map(|delay| Duration::from_millis(delay.into()));
                self.board(board)?.set_network(cut, delay, loss)?;
            }
            FromPage::Broker { running } => {
                let laboratory = Arc::clone(self);
                std::thread::spawn(move || laboratory.set_broker(running));
            }
            FromPage::Publish {
                topic,
                payload,
                payload_base64,
                qos,
                retain,
            } => self.mqtt.publish(message_to_publish(
                topic,
                payload,
                payload_base64,
                qos,
                retain,
            )?)?,
            FromPage::OpenExample { board, name } => {
                let shown = self.board(board)?;
                let project = examples::open(&name).ok_or_else(|| {
                    Words::new(
                        format!("there is no example {name:?}"),
                        format!("no hay ningún ejemplo {name:?}"),
                    )
                })?;
                shown.release();
                self.view.project(board, project);
            }
            FromPage::AddBoard { kind, port } => {
                let port = match (kind, port) {
                    (Kind::Sim, _) => PortSpec::Sim,
                    (Kind::Real, Some(port)) => {
                        port.parse().map_err(|error| Words::of_link(&error))?
                    }
                    (Kind::Real, None) => PortSpec::Auto,
                };
                let laboratory = Arc::clone(self);
                std::thread::spawn(move || laboratory.add(port, Project::default()));
            }
            FromPage::RemoveBoard { id } => {
                self.board(id)?;
                let laboratory = Arc::clone(self);
                std::thread::spawn(move || laboratory.remove(id));
            }
            // A page's language is its own affair.
            FromPage::Lang { .. } => {}
            FromPage::Save { board, name, text } => {
                self.board(board)?;
                self.save(board, &name, &text)?;
                self.view.event(&ToPage::Saved { board, name });
            }
        }
        Ok(())
    }

    /// Writes a file into the folder that the laboratory was started on.
    fn save(&self, board: BoardId, name: &str, text: &str) -> Result<(), Words> {
        let Some(folder) = &self.folder else {
            return Err(Words::new(
                "there is no folder to save to: start the laboratory on one, umqtt lab FOLDER",
                "no hay carpeta en la que guardar: arranca el laboratorio en una, umqtt lab CARPETA",
            ));
        };
        // An example that was opened must not take the place of the student's own program.
        if !self.view.can_save(board) {
            return Err(Words::new(
                format!(
                    "these files are an example's: they are not saved in {}",
                    folder.path()
                ),
                format!(
                    "estos ficheros son de un ejemplo: no se guardan en {}",
                    folder.path()
                ),
            ));
        }
        folder.save(name, text)
    }

    fn set_broker(&self, running: bool) {
        if let Err(words) = self.mqtt.set_running(running) {
            self.view.error(None, words);
        }
    }

    /// Adds a board: a simulated one, or the one at a port. What goes wrong is told to the pages.
    pub fn add(&self, port: PortSpec, project: Project) {
        let port = match board_link::resolve(&port) {
            Ok(port) => port,
            Err(error) => return self.view.error(None, Words::of_link(&error)),
        };
        let simulated = port == PortSpec::Sim;
        let id = {
            let mut boards = self.lock();
            if boards.handles.len() >= BOARDS {
                drop(boards);
                return self.view.error(
                    None,
                    Words::new(
                        format!("a laboratory has at most {BOARDS} boards"),
                        format!("un laboratorio tiene como mucho {BOARDS} placas"),
                    ),
                );
            }
            let taken = (boards.handles.values().flatten()).any(|board| *board.port() == port);
            if !simulated && taken {
                drop(boards);
                return self.view.error(
                    None,
                    Words::new(
                        format!("the board at {port} is here already"),
                        format!("la placa de {port} ya está aquí"),
                    ),
                );
            }
            boards.last += 1;
            let id = boards.last;
            boards.handles.insert(id, None);
            id
        };
        self.view.board(BoardView {
            id,
            name: format!("{} {id}", self.lang.pick("Board", "Placa")),
            kind: if simulated { Kind::Sim } else { Kind::Real },
            port: (!simulated).then(|| port.to_string()),
            micropython: None,
            state: Activity::Starting,
            network: None,
            inputs: InputsView::default(),
            project: Some(Arc::new(project)),
        });
        if let Err(words) = self.add_as(id, port) {
            self.lock().handles.remove(&id);
            self.view.board_gone(id);
            self.view.error(None, words);
        }
    }

    fn add_as(&self, id: BoardId, port: PortSpec) -> Result<(), Words> {
        let (port, simulated) = if port == PortSpec::Sim {
            let maker = self.maker.as_ref().ok_or_else(|| {
                let error = board_sim::SimError::Unsupported;
                Words::new(error.to_string(), error.to_spanish())
            })?;
            let network = match self.online {
                true => None,
                false => Some(self.network()?),
            };
            let names = network.as_ref().map(|network| Names {
                broker: network.address(),
                secure: network.others().first().copied(),
                others: self.names.clone(),
            });
            let sim = maker.start(names, self.authority.as_deref())?;
            self.view.micropython(id, &maker.version());
            (sim.port(), Some(Simulated { sim, network }))
        } else {
            (port, None)
        };
        // A simulated board goes through its own network.
        let network = simulated.as_ref().and_then(|board| board.network.as_ref());
        let broker = network.map_or(self.mqtt.address(), Network::address);
        let handle = Handle::start(Parts {
            id,
            port,
            simulated,
            view: Arc::clone(&self.view),
            loan: self.outfit.loan(self.lan.then_some(broker)),
            timeouts: self.timeouts.clone(),
            regrets: Arc::clone(&self.regrets),
        });
        let mut boards = self.lock();
        if self.ended.load(Ordering::SeqCst) {
            drop(boards);
            drop(handle);
            return Ok(());
        }
        boards.handles.insert(id, Some(Arc::new(handle)));
        Ok(())
    }

    /// A network of its own for a board, which leads to the broker.
    fn network(&self) -> Result<Network, Words> {
        let secure = self.mqtt.secure();
        Network::with_others(self.mqtt.address(), secure.as_slice()).map_err(|error| {
            Words::new(
                format!("the board's network cannot be had: {error}"),
                format!("no se puede tener la red de la placa: {error}"),
            )
        })
    }

    fn remove(&self, id: BoardId) {
        let removed = self.lock().handles.remove(&id);
        if let Some(Some(handle)) = removed {
            // Its thread ends with the last who looks at it.
            drop(handle);
            self.view.board_gone(id);
        }
    }
}

/// The stand-in for Open-Meteo, which says that it is one as soon as a board asks it. Without it the name is the real
/// one's, as on a board with Internet.
fn simulated_weather(view: &Arc<View>) -> Option<Weather> {
    let pages = Arc::clone(view);
    let started = Weather::start(move || {
        let words = Words::new(
            format!(
                "{} is simulated here: its weather is made up",
                weather::HOST
            ),
            format!(
                "{} es aquí una simulación: su tiempo es inventado",
                weather::HOST
            ),
        );
        pages.notice(Level::Warning, None, words);
    });
    if let Err(error) = &started {
        log::warn!("{} cannot be simulated: {error}", weather::HOST);
    }
    started.ok()
}

/// What a page says a pin is connected to.
fn of_level(level: Option<u8>) -> Result<Option<bool>, Words> {
    match level {
        None => Ok(None),
        Some(0) => Ok(Some(false)),
        Some(1) => Ok(Some(true)),
        Some(other) => Err(Words::new(
            format!("a pin is at 0 or 1, not {other}"),
            format!("un pin está a 0 o a 1, no a {other}"),
        )),
    }
}

/// What a sensor is to measure; none is an unplugged one.
fn climate(
    temperature: Option<f32>,
    humidity: Option<f32>,
    unplugged: bool,
) -> Result<Option<(f32, f32)>, Words> {
    if unplugged {
        return Ok(None);
    }
    match (temperature, humidity) {
        // The DHT22's range, by its data sheet.
        (Some(temperature), Some(humidity))
            if (-40.0..=80.0).contains(&temperature) && (0.0..=100.0).contains(&humidity) =>
        {
            Ok(Some((temperature, humidity)))
        }
        _ => Err(Words::new(
            "a DHT22 measures from -40 to 80 degrees Celsius and from 0 to 100 percent",
            "un DHT22 mide de -40 a 80 grados Celsius y de 0 a 100 por ciento",
        )),
    }
}

/// What pages show of it; of an unplugged sensor what Wokwi's has at first.
fn shown_climate(measured: Option<(f32, f32)>) -> ClimateView {
    let (temperature, humidity) = measured.unwrap_or((24.0, 40.0));
    ClimateView {
        temperature,
        humidity,
        unplugged: measured.is_none(),
    }
}

fn message_to_publish(
    topic: String,
    payload: Option<String>,
    payload_base64: Option<String>,
    qos: u8,
    retain: bool,
) -> Result<Message, Words> {
    if !broker::is_valid_topic(&topic) {
        return Err(Words::new(
            format!("{topic:?} is no topic to publish to: it must have letters, and no + or #"),
            format!("{topic:?} no es un tema en el que publicar: debe tener letras, y ni + ni #"),
        ));
    }
    let payload = match (payload, payload_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| {
                Words::new(
                    format!("the payload is no base64: {error}"),
                    format!("el contenido no es base64: {error}"),
                )
            })?,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => {
            return Err(Words::new(
                "a message has one payload",
                "un mensaje tiene un solo contenido",
            ));
        }
    };
    let qos = match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        other => {
            return Err(Words::new(
                format!("there is QoS 0, 1 and 2, and no {other}"),
                format!("hay QoS 0, 1 y 2, y no {other}"),
            ));
        }
    };
    Ok(Message {
        topic,
        payload,
        qos,
        retain,
    })
}
