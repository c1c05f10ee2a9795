//! What pages see: every change goes through here, so that a page that comes later gets the same picture as one that was
//! there from the start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use board_link::Lang;
use broker::BrokerState;
use tokio::sync::broadcast;

use crate::protocol::{
    Activity, BoardId, BoardView, BrokerView, InputsView, Level, LinkView, MqttEvent, PinsView,
    Project, SourceFile, ToPage,
};
use crate::words::Words;

/// Messages that may wait for a page; one that is further behind begins anew.
const BEHIND: usize = 2048;

/// What of a board's console a new page gets, in bytes.
const CONSOLE_TAIL: usize = 64 << 10;

/// Packets that a new page gets.
const MQTT_TAIL: usize = 500;

/// A message on its way to all pages: written already, or a sentence that each gets in its language.
#[derive(Debug)]
pub enum Outgoing {
    Text(String),
    Notice {
        level: Level,
        board: Option<BoardId>,
        words: Words,
    },
}

impl Outgoing {
    fn written(message: &ToPage) -> Arc<Self> {
        Arc::new(Self::Text(encode(message)))
    }

    /// The message as a page of this language gets it.
    pub fn text(&self, lang: Lang) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Notice {
                level,
                board,
                words,
            } => encode(&ToPage::Notice {
                level: *level,
                board: *board,
                text: words.pick(lang).to_owned(),
            }),
        }
    }
}

/// A message as JSON.
pub fn encode(message: &ToPage) -> String {
    // Texts, numbers and lists can always be written as JSON.
    serde_json::to_string(message).unwrap_or_default()
}

struct BoardSeen {
    view: BoardView,
    console: String,
    pins: Option<PinsView>,
}

struct Seen {
    boards: BTreeMap<BoardId, BoardSeen>,
    broker: BrokerView,
    mqtt: VecDeque<MqttEvent>,
    dropped: u64,
    mqtt_state: String,
}

/// What all pages see.
pub struct View {
    seen: Mutex<Seen>,
    sender: broadcast::Sender<Arc<Outgoing>>,
}

/// What a page that has just come is shown first.
pub struct Joined {
    pub boards: Vec<BoardView>,
    pub broker: BrokerView,
    /// What follows `hello`.
    pub rest: Vec<String>,
    /// What happens from now on.
    pub news: broadcast::Receiver<Arc<Outgoing>>,
}

