//! Decides how a report reads on a terminal, and as CSV.

use board_link::Lang;
use unicode_width::UnicodeWidthStr;

use crate::statistics::Summary;
use crate::{Measurement, Ratio, Refusal, Report, Run, Who, words};

/// The table of a terminal: what was measured, everybody's median with the middle half of the rounds, ratios with their
/// intervals; then the counts, and what could not be measured.
pub fn table(report: &Report, lang: Lang) -> String {
    let mut text = heading(report, lang);
    let with = with(report);
    let mut head = vec![String::new()];
    head.extend(with.iter().map(|who| words::who(*who, lang).to_owned()));
    head.extend(comparisons(&with).map(|pair| comparison(pair, lang).to_owned()));
    let mut rows = vec![head];
    for measurement in &report.measurements {
        let mut row = vec![words::measurement(measurement, lang)];
        row.extend(with.iter().map(|who| middle(measurement.run(*who))));
        row.extend(comparisons(&with).map(|(slow, fast)| {
            measurement
                .times(slow, fast)
                .map_or(String::from("–"), |ratio| times(ratio, lang))
        }));
        rows.push(row);
    }
    if rows.len() > 1 {
        text.push_str(&columns(&rows));
    }
    let mut rows = Vec::new();
    for count in &report.counts {
        let mut row = vec![words::count(count, lang)];
        row.extend(with.iter().map(|who| {
            count
                .of(*who)
                .map_or_else(|| String::from("–"), words::number)
        }));
        rows.push(row);
    }
    if !rows.is_empty() {
        let mut head = vec![String::new()];
        head.extend(with.iter().map(|who| words::who(*who, lang).to_owned()));
        rows.insert(0, head);
        text.push('\n');
        text.push_str(&columns(&rows));
    }
    text.push('\n');
    for line in footnotes(report, lang) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Who took part in anything.
pub fn with(report: &Report) -> Vec<Who> {
    let took_part = |who: &Who| {
        let measured = report.measurements.iter();
        let counted = report.counts.iter();
        measured.flat_map(|of| &of.runs).any(|run| run.who == *who)
            || counted.flat_map(|of| &of.values).any(|(of, _)| of == who)
    };
    Who::ALL.into_iter().filter(took_part).collect()
}

/// The pairs that are compared: how many times as long the first takes as the second.
pub fn comparisons(with: &[Who]) -> impl Iterator<Item = (Who, Who)> + use<> {
    let (baseline, floor) = (with.contains(&Who::Baseline), with.contains(&Who::Floor));
    let native = with.contains(&Who::Native);
    [
        (baseline && native).then_some((Who::Baseline, Who::Native)),
        (native && floor).then_some((Who::Native, Who::Floor)),
    ]
    .into_iter()
    .flatten()
}

/// A comparison's heading.
pub fn comparison((slow, _): (Who, Who), lang: Lang) -> &'static str {
    match slow {
        Who::Baseline => lang.pick("Python / native", "Python / nativo"),
        _ => lang.pick("native / socket", "nativo / socket"),
    }
}

/// A ratio with its interval, or why there is none.
pub fn times(ratio: Result<Ratio, Refusal>, lang: Lang) -> String {
    match ratio {
        Ok(Ratio {
            low, median, high, ..
        }) => format!(
            "×{} ({}–{})",
            words::digits(median),
            words::digits(low),
            words::digits(high)
        ),
        Err(refusal) => words::refusal(refusal, lang),
    }
}

/// The median and the middle half of the rounds.
pub fn middle(run: Option<&Run>) -> String {
    let Some(Summary { low, median, high }) = run.and_then(|run| Summary::of(&run.good())) else {
        return String::from("–");
    };
    format!(
        "{} ({}–{})",
        words::time(median),
        words::time(low),
        words::time(high)
    )
}

