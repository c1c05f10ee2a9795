//! Decides how a result says where what it measured goes: layer by layer, ours beside the floor and beside a peer, so
//! that the layers add up to the whole.

use serde::{Deserialize, Serialize};

/// How many times less than another's says no more than that it is next to nothing.
const NEARLY_NOTHING: f64 = 100.0;

/// What one layer, or the whole, takes of each party; in instructions or microseconds, as its [`Columns`] say.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Parties {
    /// The least that does the same work.
    pub floor: i64,
    pub ours: i64,
    /// Whoever ours is compared with; 0 where nobody is.
    pub peer: i64,
}

impl Parties {
    /// How many times ours the peer takes.
    pub fn whole(&self) -> f64 {
        self.peer as f64 / self.ours as f64
    }

    /// The same of what is above the floor; [`NEARLY_NOTHING`] at most, also where we are below it.
    pub fn above_floor(&self) -> f64 {
        let ours = (self.ours - self.floor).max(1) as f64;
        ((self.peer - self.floor) as f64 / ours).min(NEARLY_NOTHING)
    }
}

/// What one piece of work costs, layer by layer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Layers {
    /// `rv32imc, encode, 16 bytes`.
    pub what: String,
    pub columns: Columns,
    pub parties: Vec<(String, Parties)>,
}

/// What stands above the columns.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Columns {
    /// `Where the instructions of a message go`.
    pub title: String,
    pub floor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
}

impl Columns {
    pub fn new(title: &str, floor: &str, peer: Option<&str>) -> Self {
        Columns {
            title: title.to_owned(),
            floor: floor.to_owned(),
            peer: peer.map(str::to_owned),
        }
    }

    /// Those of a message on a board.
    pub fn of_board() -> Self {
        Self::new(
            "Where the instructions of a message go",
            "one call of the stream",
            Some("umqtt.simple 1.3.4"),
        )
    }
}

impl Layers {
    /// What all layers take together.
    pub fn all(&self) -> Parties {
        let mut all = Parties::default();
        for (_, of) in &self.parties {
            all.ours += of.ours;
            all.floor += of.floor;
            all.peer += of.peer;
        }
        all
    }

    /// A table, with the sums below.
    pub fn render(&self) -> String {
        let Columns { title, floor, peer } = &self.columns;
        let mut text = format!(
            "\n{title}, {}:\n\n| layer | ours | floor: {floor} | ours above it |",
            self.what
        );
        let mut rule = "\n|---|---:|---:|---:|".to_owned();
        if let Some(peer) = peer {
            text.push_str(&format!(" {peer} |"));
            rule.push_str("---:|");
        }
        text.push_str(&rule);
        text.push('\n');
        let mut line = |layer: &str, of: Parties| {
            let above = of.ours - of.floor;
            text.push_str(&format!(
                "| {layer} | {} | {} | {above} |",
                of.ours, of.floor
            ));
            if peer.is_some() {
                text.push_str(&format!(" {} |", of.peer));
            }
            text.push('\n');
        };
        for (layer, of) in &self.parties {
            line(layer, *of);
        }
        line("**all**", self.all());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_ends_with_the_sums_of_its_layers() {
        let parties = |ours, floor, peer| Parties { floor, ours, peer };
        let layers = Layers {
            what: "a file".to_owned(),
            columns: Columns::new("Where the microseconds go", "one go", Some("mpremote")),
            parties: vec![
                ("board".to_owned(), parties(100, 80, 1000)),
                ("ours".to_owned(), parties(5, 9, 200)),
            ],
        };
        assert_eq!(
            layers.render(),
            "\nWhere the microseconds go, a file:\n\n\
             | layer | ours | floor: one go | ours above it | mpremote |\n|---|---:|---:|---:|---:|\n\
             | board | 100 | 80 | 20 | 1000 |\n| ours | 5 | 9 | -4 | 200 |\n| **all** | 105 | 89 | 16 | 1200 |\n"
        );
    }

    #[test]
    fn a_table_without_a_peer_has_no_column_for_it() {
        let layers = Layers {
            what: "a file".to_owned(),
            columns: Columns::new("Where it goes", "one go", None),
            parties: vec![(
                "board".to_owned(),
                Parties {
                    floor: 1,
                    ours: 3,
                    peer: 0,
                },
            )],
        };
        assert_eq!(
            layers.render(),
            "\nWhere it goes, a file:\n\n| layer | ours | floor: one go | ours above it |\n|---|---:|---:|---:|\n\
             | board | 3 | 1 | 2 |\n| **all** | 3 | 1 | 2 |\n"
        );
    }
}
