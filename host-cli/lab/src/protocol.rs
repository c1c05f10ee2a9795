//! The messages between a page and the laboratory: JSON texts over one WebSocket, told apart by their field `type`.
//!
//! docs/LAB.md lists them. What a page sends may be anything; what is no message of this list is refused with a notice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::{BrokerState, ClientState, RetainedMessage, TapEvent};
use serde::{Deserialize, Serialize};

/// Counts boards from 1; a number is never given twice.
pub type BoardId = u32;

/// Whether a board is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Sim,
    Real,
}

/// What a board is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// It is being reached, or a program is on its way to it.
    Starting,
    /// It is at its prompt.
    Idle,
    Running,
    /// Its line is lost; `reset` tries it again.
    Gone,
}

/// A text file of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    pub name: String,
    pub text: String,
}

/// What a board's Wi-Fi is doing, as far as that can be seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wifi {
    Off,
    Connecting,
    Connected,
}

/// How a board's network is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinkView {
    pub cut: bool,
    /// Milliseconds that each byte takes longer, in each direction.
    pub delay_ms: u32,
    /// Percent of the MQTT packets that are lost, with their connection.
    pub loss: f64,
    pub wifi: Wifi,
}

/// What is in front of a student: the program's files and the parts around the board.
#[derive(Debug, Clone, Serialize)]
pub struct Project {
    pub files: Vec<SourceFile>,
    /// The name of the file that is run.
    pub main: String,
    /// The files are those of the laboratory's folder, and `save` writes them there.
    pub can_save: bool,
    /// Wokwi's diagram.json as it was found; null without one.
    pub diagram: Option<serde_json::Value>,
}

impl Default for Project {
    /// An empty program without parts.
    fn default() -> Self {
        let main = "main.py".to_owned();
        Self {
            files: vec![SourceFile {
                name: main.clone(),
                text: String::new(),
            }],
            main,
            can_save: false,
            diagram: None,
        }
    }
}

/// What a DHT22 measures, in degrees Celsius and percent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClimateView {
    pub temperature: f32,
    pub humidity: f32,
    pub unplugged: bool,
}

/// What is set from outside, by pin, so that a page that comes later shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct InputsView {
    pub climate: BTreeMap<u8, ClimateView>,
    /// In microvolts.
    pub adc: BTreeMap<u8, u32>,
    /// Pins whose button is held down.
    pub pressed: BTreeSet<u8>,
}

/// A board. `project` stands in a message only where it is new to the page.
#[derive(Debug, Clone, Serialize)]
pub struct BoardView {
    pub id: BoardId,
    pub name: String,
    pub kind: Kind,
    pub port: Option<String>,
    pub micropython: Option<String>,
    pub state: Activity,
    pub network: Option<LinkView>,
    pub inputs: InputsView,
    #[serde(flatten)]
    pub project: Option<Arc<Project>>,
}

/// The broker as a page shows it.
#[derive(Debug, Clone, Serialize)]
pub struct BrokerView {
    /// `IP:PORT`, or the name of an outside one.
    pub address: String,
    /// An outside one runs where the laboratory is connected to it.
    pub running: bool,
    /// It is not the laboratory's own: it cannot be stopped, and only its messages are seen.
    pub external: bool,
    /// Where it listens for TLS.
    pub secure: Option<String>,
    /// Boards of the local network reach it, and their programs are told where it is.
    pub lan: bool,
}

/// An example that can be opened.
#[derive(Debug, Clone, Serialize)]
pub struct ExampleView {
    pub name: String,
    pub title: String,
}

/// A port of this computer where a real board may be.
#[derive(Debug, Clone, Serialize)]
pub struct PortView {
    pub port: String,
    pub name: String,
}

/// One pin in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PinView {
    pub pin: u8,
    pub mode: &'static str,
    pub level: u8,
    /// It is an input that nothing drives and no resistor holds.
    pub floats: bool,
}

/// A square wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PwmView {
    /// In hertz.
    pub frequency: u32,
    /// 0 to 65535, the latter always on.
    pub duty: u16,
}

/// All that can be seen of a board's pins at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PinsView {
    pub pins: Vec<PinView>,
    pub pwm: BTreeMap<u8, PwmView>,
    /// Red, green, blue and white of each pixel, by the pin of the strip.
    pub pixels: BTreeMap<u8, Vec<[u8; 4]>>,
}

