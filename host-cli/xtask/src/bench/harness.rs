//! Decides which benchmarks `cargo xtask bench` has, which ratios of their results are kept from commit to commit, and what
//! docs/PERFORMANCE.md says of them: `cargo xtask performance` writes both that page and the record it is made from.
//!
//! A ratio is that of a peer to ours in the same run, so that what the computer does meets both: larger is better, and 1 is
//! as fast as the peer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::layers::{Columns, Layers};
use super::{Effort, board, broker, client, median, startup};
use crate::setup;

/// A benchmark that can be named.
struct Benchmark {
    name: &'static str,
    /// What is measured, and beside what.
    about: &'static str,
    /// False where a promise is broken.
    run: fn(Effort) -> Result<bool>,
    /// The ratios in `target/bench/NAME.json`.
    ratios: fn(&Value) -> Ratios,
    /// The layers in it.
    layers: fn(&Value) -> Vec<Layers>,
    /// By which part of itself a ratio may be smaller than in the record before that is called worse: what the same
    /// program measures differently from run to run.
    noise: f64,
}

type Ratios = BTreeMap<String, f64>;

const ALL: [Benchmark; 7] = [
    Benchmark {
        name: "publish",
        about: "publishing in one process: a bare write (QoS 0) and umqtt.simple 1.3.4 (QoS 1)",
        run: super::publish,
        ratios: of_publish,
        layers: no_layers,
        noise: 0.15,
    },
    Benchmark {
        name: "client",
        about: "the client against Mosquitto: a bare socket and umqtt.simple 1.3.4",
        run: client::run,
        ratios: of_client,
        layers: no_layers,
        noise: 0.15,
    },
    Benchmark {
        name: "board",
        about: "instructions for encoding and decoding a message in QEMU: umqtt.simple 1.3.4",
        run: board::run,
        ratios: of_board,
        layers: layers_of_board,
        noise: 0.01,
    },
    Benchmark {
        name: "link",
        about: "linking MicroPython's example modules: mpy_ld.py",
        run: crate::bench_link::link,
        ratios: of_link,
        layers: no_layers,
        noise: 0.10,
    },
    Benchmark {
        name: "deploy",
        about: "moving files to a board in QEMU: mpremote",
        run: crate::bench_deploy::deploy,
        ratios: of_deploy,
        layers: layers_of_deploy,
        noise: 0.20,
    },
    Benchmark {
        name: "broker",
        about: "messages per second between simulated boards, and the broker's processor time for each: Mosquitto",
        run: broker::run,
        ratios: of_broker,
        layers: no_layers,
        noise: 0.25,
    },
    Benchmark {
        name: "startup",
        about: "the command's start: mpremote",
        run: startup::run,
        ratios: of_startup,
        layers: layers_of_startup,
        noise: 0.15,
    },
];

/// What stands in a ratio's name where it is one of counts, which are the same from run to run.
const COUNTED: &str = "instructions";
/// In place of [`Benchmark::noise`] for those.
const NOISE_OF_COUNTS: f64 = 0.02;

/// The laboratory with a class of boards, which has no peer, so no ratio, and takes ten minutes.
const LAB: &str = "lab";

/// What is kept of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// `2026-01-31`.
    date: String,
    commit: String,
    /// Its processors, and what else they did when the run began.
    computer: String,
    ratios: Ratios,
    /// Where what is counted goes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    layers: Vec<Layers>,
}

type Record = BTreeMap<String, Kept>;

fn record_path() -> PathBuf {
    testkit::repository().join("host-cli/xtask/performance.json")
}

