//! `umqtt bench`: decides where a comparison runs, with which broker, and what is printed and written of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bench_report::{Measurement, Report, Setting, Summary, Who};
use board_link::{Board, BoardInfo, Execution, Lang, LinkError};
use broker::{Broker, BrokerConfig, Identity};
use serde_json::{Value, json};

use crate::bench::baseline::{self, Wanted};
use crate::bench::reach::Reach;
use crate::bench::{self, BoardsBroker, Comparison, Plan};
use crate::broker_choice::{self, BrokerChoice, OutsideBroker};
use crate::commands::broker as broker_command;
use crate::direct::{Direct, on_board};
use crate::display::Display;
use crate::failure::{self, Failure, Status};
use crate::lan;
use crate::lines;
use crate::options::bench::BenchOptions;
use crate::output;
use crate::whole_file::WholeFile;

const SIZES: [usize; 3] = [16, 256, 1024];
const QOS: [u8; 3] = [0, 1, 2];
const ROUNDS: u64 = 31;
const MESSAGES: u64 = 10_000;

pub fn run(options: &BenchOptions, lang: Lang) -> Result<(), Failure> {
    if let Some(boards) = options.scale {
        return bench::scale::run(options, boards as usize, lang);
    }
    let choice = match options.brokers.as_slice() {
        [] => BrokerChoice::Embedded,
        [one] => broker_choice::named(one, lang)?,
        _ => {
            let message = lang.pick(
                "two brokers are compared with --scale only",
                "dos brokers solo se comparan con --scale",
            );
            let help = lang.pick("leave one of the two out", "quita uno de los dos");
            return Err(Failure::new(Status::Usage, message, help));
        }
    };
    // Before minutes of measuring, not after.
    let svg = Output::prepare(options.svg.as_deref(), lang)?;
    let html = Output::prepare(options.html.as_deref(), lang)?;
    let plan = plan(options);
    let mut report = Report::default();
    let done = on_board(&options.port, lang, |direct| {
        compare(direct, options, &plan, &choice, &mut report, lang)
    });
    if !report.is_empty() {
        let table = match options.csv {
            true => bench_report::csv(&report),
            false if lines::wanted() => events(&report),
            false => bench_report::table(&report, lang),
        };
        output::print(table.as_bytes(), lang)?;
        for (output, text) in [
            (svg, bench_report::picture(&report, lang)),
            (html, bench_report::page(&report, lang)),
        ] {
            if let Some(output) = output {
                output.write(&text, lang)?;
            }
        }
    }
    done
}

fn plan(options: &BenchOptions) -> Plan {
    let mut sizes: Vec<usize> = options.sizes.iter().map(|size| *size as usize).collect();
    let mut qos = options.qos.clone();
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    if qos.is_empty() {
        qos = QOS.to_vec();
    }
    sizes.sort_unstable();
    sizes.dedup();
    qos.sort_unstable();
    qos.dedup();
    Plan {
        sizes,
        qos,
        rounds: options.rounds.unwrap_or(ROUNDS) as usize,
        messages: options.messages.unwrap_or(MESSAGES) as usize,
    }
}

fn compare(
    direct: &mut Direct,
    options: &BenchOptions,
    plan: &Plan,
    choice: &BrokerChoice,
    report: &mut Report,
    lang: Lang,
) -> Result<(), Failure> {
    let simulated = direct.is_simulated();
    let board = &mut direct.board;
    let link = |error: LinkError| Failure::from_link(&error, lang);
    let info = board.info().map_err(link)?;
    let wanted = Wanted::from_word(options.baseline.as_deref());
    let baseline = baseline::find(board, &wanted, lang)?;
    let reach = Reach::of(board).map_err(link)?;
    // It serves until the end of this function.
    let (_embedded, broker) = match choice {
        _ if !reach.network => (None, None),
        BrokerChoice::Embedded => {
            let (embedded, broker) = embed(simulated, lang)?;
            (Some(embedded), Some(broker))
        }
        BrokerChoice::Outside(outside) => (None, Some(outside_broker(outside, simulated, lang)?)),
    };
    let no_broker = || {
        lang.pick("none: a stream in memory", "ninguno: un flujo en memoria")
            .to_owned()
    };
    report.setting = Setting {
        board: info.machine.clone(),
        firmware: firmware(&info),
        clock: match simulated {
            true => None,
            false => clock(board).map_err(link)?,
        },
        simulated,
        broker: (broker.as_ref()).map_or_else(no_broker, |broker| broker.name.clone()),
        baseline: baseline.as_ref().map(|of| of.name.clone()),
        date: chrono::Utc::now().format("%Y-%m-%d %H:%M").to_string(),
        computer: bench::describe_computer(),
    };
    let notes = Display::of_notes();
    let sender = notes.sender();
    let done = Comparison {
        board,
        info: &info,
        simulated,
        plan,
        reach,
        broker: broker.as_ref(),
        baseline: baseline.as_ref(),
        display: &sender,
        stop: &direct.stop,
        lang,
        renewal: 0.0,
    }
    .run(report);
    drop(sender);
    notes.finish();
    done
}

fn firmware(info: &BoardInfo) -> String {
    let (major, minor, micro) = info.version;
    let mpy = info.mpy.map(|mpy| format!(", mpy {mpy}"));
    format!(
        "MicroPython {major}.{minor}.{micro}{}",
        mpy.unwrap_or_default()
    )
}

