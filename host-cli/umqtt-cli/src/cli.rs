//! Decides what may be written on the command line.
//!
//! The texts here are the English help; `usage` holds the Spanish one and words the errors.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use board_link::Lang;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::options::bench::BenchOptions;
use crate::options::board::{
    DeployOptions, ExecOptions, FsOptions, MountOptions, ReplOptions, ResetOptions,
};
use crate::options::lab::LabOptions;
use crate::options::mqtt::{BrokerOptions, MonitorOptions, PubOptions, SubOptions};
use crate::options::network::NetworkOptions;
use crate::options::{PortOption, seconds};
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

    /// Print one JSON object per line; the last one is the end, with the exit status
    #[arg(long, global = true)]
    json: bool,

    /// Write all that goes over the wire to FILE, but for the settings of deploy; a script's own passwords included
    #[arg(long, global = true, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Tell on standard error what is done; -vv tells more
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,

    /// Show this help
    #[arg(short, long, action = ArgAction::Help)]
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
    /// Put a firmware on a board: MicroPython on a new one, or another version
    Flash(FlashOptions),
    /// Find what stands in the way between this computer and a board, and say what to do
    Doctor(DoctorOptions),
    /// Pack a lesson into one file that other computers deploy and mip installs
    Package(PackageOptions),
    /// List the boards that are known, or describe one
    Boards(BoardsOptions),
    /// List the ports that boards are attached to, and what each board is doing
    Ports(PortsOptions),
    /// Put a script on a board so that it starts with it, and what it needs
    Deploy(DeployOptions),
    /// Work with the board's files
    Fs(FsOptions),
    /// Run Python code on the board
    Exec(ExecOptions),
    /// Talk to the board's interpreter
    Repl(ReplOptions),
    /// Make a folder of this computer the board's for as long as the command runs, and talk to its interpreter
    Mount(MountOptions),
    /// Start the board anew
    Reset(ResetOptions),
    /// Open a page with a board and its parts, an editor, a broker and its messages: a laboratory on this computer
    Lab(LabOptions),
    /// Run the MQTT broker alone and show every packet
    Broker(BrokerOptions),
    /// Show a broker's clients, subscriptions, topics and packets live
    Monitor(MonitorOptions),
    /// Publish messages, with the options of mosquitto_pub
    Pub(PubOptions),
    /// Print messages, with the options of mosquitto_sub
    Sub(SubOptions),
    /// Compare umqtt in Python with the native module on a board: times, memory, network
    Bench(BenchOptions),
    /// Print what a shell has to read so that it completes umqtt's words
    Completions(CompletionsOptions),
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

    /// Let the boards of the local network reach the embedded broker, announce it by mDNS, and tell the script where
    /// it is (from settings import BROKER, BROKER_PORT); the computer's address may be named
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub lan: Option<String>,

    /// Stop the script after N seconds, as Ctrl-C does
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<Duration>,

    /// Let host names of public brokers lead to the real ones
    #[arg(long)]
    pub online: bool,

    #[command(flatten)]
    pub network: NetworkOptions,
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
}