/// Runs the named ones, or all (without the laboratory, which runs for so many seconds), and compares each with the committed
/// record; false where a promise is broken or a result is worse than the record. What is measured in a hurry shows that all
/// of it runs, and is compared with nothing.
///
/// # Errors
/// For a name that is none, before anything is run; where something cannot be measured, after the others.
pub fn run(names: &[String], seconds: u64, effort: Effort) -> Result<bool> {
    let all = names.iter().any(|name| name == "all");
    let known = |name: &String| {
        [LAB, "all"].contains(&name.as_str()) || ALL.iter().any(|one| one.name == name)
    };
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let names = ALL.map(|one| one.name).join(", ");
        bail!("there is no benchmark {unknown}; there are {names}, {LAB}, and all");
    }
    // What is missing now is reported by the benchmarks that need it.
    setup::run()?;
    let record = read_record()?;
    let mut holds = true;
    let mut summary = Vec::new();
    let mut problems = Vec::new();
    for one in &ALL {
        if !all && !names.iter().any(|name| name == one.name) {
            continue;
        }
        println!("== {}: {}", one.name, one.about);
        let begun = Instant::now();
        match measure(one, effort) {
            Ok((held, kept)) => {
                // So few rounds judge nothing.
                let held = held || effort == Effort::Hurried;
                holds &= held;
                let mut line = format!(
                    "{}: {} s, {}",
                    one.name,
                    begun.elapsed().as_secs(),
                    match (effort, held) {
                        (Effort::Hurried, _) => "it runs",
                        (Effort::Whole, true) => "promises hold",
                        (Effort::Whole, false) => "A PROMISE DOES NOT HOLD",
                    }
                );
                if effort == Effort::Whole {
                    let worse = compare(&kept.ratios, record.get(one.name), one.noise);
                    holds &= worse.is_empty();
                    if !worse.is_empty() {
                        line += &format!("; WORSE than the record: {}", worse.join("; "));
                    }
                }
                summary.push(line);
            }
            Err(error) => problems.push(format!("{}: {error:#}", one.name)),
        }
    }
    if names.iter().any(|name| name == LAB) {
        holds &= crate::test::lab(seconds)?;
    }
    println!("== in all");
    for line in summary {
        println!("{line}");
    }
    if !problems.is_empty() {
        bail!("not measured: {}", problems.join("; "));
    }
    Ok(holds)
}

fn measure(one: &Benchmark, effort: Effort) -> Result<(bool, Kept)> {
    // Before it adds to it.
    let computer = computer();
    let held = (one.run)(effort)?;
    let path = effort.folder().join(format!("{}.json", one.name));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let value = serde_json::from_str(&text)?;
    let ratios = (one.ratios)(&value);
    ensure!(!ratios.is_empty(), "{} has no ratio", path.display());
    let kept = Kept {
        date: crate::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?,
        commit: crate::output(
            Command::new("git")
                .args(["rev-parse", "--short", "HEAD"])
                .current_dir(testkit::repository()),
        )?,
        computer,
        ratios,
        layers: (one.layers)(&value),
    };
    super::write(effort, &format!("{}.ratios.json", one.name), &kept)?;
    Ok((held, kept))
}

/// `2 × Some processor, load 0.52`.
fn computer() -> String {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("processor", |(_, model)| model.trim());
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    format!("{count} × {model}, load {load}")
}

/// Prints how each ratio has moved, and returns what has become worse, in words.
fn compare(new: &Ratios, old: Option<&Kept>, noise: f64) -> Vec<String> {
    let Some(old) = old else {
        println!("no record to compare with; `cargo xtask performance` makes one");
        return Vec::new();
    };
    println!(
        "against {} of {} ({}); more than {:.0} % less is worse, of counts {:.0} %",
        old.commit,
        old.date,
        old.computer,
        noise * 100.0,
        NOISE_OF_COUNTS.min(noise) * 100.0
    );
    let mut worse = Vec::new();
    for (what, ratio) in new {
        let Some(before) = old.ratios.get(what) else {
            println!("  {what}: {ratio:.2}, new");
            continue;
        };
        let moved = ratio / before - 1.0;
        let said = format!(
            "{what}: {before:.2} before, {ratio:.2} now ({:+.1} %)",
            moved * 100.0
        );
        let allowed = if what.contains(COUNTED) {
            NOISE_OF_COUNTS.min(noise)
        } else {
            noise
        };
        // A ratio that is no number is not as good as before either.
        if moved >= -allowed {
            println!("  {said}");
        } else {
            println!("  {said}: WORSE");
            worse.push(said);
        }
    }
    for what in old.ratios.keys().filter(|what| !new.contains_key(*what)) {
        println!("  {what}: no longer measured");
        worse.push(format!("{what}: no longer measured"));
    }
    worse
}

