//! Decides how a broker is loaded with many simulated boards at once, and what is said of that.
//!
//! Every board has a topic of its own, to which it subscribes and publishes; so each latency is taken by one clock. The
//! brokers take turns on the same boards.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bench_report::interrupted;
use bench_report::statistics::quantile;
use board_link::{Board, Execution, Lang, LinkError, bytes_literal, str_literal};
use broker::{Broker, BrokerConfig, Limits};
use serde_json::json;

use super::computer;
use super::processor::Counted;
use crate::broker_choice::{self, BrokerChoice};
use crate::commands::broker as broker_command;
use crate::display::{Display, Sender};
use crate::failure::{Failure, Status};
use crate::lines;
use crate::module::{self, InstallError};
use crate::options::bench::BenchOptions;
use crate::output;
use crate::simulated::Simulated;
use crate::stop::Stop;
use crate::table::table;
use crate::target;

const PROGRAM: &str = include_str!("../../../../python/bench/scale.py");
/// Messages of each board.
const MESSAGES: u64 = 2000;
/// A board keeps the time of each message it sends.
const MOST_MESSAGES: u64 = 20_000;
/// Messages of a board that are on their way at most.
const WINDOW: usize = 8;
const ROUNDS: usize = 3;
/// What this program may have open on a system that allows it 1,024 files, as most do.
const MOST_FILES: usize = 1000;
/// Files that a board takes: its console, its process, and its connection with the embedded broker. A silent client takes
/// the last alone.
const FILES_OF_A_BOARD: usize = 4;
/// Longer than a board waits for its last messages; with many on a busy computer even they take long.
const LIMIT: Duration = Duration::from_secs(600);

/// A broker under load.
struct Loaded {
    name: String,
    host: String,
    port: u16,
    tls: bool,
    user: Option<String>,
    password: Option<String>,
    /// Where it is known whose time to count.
    processor: Option<Counted>,
    _embedded: Option<Broker>,
    rounds: Vec<Round>,
}

/// What all boards saw of one broker in one round.
#[derive(Default)]
struct Round {
    /// Microseconds that the slowest board took; they begin together, and no clock of theirs is another's.
    longest: f64,
    lost: u64,
    doubled: u64,
    /// Processor time that the broker took for the load, where that is known.
    processor: Option<Duration>,
    /// Microseconds.
    latencies: Vec<f64>,
}

/// One board, ready to load.
struct Player {
    board: Board,
    // Behind the board, whose connection ends first.
    _simulated: Simulated,
}

/// What is asked of every board.
#[derive(Clone, Copy)]
struct Load {
    messages: u64,
    size: u64,
    qos: u8,
    /// Clients beside the boards that are there and say nothing.
    silent: usize,
    rounds: usize,
}

pub fn run(options: &BenchOptions, boards: usize, lang: Lang) -> Result<(), Failure> {
    let usage = |en: String, es: String, help: &str| {
        let message = lang.pick(en, es);
        Failure::new(Status::Usage, message, help)
    };
    let messages = options.messages.unwrap_or(MESSAGES);
    if !(1..=MOST_MESSAGES).contains(&messages) {
        return Err(usage(
            format!("with --scale a board sends 1 to {MOST_MESSAGES} messages, not {messages}"),
            format!("con --scale una placa envía de 1 a {MOST_MESSAGES} mensajes, no {messages}"),
            lang.pick(
                "--messages 2000, for example",
                "por ejemplo --messages 2000",
            ),
        ));
    }
    let silent = options.silent.unwrap_or(0) as usize;
    if FILES_OF_A_BOARD * boards + silent > MOST_FILES {
        return Err(usage(
            format!(
                "{boards} boards and {silent} silent clients are more than one program may have open"
            ),
            format!(
                "{boards} placas y {silent} clientes callados son más de lo que un programa puede tener abierto"
            ),
            lang.pick("ask for fewer of either", "pide menos de unas o de otros"),
        ));
    }
    if options.sizes.len() > 1 || options.qos.len() > 1 {
        return Err(usage(
            "with --scale there is one size and one QoS".to_owned(),
            "con --scale hay un tamaño y una QoS".to_owned(),
            lang.pick(
                "--sizes 64 --qos 1, for example",
                "por ejemplo --sizes 64 --qos 1",
            ),
        ));
    }
    let load = Load {
        messages,
        // The number of the message is in it.
        size: options.sizes.first().copied().unwrap_or(64).max(4),
        qos: options.qos.first().copied().unwrap_or(0),
        silent,
        rounds: options.rounds.map_or(ROUNDS, |rounds| rounds as usize),
    };
    let mut brokers = brokers(&options.brokers, boards + load.silent, lang)?;
    let stop = Stop::on_signals(lang)?;
    let notes = Display::of_notes();
    let sender = notes.sender();
    let done = play(&mut brokers, boards, load, &sender, &stop, lang);
    drop(sender);
    notes.finish();
    if brokers.iter().any(|broker| !broker.rounds.is_empty()) {
        show(&brokers, boards, load, lang)?;
    }
    done
}

