//! Decides what is counted beside the rounds: heap, writes, TCP segments, and what many messages leave of the heap.

use bench_report::{Count, Quantity, Report, Who, party};
use board_link::Lang;

use super::board_side::{Ended, Said};
use super::sink::Sink;
use super::{Broken, Comparison, Pilot};

/// Messages over which the heap is counted: few, since nothing is collected meanwhile.
const HEAP_MESSAGES: usize = 10;
/// Messages over which writes and segments are counted.
pub const WRITE_MESSAGES: usize = 10;
/// Seconds for which each of them is alone with QoS 0.
pub const ALONE: f64 = 0.1;

impl Comparison<'_> {
    /// Who can publish so, as the board's program takes it.
    fn able(&self, pilots: &[Pilot], qos: u8, size: usize) -> Vec<Who> {
        let pilot = pilots
            .iter()
            .find(|pilot| pilot.step.qos == Some(qos) && pilot.step.size == Some(size));
        let parties = pilot.map_or(&[][..], |pilot| &pilot.parties);
        let able = parties.iter().filter(|(_, time)| time.is_ok());
        able.map(|(who, _)| *who).collect()
    }

    pub(super) fn heap(&mut self, pilots: &[Pilot], report: &mut Report) -> Result<(), Broken> {
        let plan = self.plan;
        for &size in &plan.sizes {
            for qos in self.qualities() {
                let names = names(&self.able(pilots, qos, size));
                let code = format!("heap({qos}, {size}, {HEAP_MESSAGES}, {names})");
                let said = self.talk().run(&code);
                self.count(&said, Quantity::HeapPerMessage, (qos, size), report);
                self.note_end(said.ended)?;
            }
        }
        Ok(())
    }

    /// Says who failed while this was counted.
    fn note_failures(&self, what: &str, said: &Said, report: &mut Report) {
        for (who, why) in &said.failures {
            let who = party(*who, self.lang);
            report.remarks.push(match self.lang {
                Lang::En => format!("{what}: {who} failed ({why})"),
                Lang::Es => format!("{what}: falló {who} ({why})"),
            });
        }
    }

    /// Notes a count per message.
    fn count(
        &self,
        said: &Said,
        quantity: Quantity,
        (qos, size): (u8, usize),
        report: &mut Report,
    ) {
        let what = match (quantity, self.lang) {
            (Quantity::HeapPerMessage, Lang::En) => "heap of a message",
            (Quantity::HeapPerMessage, Lang::Es) => "memoria de un mensaje",
            (_, Lang::En) => "writes of a message",
            (_, Lang::Es) => "escrituras de un mensaje",
        };
        self.note_failures(&format!("{what}, QoS {qos}, {size} B"), said, report);
        let values = said.rounds.iter();
        let values: Vec<(Who, f64)> = values
            .filter_map(|round| Some((round.who, round.per_message()?)))
            .collect();
        if !values.is_empty() {
            report.counts.push(Count {
                quantity,
                qos: Some(qos),
                size: Some(size),
                messages: None,
                values,
            });
        }
    }

    /// The messages whose packets are counted: the smallest with every QoS, and the largest, which may need more of them.
    pub(super) fn packets(&self) -> Vec<(u8, usize)> {
        let qualities = self.qualities();
        let (Some(&first), Some(&last)) = (self.plan.sizes.first(), self.plan.sizes.last()) else {
            return Vec::new();
        };
        let mut packets: Vec<(u8, usize)> = qualities.iter().map(|qos| (*qos, first)).collect();
        if last != first {
            packets.extend(qualities.first().map(|qos| (*qos, last)));
        }
        packets
    }

    pub(super) fn writes(&mut self, pilots: &[Pilot], report: &mut Report) -> Result<(), Broken> {
        for (qos, size) in self.packets() {
            let able = self.able(pilots, qos, size);
            let code = format!("writes({qos}, {size}, {WRITE_MESSAGES}, {})", names(&able));
            let said = self.talk().run(&code);
            self.count(&said, Quantity::WritesPerMessage, (qos, size), report);
            self.note_end(said.ended)?;
        }
        self.segments(pilots, report)
    }

    fn segments(&mut self, pilots: &[Pilot], report: &mut Report) -> Result<(), Broken> {
        let cannot = self.lang.pick(
            "TCP segments cannot be counted on this computer",
            "en este equipo no se pueden contar los segmentos TCP",
        );
        let Some(here) = self.broker.and_then(|broker| broker.here) else {
            return Ok(());
        };
        for (qos, size) in self.packets() {
            let able = self.able(pilots, qos, size);
            let sink = match Sink::start(here) {
                Ok(sink) => sink,
                Err(error) => {
                    report.remarks.push(format!("{cannot}: {error}"));
                    return Ok(());
                }
            };
            let code = format!(
                "segments({qos}, {size}, {WRITE_MESSAGES}, {}, {}, {})",
                names(&able),
                board_link::str_literal(&here.to_string()),
                sink.port()
            );
            let said = self.talk().run(&code);
            // Of a board that was lost, connections may stay open for as long as it likes.
            let connections = match said.ended {
                Ended::Lost(_) => 0,
                _ => said.rounds.len(),
            };
            let counted = sink.counted(connections);
            let values: Vec<(Who, f64)> = said
                .rounds
                .iter()
                .filter_map(|round| {
                    // The last segment brought DISCONNECT.
                    let messages = counted.get(&round.who)?.saturating_sub(1);
                    Some((round.who, messages as f64 / WRITE_MESSAGES as f64))
                })
                .collect();
            self.note_failures(cannot, &said, report);
            let none = values.is_empty() && said.failures.is_empty() && !able.is_empty();
            if !values.is_empty() {
                report.counts.push(Count {
                    quantity: Quantity::SegmentsPerMessage,
                    qos: Some(qos),
                    size: Some(size),
                    messages: None,
                    values,
                });
            }
            self.note_end(said.ended)?;
            if none {
                report.remarks.push(cannot.to_owned());
                break;
            }
        }
        Ok(())
    }

    /// What many messages leave of the heap; everybody begins with a fresh one.
    pub(super) fn endure(&mut self, report: &mut Report) -> Result<(), Broken> {
        let Some(&size) = self.plan.sizes.first() else {
            return Ok(());
        };
        let messages = self.plan.messages;
        if messages == 0 {
            return Ok(());
        }
        let mut values = Vec::new();
        let done = self.endure_in_turn(size, &mut values, report);
        if done.is_ok() || !values.is_empty() {
            report.counts.push(Count {
                quantity: Quantity::LargestBlockLost,
                qos: Some(0),
                size: Some(size),
                messages: Some(messages),
                values,
            });
        }
        done
    }

    fn endure_in_turn(
        &mut self,
        size: usize,
        values: &mut Vec<(Who, f64)>,
        report: &mut Report,
    ) -> Result<(), Broken> {
        let messages = self.plan.messages;
        for who in self.libraries() {
            self.fresh()?;
            let code = format!("endure({:?}, {size}, {messages})", who.name());
            let said = self.talk().run(&code);
            values.extend(said.rounds.iter().map(|round| (who, round.number)));
            let what = match self.lang {
                Lang::En => format!("heap after {messages} messages"),
                Lang::Es => format!("memoria tras {messages} mensajes"),
            };
            self.note_failures(&what, &said, report);
            self.note_end(said.ended)?;
        }
        Ok(())
    }
}

/// As the board's program takes them.
fn names(parties: &[Who]) -> String {
    let names: Vec<&str> = parties.iter().map(|who| who.name()).collect();
    format!("{names:?}")
}
