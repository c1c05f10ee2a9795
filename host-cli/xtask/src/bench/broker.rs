//! Decides how the embedded broker is measured beside Mosquitto: simulated boards load both in turns, by `umqtt bench
//! --scale`, in one run, alone and in a class whose other clients are silent.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{Access, Mosquitto};

use super::Effort;

const BOARDS: &str = "10";
/// Clients that are subscribed and say nothing, beside the boards.
const SILENT: [&str; 2] = ["0", "300"];
const ROUNDS: usize = 9;

/// Measures at QoS 0 and 1; true where nothing was lost.
pub fn run(effort: Effort) -> Result<bool> {
    let umqtt = crate::bench_deploy::umqtt()?;
    let mosquitto = Mosquitto::start(&Access::Anonymous).map_err(anyhow::Error::msg)?;
    let address = mosquitto.address().to_string();
    let rounds = effort.rounds(ROUNDS).to_string();
    // Long enough that when the boards begin and end does not count: a board sends ten thousand and more in a second.
    let messages = match effort {
        Effort::Whole => "10000",
        Effort::Hurried => "500",
    };
    let mut loads = Vec::new();
    for (qos, silent) in [0, 1]
        .into_iter()
        .flat_map(|qos| SILENT.map(|silent| (qos, silent)))
    {
        let printed = crate::output(Command::new(&umqtt).args([
            "bench",
            "--scale",
            BOARDS,
            "--qos",
            &qos.to_string(),
            "--silent",
            silent,
            "--rounds",
            &rounds,
            "--messages",
            messages,
            "--broker",
            "embedded",
            "--broker",
            &address,
            "--json",
        ]))?;
        let lines: Vec<Value> = printed
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| format!("umqtt bench printed {printed}"))?;
        let mut of_this: Vec<Value> = (lines.into_iter())
            .filter(|line| line["event"] == "load")
            .collect();
        ensure!(of_this.len() == 2, "umqtt bench printed {printed}");
        of_this[1]["broker"] = "mosquitto".into();
        for load in &of_this {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            println!(
                "QoS {qos}, {BOARDS} boards, {silent} silent clients, {}: {:.0} messages a second, {:.2} µs of a processor \
                 each, half of them within {:.2} ms, 99 % within {:.2} ms, {} lost",
                load["broker"].as_str().unwrap_or_default(),
                number(&load["per_second"]),
                number(&load["processor_us"]),
                number(&load["latency_us"]["p50"]) / 1e3,
                number(&load["latency_us"]["p99"]) / 1e3,
                load["lost"]
            );
        }
        loads.extend(of_this);
    }
    super::write(effort, "broker.json", &loads)?;
    Ok(loads.iter().all(|load| load["lost"] == 0))
}
