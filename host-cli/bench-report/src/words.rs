//! Decides what things are called, in English and Spanish, and how numbers are written.

use board_link::Lang;

use crate::{Count, Measurement, Quantity, Refusal, Task, Who};

/// Whose work it is.
pub fn who(who: Who, lang: Lang) -> &'static str {
    match who {
        Who::Floor => lang.pick("bare socket", "socket a secas"),
        Who::Baseline => lang.pick("umqtt in Python", "umqtt en Python"),
        Who::Native => lang.pick("native module", "módulo nativo"),
    }
}

fn task(task: Task, lang: Lang) -> &'static str {
    match task {
        Task::Publish => lang.pick("publish", "publicar"),
        Task::Delivered => lang.pick("publish, until it is there", "publicar, hasta que llega"),
        Task::RoundTrip => lang.pick("there and back", "ida y vuelta"),
        Task::Receive => lang.pick("receive", "recibir"),
        Task::Connect => lang.pick("connect", "conectar"),
        Task::ConnectTls => lang.pick("connect over TLS", "conectar por TLS"),
        Task::Import => lang.pick("import the module", "importar el módulo"),
    }
}

/// What a count is of, with its unit.
pub fn quantity(quantity: Quantity, lang: Lang) -> &'static str {
    match quantity {
        Quantity::FileSize => lang.pick("size of the file, bytes", "tamaño del fichero, bytes"),
        Quantity::RamAfterImport => lang.pick(
            "heap that the import keeps, bytes",
            "memoria que ocupa al importarlo, bytes",
        ),
        Quantity::HeapPerMessage => lang.pick(
            "heap that a message takes, bytes",
            "memoria que gasta un mensaje, bytes",
        ),
        Quantity::LargestBlockLost => lang.pick(
            "by how much the largest free block shrinks, bytes",
            "cuánto mengua el mayor bloque libre, bytes",
        ),
        Quantity::WritesPerMessage => lang.pick("writes per message", "escrituras por mensaje"),
        Quantity::SegmentsPerMessage => {
            lang.pick("TCP segments per message", "segmentos TCP por mensaje")
        }
    }
}

fn conditions(qos: Option<u8>, size: Option<usize>) -> String {
    let qos = qos.map(|qos| format!("QoS {qos}"));
    let size = size.map(|size| format!("{size} B"));
    let all: Vec<String> = qos.into_iter().chain(size).collect();
    all.join(", ")
}

/// A measurement's name with its conditions.
pub fn measurement(of: &Measurement, lang: Lang) -> String {
    join(task(of.task, lang), &conditions(of.qos, of.size))
}

/// A count's.
pub fn count(of: &Count, lang: Lang) -> String {
    let name = join(quantity(of.quantity, lang), &conditions(of.qos, of.size));
    match of.messages {
        None => name,
        Some(messages) => match lang {
            Lang::En => format!("{name} ({messages} messages)"),
            Lang::Es => format!("{name} ({messages} mensajes)"),
        },
    }
}

fn join(name: &str, conditions: &str) -> String {
    match conditions {
        "" => name.to_owned(),
        conditions => format!("{name}, {conditions}"),
    }
}

/// Microseconds with the unit that suits them, to three digits.
pub fn time(microseconds: f64) -> String {
    let (value, unit) = match microseconds {
        us if us < 1e3 => (us, "µs"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    format!("{} {unit}", digits(value))
}

/// A count, or a mean of some.
pub fn number(value: f64) -> String {
    match value.fract() == 0.0 {
        true => format!("{value:.0}"),
        false => digits(value),
    }
}

/// What was measured, to three digits.
pub fn digits(value: f64) -> String {
    match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Why there is no ratio.
pub fn refusal(refusal: Refusal, lang: Lang) -> String {
    match (refusal, lang) {
        (Refusal::TooFew { pairs }, Lang::En) => format!("too few rounds ({pairs})"),
        (Refusal::TooFew { pairs }, Lang::Es) => format!("muy pocas rondas ({pairs})"),
        (Refusal::TooNoisy { low, high }, Lang::En) => {
            format!("too noisy ({} to {})", digits(low), digits(high))
        }
        (Refusal::TooNoisy { low, high }, Lang::Es) => {
            format!("demasiado ruido ({} a {})", digits(low), digits(high))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let written = [0.5, 1.25, 12.34, 123.4, 12_345.6, 1_234_567.0].map(time);
        assert_eq!(
            written,
            [
                "0.50 µs", "1.25 µs", "12.3 µs", "123 µs", "12.3 ms", "1.23 s"
            ]
        );
        assert_eq!(number(9292.0), "9292");
        assert_eq!(
            [number(1.0), digits(1.0), number(3.2)],
            ["1", "1.00", "3.20"]
        );
        // The next digit makes it no longer.
        assert_eq!([digits(9.999), digits(99.96)], ["10.0", "100"]);
    }
}
