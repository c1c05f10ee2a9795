//! Decides what the project promises about speed, and measures it: publishing with QoS 0 costs at most a quarter more
//! than a bare write and no heap; with QoS 1 over the loopback it is a hundred times faster than umqtt.simple 1.3.4.

pub mod board;
mod broker;
pub mod client;
pub mod count;
pub mod floor;
pub mod harness;
pub mod layers;
mod startup;
pub mod tap;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use testkit::{Access, Implementation, Interpreter, Module, Mosquitto, Program, Version};

/// How much more than a bare `sock.write` of the prebuilt packet a QoS 0 publish may take.
const QOS_0_LIMIT: f64 = 1.25;
/// How many times faster than 1.3.4 a QoS 1 publish must be.
const QOS_1_LIMIT: f64 = 100.0;

/// The middle one, the upper of two; no number of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How much time a measurement may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// As long as the numbers need.
    Whole,
    /// As little as shows that it runs. The numbers say nothing, and are not recorded.
    Hurried,
}

impl Effort {
    /// How often to measure what `whole` times are needed for; an odd number, which has a middle.
    pub fn rounds(self, whole: usize) -> usize {
        match self {
            Effort::Whole => whole,
            Effort::Hurried => whole.min(3),
        }
    }

    /// Where results go.
    pub fn folder(self) -> PathBuf {
        let folder = testkit::repository().join("target/bench");
        match self {
            Effort::Whole => folder,
            Effort::Hurried => folder.join("hurried"),
        }
    }
}

/// What `python/tests/bench_publish.py` measured, medians in microseconds per message.
#[derive(Debug, Deserialize, Serialize)]
struct Measured {
    qos_0_bare_write_us: f64,
    qos_0_ours_us: f64,
    qos_0_upstream_us: f64,
    /// One median to the other.
    qos_0_ours_to_bare_write: f64,
    /// For 1000 messages.
    qos_0_ours_heap_bytes: i64,
    /// For 1000 writes.
    qos_0_bare_write_heap_bytes: i64,
    qos_0_upstream_heap_bytes_per_message: f64,
    qos_1_ours_us: f64,
    qos_1_upstream_us: f64,
    qos_1_upstream_to_ours: f64,
}

/// One version's line of `target/bench/publish.json`.
#[derive(Serialize)]
struct Report {
    micropython: &'static str,
    holds: bool,
    #[serde(flatten)]
    measured: Measured,
}

/// Measures on every version; false where a promise is broken.
pub fn publish(effort: Effort) -> Result<bool> {
    let mut reports = Vec::new();
    for version in Version::ALL {
        let measured = measure(version)
            .with_context(|| format!("measuring on MicroPython {}", version.name()))?;
        let holds = [
            measured.qos_0_ours_to_bare_write <= QOS_0_LIMIT,
            measured.qos_0_ours_heap_bytes == 0,
            measured.qos_1_upstream_to_ours >= QOS_1_LIMIT,
        ];
        let word = |holds: bool| if holds { "holds" } else { "DOES NOT HOLD" };
        println!("MicroPython {}", version.name());
        println!(
            "  QoS 0: {:.2} µs, {:.2} times a bare write ({:.2} µs); at most {QOS_0_LIMIT}: {} (1.3.4: {:.2} µs)",
            measured.qos_0_ours_us,
            measured.qos_0_ours_to_bare_write,
            measured.qos_0_bare_write_us,
            word(holds[0]),
            measured.qos_0_upstream_us
        );
        println!(
            "  QoS 0: {} bytes of heap for 1000 messages; none: {} (1.3.4: {} bytes a message)",
            measured.qos_0_ours_heap_bytes,
            word(holds[1]),
            measured.qos_0_upstream_heap_bytes_per_message
        );
        println!(
            "  QoS 1: {:.1} µs, {:.0} times faster than 1.3.4 ({:.1} µs); at least {QOS_1_LIMIT}: {}",
            measured.qos_1_ours_us,
            measured.qos_1_upstream_to_ours,
            measured.qos_1_upstream_us,
            word(holds[2])
        );
        reports.push(Report {
            micropython: version.name(),
            holds: holds.iter().all(|holds| *holds),
            measured,
        });
    }
    write(effort, "publish.json", &reports)?;
    Ok(reports.iter().all(|report| report.holds))
}

/// Writes what was measured to the effort's folder and says where.
pub fn write(effort: Effort, name: &str, reports: &(impl Serialize + ?Sized)) -> Result<()> {
    let folder = effort.folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(name);
    std::fs::write(&path, serde_json::to_string_pretty(reports)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// Ours as `umqtt.simple` with umqtt.simple 1.3.4 beside it as `umqtt.upstream`: in one process both meet the same
/// computer.
fn both() -> Result<Module> {
    let add = |module: Module| {
        module.add(&Implementation::Upstream.file()?, "upstream.py")?;
        Ok(module)
    };
    let both = Implementation::Ours.module().and_then(add);
    both.map_err(anyhow::Error::msg)
}

fn measure(version: Version) -> Result<Measured> {
    let interpreter = Interpreter::find(version).map_err(anyhow::Error::msg)?;
    let module = both()?;
    let broker = Mosquitto::start(&Access::Anonymous).map_err(anyhow::Error::msg)?;
    let sink = sink()?;
    let finished = Program::new(&interpreter, &module, "bench_publish")
        .argument(sink.ip())
        .argument(sink.port())
        .argument(broker.address().port())
        .limit(Duration::from_secs(120))
        .run();
    let text = finished.expect_success("bench_publish.py");
    serde_json::from_str(&text).with_context(|| format!("bench_publish.py printed {text}"))
}

/// A peer that lets two clients connect and takes all they send.
fn sink() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().take(2).flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = vec![0; 1 << 18];
                // The CONNACK may go out first; the client reads it after its CONNECT. A client that leaves ends this.
                if stream.write_all(b"\x20\x02\x00\x00").is_ok() {
                    while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
                }
            });
        }
    });
    Ok(address)
}
