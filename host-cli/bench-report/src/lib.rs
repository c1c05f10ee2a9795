//! What a comparison of umqtt's implementations measured, the statistics of that, and how both are shown: a table, CSV,
//! plots as SVG, one page of HTML. Nothing here speaks to a board.
//!
//! | file | question it answers |
//! |---|---|
//! | this one | what a run measured |
//! | `statistics` | what may be said of it: medians, spreads, ratios with their intervals, and when a ratio is refused |
//! | `words` | what things are called, in both languages |
//! | `text` | the table of the terminal, and CSV |
//! | `svg` | the plots |
//! | `html` | the page |

mod html;
pub mod statistics;
mod svg;
mod text;
mod words;

use serde::{Deserialize, Serialize};

pub use html::page;
pub use statistics::{Ratio, Refusal, Summary, ratio};
pub use svg::picture;
pub use text::{csv, table};
pub use words::who as party;

/// Whose work was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A bare socket that writes prebuilt packets and reads exact lengths: nobody can be faster.
    Floor,
    /// umqtt.simple in Python.
    Baseline,
    /// The native module.
    Native,
}

impl Who {
    /// All, in the order in which they are shown.
    pub const ALL: [Who; 3] = [Who::Floor, Who::Baseline, Who::Native];

    /// What the board's program calls it.
    pub fn name(self) -> &'static str {
        match self {
            Who::Floor => "floor",
            Who::Baseline => "baseline",
            Who::Native => "native",
        }
    }

    /// The other way round.
    pub fn named(name: &str) -> Option<Who> {
        Who::ALL.into_iter().find(|who| who.name() == name)
    }
}

/// What was done in rounds and timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The call of `publish`; with QoS 1 and 2 it ends with the broker's answer.
    Publish,
    /// QoS 0 until the broker has answered a ping behind the messages: it has them.
    Delivered,
    /// From `publish` until the same client has the message back.
    RoundTrip,
    /// Messages that the broker has sent already.
    Receive,
    Connect,
    ConnectTls,
    /// The module's import in a fresh interpreter.
    Import,
}

impl Task {
    pub fn name(self) -> &'static str {
        match self {
            Task::Publish => "publish",
            Task::Delivered => "delivered",
            Task::RoundTrip => "round_trip",
            Task::Receive => "receive",
            Task::Connect => "connect",
            Task::ConnectTls => "connect_tls",
            Task::Import => "import",
        }
    }
}

impl Report {
    /// Nothing was measured yet; how large files are is known before.
    pub fn is_empty(&self) -> bool {
        let mut runs = self.measurements.iter().flat_map(|of| &of.runs);
        let mut counts = self.counts.iter();
        runs.all(|run| run.rounds.is_empty())
            && counts.all(|of| of.quantity == Quantity::FileSize || of.values.is_empty())
    }

    /// Puts what is alike together: by what was done, then by QoS and size.
    pub fn sort(&mut self) {
        self.measurements
            .sort_by_key(|of| (of.task, of.qos, of.size));
        self.counts.sort_by_key(|of| (of.quantity, of.qos, of.size));
    }
}

/// One thing that was measured for everybody, in rounds that take turns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    pub task: Task,
    pub qos: Option<u8>,
    /// Bytes of the payload.
    pub size: Option<usize>,
    /// As many as were asked for.
    pub rounds: usize,
    pub runs: Vec<Run>,
}

/// One party's rounds of a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub who: Who,
    /// Microseconds per message (or connection, or import) by round; `None` for a round that failed. Rounds of the same
    /// index were neighbours in time.
    pub rounds: Vec<Option<f64>>,
    /// Microseconds of single messages, where they were timed one by one.
    pub each: Vec<f64>,
    /// How many messages (or connections, or imports) the good rounds had in all.
    pub messages: u64,
    /// What went wrong in rounds that failed.
    pub failures: Vec<String>,
    /// Why it takes no part: it cannot do this at all.
    pub cannot: Option<String>,
}

impl Run {
    pub fn new(who: Who) -> Run {
        Run {
            who,
            rounds: Vec::new(),
            each: Vec::new(),
            messages: 0,
            failures: Vec::new(),
            cannot: None,
        }
    }

    /// The rounds that went well.
    pub fn good(&self) -> Vec<f64> {
        self.rounds.iter().copied().flatten().collect()
    }
}

impl Measurement {
    pub fn run(&self, who: Who) -> Option<&Run> {
        self.runs.iter().find(|run| run.who == who)
    }

    /// How many times as long `slow` takes as `fast`, from rounds that were neighbours; `None` where one took no part.
    pub fn times(&self, slow: Who, fast: Who) -> Option<Result<Ratio, Refusal>> {
        let (slow, fast) = (self.run(slow)?, self.run(fast)?);
        if slow.cannot.is_some() || fast.cannot.is_some() {
            return None;
        }
        let pairs = slow.rounds.iter().zip(&fast.rounds);
        let pairs: Vec<(f64, f64)> = pairs
            .filter_map(|(slow, fast)| Some(((*slow)?, (*fast)?)))
            .collect();
        Some(ratio(&pairs))
    }

    /// True if everybody made all the rounds that were asked for.
    pub fn is_complete(&self) -> bool {
        self.runs
            .iter()
            .all(|run| run.cannot.is_some() || run.rounds.len() >= self.rounds)
    }
}

/// What has one value and needs no rounds: a count or a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Bytes of the module's file.
    FileSize,
    /// Bytes of heap that the import keeps.
    RamAfterImport,
    /// Bytes of heap that a message takes and leaves to the collector.
    HeapPerMessage,
    /// Bytes by which the largest free block of the heap shrank.
    LargestBlockLost,
    /// Calls of the socket's `write` per QoS 0 message.
    WritesPerMessage,
    /// TCP segments with data per QoS 0 message, as the receiving kernel counts them.
    SegmentsPerMessage,
}

impl Quantity {
    pub fn name(self) -> &'static str {
        match self {
            Quantity::FileSize => "file_size",
            Quantity::RamAfterImport => "ram_after_import",
            Quantity::HeapPerMessage => "heap_per_message",
            Quantity::LargestBlockLost => "largest_block_lost",
            Quantity::WritesPerMessage => "writes_per_message",
            Quantity::SegmentsPerMessage => "segments_per_message",
        }
    }
}

/// A count for everybody that took part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    pub quantity: Quantity,
    pub qos: Option<u8>,
    /// Bytes of the payload.
    pub size: Option<usize>,
    /// The messages over which it was counted, where it is about messages.
    pub messages: Option<usize>,
    pub values: Vec<(Who, f64)>,
}

impl Count {
    pub fn of(&self, who: Who) -> Option<f64> {
        let found = self.values.iter().find(|(of, _)| *of == who);
        found.map(|(_, value)| *value)
    }
}

/// Where it was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Setting {
    /// The board's own name for itself, and its firmware.
    pub board: String,
    pub firmware: String,
    /// Hertz, where the board knows its clock.
    pub clock: Option<u64>,
    /// The board is this computer.
    pub simulated: bool,
    pub broker: String,
    /// What the baseline is; `None` for a run without one.
    pub baseline: Option<String>,
    /// When the run began, in UTC: `2026-01-31 12:00`.
    pub date: String,
    /// The computer: its system, its processors, what else it did (the load when the run began).
    pub computer: String,
}

/// All of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub setting: Setting,
    pub measurements: Vec<Measurement>,
    pub counts: Vec<Count>,
    /// What could not be measured, in the language of the run.
    pub remarks: Vec<String>,
    /// The run was ended before it was done: what is here is what there was by then.
    pub interrupted: bool,
}