/// Where a program raised, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TracebackView {
    /// The innermost place in one of the page's own files; none where it was in other code only.
    pub file: Option<String>,
    pub line: Option<u32>,
    /// `OSError: [Errno 113] EHOSTUNREACH`
    pub message: String,
    /// All of it, as the board printed it, with the page's names.
    pub text: String,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Finished,
    Stopped,
    Exited,
    Error,
}

/// One of the broker's events.
#[derive(Debug, Clone, Serialize)]
pub struct MqttEvent {
    #[serde(flatten)]
    pub event: TapEvent,
    /// Milliseconds since 1970.
    pub t: u64,
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    /// It stays on the page until somebody takes it away.
    Warning,
    Error,
}

/// What a page is told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage {
    Hello {
        version: &'static str,
        lang: &'static str,
        embedded: bool,
        broker: BrokerView,
        boards: Vec<BoardView>,
        examples: Vec<ExampleView>,
        ports: Vec<PortView>,
    },
    Board(BoardView),
    BoardGone {
        id: BoardId,
    },
    Console {
        board: BoardId,
        text: String,
    },
    Pins {
        board: BoardId,
        #[serde(flatten)]
        pins: PinsView,
    },
    Ended {
        board: BoardId,
        how: How,
        #[serde(skip_serializing_if = "Option::is_none")]
        traceback: Option<TracebackView>,
    },
    Mqtt {
        events: Vec<MqttEvent>,
        /// Events so far that came too fast to be told.
        dropped: u64,
    },
    MqttState {
        clients: Vec<ClientState>,
        retained: Vec<RetainedMessage>,
    },
    Broker(BrokerView),
    Notice {
        level: Level,
        #[serde(skip_serializing_if = "Option::is_none")]
        board: Option<BoardId>,
        text: String,
    },
    /// A file was written into the laboratory's folder.
    Saved {
        board: BoardId,
        name: String,
    },
}

impl From<BrokerState> for ToPage {
    fn from(state: BrokerState) -> Self {
        Self::MqttState {
            clients: state.clients,
            retained: state.retained,
        }
    }
}

/// What a page asks for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPage {
    Run {
        board: BoardId,
        files: Vec<SourceFile>,
        /// The file that is run; the others lie beside it.
        main: String,
    },
    Stop {
        board: BoardId,
    },
    Reset {
        board: BoardId,
    },
    Input {
        board: BoardId,
        text: String,
    },
    /// Drives a pin from outside; null lets it go.
    Pin {
        board: BoardId,
        pin: u8,
        level: Option<u8>,
    },
    /// A resistor holds a pin at a level while nothing drives it; null takes it away.
    Resistor {
        board: BoardId,
        pin: u8,
        level: Option<u8>,
    },
    /// A button between the pin and ground (active low) or 3.3 V.
    Press {
        board: BoardId,
        pin: u8,
        pressed: bool,
        #[serde(default = "yes")]
        active_low: bool,
        /// Its contact opens and closes some times before it rests, as that of every real one.
        #[serde(default = "yes")]
        bounces: bool,
    },
    Adc {
        board: BoardId,
        pin: u8,
        microvolts: u32,
    },
    Climate {
        board: BoardId,
        pin: u8,
        temperature: Option<f32>,
        humidity: Option<f32>,
        #[serde(default)]
        unplugged: bool,
    },
    Network {
        board: BoardId,
        cut: Option<bool>,
        delay_ms: Option<u32>,
        /// Percent.
        loss: Option<f64>,
    },
    Broker {
        running: bool,
    },
    Publish {
        topic: String,
        payload: Option<String>,
        payload_base64: Option<String>,
        #[serde(default)]
        qos: u8,
        #[serde(default)]
        retain: bool,
    },
    OpenExample {
        board: BoardId,
        name: String,
    },
    AddBoard {
        kind: Kind,
        port: Option<String>,
    },
    RemoveBoard {
        id: BoardId,
    },
    Lang {
        lang: String,
    },
    Save {
        board: BoardId,
        name: String,
        text: String,
    },
}

fn yes() -> bool {
    true
}
