//! Decides what the page says that a teacher can show: one file that needs nothing else, in one language.

use std::fmt::Write;

use board_link::Lang;

use crate::svg::{colour, elements, escape};
use crate::text::{comparison, comparisons, footnotes, interrupted, middle, setting, times, with};
use crate::{Measurement, Quantity, Report, Task, Who, words};

/// Colours are named once for each theme. Paper is white whatever the screen was.
const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2733;--pale:#56616e;--paper:#fff;--ground:#f4f6f8;--line:#d9dee4;\
--strong:#1f5fbf;--alarm:#c0392b;--alarmed:#fdf0ee}\
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--pale:#aeb9c4;--paper:#161c23;--ground:#0d1116;--line:#36414c;\
--strong:#8dbaff;--alarm:#ff8a7a;--alarmed:#3a1d1a}}\
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0}\
main{max-width:960px;margin:0 auto;padding:24px 20px 60px;background:var(--paper)}\
h1{font-size:28px;line-height:1.2;margin:8px 0 4px}h2{font-size:20px;margin:36px 0 10px}\
.facts{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}\
.fact{flex:1 1 200px;border:1px solid var(--line);border-radius:8px;padding:12px 14px}\
.fact b{display:block;font-size:26px;line-height:1.2;color:var(--strong)}.fact span{font-size:14px;color:var(--pale)}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:14px}\
th,td{text-align:right;padding:6px 10px;border-bottom:1px solid var(--line);white-space:nowrap;font-variant-numeric:tabular-nums}\
th:first-child,td:first-child{text-align:left;white-space:normal;min-width:8.5em;font-weight:400}\
thead th,thead td{border-bottom-width:2px;vertical-align:bottom}\
small{color:var(--pale)}.setting td{text-align:left;white-space:normal;overflow-wrap:anywhere}.setting th:first-child{color:var(--pale);min-width:6.5em}\
.warn{border-left:4px solid var(--alarm);background:var(--alarmed);padding:10px 14px;font-weight:600}\
svg{width:100%;min-width:660px;height:auto;display:block;margin:14px 0}li{margin:4px 0}\
@media print{h2,svg{break-inside:avoid}svg{min-width:0}}";

/// The page.
pub fn page(report: &Report, lang: Lang) -> String {
    let title = lang.pick(
        "umqtt: Python and native, compared",
        "umqtt: Python y nativo, comparados",
    );
    let mut out = format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n<style>{STYLE}{}</style>\n</head>\n<body><main>\n<h1>{title}</h1>\n",
        lang.pick("en", "es"),
        dots()
    );
    if report.interrupted {
        paragraph(&mut out, "warn", interrupted(lang));
    }
    paragraph(&mut out, "", what_it_is(report, lang));
    facts(&mut out, report, lang);
    if let Some(why) = pieces(report, lang) {
        paragraph(&mut out, "", &why);
    }
    section(
        &mut out,
        lang.pick("Where it was measured", "Dónde se midió"),
    );
    out.push_str("<table class=\"setting\">\n");
    for [name, value] in setting(report, lang) {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            escape(&name),
            escape(&value)
        );
    }
    out.push_str("</table>\n");
    if !report.measurements.is_empty() {
        section(&mut out, lang.pick("Times", "Tiempos"));
        paragraph(&mut out, "", how_to_read(lang));
        for (title, plot) in elements(report, lang) {
            scrolled(&mut out, &title, |out| out.push_str(&plot));
        }
        let name = lang.pick("the times as a table", "los tiempos en una tabla");
        scrolled(&mut out, name, |out| measurements(out, report, lang));
    }
    if !report.counts.is_empty() {
        section(&mut out, lang.pick("Memory and network", "Memoria y red"));
        let name = lang.pick(
            "memory and network as a table",
            "memoria y red en una tabla",
        );
        scrolled(&mut out, name, |out| counts(out, report, lang));
    }
    let notes = footnotes(report, lang);
    if !notes.is_empty() {
        let heading = lang.pick("What could not be measured", "Lo que no se pudo medir");
        section(&mut out, heading);
        out.push_str("<ul>\n");
        for note in notes {
            let _ = writeln!(out, "<li>{}</li>", escape(&note));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</main></body>\n</html>\n");
    out
}

fn what_it_is(report: &Report, lang: Lang) -> &'static str {
    if report.setting.baseline.is_none() {
        return lang.pick(
            "The native module, which takes the place of umqtt.simple in Python, on a board. Beside it, a bare socket that \
             writes packets made beforehand shows what network and broker alone take.",
            "El módulo nativo, que ocupa el lugar de umqtt.simple en Python, en una placa. A su lado, un socket a secas que \
             escribe paquetes ya hechos muestra lo que tardan la red y el broker por sí solos.",
        );
    }
    lang.pick(
        "The same MQTT client twice on the same board: umqtt.simple in Python, and the native module that takes its place. \
         Beside them, a bare socket that writes packets made beforehand shows what network and broker alone take.",
        "El mismo cliente MQTT dos veces en la misma placa: umqtt.simple en Python y el módulo nativo que ocupa su lugar. A su \
         lado, un socket a secas que escribe paquetes ya hechos muestra lo que tardan la red y el broker por sí solos.",
    )
}