#[derive(Debug, Args)]
pub struct CheckOptions {
    /// The .mpy file
    pub file: PathBuf,

    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct CompletionsOptions {
    /// The shell: bash, zsh, fish or powershell
    #[arg(value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

/// The shells that can be taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

#[derive(Debug, Args)]
pub struct FlashOptions {
    /// The board's serial device (/dev/ttyUSB0, COM3), id:SERIAL or auto; not needed where a Pico shows its drive
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,

    /// The firmware file, .bin or .uf2; without it, the newest that was used before for --board
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,

    /// The board, such as esp32-c3 or pico-w; without it, what the firmware file is for
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,

    /// Erase all of the flash memory first, the board's files included
    #[arg(long)]
    pub erase: bool,

    /// The speed of the line, in bits per second. Default: 460800
    #[arg(long, value_name = "BAUD", value_parser = clap::value_parser!(u32).range(9_600..=4_000_000))]
    pub baud: Option<u32>,

    /// The folder of a Pico's drive, where it is not found by itself
    #[arg(long, value_name = "FOLDER")]
    pub drive: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DoctorOptions {
    #[command(flatten)]
    pub port: PortOption,

    /// A Wi-Fi network that the board should see; it looks for networks for that
    #[arg(long, value_name = "NETWORK")]
    pub wifi: Option<String>,
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

    /// The address of the folder that the package will be unpacked in, so that mip on a board can fetch its files:
    /// http://…, https://…, github:USER/REPOSITORY/… or gitlab:…
    #[arg(long, value_name = "ADDRESS")]
    pub url: Option<String>,
}

#[derive(Debug, Args)]
pub struct BoardsOptions {
    /// A board, such as esp32-c3 or pico-w; without it, all
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct PortsOptions {
    /// Look at this port only, whatever it is: a device, socket://HOST:PORT, rfc2217://HOST:PORT, id:SERIAL
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,

    /// Open no port: list only what the system says
    #[arg(long)]
    pub no_open: bool,
}

/// The commands whose letters are those of Mosquitto's clients: -h is the host there, and -v is for messages.
const WITH_LETTERS_OF_MOSQUITTO: [&str; 2] = ["pub", "sub"];

/// The clap description in `lang`.
pub fn description(lang: Lang) -> clap::Command {
    usage::localize(unworded(|_| true), lang)
}

/// The same as clap makes it, without the words of a language: all that reading a right command line needs, in less than
/// half of the time. Only the subcommands that are `wanted` get the options that are everywhere.
fn unworded(wanted: impl Fn(&str) -> bool) -> clap::Command {
    let command = Cli::command();
    let everywhere: Vec<clap::Arg> = command
        .get_arguments()
        .filter(|argument| ["help", "verbose"].contains(&argument.get_id().as_str()))
        .cloned()
        .collect();
    with_everywhere(command, &everywhere, &wanted)
}

/// Gives the subcommands that are wanted, and theirs, the options that are everywhere, those with letters of their own
/// the long ones only.
fn with_everywhere(
    command: clap::Command,
    everywhere: &[clap::Arg],
    wanted: &impl Fn(&str) -> bool,
) -> clap::Command {
    command.mut_subcommands(|below| {
        if !wanted(below.get_name()) {
            return below;
        }
        let letters = !WITH_LETTERS_OF_MOSQUITTO.contains(&below.get_name());
        let options = everywhere
            .iter()
            .filter(|argument| letters || argument.get_id() == "help")
            .map(|argument| match letters {
                true => argument.clone(),
                false => argument.clone().short(None),
            });
        with_everywhere(below, everywhere, wanted).args(options)
    })
}

/// What is told about the work itself.
#[derive(Debug)]
pub struct Telling {
    pub json: bool,
    pub trace: Option<PathBuf>,
    pub verbose: u8,
}

/// Takes the command line apart, or gives what to print instead.
pub fn parse(arguments: &[OsString], lang: Lang) -> Result<(Command, Telling), Answer> {
    // A subcommand that is none of the words is not the one.
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let read = unworded(named)
        .try_get_matches_from(arguments)
        .or_else(|error| {
            if error.kind() == clap::error::ErrorKind::DisplayVersion {
                return Err(error);
            }
            description(lang).try_get_matches_from(arguments)
        });
    let matches = read.map_err(|error| usage::answer(&error, arguments, lang))?;
    let cli =
        Cli::from_arg_matches(&matches).map_err(|error| usage::answer(&error, arguments, lang))?;
    // -v may stand behind any of the command's words.
    let mut verbose = cli.verbose;
    let mut level = matches.subcommand();
    while let Some((_, matches)) = level {
        if let Ok(Some(count)) = matches.try_get_one::<u8>("verbose") {
            verbose = verbose.saturating_add(*count);
        }
        level = matches.subcommand();
    }
    let telling = Telling {
        json: cli.json,
        trace: cli.trace,
        verbose,
    };
    Ok((cli.command, telling))
}
