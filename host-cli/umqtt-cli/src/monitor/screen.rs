//! Decides how what a monitor knows is laid out on a terminal: clients and topics on the left, exchanges and packets on
//! the right; on a narrow one below each other.

use board_link::Lang;
use unicode_width::UnicodeWidthChar;

use super::model::{Model, Packet};

/// Terminals from this width on get two columns.
const WIDE_ENOUGH: usize = 80;

/// The panels that can be scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scrolled {
    Clients,
    Topics,
}

/// What does not come from the model.
#[derive(Debug, Clone)]
pub struct Frame {
    pub broker: String,
    /// Whether the broker tells all; else only the messages it hands out are seen.
    pub sees_all: bool,
    pub paused: bool,
    /// The panel that the arrows scroll.
    pub chosen: Scrolled,
    /// Lines of the clients and of the topics that are scrolled over.
    pub over: [usize; 2],
    pub lang: Lang,
}

impl Frame {
    /// Scrolls the chosen panel by so many lines, not beyond its last one.
    pub fn scroll(&mut self, lines: isize, model: &Model) {
        let (over, there_are) = match self.chosen {
            Scrolled::Clients => (&mut self.over[0], client_lines(model, self.lang).len()),
            Scrolled::Topics => (&mut self.over[1], model.tree().len()),
        };
        *over = over
            .saturating_add_signed(lines)
            .min(there_are.saturating_sub(1));
    }

    /// Lets the arrows scroll the other panel.
    pub fn choose_other(&mut self) {
        self.chosen = match self.chosen {
            Scrolled::Clients => Scrolled::Topics,
            Scrolled::Topics => Scrolled::Clients,
        };
    }
}

/// The lines of a screen: `height` of them, none wider than `width`.
pub fn render(model: &Model, frame: &Frame, width: usize, height: usize) -> Vec<String> {
    let lang = frame.lang;
    let mut lines = vec![title(model, frame, width)];
    let rows = height.saturating_sub(2);
    let wide = width >= WIDE_ENOUGH;
    let (left, right) = match wide {
        true => ((width - 3) * 2 / 5, width - 3 - (width - 3) * 2 / 5),
        false => (width, width),
    };
    // Exchanges need two lines each where they do not fit into one.
    let (clients, topics, exchanges) = match wide {
        true => (rows / 3, rows - rows / 3, rows / 3),
        false => (rows / 4, rows / 4, rows / 4),
    };
    let packets = match wide {
        true => rows - exchanges,
        false => rows - clients - topics - exchanges,
    };
    let unseen = lang.pick(
        "not seen: this broker shows an observer messages only",
        "no se ven: este broker solo muestra mensajes a un observador",
    );
    let known = |shown: Vec<String>| match frame.sees_all {
        true => shown,
        false => vec![unseen.to_owned()],
    };
    let names = lang.pick(
        ["Clients", "Topics", "Exchanges of QoS 1 and 2", "Packets"],
        ["Clientes", "Temas", "Intercambios de QoS 1 y 2", "Paquetes"],
    );
    let heading = |name: &str, panel| match panel == Some(frame.chosen) {
        true => format!("▸ {name}"),
        false => name.to_owned(),
    };
    let tree = model.tree();
    let tree = tree.iter().map(|branch| {
        fit(&branch.text, left.saturating_sub(wide_as(&branch.count))) + &branch.count
    });
    let from_top = |lines: Vec<String>, over: usize, height: usize| {
        let over = over.min(lines.len().saturating_sub(1));
        shorten(lines, over, height.saturating_sub(1), lang)
    };
    let clients = panel(
        &heading(names[0], Some(Scrolled::Clients)),
        from_top(known(client_lines(model, lang)), frame.over[0], clients),
        left,
        clients,
    );
    let topics = panel(
        &heading(names[1], Some(Scrolled::Topics)),
        from_top(tree.collect(), frame.over[1], topics),
        left,
        topics,
    );
    let exchanges = panel(
        names[2],
        known(exchange_lines(model, right, exchanges.saturating_sub(1))),
        right,
        exchanges,
    );
    let packets = panel(
        names[3],
        packet_lines(model, right, packets.saturating_sub(1)),
        right,
        packets,
    );
    if wide {
        let here = clients.iter().chain(&topics);
        let there = exchanges.iter().chain(&packets);
        lines.extend(here.zip(there).map(|(here, there)| {
            let space = " ".repeat(left.saturating_sub(wide_as(here)));
            format!("{here}{space} │ {there}")
        }));
    } else {
        lines.extend([clients, topics, exchanges, packets].concat());
    }
    let keys = match (lang, frame.paused) {
        (Lang::En, false) => "q ends · p pauses · Tab, ↑ ↓ scroll",
        (Lang::Es, false) => "q termina · p pausa · Tab, ↑ ↓ desplazan",
        (Lang::En, true) => "paused: p goes on · q ends",
        (Lang::Es, true) => "en pausa: p sigue · q termina",
    };
    lines.push(fit(keys, width));
    lines.truncate(height);
    lines
}

