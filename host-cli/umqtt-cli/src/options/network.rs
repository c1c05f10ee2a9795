//! Decides how a bad network may be asked for: `--loss` and `--delay`.

use std::time::Duration;

use broker::network::Conditions;
use clap::Args;

#[derive(Debug, Args)]
pub struct NetworkOptions {
    /// Lose this percentage of the MQTT packets on purpose, each with its connection, as a bad radio link does
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub loss: Option<f64>,

    /// Let every packet take so many milliseconds longer, in each direction
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u16).range(0..=60_000))]
    pub delay: Option<u16>,
}

impl NetworkOptions {
    /// The network as the broker has it.
    pub fn conditions(&self) -> Conditions {
        Conditions {
            cut: false,
            delay: Duration::from_millis(self.delay.unwrap_or_default().into()),
            loss: self.loss.unwrap_or_default() / 100.0,
        }
    }
}

/// A number from 0 to 100, with or without a fraction.
fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err(text.to_owned()),
    }
}