fn how_to_read(lang: Lang) -> &'static str {
    lang.pick(
        "They took turns, round by round. A bar ends at the median of the rounds; half of all rounds lie within the thin line \
         at its end. Each mark of the axis is ten times the one before it. A ratio is the median over pairs of neighbouring \
         rounds; the numbers in brackets hold the true one with 95 % confidence (sign test). There is no ratio where the \
         rounds were too few or too noisy.",
        "Se turnaron, ronda a ronda. Una barra acaba en la mediana de las rondas; la mitad de las rondas cae dentro de la línea \
         fina del extremo. Cada marca del eje es diez veces la anterior. Una razón es la mediana sobre pares de rondas vecinas; \
         los números entre paréntesis contienen la verdadera con un 95 % de confianza (prueba de los signos). No hay razón \
         donde las rondas fueron pocas o con demasiado ruido.",
    )
}

/// What most of a large difference comes from, where the counts show it.
fn pieces(report: &Report, lang: Lang) -> Option<String> {
    let mut counts = report.counts.iter();
    let writes = counts.find(|of| of.quantity == Quantity::WritesPerMessage)?;
    let (python, native) = (writes.of(Who::Baseline)?, writes.of(Who::Native)?);
    if python <= native {
        return None;
    }
    let (python, native) = (words::number(python), words::number(native));
    Some(match lang {
        Lang::En => format!(
            "Where the difference is tens or hundreds of milliseconds, most of it is waiting: umqtt in Python writes a message \
             in {python} pieces ({native} with the native module), and the network holds the later ones back until the other \
             side has acknowledged the first, for which that side takes its time (Nagle's algorithm and delayed \
             acknowledgements)."
        ),
        Lang::Es => format!(
            "Donde la diferencia es de decenas o cientos de milisegundos, casi todo es espera: umqtt en Python escribe un \
             mensaje en {python} trozos ({native} con el módulo nativo), y la red retiene los siguientes hasta que el otro lado \
             confirma el primero, y ese lado se toma su tiempo (algoritmo de Nagle y confirmaciones retrasadas)."
        ),
    })
}

