//! Decides what may be written behind the commands that work on a board's files and its REPL.
//!
//! `usage/board.rs` holds their Spanish help and their examples.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::options::{PortOption, seconds};

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub struct FsOptions {
    #[command(subcommand)]
    pub command: FsCommand,
}

#[derive(Debug, Subcommand)]
pub enum FsCommand {
    /// List folders
    Ls(FsPaths),
    /// Print files
    Cat(FsPaths),
    /// Copy files to the board, from it, or on it; a path with a colon in front is on the board
    Cp(FsCopy),
    /// Rename a file or folder
    Mv(FsMove),
    /// Remove files
    Rm(FsRemove),
    /// Make folders, and those they lie in
    Mkdir(FsPaths),
    /// Show all that is below a folder
    Tree(FsPaths),
    /// Show how much room there is
    Df(FsPaths),
    /// Print checksums, computed by the board
    Sha256(FsPaths),
    /// Change a file with the editor that $VISUAL or $EDITOR names
    Edit(FsPaths),
}

#[derive(Debug, Args)]
pub struct FsPaths {
    /// Paths on the board, with or without a colon in front
    pub paths: Vec<String>,

    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct FsCopy {
    /// What to copy, then where to: `:` is the board's folder, `:/lib/` the one named there
    #[arg(required = true, num_args = 2.., value_names = ["FROM", "TO"])]
    pub paths: Vec<String>,

    /// Copy folders with all that is in them
    #[arg(short, long)]
    pub recursive: bool,

    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct FsMove {
    /// The old name on the board
    pub from: String,

    /// The new name
    pub to: String,

    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct FsRemove {
    /// Paths on the board
    #[arg(required = true)]
    pub paths: Vec<String>,

    /// Remove folders with all that is in them
    #[arg(short, long)]
    pub recursive: bool,

    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct ExecOptions {
    /// Python code; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    pub code: String,

    #[command(flatten)]
    pub port: PortOption,

    /// Stop the code after N seconds, as Ctrl-C does
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<Duration>,
}

#[derive(Debug, Args)]
pub struct ReplOptions {
    #[command(flatten)]
    pub port: PortOption,
}

#[derive(Debug, Args)]
pub struct MountOptions {
    /// The folder. The board sees it as /remote and nothing outside of it
    pub folder: PathBuf,

    #[command(flatten)]
    pub port: PortOption,

    /// The board changes nothing in the folder
    #[arg(long)]
    pub read_only: bool,

    /// Run this Python code and end, instead of talking to the interpreter; - reads it from standard input
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pub exec: Option<String>,
}

#[derive(Debug, Args)]
pub struct ResetOptions {
    #[command(flatten)]
    pub port: PortOption,

    /// Reset the chip, not only Python
    #[arg(long)]
    pub hard: bool,

    /// Start the chip's bootloader, for a new firmware
    #[arg(long, conflicts_with = "hard")]
    pub bootloader: bool,
}

#[derive(Debug, Args)]
pub struct DeployOptions {
    /// A script, a folder with main.py, or a lesson that `umqtt package` made
    pub source: PathBuf,

    /// The board, as everywhere; given several times, those boards, all at once
    #[arg(long, value_name = "PORT")]
    pub port: Vec<String>,

    /// Every attached board, all at once
    #[arg(long, conflicts_with = "port")]
    pub all: bool,

    /// Deploy and run again whenever a file changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["all", "dry_run"])]
    pub watch: bool,

    /// Only say what would be written
    #[arg(long)]
    pub dry_run: bool,

    /// A TOML file with wifi_ssid, wifi_password and what else the script imports from settings: it
    /// becomes settings.py on the board. Without a password in it, you are asked for one
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}