/// Where and how it was measured.
pub fn setting(report: &Report, lang: Lang) -> Vec<[String; 2]> {
    let setting = &report.setting;
    let mut rows = Vec::new();
    let mut row = |en: &str, es: &str, value: String| {
        if !value.is_empty() {
            rows.push([lang.pick(en, es).to_owned(), value]);
        }
    };
    let board = match setting.simulated {
        true => format!("{} ({})", setting.board, lang.pick("simulated", "simulada")),
        false => setting.board.clone(),
    };
    row("board", "placa", board);
    row("firmware", "firmware", setting.firmware.clone());
    let clock = match (setting.clock, setting.simulated) {
        (Some(hertz), _) => format!("{} MHz", words::number(hertz as f64 / 1e6)),
        (None, true) => lang
            .pick("that of the computer", "el del ordenador")
            .to_owned(),
        (None, false) => lang
            .pick("not told by the firmware", "el firmware no lo dice")
            .to_owned(),
    };
    row("clock", "reloj", clock);
    row("broker", "broker", setting.broker.clone());
    let none = || lang.pick("none", "ninguna").to_owned();
    row(
        "compared with",
        "comparado con",
        setting.baseline.clone().unwrap_or_else(none),
    );
    row("computer", "ordenador", setting.computer.clone());
    row("date (UTC)", "fecha (UTC)", setting.date.clone());
    rows
}

fn heading(report: &Report, lang: Lang) -> String {
    let mut text = columns(
        &setting(report, lang)
            .into_iter()
            .map(Vec::from)
            .collect::<Vec<_>>(),
    );
    if report.interrupted {
        text.push_str(interrupted(lang));
        text.push('\n');
    }
    text.push('\n');
    text
}

/// What a run that did not come to its end says of itself.
pub fn interrupted(lang: Lang) -> &'static str {
    lang.pick(
        "INTERRUPTED: these are the results up to then",
        "INTERRUMPIDO: estos son los resultados hasta entonces",
    )
}

/// What the table cannot say: who could not do something, which rounds failed, what is incomplete.
pub fn footnotes(report: &Report, lang: Lang) -> Vec<String> {
    let mut notes = Vec::new();
    for measurement in &report.measurements {
        let name = words::measurement(measurement, lang);
        for run in &measurement.runs {
            let who = words::who(run.who, lang);
            if let Some(why) = &run.cannot {
                notes.push(match lang {
                    Lang::En => format!("{name}: {who} cannot do this ({why})"),
                    Lang::Es => format!("{name}: {who} no lo sabe hacer ({why})"),
                });
                continue;
            }
            let failed = run.rounds.iter().filter(|round| round.is_none()).count();
            if failed > 0 {
                let why = run.failures.first().map_or("", String::as_str);
                let of = run.rounds.len();
                notes.push(match lang {
                    Lang::En => format!("{name}: {failed} of {of} rounds of {who} failed ({why})"),
                    Lang::Es => {
                        format!("{name}: fallaron {failed} de {of} rondas de {who} ({why})")
                    }
                });
            }
        }
        if !measurement.is_complete() {
            notes.push(incomplete(measurement, &name, lang));
        }
    }
    notes.extend(report.remarks.iter().cloned());
    notes
}

fn incomplete(measurement: &Measurement, name: &str, lang: Lang) -> String {
    let taking_part = measurement.runs.iter().filter(|run| run.cannot.is_none());
    let made = taking_part.map(|run| run.rounds.len()).min().unwrap_or(0);
    let of = measurement.rounds;
    match lang {
        Lang::En => format!("{name}: only {made} of {of} rounds were made"),
        Lang::Es => format!("{name}: solo se hicieron {made} de {of} rondas"),
    }
}

/// Rows with columns as wide as their widest word, two blanks between.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let words = rows.iter().filter_map(|row| row.get(column));
        words.map(|word| word.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (word, width) in row.iter().zip(&widths) {
            line.push_str(word);
            line.push_str(&" ".repeat(width - word.width() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// All rounds, one line each: `task,qos,size,who,round,microseconds`, the last empty for a round that failed; then the
/// counts, whose `round` is empty. The first line names the columns.
pub fn csv(report: &Report) -> String {
    let mut text = String::from("what,qos,size,who,round,value,unit\n");
    let word = |value: Option<String>| value.unwrap_or_default();
    for of in &report.measurements {
        for run in &of.runs {
            for (index, round) in run.rounds.iter().enumerate() {
                text.push_str(&format!(
                    "{},{},{},{},{index},{},us\n",
                    of.task.name(),
                    word(of.qos.map(|qos| qos.to_string())),
                    word(of.size.map(|size| size.to_string())),
                    run.who.name(),
                    word(round.map(|us| us.to_string())),
                ));
            }
        }
    }
    for of in &report.counts {
        for (who, value) in &of.values {
            text.push_str(&format!(
                "{},{},{},{},,{value},\n",
                of.quantity.name(),
                word(of.qos.map(|qos| qos.to_string())),
                word(of.size.map(|size| size.to_string())),
                who.name(),
            ));
        }
    }
    text
}
