//! Decides what may be written behind `umqtt lab`. The texts here are the English help; `usage/lab.rs` holds the Spanish
//! one.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct LabOptions {
    /// A script, or a folder with main.py and perhaps Wokwi's diagram.json; the page edits and saves it
    #[arg(value_name = "PROGRAM")]
    pub program: Option<PathBuf>,

    /// The address of the page: 127.0.0.1:PORT, [::1]:PORT or PORT. Default: 8183, or a free port where that is taken
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,

    /// A real board: a device (/dev/ttyUSB0, COM3), socket://HOST:PORT, rfc2217://HOST:PORT, id:SERIAL; sim is a
    /// simulated one. May be given more than once
    #[arg(long = "port", value_name = "PORT")]
    pub ports: Vec<String>,

    /// Begin with N simulated boards. Default: one, if no --port is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=64))]
    pub boards: Option<u8>,

    /// The broker: embedded, or [mqtt[s]://][user[:password]@]host[:port], of which the page shows the messages; host
    /// names of public brokers lead to it on simulated boards. Default: embedded
    #[arg(long, value_name = "BROKER")]
    pub broker: Option<String>,

    /// Let the boards of the local network reach the embedded broker, announce it by mDNS, and tell programs where it is
    /// (from settings import BROKER, BROKER_PORT); the computer's address may be named. The page stays this computer's
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub lan: Option<String>,

    /// Let host names of public brokers lead to the real ones
    #[arg(long)]
    pub online: bool,

    /// Do not open the page in the browser
    #[arg(long)]
    pub no_open: bool,
}