fn title(model: &Model, frame: &Frame, width: usize) -> String {
    let lang = frame.lang;
    let connected = model
        .clients
        .values()
        .filter(|client| client.connection.is_some())
        .count() as u64;
    let mut text = counted(model.messages, lang, ["message", "mensaje"]);
    if frame.sees_all {
        let connected = match lang {
            Lang::En => format!("{connected} connected"),
            Lang::Es => counted(connected, lang, ["", "conectado"]),
        };
        text = format!("{text} · {connected}");
    }
    if model.missed > 0 {
        text = format!(
            "{text} · {}",
            match lang {
                Lang::En => format!("{} too fast to be seen", model.missed),
                Lang::Es => format!("{} demasiado rápidos para verlos", model.missed),
            }
        );
    }
    // Where there is little room, how one speaks to the broker is the first to go.
    let address = match frame.broker.split_once("://") {
        Some((_, address)) if wide_as(&frame.broker) + 3 + wide_as(&text) > width => address,
        _ => &frame.broker,
    };
    fit(&format!("{address} · {text}"), width)
}

/// `1 message`, `2 messages`.
fn counted(count: u64, lang: Lang, word: [&str; 2]) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {}{end}", lang.pick(word[0], word[1]))
}

fn client_lines(model: &Model, lang: Lang) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, client) in &model.clients {
        let state = match client.connection {
            Some(_) => "",
            None => lang.pick(" (away)", " (ausente)"),
        };
        lines.push(format!("{name}{state}"));
        for (filter, qos) in &client.subscriptions {
            lines.push(format!("  {filter} (QoS {qos})"));
        }
    }
    lines
}

/// The last exchanges that fit, whole: what must be seen of each is how far it has come, so that is never cut where there
/// is room for it, and names are.
fn exchange_lines(model: &Model, width: usize, room: usize) -> Vec<String> {
    let mut shown: Vec<Vec<String>> = Vec::new();
    let mut used = 0;
    for exchange in model.exchanges.iter().rev() {
        let quality = format!(" QoS {}:", exchange.qos);
        let (client, topic) = (&exchange.client, &exchange.topic);
        let in_one = format!("{client} {topic}{quality} {}", exchange.progress(false));
        let lines = if wide_as(&in_one) <= width {
            vec![in_one]
        } else {
            let names = width.saturating_sub(wide_as(&quality) + 1);
            let client = fit(
                client,
                (names / 2).max(names.saturating_sub(wide_as(topic))),
            );
            let topic = fit(topic, names.saturating_sub(wide_as(&client)));
            let progress = [false, true]
                .map(|short| format!("  {}", exchange.progress(short)))
                .into_iter()
                .find(|progress| wide_as(progress) <= width)
                .unwrap_or_else(|| exchange.progress(true));
            vec![format!("{client} {topic}{quality}"), progress]
        };
        used += lines.len();
        if used > room {
            break;
        }
        shown.push(lines);
    }
    shown.into_iter().rev().flatten().collect()
}

