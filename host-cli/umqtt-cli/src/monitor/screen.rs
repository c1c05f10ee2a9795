//! Decides how what a monitor knows is laid out on a terminal: clients and topics on the left, exchanges and packets on
//! the right; on a narrow one below each other.

use board_link::Lang;
use unicode_width::UnicodeWidthChar;

use super::model::Model;

/// Terminals from this width on get two columns.
const WIDE_ENOUGH: usize = 80;

/// What does not come from the model.
#[derive(Debug, Clone)]
pub struct Frame {
    pub broker: String,
    /// Whether the broker tells all; else only the messages it hands out are seen.
    pub sees_all: bool,
    pub paused: bool,
    /// Lines of the topics that are scrolled over.
    pub scrolled: usize,
    pub lang: Lang,
}

/// The lines of a screen: `height` of them, none wider than `width`.
pub fn render(model: &Model, frame: &Frame, width: usize, height: usize) -> Vec<String> {
    let lang = frame.lang;
    let mut lines = vec![cut(&title(model, frame), width)];
    let rows = height.saturating_sub(2);
    let [clients, topics, exchanges, packets] = lang.pick(
        ["Clients", "Topics", "Exchanges of QoS 1 and 2", "Packets"],
        ["Clientes", "Temas", "Intercambios de QoS 1 y 2", "Paquetes"],
    );
    let unseen = lang.pick(
        "not seen: this broker shows an observer messages only",
        "no se ven: este broker solo muestra mensajes a un observador",
    );
    let known = |shown: Vec<String>| match frame.sees_all {
        true => shown,
        false => vec![unseen.to_owned()],
    };
    let client_lines = known(client_lines(model, lang));
    let tree = model.tree();
    let scrolled = frame.scrolled.min(tree.len().saturating_sub(1));
    let tree = tree[scrolled..].to_vec();
    let exchange_lines = known(exchange_lines(model));
    let packet_lines: Vec<String> = model.packets.iter().cloned().collect();
    if width >= WIDE_ENOUGH {
        let left = (width - 3) * 2 / 5;
        let right = width - 3 - left;
        let upper = rows / 3;
        let lower = rows - upper;
        let mut here = panel(clients, &client_lines, left, upper, false);
        here.extend(panel(topics, &tree, left, lower, false));
        let mut there = panel(exchanges, &exchange_lines, right, upper, true);
        there.extend(panel(packets, &packet_lines, right, lower, true));
        for (here, there) in here.iter().zip(&there) {
            lines.push(format!("{} │ {there}", padded(here, left)));
        }
    } else {
        let part = rows / 4;
        lines.extend(panel(clients, &client_lines, width, part, false));
        lines.extend(panel(topics, &tree, width, part, false));
        lines.extend(panel(exchanges, &exchange_lines, width, part, true));
        let rest = rows - 3 * part;
        lines.extend(panel(packets, &packet_lines, width, rest, true));
    }
    let keys = match (lang, frame.paused) {
        (Lang::En, false) => "q ends · p pauses · ↑ ↓ scroll the topics",
        (Lang::Es, false) => "q termina · p pausa · ↑ ↓ desplazan los temas",
        (Lang::En, true) => "paused: p goes on · q ends",
        (Lang::Es, true) => "en pausa: p sigue · q termina",
    };
    lines.push(cut(keys, width));
    lines.truncate(height);
    lines
}

fn title(model: &Model, frame: &Frame) -> String {
    let connected = model
        .clients
        .values()
        .filter(|client| client.connection.is_some())
        .count();
    let (messages, missed) = (model.messages, model.missed);
    let mut text = match frame.lang {
        Lang::En => format!("{} · {messages} messages", frame.broker),
        Lang::Es => format!("{} · {messages} mensajes", frame.broker),
    };
    if frame.sees_all {
        text.push_str(&match frame.lang {
            Lang::En => format!(" · {connected} connected"),
            Lang::Es => format!(" · {connected} conectados"),
        });
    }
    if missed > 0 {
        text.push_str(&match frame.lang {
            Lang::En => format!(" · {missed} packets were too fast"),
            Lang::Es => format!(" · {missed} paquetes iban demasiado rápido"),
        });
    }
    text
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

fn exchange_lines(model: &Model) -> Vec<String> {
    let line = |exchange: &super::model::Exchange| {
        format!(
            "{} {} QoS {}: {}",
            exchange.client,
            exchange.topic,
            exchange.qos,
            exchange.progress()
        )
    };
    model.exchanges.iter().map(line).collect()
}

/// A heading and the first lines, or the last.
fn panel(heading: &str, lines: &[String], width: usize, height: usize, last: bool) -> Vec<String> {
    let room = height.saturating_sub(1);
    let shown = match last {
        true => &lines[lines.len().saturating_sub(room)..],
        false => &lines[..lines.len().min(room)],
    };
    let rule = "─".repeat(width.saturating_sub(heading.chars().count() + 1));
    let mut panel = vec![cut(&format!("{heading} {rule}"), width)];
    panel.extend(shown.iter().map(|line| cut(line, width)));
    panel.resize(height, String::new());
    panel
}

/// As many letters as fit, without what would move the cursor or change the terminal.
fn cut(text: &str, width: usize) -> String {
    let mut used = 0;
    let mut line = String::new();
    for letter in text.chars() {
        let letter = if letter.is_control() { '·' } else { letter };
        let needed = letter.width().unwrap_or(0);
        if used + needed > width {
            break;
        }
        used += needed;
        line.push(letter);
    }
    line
}

fn padded(text: &str, width: usize) -> String {
    let used: usize = text.chars().filter_map(UnicodeWidthChar::width).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(used)))
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

    #[test]
    fn it_fits_every_terminal_and_shows_what_there_is() {
        let model = model();
        for sees_all in [true, false] {
            let frame = Frame {
                broker: "mqtt://127.0.0.1:1883".to_owned(),
                sees_all,
                paused: false,
                scrolled: 0,
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