fn brokers(named: &[String], clients: usize, lang: Lang) -> Result<Vec<Loaded>, Failure> {
    let embedded = [String::from("embedded")];
    let named = if named.is_empty() { &embedded } else { named };
    let mut brokers = Vec::new();
    for text in named {
        brokers.push(match broker_choice::named(text, lang)? {
            BrokerChoice::Outside(outside) => Loaded {
                name: outside.to_string(),
                processor: Counted::outside(&outside.host, outside.port),
                host: outside.host,
                port: outside.port,
                tls: outside.tls,
                user: outside.user,
                password: outside.password,
                _embedded: None,
                rounds: Vec::new(),
            },
            BrokerChoice::Embedded => {
                let broker = Broker::start(BrokerConfig {
                    listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                    limits: Limits {
                        // It is to be loaded, and not to refuse.
                        clients: Limits::default().clients.max(clients),
                        ..Limits::default()
                    },
                    ..BrokerConfig::default()
                })
                .map_err(|error| broker_command::explain(&error, lang))?;
                Loaded {
                    name: lang.pick("embedded", "incluido").to_owned(),
                    host: broker.addr().ip().to_string(),
                    port: broker.addr().port(),
                    tls: false,
                    user: None,
                    password: None,
                    // Asked for once it serves, when its thread has said which it is.
                    processor: broker.state().and_then(|_| Counted::embedded(&broker)),
                    _embedded: Some(broker),
                    rounds: Vec::new(),
                }
            }
        });
    }
    Ok(brokers)
}

fn play(
    brokers: &mut [Loaded],
    boards: usize,
    load: Load,
    display: &Sender,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    display.note(match lang {
        Lang::En => format!("starting {boards} simulated boards"),
        Lang::Es => format!("arrancando {boards} placas simuladas"),
    });
    let mut players = Vec::new();
    for _ in 0..boards {
        stop.interrupted(lang)?;
        players.push(player(display, stop, lang)?);
    }
    for round in 0..load.rounds {
        for index in 0..brokers.len() {
            stop.interrupted(lang)?;
            let at = (round + index) % brokers.len();
            let broker = &mut brokers[at];
            let made = one_round(&mut players, broker, load, lang)?;
            broker.rounds.push(made);
        }
    }
    Ok(())
}

fn player(display: &Sender, stop: &Stop, lang: Lang) -> Result<Player, Failure> {
    let simulated = Simulated::one_of_many(stop, lang)?;
    let mut board = target::connect(simulated.open(lang)?, lang)?;
    board.stop_on(stop.shared());
    let info = board
        .info()
        .map_err(|error| Failure::from_link(&error, lang))?;
    let refuse = |error: InstallError| error.into_failure(lang);
    let mut items =
        module::umqtt(&info, lang).map_err(|finding| refuse(InstallError::Unfit(finding)))?;
    // The module itself.
    items.truncate(1);
    module::install(&mut board, &info, &items, display, lang).map_err(refuse)?;
    Ok(Player {
        board,
        _simulated: simulated,
    })
}

