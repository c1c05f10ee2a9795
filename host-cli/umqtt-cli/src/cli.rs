//! Decides what may be written on the command line.
//!
//! The texts here are the English help; `usage` holds the Spanish one and words the errors.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use board_link::Lang;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::usage::{self, Answer};

/// MQTT lessons on MicroPython boards, real or simulated
#[derive(Debug, Parser)]
#[command(
    name = "umqtt",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true
)]
#[command(max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Language of messages and help: en or es; else that of the locale
    #[arg(long, global = true, value_name = "LANG", value_parser = ["en", "es"], hide_possible_values = true)]
    lang: Option<String>,

    /// Show this help
    #[arg(short, long, global = true, action = ArgAction::Help)]
    help: Option<bool>,

    /// Show the version
    #[arg(short = 'V', long, action = ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script on a board and show what it prints beside what the broker receives
    Run(RunOptions),
    /// Put umqtt on a board (the native module, umqtt.robust, umqtt.aio and upip), or a module or lesson of your own
    Install(InstallOptions),
    /// Make a project for a native module in Rust
    New(NewOptions),
    /// Build a native module: the project's, for a board or an architecture
    Build(BuildOptions),
    /// Tell whether a .mpy file fits a board: version, architecture, flags, floats, memory
    Check(CheckOptions),
    /// Pack a lesson into one file that other computers deploy and mip installs
    Package(PackageOptions),
    /// List the boards that are known, or describe one
    Boards(BoardsOptions),
    /// List the ports that boards are attached to, and what each board is doing
    Ports(PortsOptions),
    /// Run the MQTT broker alone and show every packet
    Broker(BrokerOptions),
}

#[derive(Debug, Args)]
pub struct RunOptions {
    /// The script, such as main.py; it is sent unchanged
    pub script: PathBuf,

    #[command(flatten)]
    pub port: PortOption,

    /// The broker: embedded, or [mqtt[s]://][user[:password]@]host[:port]; host names of public
    /// brokers lead to it on the simulated board. Default: embedded
    #[arg(long, value_name = "BROKER")]
    pub broker: Option<String>,

    /// Stop the script after N seconds, as Ctrl-C does
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<Duration>,

    /// Let host names of public brokers lead to the real ones
    #[arg(long)]
    pub online: bool,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct InstallOptions {
    /// A .mpy file, the folder that `umqtt build` wrote, or a lesson of `umqtt package`; without it, umqtt
    pub module: Option<PathBuf>,

    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct NewOptions {
    /// The module's name, which is also the folder's
    pub name: String,

    /// The copy of umqtt-rs whose safe layer the module uses. Default: the one that this command was
    /// built from
    #[arg(long = "umqtt-rs", value_name = "FOLDER")]
    pub umqtt_rs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BuildOptions {
    /// The project's folder. Default: this one
    #[arg(value_name = "PATH")]
    pub project: Option<PathBuf>,

    /// The architecture, such as armv6m or xtensawin, or all. Default: that of --port, else x64, the
    /// simulated board's
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,

    #[command(flatten)]
    pub port: PortOption,

    /// The folder for the files, one subfolder per architecture. Default: release in the project
    #[arg(long, value_name = "FOLDER")]
    pub release_dir: Option<PathBuf>,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CheckOptions {
    /// The .mpy file
    pub file: PathBuf,

    #[command(flatten)]
    pub port: PortOption,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PackageOptions {
    /// The lesson's folder, with its main.py
    pub folder: PathBuf,

    /// The file to write. Default: the folder's name and .zip, in this folder
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// A board whose native modules go with it, such as esp32 or pico-w; may be given more than once.
    /// Default: every known board
    #[arg(long = "board", value_name = "NAME")]
    pub boards: Vec<String>,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BoardsOptions {
    /// A board, such as esp32-c3 or pico-w; without it, all
    pub name: Option<String>,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PortsOptions {
    /// Look at this port only, whatever it is: a device, socket://HOST:PORT, rfc2217://HOST:PORT, id:SERIAL
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,

    /// Open no port: list only what the system says
    #[arg(long)]
    pub no_open: bool,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BrokerOptions {
    /// The address to listen on: IP:PORT, localhost:PORT or PORT. Default: 127.0.0.1:1883
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PortOption {
    /// The board: a device (/dev/ttyUSB0, COM3), sim, socket://HOST:PORT, rfc2217://HOST:PORT,
    /// id:SERIAL or auto. Default: auto, the one attached board, else the simulated one
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
}

/// A number of seconds above 0, with or without a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| text.to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(text.to_owned()),
    }
}

/// The clap description in `lang`.
pub fn description(lang: Lang) -> clap::Command {
    usage::localize(Cli::command(), lang)
}

/// Takes the command line apart, or gives what to print instead.
pub fn parse(arguments: &[OsString], lang: Lang) -> Result<Command, Answer> {
    let matches = description(lang)
        .try_get_matches_from(arguments)
        .map_err(|error| usage::answer(&error, lang))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| usage::answer(&error, lang))?;
    Ok(cli.command)
}