/// The processor's frequency, where the board knows it.
fn clock(board: &mut Board) -> Result<Option<u64>, LinkError> {
    let code = "try:\n    import machine\n    _f = machine.freq()\n    \
                print(_f if isinstance(_f, int) else _f[0])\nexcept Exception:\n    pass\n";
    let said = board.exec(code).and_then(Execution::into_stdout)?;
    Ok(said.trim().parse().ok())
}

/// The embedded broker on free ports, with TLS, where the board reaches it.
fn embed(simulated: bool, lang: Lang) -> Result<(Broker, BoardsBroker), Failure> {
    let ip = match simulated {
        true => Ipv4Addr::LOCALHOST,
        false => lan::address("", lang)?,
    };
    // The board trusts anything: the certificate's authority need not outlive the run.
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::complete(Status::Failed, error.to_string()))?;
    let identity = Identity::make(folder.path(), &["umqtt".to_owned()], &[IpAddr::V4(ip)]);
    let (identity, _) =
        identity.map_err(|error| Failure::complete(Status::Failed, error.to_string()))?;
    let free = SocketAddr::from((ip, 0));
    let broker = Broker::start(BrokerConfig {
        listen: free,
        tls: Some((free, identity)),
        anonymous: true,
        ..BrokerConfig::default()
    })
    .map_err(|error| broker_command::explain(&error, lang))?;
    let boards = BoardsBroker {
        name: format!(
            "umqtt {} ({})",
            env!("CARGO_PKG_VERSION"),
            lang.pick("embedded", "incluido")
        ),
        host: ip.to_string(),
        port: Some(broker.addr().port()),
        tls_port: broker.tls_addr().map(|address| address.port()),
        user: None,
        password: None,
        here: Some(IpAddr::V4(ip)),
    };
    Ok((broker, boards))
}

fn outside_broker(
    outside: &OutsideBroker,
    simulated: bool,
    lang: Lang,
) -> Result<BoardsBroker, Failure> {
    let loopback = outside.host == "localhost"
        || outside
            .host
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
    if loopback && !simulated {
        let message = match lang {
            Lang::En => format!("{} is the board itself, as the board sees it", outside.host),
            Lang::Es => format!("para la placa, {} es ella misma", outside.host),
        };
        let help = lang.pick(
            "name this computer by its address in the boards' network",
            "nombra este equipo con su dirección en la red de las placas",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    let here = match simulated {
        true => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        false => lan::own_address(),
    };
    Ok(BoardsBroker {
        name: outside.to_string(),
        host: outside.host.clone(),
        port: (!outside.tls).then_some(outside.port),
        tls_port: outside.tls.then_some(outside.port),
        user: outside.user.clone(),
        password: outside.password.clone(),
        here,
    })
}

/// A file that is written at the end.
struct Output {
    path: PathBuf,
    file: WholeFile,
}

impl Output {
    fn prepare(path: Option<&Path>, lang: Lang) -> Result<Option<Output>, Failure> {
        let Some(path) = path else {
            return Ok(None);
        };
        let file = WholeFile::prepare(path).map_err(|error| unwritable(path, &error, lang))?;
        Ok(Some(Output {
            path: path.to_owned(),
            file,
        }))
    }

    fn write(self, text: &str, lang: Lang) -> Result<(), Failure> {
        let written = self.file.write(text.as_bytes());
        written.map_err(|error| unwritable(&self.path, &error, lang))
    }
}

fn unwritable(path: &Path, error: &std::io::Error, lang: Lang) -> Failure {
    let message = failure::cannot_write(path.display(), error, lang);
    let help = lang.pick("name another file", "indica otro fichero");
    Failure::new(Status::Failed, message, help)
}

/// The lines of `--json`.
fn events(report: &Report) -> String {
    let mut setting = json!(report.setting);
    setting["interrupted"] = json!(report.interrupted);
    let mut text = lines::event("setting", setting);
    for of in &report.measurements {
        text.push_str(&lines::event("measured", measured(of)));
    }
    for of in &report.counts {
        let values: serde_json::Map<String, Value> = (of.values.iter())
            .map(|(who, value)| (who.name().to_owned(), json!(value)))
            .collect();
        let fields = json!({
            "quantity": of.quantity.name(), "qos": of.qos, "size": of.size, "messages": of.messages, "values": values,
        });
        text.push_str(&lines::event("counted", fields));
    }
    for remark in &report.remarks {
        text.push_str(&lines::event("note", json!({ "message": remark })));
    }
    text
}

fn measured(of: &Measurement) -> Value {
    let mut runs = serde_json::Map::new();
    for run in &of.runs {
        let summary = Summary::of(&run.good());
        let us = summary.map(|of| json!([of.low, of.median, of.high]));
        runs.insert(
            run.who.name().to_owned(),
            json!({
                "quartiles_us": us, "rounds": run.rounds.len(), "messages": run.messages, "failed": run.failures, "cannot": run.cannot,
            }),
        );
    }
    let ratio = |slow, fast| match of.times(slow, fast) {
        Some(Ok(ratio)) => json!({
            "low": ratio.low, "median": ratio.median, "high": ratio.high, "pairs": ratio.pairs,
        }),
        Some(Err(refusal)) => json!({ "refused": refusal }),
        None => Value::Null,
    };
    json!({
        "task": of.task.name(), "qos": of.qos, "size": of.size, "complete": of.is_complete(), "runs": runs,
        "baseline_to_native": ratio(Who::Baseline, Who::Native), "native_to_floor": ratio(Who::Native, Who::Floor),
    })
}