/// Runs the same on all boards at once, and gives what they print.
fn everywhere(
    players: &mut [Player],
    code: impl Fn(usize) -> String + Sync,
    lang: Lang,
) -> Result<Vec<String>, Failure> {
    let code = &code;
    let said: Vec<Result<String, LinkError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = players
            .iter_mut()
            .enumerate()
            .map(|(index, player)| {
                scope.spawn(move || {
                    let done = player.board.exec_within(&code(index), LIMIT);
                    done.and_then(Execution::into_stdout)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|said| said.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let failed = |error: LinkError| Failure::from_link(&error, lang);
    said.into_iter().map(|said| said.map_err(failed)).collect()
}

fn one_round(
    players: &mut [Player],
    broker: &Loaded,
    load: Load,
    lang: Lang,
) -> Result<Round, Failure> {
    for player in players.iter_mut() {
        let reset = player.board.soft_reset();
        reset.map_err(|error| Failure::from_link(&error, lang))?;
    }
    let word = |word: &Option<String>| {
        word.as_deref()
            .map_or("None".to_owned(), |word| bytes_literal(word.as_bytes()))
    };
    let Load {
        messages,
        size,
        qos,
        silent,
        ..
    } = load;
    let boards = players.len();
    // Each board has its part of them.
    let part = |index: usize| silent / boards + usize::from(index < silent % boards);
    let process = std::process::id();
    let begin = |index: usize| {
        format!(
            "HOST = {}\nPORT = {}\nTLS = {}\nUSER = {}\nPASSWORD = {}\nNAME = b'bench/{process:08x}/{index}'\n{PROGRAM}\nready({qos}, {})\n",
            str_literal(&broker.host),
            broker.port,
            if broker.tls { "True" } else { "False" },
            word(&broker.user),
            word(&broker.password),
            part(index),
        )
    };
    let hidden = crate::trace::hide();
    everywhere(players, begin, lang)?;
    drop(hidden);
    let taken = || broker.processor.as_ref().and_then(Counted::taken);
    let before = taken();
    let said = everywhere(
        players,
        |_| format!("load({messages}, {size}, {qos}, {WINDOW})"),
        lang,
    )?;
    let mut round = Round {
        processor: before
            .zip(taken())
            .and_then(|(before, after)| after.checked_sub(before)),
        ..Round::default()
    };
    for text in said {
        round.add(&text);
    }
    everywhere(players, |_| "leave()".to_owned(), lang)?;
    round.latencies.sort_by(f64::total_cmp);
    Ok(round)
}

impl Round {
    /// Takes in what a board printed.
    fn add(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let mark = words.next();
            let numbers: Result<Vec<f64>, _> = words.map(str::parse).collect();
            match (mark, numbers) {
                (Some("@"), Ok(numbers)) => {
                    if let [taken, lost, doubled] = numbers[..] {
                        self.longest = self.longest.max(taken);
                        self.lost += lost as u64;
                        self.doubled += doubled as u64;
                    }
                }
                (Some("#"), Ok(numbers)) => self.latencies.extend(numbers),
                _ => {}
            }
        }
    }

    /// Messages that came back, per second until the last board was done.
    fn rate(&self, sent: u64) -> f64 {
        let seconds = self.longest / 1e6;
        sent.saturating_sub(self.lost) as f64 / seconds
    }

    /// Microseconds of the broker's processor time for each message that came back.
    fn processor_us(&self, sent: u64) -> Option<f64> {
        let taken = self.processor?.as_secs_f64() * 1e6;
        let back = sent.saturating_sub(self.lost);
        (back > 0).then(|| taken / back as f64)
    }
}

/// The middle of some values.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5).unwrap_or(f64::NAN)
}

fn show(brokers: &[Loaded], boards: usize, load: Load, lang: Lang) -> Result<(), Failure> {
    let sent = load.messages * boards as u64;
    let head = lang.pick(
        [
            "broker",
            "messages/s",
            "p50",
            "p95",
            "p99",
            "lost",
            "twice",
            "CPU/message",
        ],
        [
            "broker",
            "mensajes/s",
            "p50",
            "p95",
            "p99",
            "perdidos",
            "dobles",
            "CPU/mensaje",
        ],
    );
    let mut rows = vec![head.map(str::to_owned)];
    let mut events = String::new();
    for broker in brokers.iter().filter(|broker| !broker.rounds.is_empty()) {
        let rounds = &broker.rounds;
        let rates: Vec<f64> = rounds.iter().map(|round| round.rate(sent)).collect();
        let rate = middle(rates.clone());
        let processors: Option<Vec<f64>> = rounds
            .iter()
            .map(|round| round.processor_us(sent))
            .collect();
        let processor = processors.clone().map(middle);
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| {
            middle(
                rounds
                    .iter()
                    .filter_map(|round| quantile(&round.latencies, share))
                    .collect(),
            )
        });
        let lost: u64 = rounds.iter().map(|round| round.lost).sum();
        let doubled: u64 = rounds.iter().map(|round| round.doubled).sum();
        let ms = |us: f64| format!("{:.2} ms", us / 1e3);
        rows.push([
            broker.name.clone(),
            format!("{rate:.0}"),
            ms(p50),
            ms(p95),
            ms(p99),
            lost.to_string(),
            doubled.to_string(),
            processor.map_or("–".to_owned(), |us| format!("{us:.2} µs")),
        ]);
        events.push_str(&lines::event(
            "load",
            json!({
                "broker": broker.name, "boards": boards, "rounds": rounds.len(), "messages": sent, "size": load.size,
                "qos": load.qos, "per_second": rate, "latency_us": { "p50": p50, "p95": p95, "p99": p99 },
                "lost": lost, "doubled": doubled, "silent": load.silent, "processor_us": processor,
                "of_rounds": { "per_second": rates, "processor_us": processors },
                "interrupted": rounds.len() < load.rounds, "computer": computer::describe(),
            }),
        ));
    }
    if lines::wanted() {
        return output::print(events.as_bytes(), lang);
    }
    let rounds = brokers.iter().map(|broker| broker.rounds.len()).min();
    let rounds = rounds.unwrap_or(0);
    let partial = brokers
        .iter()
        .any(|broker| broker.rounds.len() < load.rounds);
    let Load {
        messages,
        size,
        qos,
        silent,
        ..
    } = load;
    let beside = match silent {
        0 => String::new(),
        _ => match lang {
            Lang::En => format!(", beside {silent} silent clients"),
            Lang::Es => format!(", junto a {silent} clientes callados"),
        },
    };
    let mut text = match lang {
        Lang::En => format!(
            "{boards} simulated boards, each {messages} messages of {size} bytes to itself with QoS {qos}, at most {WINDOW} on \
             their way{beside}; rounds: {rounds}, medians\n"
        ),
        Lang::Es => format!(
            "{boards} placas simuladas, cada una se envía {messages} mensajes de {size} bytes con QoS {qos}, como mucho \
             {WINDOW} en camino{beside}; rondas: {rounds}, medianas\n"
        ),
    };
    text.push_str(&computer::describe());
    text.push('\n');
    if partial {
        text.push_str(interrupted(lang));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&table(&rows));
    output::print(text.as_bytes(), lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_boards_print_adds_up() {
        let mut round = Round::default();
        round.add("@ 1000000 1 0\n# 10 20\n# 30\n");
        round.add("noise\n@ 2000000 0 2\n# 40\n# x\n");
        assert_eq!((round.lost, round.doubled), (1, 2));
        assert_eq!(round.latencies, [10.0, 20.0, 30.0, 40.0]);
        assert_eq!(round.processor_us(20), None);
        round.processor = Some(Duration::from_micros(38));
        assert_eq!(round.processor_us(20), Some(2.0));
        // 20 were sent, 19 came back, in 2 s.
        assert!((round.rate(20) - 9.5).abs() < 1e-9);
        assert!(middle(Vec::new()).is_nan());
    }
}
