//! Decides how the plots look: bars of medians with the middle half of the rounds as their interval, and the distribution
//! of single messages' latencies. Times reach from microseconds to tens of milliseconds, so their axes are logarithmic.

use std::fmt::Write;

use board_link::Lang;

use crate::statistics::{Summary, quantile};
use crate::{Measurement, Report, Run, Task, Who, text, words};

/// Pixels; the text of the page is as wide.
const WIDTH: f64 = 920.0;
/// Where the axes begin, to the right of the names.
const LEFT: f64 = 250.0;
/// Room for what stands at the end of a bar.
const RIGHT: f64 = 90.0;
const BAR: f64 = 15.0;
const GAP: f64 = 14.0;
const HEAD: f64 = 64.0;
const FOOT: f64 = 44.0;
const PLOT_HEIGHT: f64 = 190.0;

/// Colours that remain apart for people who see few, on white and, where the reader's system is dark, on dark.
pub fn colour(who: Who) -> [&'static str; 2] {
    match who {
        Who::Floor => ["#8d99a6", "#8d99a6"],
        Who::Baseline => ["#e08214", "#f0a04b"],
        Who::Native => ["#1f5fbf", "#6ea8ff"],
    }
}

/// The rules of both themes. The elements have the light one's colours as attributes too, for programs that read no rules.
fn style() -> String {
    let dark: String = Who::ALL
        .iter()
        .map(|who| {
            let (name, [_, dark]) = (who.name(), colour(*who));
            format!("rect.{name}{{fill:{dark}}}polyline.{name}{{stroke:{dark}}}")
        })
        .collect();
    format!(
        "text{{font:13px system-ui,sans-serif;fill:#1d2733}}.s{{font-size:11.5px;fill:#56616e}}\
         .t{{font-size:16px;font-weight:600}}\
         @media screen and (prefers-color-scheme:dark){{text{{fill:#e6ebf0}}.s{{fill:#aeb9c4}}.paper{{fill:#161c23}}\
         .grid{{stroke:#36414c}}.mark{{stroke:#e6ebf0}}{dark}}}"
    )
}

/// A logarithmic axis between two powers of ten.
struct Axis {
    low: i32,
    high: i32,
    left: f64,
    right: f64,
}

impl Axis {
    /// `None` where there is nothing to show.
    fn over(values: impl Iterator<Item = f64>, left: f64, right: f64) -> Option<Axis> {
        let mut range: Option<(f64, f64)> = None;
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            let (low, high) = range.unwrap_or((value, value));
            range = Some((low.min(value), high.max(value)));
        }
        let (low, high) = range?;
        let low = low.log10().floor() as i32;
        let high = (high.log10().ceil() as i32).max(low + 1);
        Some(Axis {
            low,
            high,
            left,
            right,
        })
    }

    fn at(&self, value: f64) -> f64 {
        // What is nothing lies at the axis' beginning.
        let log = value.max(f64::MIN_POSITIVE).log10();
        let share = (log - f64::from(self.low)) / f64::from(self.high - self.low);
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Lines at the powers of ten, from `top` to `bottom`, and what they are.
    fn draw(&self, out: &mut String, top: f64, bottom: f64) {
        for power in self.low..=self.high {
            let value = 10_f64.powi(power);
            let x = self.at(value);
            let _ = writeln!(
                out,
                r##"<line x1="{x:.1}" y1="{top:.1}" x2="{x:.1}" y2="{bottom:.1}" class="grid" stroke="#d9dee4"/>"##
            );
            label(out, x, bottom + 16.0, "middle", "s", &words::time(value));
        }
    }
}

fn label(out: &mut String, x: f64, y: f64, anchor: &str, class: &str, words: &str) {
    let words = escape(words);
    let _ = writeln!(
        out,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{words}</text>"#
    );
}

/// Text as XML has it.
pub fn escape(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            letter if letter.is_control() => " ".to_owned(),
            letter => letter.to_string(),
        })
        .collect()
}