fn read_record() -> Result<Record> {
    let path = record_path();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            serde_json::from_str(&text).with_context(|| format!("{} is no record", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Record::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Takes what `cargo xtask bench` left under `target/bench` into the record, and writes docs/PERFORMANCE.md from that.
/// What was not measured anew stays as it was recorded.
pub fn performance() -> Result<()> {
    let mut record = read_record()?;
    for one in &ALL {
        let path = Effort::Whole
            .folder()
            .join(format!("{}.ratios.json", one.name));
        if let Ok(text) = std::fs::read_to_string(&path) {
            let kept = serde_json::from_str(&text)
                .with_context(|| format!("{} is no result", path.display()))?;
            record.insert(one.name.to_owned(), kept);
        }
    }
    if record.is_empty() {
        bail!("nothing was measured yet; `cargo xtask bench all` does");
    }
    let text = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(record_path(), text).context("cannot write the record")?;
    let page = testkit::repository().join("docs/PERFORMANCE.md");
    std::fs::write(&page, render(&record))
        .with_context(|| format!("cannot write {}", page.display()))
}

/// The page.
fn render(record: &Record) -> String {
    let mut text = String::from(
        "# Performance\n\n\
         Written by `cargo xtask performance` from what `cargo xtask bench NAME` measured; do not edit. Each number is how \
         many times faster ours is than its peer, both in the same run: below 1 it is slower, and of \
         what is next to nothing 100 is the most that is said. What a single run measured, with its spread, is under `target/bench`.\n",
    );
    for one in &ALL {
        let Some(kept) = record.get(one.name) else {
            continue;
        };
        text.push_str(&format!(
            "\n## {}\n\nBeside its peer, {}. `cargo xtask bench {}`, {}, {}, commit {}.\n\n| what | times faster |\n|---|---:|\n",
            one.name, one.about, one.name, kept.date, kept.computer, kept.commit
        ));
        for (what, ratio) in &kept.ratios {
            text.push_str(&format!("| {what} | {ratio:.2} |\n"));
        }
        for layers in &kept.layers {
            text.push_str(&layers.render());
        }
    }
    text
}

/// The layers of small messages, where the client itself is most of what is above the floor.
fn layers_of_board(value: &Value) -> Vec<Layers> {
    let counted = rows(value).filter_map(|row| serde_json::from_value(row.clone()).ok());
    counted
        .filter(|one: &board::Counted| one.size == 16)
        .map(|one| {
            let mut parties: Vec<_> = one.layers.into_iter().collect();
            // Largest above the floor first.
            parties.sort_by_key(|(_, of)| of.floor - of.ours);
            Layers {
                what: format!("{}, {}, {} bytes", one.arch, one.what, one.size),
                columns: Columns::of_board(),
                parties,
            }
        })
        .collect()
}

fn no_layers(_: &Value) -> Vec<Layers> {
    Vec::new()
}

/// Rows have them that were measured with a tap in the line.
fn layers_of_deploy(value: &Value) -> Vec<Layers> {
    rows(value)
        .filter_map(|row| serde_json::from_value(row["layers"].clone()).ok())
        .collect()
}

fn layers_of_startup(value: &Value) -> Vec<Layers> {
    serde_json::from_value(value["layers"].clone())
        .into_iter()
        .collect()
}

/// The elements of an array.
fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn of_publish(value: &Value) -> Ratios {
    let mut ratios = Ratios::new();
    for row in rows(value) {
        let version = word(row, "micropython");
        let mut add = |what: &str, ratio: Option<f64>| {
            ratios.extend(ratio.map(|ratio| (format!("MicroPython {version}, {what}"), ratio)));
        };
        let of_floor = row["qos_0_ours_to_bare_write"].as_f64();
        add(
            "QoS 0 beside a bare write",
            of_floor.map(|ratio| 1.0 / ratio),
        );
        add("QoS 1 beside 1.3.4", row["qos_1_upstream_to_ours"].as_f64());
    }
    ratios
}

fn of_client(value: &Value) -> Ratios {
    let mut ratios = Ratios::new();
    for row in rows(value) {
        let what = format!("{}, {} bytes", word(row, "what"), row["size"]);
        if let Some(of_floor) = row["of_floor"]["is"].as_f64() {
            ratios.insert(format!("{what}, beside a bare socket"), 1.0 / of_floor);
        }
        if let Some(ratio) = row["than_upstream"]["is"].as_f64() {
            ratios.insert(format!("{what}, beside 1.3.4"), ratio);
        }
        let count = |who: &str| row["instructions"][who].as_f64();
        if let (Some(ours), Some(floor)) = (count("ours"), count("floor")) {
            let what = format!("{what}, {COUNTED} beside a bare socket");
            ratios.insert(what, floor / ours);
        }
        if let (Some(ours), Some(theirs)) = (count("ours"), count("upstream")) {
            ratios.insert(format!("{what}, {COUNTED} beside 1.3.4"), theirs / ours);
        }
    }
    ratios
}

fn of_board(value: &Value) -> Ratios {
    let mut ratios = Ratios::new();
    for row in rows(value) {
        let Ok(one) = serde_json::from_value::<board::Counted>(row.clone()) else {
            continue;
        };
        let what = format!("{}, {}, {} bytes", one.arch, one.what, one.size);
        ratios.insert(
            format!("{what}, above the floor"),
            one.instructions.above_floor(),
        );
        ratios.insert(format!("{what}, whole"), one.instructions.whole());
    }
    ratios
}

fn of_link(value: &Value) -> Ratios {
    let sum = value["sum_ratio"].as_f64();
    sum.map(|ratio| ("all modules".to_owned(), ratio))
        .into_iter()
        .collect()
}

fn of_deploy(value: &Value) -> Ratios {
    let named = |row: &Value| format!("{}: {}", word(row, "line"), word(row, "task"));
    rows(value)
        .filter_map(|row| Some((named(row), row["times_faster"].as_f64()?)))
        .collect()
}

fn of_broker(value: &Value) -> Ratios {
    let mut ratios = Ratios::new();
    let all: Vec<&Value> = rows(value).collect();
    for pair in all.chunks(2) {
        let [ours, theirs] = pair else {
            continue;
        };
        let mut what = format!("QoS {}, {} boards", ours["qos"], ours["boards"]);
        if ours["silent"] != 0 {
            what += &format!(", {} silent clients", ours["silent"]);
        }
        let middle = |name: &str, times_better: fn(f64, f64) -> f64| {
            let [ours, theirs] = [ours, theirs].map(|load| load["of_rounds"][name].as_array());
            // A round of one and that of the other are neighbours.
            let pairs = ours?.iter().zip(theirs?);
            let each = pairs
                .filter_map(|(ours, theirs)| Some(times_better(ours.as_f64()?, theirs.as_f64()?)));
            Some(median(each.collect()))
        };
        let rate = middle("per_second", |ours, theirs| ours / theirs);
        let processor = middle("processor_us", |ours, theirs| theirs / ours);
        ratios.extend(processor.map(|ratio| (format!("{what}, processor time"), ratio)));
        ratios.extend(rate.map(|ratio| (what, ratio)));
    }
    ratios
}

fn of_startup(value: &Value) -> Ratios {
    const WHAT: &str = "umqtt --version beside mpremote version";
    let mut ratios = Ratios::new();
    ratios.extend(
        value["times_faster"]
            .as_f64()
            .map(|ratio| (WHAT.to_owned(), ratio)),
    );
    let count = |who: &str| value["instructions"][who].as_f64();
    if let (Some(ours), Some(theirs)) = (count("umqtt"), count("mpremote")) {
        ratios.insert(format!("{WHAT}, {COUNTED}"), theirs / ours);
    }
    ratios
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_is_what_the_record_says() {
        let record = read_record().expect("a record");
        let page = testkit::repository().join("docs/PERFORMANCE.md");
        let page = std::fs::read_to_string(page).expect("the page");
        assert_eq!(
            page,
            render(&record),
            "`cargo xtask performance` writes it anew"
        );
    }

    #[test]
    fn ratios_say_how_many_times_faster_ours_is() {
        let client = json!([
            { "what": "receive", "size": 16, "of_floor": { "is": 1.25 }, "than_upstream": { "is": 3.0 } },
            { "what": "TLS publish", "size": 16, "of_floor": { "is": 2.0 }, "than_upstream": null },
        ]);
        let ratios = of_client(&client);
        assert_eq!(ratios["receive, 16 bytes, beside a bare socket"], 0.8);
        assert_eq!(ratios["receive, 16 bytes, beside 1.3.4"], 3.0);
        assert_eq!(ratios.len(), 3);
        let instructions = json!({ "floor": 100, "ours": 200, "peer": 500 });
        let board = json!([{ "arch": "rv32imc", "what": "encode", "size": 16, "instructions": instructions, "layers": {} }]);
        let ratios = of_board(&board);
        assert_eq!(ratios["rv32imc, encode, 16 bytes, whole"], 2.5);
        assert_eq!(ratios["rv32imc, encode, 16 bytes, above the floor"], 4.0);
        let load = |silent: u64, rates: [f64; 3], processor: Value| {
            let of_rounds = json!({ "per_second": rates, "processor_us": processor });
            json!({ "qos": 1, "boards": 10, "silent": silent, "of_rounds": of_rounds })
        };
        let ratios = of_broker(&json!([
            load(0, [1.0, 9.0, 2.0], json!([3.0, 2.0, 4.0])),
            load(0, [4.0, 3.0, 4.0], json!([6.0, 6.0, 6.0])),
            load(300, [6.0, 6.0, 6.0], Value::Null),
            load(300, [2.0, 2.0, 2.0], json!([6.0, 6.0, 6.0])),
        ]));
        let expected = [
            ("QoS 1, 10 boards", 0.5),
            ("QoS 1, 10 boards, 300 silent clients", 3.0),
            ("QoS 1, 10 boards, processor time", 2.0),
        ];
        let expected = expected.map(|(what, ratio)| (what.to_owned(), ratio));
        assert_eq!(ratios, Ratios::from(expected));
    }

    #[test]
    fn what_is_worse_than_the_record_is_named() {
        let ratios = |of: &[(&str, f64)]| -> Ratios {
            of.iter()
                .map(|(what, ratio)| ((*what).to_owned(), *ratio))
                .collect()
        };
        let old = Kept {
            date: "2026-01-31".to_owned(),
            commit: "abc".to_owned(),
            computer: "one".to_owned(),
            ratios: ratios(&[
                ("instructions", 2.0),
                ("same", 2.0),
                ("better", 2.0),
                ("worse", 2.0),
                ("gone", 2.0),
            ]),
            layers: Vec::new(),
        };
        let now = ratios(&[
            ("instructions", 1.94),
            ("same", 1.82),
            ("better", 3.0),
            ("worse", 1.78),
            ("new", 1.0),
        ]);
        let worse = compare(&now, Some(&old), 0.1);
        assert_eq!(
            worse,
            [
                "instructions: 2.00 before, 1.94 now (-3.0 %)",
                "worse: 2.00 before, 1.78 now (-11.0 %)",
                "gone: no longer measured"
            ]
        );
        let broken = compare(&ratios(&[("same", f64::NAN)]), Some(&old), 0.1);
        assert!(
            broken.iter().any(|said| said.starts_with("same")),
            "{broken:?}"
        );
        assert!(compare(&now, None, 0.1).is_empty());
    }

    #[test]
    fn a_name_that_is_none_is_refused_before_anything_runs() {
        let error =
            run(&["nonsense".to_owned()], 1, Effort::Hurried).expect_err("no such benchmark");
        assert!(
            error.to_string().contains("startup, lab, and all"),
            "{error}"
        );
    }
}
