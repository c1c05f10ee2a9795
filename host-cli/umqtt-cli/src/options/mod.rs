//! Decides what may be said on the command line of the commands that have much to say, one file each, and what several of
//! them share: the board and a number of seconds.

pub mod bench;
pub mod board;
pub mod lab;
pub mod mqtt;
pub mod network;

use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
pub struct PortOption {
    /// The board: a device (/dev/ttyUSB0, COM3), sim, socket://HOST:PORT, rfc2217://HOST:PORT,
    /// id:SERIAL or auto. Default: auto, the one attached board, else the simulated one
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
}

/// A number of seconds above 0, with or without a fraction.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| text.to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(text.to_owned()),
    }
}