/// All plots under each other, as a file of its own.
pub fn picture(report: &Report, lang: Lang) -> String {
    let mut inside = String::new();
    let mut height = 0.0;
    if report.interrupted {
        height += 30.0;
        label(
            &mut inside,
            12.0,
            22.0,
            "start",
            "t",
            text::interrupted(lang),
        );
    }
    let plots = plots(report, lang);
    if !plots.is_empty() {
        // The file may be shown without the table that says it: board, firmware, clock and date.
        let setting = text::setting(report, lang);
        let named: Vec<String> = (setting.into_iter().map(|of| of.join(": "))).collect();
        for some in named.chunks(named.len().div_ceil(3)) {
            height += 18.0;
            label(&mut inside, 12.0, height, "start", "s", &some.join(" · "));
        }
        height += 10.0;
    }
    for plot in plots {
        let _ = writeln!(
            inside,
            r#"<g transform="translate(0 {height:.1})">{}</g>"#,
            plot.inside
        );
        height += plot.height;
    }
    if height == 0.0 {
        height = 40.0;
        let nothing = lang.pick("nothing was measured", "no se midió nada");
        label(&mut inside, 12.0, 26.0, "start", "t", nothing);
    }
    let name = lang.pick("plots of the comparison", "gráficas de la comparación");
    wrap(&inside, height, name)
}

/// Every plot as an SVG element of its own, for a page, behind its title.
pub fn elements(report: &Report, lang: Lang) -> Vec<(String, String)> {
    let plots = plots(report, lang).into_iter();
    plots
        .map(|plot| {
            let element = wrap(&plot.inside, plot.height, &plot.title);
            (plot.title, element)
        })
        .collect()
}

fn wrap(inside: &str, height: f64, name: &str) -> String {
    let name = escape(name);
    let style = style();
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" role="img" aria-label="{name}">
<style>{style}</style>
<rect width="{WIDTH}" height="{height:.0}" class="paper" fill="#fff"/>
{inside}</svg>
"##
    )
}

struct Plot {
    title: String,
    height: f64,
    inside: String,
}

fn plots(report: &Report, lang: Lang) -> Vec<Plot> {
    let mut plots = Vec::new();
    let groups: [(&[Task], &str, &str); 2] = [
        (
            &[
                Task::Publish,
                Task::Delivered,
                Task::RoundTrip,
                Task::Receive,
            ],
            "Time per message",
            "Tiempo por mensaje",
        ),
        (
            &[Task::Connect, Task::ConnectTls, Task::Import],
            "Time to begin",
            "Tiempo para empezar",
        ),
    ];
    for (tasks, en, es) in groups {
        let of: Vec<&Measurement> = report
            .measurements
            .iter()
            .filter(|measurement| tasks.contains(&measurement.task))
            .collect();
        plots.extend(bars(&of, lang.pick(en, es), lang));
    }
    for measurement in &report.measurements {
        plots.extend(distribution(measurement, lang));
    }
    plots
}

fn legend(out: &mut String, with: &[Who], lang: Lang) {
    let mut x = LEFT;
    for who in with {
        let ([colour, _], name) = (colour(*who), words::who(*who, lang));
        let class = who.name();
        let _ = writeln!(
            out,
            r#"<rect x="{x:.1}" y="37" width="12" height="12" rx="2" class="{class}" fill="{colour}"/>"#
        );
        label(out, x + 18.0, 48.0, "start", "s", name);
        x += 40.0 + 7.0 * name.chars().count() as f64;
    }
}

fn with(measurements: &[&Measurement]) -> Vec<Who> {
    let shown = |who: &Who| {
        let mut runs = measurements.iter().flat_map(|of| &of.runs);
        runs.any(|run| run.who == *who && !run.good().is_empty())
    };
    Who::ALL.into_iter().filter(shown).collect()
}

/// A bar for everybody's median; the thin line over its end is the middle half of the rounds.
fn bars(measurements: &[&Measurement], title: &str, lang: Lang) -> Option<Plot> {
    let with = with(measurements);
    let summary = |run: &Run| Summary::of(&run.good());
    let all = measurements.iter().flat_map(|of| &of.runs);
    // An axis that begins well below the shortest time leaves every bar a length.
    let ends = all
        .filter_map(summary)
        .flat_map(|of| [of.low * 0.7, of.high]);
    let axis = Axis::over(ends, LEFT, WIDTH - RIGHT)?;
    let rows = measurements
        .iter()
        .map(|_| BAR * with.len() as f64 + GAP)
        .sum::<f64>();
    let mut out = String::new();
    label(&mut out, 12.0, 24.0, "start", "t", title);
    legend(&mut out, &with, lang);
    axis.draw(&mut out, HEAD, HEAD + rows);
    let mut y = HEAD + GAP / 2.0;
    for measurement in measurements {
        let middle = y + BAR * with.len() as f64 / 2.0 + 4.5;
        let name = words::measurement(measurement, lang);
        label(&mut out, LEFT - 10.0, middle, "end", "n", &name);
        for who in &with {
            let run = measurement.run(*who);
            match run.and_then(summary) {
                Some(summary) => bar(&mut out, &axis, y, *who, summary),
                // It has no part in this.
                None if run.is_none() => {}
                None => {
                    let why = match run.and_then(|run| run.cannot.as_ref()) {
                        Some(_) => lang.pick("cannot do this", "no lo sabe hacer"),
                        None => lang.pick("not measured", "no se midió"),
                    };
                    let y = y + BAR - 4.0;
                    label(&mut out, LEFT + 4.0, y, "start", "s", why);
                }
            }
            y += BAR;
        }
        y += GAP;
    }
    Some(Plot {
        title: title.to_owned(),
        height: HEAD + rows + FOOT,
        inside: out,
    })
}