impl View {
    pub fn new(broker: BrokerView) -> Self {
        Self {
            seen: Mutex::new(Seen {
                boards: BTreeMap::new(),
                broker,
                mqtt: VecDeque::new(),
                dropped: 0,
                mqtt_state: encode(&BrokerState::default().into()),
            }),
            sender: broadcast::channel(BEHIND).0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Every change is complete in itself, so a panic elsewhere leaves the picture usable.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends to all pages. Called while the picture is locked, so that the order is that of the changes.
    fn tell(&self, message: &ToPage) {
        if self.sender.receiver_count() > 0 {
            // A page that went in this moment misses nothing.
            let _ = self.sender.send(Outgoing::written(message));
        }
    }

    /// A page comes: the picture as it is, and all that changes from then on.
    pub fn join(&self) -> Joined {
        let seen = self.lock();
        let news = self.sender.subscribe();
        let mut rest = Vec::new();
        for (id, board) in &seen.boards {
            if !board.console.is_empty() {
                rest.push(encode(&ToPage::Console {
                    board: *id,
                    text: board.console.clone(),
                }));
            }
            if let Some(pins) = &board.pins {
                rest.push(encode(&ToPage::Pins {
                    board: *id,
                    pins: pins.clone(),
                }));
            }
        }
        if !seen.mqtt.is_empty() {
            rest.push(encode(&ToPage::Mqtt {
                events: seen.mqtt.iter().cloned().collect(),
                dropped: seen.dropped,
            }));
        }
        rest.push(seen.mqtt_state.clone());
        Joined {
            boards: seen
                .boards
                .values()
                .map(|board| board.view.clone())
                .collect(),
            broker: seen.broker.clone(),
            rest,
            news,
        }
    }

    /// A new board, or another program and wiring in front of one.
    pub fn board(&self, view: BoardView) {
        let mut seen = self.lock();
        let id = view.id;
        self.tell(&ToPage::Board(view.clone()));
        match seen.boards.get_mut(&id) {
            Some(board) => board.view = view,
            None => {
                let board = BoardSeen {
                    view,
                    console: String::new(),
                    pins: None,
                };
                seen.boards.insert(id, board);
            }
        }
    }

    /// Changes what is known of a board, and tells the pages if that made a difference to them.
    fn change(&self, id: BoardId, change: impl FnOnce(&mut BoardView) -> bool) {
        let mut seen = self.lock();
        if let Some(board) = seen.boards.get_mut(&id)
            && change(&mut board.view)
        {
            self.tell(&ToPage::Board(BoardView {
                project: None,
                ..board.view.clone()
            }));
        }
    }

    pub fn activity(&self, id: BoardId, state: Activity) {
        self.change(id, |view| {
            std::mem::replace(&mut view.state, state) != state
        });
    }

    pub fn network(&self, id: BoardId, network: LinkView) {
        self.change(id, |view| view.network.replace(network) != view.network);
    }

    /// Notes what was set from outside.
    pub fn inputs(&self, id: BoardId, set: impl FnOnce(&mut InputsView)) {
        self.change(id, |view| {
            let before = view.inputs.clone();
            set(&mut view.inputs);
            view.inputs != before
        });
    }

    pub fn micropython(&self, id: BoardId, version: &str) {
        self.change(id, |view| {
            let differs = view.micropython.as_deref() != Some(version);
            view.micropython = Some(version.to_owned());
            differs
        });
    }

    /// Another program and wiring in front of a board.
    pub fn project(&self, id: BoardId, project: Project) {
        let mut seen = self.lock();
        if let Some(board) = seen.boards.get_mut(&id) {
            board.view.project = Some(Arc::new(project));
            // Other parts: pages set them as the wiring has them.
            board.view.inputs = InputsView::default();
            self.tell(&ToPage::Board(board.view.clone()));
        }
    }

    /// The program as a page sent it to be run; that page has it already.
    pub fn files(&self, id: BoardId, files: &[SourceFile], main: &str) {
        let mut seen = self.lock();
        if let Some(board) = seen.boards.get_mut(&id) {
            let before = board.view.project.take().unwrap_or_default();
            board.view.project = Some(Arc::new(Project {
                files: files.to_vec(),
                main: main.to_owned(),
                can_save: before.can_save,
                diagram: before.diagram.clone(),
            }));
        }
    }

    /// Whether a board's files are those of the laboratory's folder.
    pub fn can_save(&self, id: BoardId) -> bool {
        let seen = self.lock();
        let project = seen
            .boards
            .get(&id)
            .and_then(|board| board.view.project.as_ref());
        project.is_some_and(|project| project.can_save)
    }

    pub fn board_gone(&self, id: BoardId) {
        let mut seen = self.lock();
        if seen.boards.remove(&id).is_some() {
            self.tell(&ToPage::BoardGone { id });
        }
    }

    pub fn console(&self, id: BoardId, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut seen = self.lock();
        let Some(board) = seen.boards.get_mut(&id) else {
            return;
        };
        board.console.push_str(text);
        if board.console.len() > 2 * CONSOLE_TAIL {
            let mut from = board.console.len() - CONSOLE_TAIL;
            while !board.console.is_char_boundary(from) {
                from += 1;
            }
            board.console.drain(..from);
        }
        self.tell(&ToPage::Console {
            board: id,
            text: text.to_owned(),
        });
    }

    /// The pins as they are; told only if they differ from what was told before.
    pub fn pins(&self, id: BoardId, pins: PinsView) {
        let mut seen = self.lock();
        if let Some(board) = seen.boards.get_mut(&id)
            && board.pins.as_ref() != Some(&pins)
        {
            self.tell(&ToPage::Pins {
                board: id,
                pins: pins.clone(),
            });
            board.pins = Some(pins);
        }
    }

    /// Something that is over once it is told.
    pub fn event(&self, message: &ToPage) {
        let _seen = self.lock();
        self.tell(message);
    }

    /// What a board is doing; none for one that is not there.
    pub fn state_of(&self, id: BoardId) -> Option<Activity> {
        self.lock().boards.get(&id).map(|board| board.view.state)
    }

    pub fn mqtt(&self, events: Vec<MqttEvent>, dropped: u64) {
        let mut seen = self.lock();
        if events.is_empty() && seen.dropped == dropped {
            return;
        }
        seen.dropped = dropped;
        let surplus = (seen.mqtt.len() + events.len()).saturating_sub(MQTT_TAIL);
        let surplus = surplus.min(seen.mqtt.len());
        seen.mqtt.drain(..surplus);
        let newest = events.len().saturating_sub(MQTT_TAIL);
        seen.mqtt.extend(events[newest..].iter().cloned());
        self.tell(&ToPage::Mqtt { events, dropped });
    }

    /// Who is at the broker; told only if it differs from what was told before.
    pub fn mqtt_state(&self, state: BrokerState) {
        let text = encode(&state.into());
        let mut seen = self.lock();
        if seen.mqtt_state != text {
            seen.mqtt_state.clone_from(&text);
            let _ = self.sender.send(Arc::new(Outgoing::Text(text)));
        }
    }

    pub fn broker(&self, view: BrokerView) {
        let mut seen = self.lock();
        self.tell(&ToPage::Broker(view.clone()));
        seen.broker = view;
    }

    pub fn notice(&self, level: Level, board: Option<BoardId>, words: Words) {
        log::debug!("notice: {}", words.en);
        let _ = self.sender.send(Arc::new(Outgoing::Notice {
            level,
            board,
            words,
        }));
    }

    pub fn error(&self, board: Option<BoardId>, words: Words) {
        self.notice(Level::Error, board, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Kind;

    fn board(id: BoardId) -> BoardView {
        BoardView {
            id,
            name: "placa".to_owned(),
            kind: Kind::Sim,
            port: None,
            micropython: None,
            state: Activity::Idle,
            network: None,
            inputs: InputsView::default(),
            project: Some(Arc::default()),
        }
    }

    fn broker() -> BrokerView {
        BrokerView {
            address: "127.0.0.1:1883".to_owned(),
            running: true,
            external: false,
            secure: None,
            lan: false,
        }
    }

    fn next(news: &mut broadcast::Receiver<Arc<Outgoing>>) -> serde_json::Value {
        let message = news.try_recv().expect("a message");
        serde_json::from_str(&message.text(Lang::Es)).expect("JSON")
    }

    #[test]
    fn a_late_page_gets_what_an_early_one_saw() {
        let view = View::new(broker());
        let mut early = view.join();
        view.board(board(1));
        view.console(1, "hola\n");
        view.console(1, "qué tal\n");
        view.activity(1, Activity::Running);
        view.activity(1, Activity::Running);
        let late = view.join();
        assert_eq!(late.boards[0].state, Activity::Running);
        assert!(late.rest[0].contains("hola\\nqué tal"), "{}", late.rest[0]);
        let told: Vec<_> = std::iter::from_fn(|| {
            early
                .news
                .try_recv()
                .ok()
                .map(|message| message.text(Lang::En))
        })
        .collect();
        assert_eq!(told.len(), 4, "a change that is none is not told: {told:?}");
        assert!(told[0].contains("\"files\":[{") && !told[3].contains("files"));
    }

    #[test]
    fn a_console_is_kept_up_to_a_limit_and_cut_between_characters() {
        let view = View::new(broker());
        view.board(board(7));
        for _ in 0..100 {
            view.console(7, &"ñ".repeat(1111));
        }
        let seen = view.lock();
        let kept = seen.boards[&7].console.len();
        assert!((CONSOLE_TAIL..=2 * CONSOLE_TAIL).contains(&kept), "{kept}");
    }

    #[test]
    fn a_notice_comes_in_the_pages_language() {
        let view = View::new(broker());
        let mut joined = view.join();
        view.error(Some(3), Words::new("no", "que no"));
        let told = next(&mut joined.news);
        assert_eq!(told["text"], "que no");
        assert_eq!(told["level"], "error");
        assert_eq!(told["board"], 3);
    }
}