/// The last packets that fit. A long client identifier leaves room for what the packet is.
fn packet_lines(model: &Model, width: usize, room: usize) -> Vec<String> {
    let from = model.packets.len().saturating_sub(room);
    let line = |packet: &Packet| {
        let Packet { time, client, line } = packet;
        if client.is_empty() {
            return format!("{time} {line}");
        }
        let whole = format!("{time} {client} {line}");
        match wide_as(&whole) <= width {
            true => whole,
            false => format!("{time} {} {line}", fit(client, (width / 4).max(6))),
        }
    };
    model.packets.range(from..).map(line).collect()
}

/// The lines from the first that is not scrolled over; the last place says how many more there are.
fn shorten(mut lines: Vec<String>, over: usize, room: usize, lang: Lang) -> Vec<String> {
    lines.drain(..over);
    if lines.len() > room && room > 1 {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(match lang {
            Lang::En => format!("… {more} more"),
            Lang::Es => format!("… {more} más"),
        });
    }
    lines
}

/// A heading and lines, `height` in all.
fn panel(heading: &str, lines: Vec<String>, width: usize, height: usize) -> Vec<String> {
    let rule = "─".repeat(width.saturating_sub(wide_as(heading) + 1));
    let mut panel = vec![fit(&format!("{heading} {rule}"), width)];
    panel.extend(lines.iter().map(|line| fit(line, width)));
    panel.resize(height, String::new());
    panel
}

/// As many letters as fit, without what would move the cursor or change the terminal. What is cut ends with an ellipsis.
fn fit(text: &str, width: usize) -> String {
    let cut = wide_as(text) > width;
    let room = width.saturating_sub(usize::from(cut));
    let mut used = 0;
    let mut line = String::new();
    for letter in text.chars() {
        let letter = if letter.is_control() { '·' } else { letter };
        let needed = letter.width().unwrap_or(0);
        if used + needed > room {
            break;
        }
        used += needed;
        line.push(letter);
    }
    if cut && width > 0 {
        line.push('…');
    }
    line
}