fn bar(out: &mut String, axis: &Axis, y: f64, who: Who, summary: Summary) {
    let (end, low, high) = (
        axis.at(summary.median),
        axis.at(summary.low),
        axis.at(summary.high),
    );
    let width = (end - axis.left).max(1.0);
    let middle = y + BAR / 2.0;
    let _ = writeln!(
        out,
        r##"<rect x="{:.1}" y="{:.1}" width="{width:.1}" height="{:.1}" class="{}" fill="{}"/><path class="mark" d="M{low:.1} {middle:.1}H{high:.1}M{low:.1} {:.1}v6M{high:.1} {:.1}v6" stroke="#1d2733" fill="none"/>"##,
        axis.left,
        y + 1.0,
        BAR - 2.0,
        who.name(),
        colour(who)[0],
        middle - 3.0,
        middle - 3.0,
    );
    let at = end.max(high) + 6.0;
    label(
        out,
        at,
        y + BAR - 3.5,
        "start",
        "s",
        &words::time(summary.median),
    );
}

/// Which share of the messages took at most how long.
fn distribution(measurement: &Measurement, lang: Lang) -> Option<Plot> {
    let times = |who: Who| -> Option<Vec<f64>> {
        let mut times = measurement.run(who)?.each.clone();
        times.sort_by(f64::total_cmp);
        (times.len() > 1).then_some(times)
    };
    let all: Vec<(Who, Vec<f64>)> = Who::ALL
        .into_iter()
        .filter_map(|who| Some((who, times(who)?)))
        .collect();
    let left = 70.0;
    let axis = Axis::over(
        all.iter().flat_map(|(_, times)| times.iter().copied()),
        left,
        WIDTH - RIGHT,
    )?;
    let mut out = String::new();
    let name = words::measurement(measurement, lang);
    let title = match lang {
        Lang::En => format!("Share of messages that took at most so long: {name}"),
        Lang::Es => format!("Parte de los mensajes que tardó como mucho: {name}"),
    };
    label(&mut out, 12.0, 24.0, "start", "t", &title);
    let with: Vec<Who> = all.iter().map(|(who, _)| *who).collect();
    legend(&mut out, &with, lang);
    let bottom = HEAD + PLOT_HEIGHT;
    axis.draw(&mut out, HEAD, bottom);
    for percent in [0, 25, 50, 75, 100] {
        let y = bottom - PLOT_HEIGHT * f64::from(percent) / 100.0;
        let end = WIDTH - RIGHT;
        let _ = writeln!(
            out,
            r##"<line x1="{left}" y1="{y:.1}" x2="{end}" y2="{y:.1}" class="grid" stroke="#d9dee4"/>"##
        );
        label(
            &mut out,
            left - 8.0,
            y + 4.0,
            "end",
            "s",
            &format!("{percent} %"),
        );
    }
    for (who, times) in &all {
        // A hundred points draw any distribution.
        let points: Vec<String> = (0..=100)
            .filter_map(|percent| {
                let share = f64::from(percent) / 100.0;
                let x = axis.at(quantile(times, share)?);
                Some(format!("{x:.1},{:.1}", bottom - PLOT_HEIGHT * share))
            })
            .collect();
        let _ = writeln!(
            out,
            r#"<polyline points="{}" class="{}" fill="none" stroke="{}" stroke-width="2.5"/>"#,
            points.join(" "),
            who.name(),
            colour(*who)[0]
        );
    }
    Some(Plot {
        title,
        height: bottom + FOOT,
        inside: out,
    })
}
