//! Decides what may be written behind `umqtt bench`.

use std::path::PathBuf;

use clap::Args;

use crate::options::PortOption;

/// The largest payload that is compared, bytes; boards have little memory.
const LARGEST: u64 = 65_535;

/// More than a school has.
const MOST_SILENT: u64 = 500;

#[derive(Debug, Args)]
pub struct BenchOptions {
    #[command(flatten)]
    pub port: PortOption,

    /// The broker: embedded, or [mqtt[s]://][user[:password]@]host[:port] as the board reaches it; with --scale it may be given
    /// more than once. Default: embedded
    #[arg(long = "broker", value_name = "BROKER")]
    pub brokers: Vec<String>,

    /// What the native module is compared with: frozen, the firmware's own umqtt.simple; pypi, version 1.3.4 of PyPI; a
    /// file of yours; or none. Default: the firmware's own, else PyPI's
    #[arg(long, value_name = "FILE|frozen|pypi|none", conflicts_with = "scale")]
    pub baseline: Option<String>,

    /// Payloads in bytes. Default: 16,256,1024
    #[arg(long, value_name = "BYTES,…", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(0..=LARGEST))]
    pub sizes: Vec<u64>,

    /// Qualities of service for publishing. Default: 0,1,2
    #[arg(long, value_name = "QOS,…", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..=2))]
    pub qos: Vec<u8>,

    /// Rounds of each measurement; fewer than 9 give no ratios. Default: 31; with --scale 3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=999))]
    pub rounds: Option<u64>,

    /// Messages after which the heap is looked at, 0 for not at all; with --scale those of each board. Default: 10000; 2000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub messages: Option<u64>,

    /// Print every round as CSV instead of the table
    #[arg(long, conflicts_with_all = ["json", "scale"])]
    pub csv: bool,

    /// Write the plots to FILE
    #[arg(long, value_name = "FILE", conflicts_with = "scale")]
    pub svg: Option<PathBuf>,

    /// Write table and plots to FILE as one page that needs no other file
    #[arg(long, value_name = "FILE", conflicts_with = "scale")]
    pub html: Option<PathBuf>,

    /// Load the broker with N simulated boards at once instead: messages per second, latencies, losses
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=200), conflicts_with = "port")]
    pub scale: Option<u64>,

    /// With --scale: N more clients that are subscribed to topics of their own and stay silent. Default: 0
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=MOST_SILENT), requires = "scale", conflicts_with = "port")]
    pub silent: Option<u64>,
}