/// Columns that it takes; a control character takes that of the point which stands for it.
fn wide_as(text: &str) -> usize {
    text.chars()
        .map(|letter| match letter.is_control() {
            true => 1,
            false => letter.width().unwrap_or(0),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use broker::{BrokerState, ClientState, RetainedMessage};
    use unicode_width::UnicodeWidthStr;

    use super::*;

    fn model() -> Model {
        let mut model = Model::default();
        let state = BrokerState {
            clients: vec![ClientState {
                client_id: "placa-1\u{1b}[2J".to_owned(),
                connection: None,
                subscriptions: vec![("casa/+".to_owned(), 1)],
                waiting: 0,
            }],
            retained: vec![RetainedMessage {
                topic: "casa/ñandú".to_owned(),
                payload: "21 °C".into(),
                length: 6,
                qos: 1,
            }],
        };
        model.begin(&state, Lang::En);
        model
    }

    fn frame(lang: Lang) -> Frame {
        Frame {
            broker: "mqtt://127.0.0.1:1883".to_owned(),
            sees_all: true,
            paused: false,
            chosen: Scrolled::Topics,
            over: [0, 0],
            lang,
        }
    }

    /// A class: clients with long names, and an exchange of QoS 2 that each of two sees.
    fn class() -> Model {
        let mut model = model();
        for number in 0..30 {
            let state = BrokerState {
                clients: vec![ClientState {
                    client_id: format!("placa-de-la-mesa-{number:02}"),
                    connection: None,
                    subscriptions: Vec::new(),
                    waiting: 0,
                }],
                retained: Vec::new(),
            };
            model.begin(&state, Lang::Es);
        }
        use broker::{Direction, TapEvent, TapPacket};
        let payload = "un mensaje largo, más de lo que cabe en una línea de un terminal";
        let publish = TapPacket::Publish {
            topic: "casa/salón/lámpara-del-techo".to_owned(),
            payload: payload.into(),
            length: payload.len(),
            qos: 2,
            retain: false,
            duplicate: false,
            packet_id: Some(7),
        };
        for (direction, packet) in [
            (Direction::ToBroker, publish),
            (Direction::ToClient, TapPacket::PubRec { packet_id: 7 }),
            (Direction::ToBroker, TapPacket::PubRel { packet_id: 7 }),
            (Direction::ToClient, TapPacket::PubComp { packet_id: 7 }),
        ] {
            let event = TapEvent {
                time: std::time::SystemTime::now(),
                connection: 3,
                client_id: "placa-de-la-mesa-07".into(),
                direction,
                packet,
            };
            model.apply(&event, Lang::Es);
        }
        model
    }

    #[test]
    fn a_handshake_is_seen_whole_whatever_the_width() {
        let model = class();
        for (width, steps) in [
            (120, "→PUBLISH ←PUBREC →PUBREL ←PUBCOMP ✓"),
            (80, "→PUBLISH ←PUBREC →PUBREL ←PUBCOMP ✓"),
            (40, "→PUBLISH ←PUBREC →PUBREL ←PUBCOMP ✓"),
            (30, "→PUB ←REC →REL ←COMP ✓"),
        ] {
            for lang in [Lang::En, Lang::Es] {
                let lines = render(&model, &frame(lang), width, 24);
                let text = lines.join("\n");
                assert!(lines.iter().all(|line| line.width() <= width), "{text}");
                assert!(text.contains(steps) && text.contains(" QoS 2:"), "{text}");
                // Beside the packet's client there is room for the packet, and beside the last message for its number.
                assert!(text.contains("← PUBREC #7"), "{text}");
                assert!(text.contains("… (×1)"), "{text}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_can_be_scrolled_to() {
        let model = class();
        let mut frame = frame(Lang::Es);
        let text = render(&model, &frame, 80, 24).join("\n");
        assert!(
            text.contains("▸ Temas") && text.contains("… 27 más"),
            "{text}"
        );
        frame.choose_other();
        frame.scroll(1000, &model);
        let text = render(&model, &frame, 80, 24).join("\n");
        assert!(text.contains("▸ Clientes"), "{text}");
        assert!(
            text.contains("mesa-29") && !text.contains("mesa-28"),
            "{text}"
        );
        frame.scroll(-1, &model);
        let text = render(&model, &frame, 80, 24).join("\n");
        assert!(text.contains("mesa-28 (ausente)"), "{text}");
        assert_eq!(frame.over, [30, 0]);
    }

    #[test]
    fn it_fits_every_terminal_and_shows_what_there_is() {
        let model = model();
        for sees_all in [true, false] {
            let frame = Frame {
                broker: "mqtt://127.0.0.1:1883".to_owned(),
                sees_all,
                paused: false,
                chosen: Scrolled::Topics,
                over: [0, 0],
                lang: Lang::Es,
            };
            for (width, height) in [(1, 1), (20, 6), (79, 24), (80, 24), (200, 60), (80, 3)] {
                let lines = render(&model, &frame, width, height);
                assert_eq!(lines.len(), height.min(lines.len()), "{width}×{height}");
                for line in &lines {
                    assert!(line.width() <= width, "{line:?} at {width}×{height}");
                    // Nothing that a client calls itself reaches the terminal as an order.
                    assert!(!line.contains('\u{1b}'));
                }
            }
            let text = render(&model, &frame, 120, 40).join("\n");
            assert!(text.contains("ñandú: 21 °C (×0 ®)"), "{text}");
            assert_eq!(
                text.contains("(ausente)") && text.contains("casa/+ (QoS 1)"),
                sees_all
            );
            assert_eq!(text.contains("no se ven"), !sees_all);
        }
    }
}
