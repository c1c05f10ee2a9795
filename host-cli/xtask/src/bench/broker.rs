//! Decides how the embedded broker is measured beside Mosquitto: simulated boards load both in turns, by `umqtt bench
//! --scale`, in one run.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{Access, Mosquitto};

use super::Effort;

const BOARDS: &str = "10";

/// Measures at QoS 0 and 1; true where nothing was lost.
pub fn run(effort: Effort) -> Result<bool> {
    let umqtt = crate::bench_deploy::umqtt()?;
    let mosquitto = Mosquitto::start(&Access::Anonymous).map_err(anyhow::Error::msg)?;
    let address = mosquitto.address().to_string();
    let mut loads = Vec::new();
    for qos in ["0", "1"] {
        let printed = crate::output(Command::new(&umqtt).args([
            "bench", "--scale", BOARDS, "--qos", qos, "--broker", "embedded", "--broker", &address,
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
            println!(
                "QoS {qos}, {BOARDS} boards, {}: {:.0} messages a second, half of them within {:.2} ms, 99 % within {:.2} ms, {} lost",
                load["broker"].as_str().unwrap_or_default(),
                load["per_second"].as_f64().unwrap_or(f64::NAN),
                load["latency_us"]["p50"].as_f64().unwrap_or(f64::NAN) / 1e3,
                load["latency_us"]["p99"].as_f64().unwrap_or(f64::NAN) / 1e3,
                load["lost"]
            );
        }
        loads.extend(of_this);
    }
    super::write(effort, "broker.json", &loads)?;
    Ok(loads.iter().all(|load| load["lost"] == 0))
}