/// The few numbers that say most.
fn facts(out: &mut String, report: &Report, lang: Lang) {
    let ratio = |task: Task, qos: Option<u8>| {
        let mut of = report.measurements.iter();
        let of: &Measurement = of.find(|of| of.task == task && (qos.is_none() || of.qos == qos))?;
        let ratio = of.times(Who::Baseline, Who::Native)?.ok()?;
        Some((words::measurement(of, lang), ratio.median))
    };
    let found: Vec<_> = [
        ratio(Task::Publish, Some(0)),
        ratio(Task::Publish, Some(1)),
        ratio(Task::RoundTrip, None),
        ratio(Task::Receive, None),
    ]
    .into_iter()
    .flatten()
    .collect();
    if found.is_empty() {
        return;
    }
    out.push_str("<div class=\"facts\">\n");
    for (name, median) in found {
        let (number, words) = match (median >= 1.0, lang) {
            (true, Lang::En) => (median, "times faster"),
            (true, Lang::Es) => (median, "veces más rápido"),
            (false, Lang::En) => (1.0 / median, "times slower"),
            (false, Lang::Es) => (1.0 / median, "veces más lento"),
        };
        let _ = writeln!(
            out,
            "<div class=\"fact\"><b>×{}</b>{words}<br><span>{}</span></div>",
            words::digits(number),
            escape(&name)
        );
    }
    out.push_str("</div>\n");
}

fn section(out: &mut String, heading: &str) {
    let _ = writeln!(out, "<h2>{}</h2>", escape(heading));
}

fn paragraph(out: &mut String, class: &str, text: &str) {
    let _ = match class {
        "" => writeln!(out, "<p>{}</p>", escape(text)),
        class => writeln!(out, "<p class=\"{class}\">{}</p>", escape(text)),
    };
}

/// The rules of what names the parties in tables.
fn dots() -> String {
    let mut light = String::from(
        ".dot{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px}",
    );
    let mut dark = String::new();
    for who in Who::ALL {
        let [on_white, on_dark] = colour(who);
        let _ = write!(light, ".dot.{}{{background:{on_white}}}", who.name());
        let _ = write!(dark, ".dot.{}{{background:{on_dark}}}", who.name());
    }
    format!("{light}@media screen and (prefers-color-scheme:dark){{{dark}}}")
}

/// What may be wider than a phone: it is moved within its own frame, by the keyboard too.
fn scrolled(out: &mut String, name: &str, fill: impl FnOnce(&mut String)) {
    let _ = writeln!(
        out,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\">",
        escape(name)
    );
    fill(out);
    out.push_str("</div>\n");
}

fn names(out: &mut String, with: &[Who], lang: Lang) {
    for who in with {
        let _ = write!(
            out,
            "<th scope=\"col\"><span class=\"dot {}\"></span>{}</th>",
            who.name(),
            escape(words::who(*who, lang))
        );
    }
}

/// What stands in brackets becomes smaller, below.
fn cell(out: &mut String, text: &str) {
    let text = escape(text);
    let _ = match text.split_once(" (") {
        Some((number, rest)) => write!(out, "<td>{number}<br><small>({rest}</small></td>"),
        None => write!(out, "<td>{text}</td>"),
    };
}

fn measurements(out: &mut String, report: &Report, lang: Lang) {
    let with = with(report);
    out.push_str("<table>\n<thead><tr><td></td>");
    names(out, &with, lang);
    for pair in comparisons(&with) {
        let _ = write!(
            out,
            "<th scope=\"col\">{}</th>",
            escape(comparison(pair, lang))
        );
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for measurement in &report.measurements {
        let name = escape(&words::measurement(measurement, lang));
        let _ = write!(out, "<tr><th scope=\"row\">{name}</th>");
        for who in &with {
            cell(out, &middle(measurement.run(*who)));
        }
        for (slow, fast) in comparisons(&with) {
            let ratio = measurement.times(slow, fast);
            cell(
                out,
                &ratio.map_or(String::from("–"), |ratio| times(ratio, lang)),
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

fn counts(out: &mut String, report: &Report, lang: Lang) {
    let with = with(report);
    out.push_str("<table>\n<thead><tr><td></td>");
    names(out, &with, lang);
    out.push_str("</tr></thead>\n<tbody>\n");
    for count in &report.counts {
        let name = escape(&words::count(count, lang));
        let _ = write!(out, "<tr><th scope=\"row\">{name}</th>");
        for who in &with {
            let value = count.of(*who);
            cell(out, &value.map_or(String::from("–"), words::number));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
}
