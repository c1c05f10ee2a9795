//! The command `mpy-link`: `mpy-link -o OUT INPUT…` links, `mpy-link dump FILE.mpy` shows what a file holds.

mod report;
mod upstream;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};
use memmap2::Mmap;
use mpy_link::{Arch, Input, LinkOptions};

#[derive(Parser)]
#[command(
    name = "mpy-link",
    version,
    about,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    link: Option<LinkArgs>,
}

#[derive(Subcommand)]
enum Command {
    /// Link objects and archives into a .mpy file (the default)
    Link(Box<LinkArgs>),
    /// Show header, qstrs, objects, raw codes and relocations of a .mpy file
    Dump(DumpArgs),
}

#[derive(Args)]
struct DumpArgs {
    /// A .mpy file, native or bytecode
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct LinkArgs {
    /// ELF objects (.o) and archives (.a, .rlib), in any order; sources for --preprocess
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The file to write [default: the first input, with .mpy or, for --preprocess, .config.h]
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The module's architecture
    #[arg(long, default_value = "x64", value_parser = parse_arch)]
    arch: Arch,
    /// Parts of the architecture that the board must have, for MicroPython 1.28 and later: names with
    /// commas between (rv32imc: zba, zcmp), or a number
    #[arg(long, value_name = "FLAGS")]
    arch_flags: Option<String>,
    /// An archive to take what is needed from (repeatable)
    #[arg(short, long = "libs", value_name = "ARCHIVE")]
    libs: Vec<PathBuf>,
    /// A linker script with addresses of functions in the chip's ROM
    #[arg(short, long, value_name = "SCRIPT.LD")]
    externs: Option<PathBuf>,
    /// The source file's name that the module carries [default: the output's name]
    #[arg(long)]
    source_name: Option<String>,
    /// The function to run at import
    #[arg(long, default_value = "mpy_init")]
    entry: String,
    /// The header that --preprocess made, if the objects name qstrs by number
    #[arg(long, value_name = "CONFIG.H")]
    qstrs: Option<PathBuf>,
    /// Write the header that gives sources their qstrs, instead of linking
    #[arg(long)]
    preprocess: bool,
    /// Keep this symbol although nothing refers to it (repeatable)
    #[arg(long, value_name = "SYMBOL")]
    keep: Vec<String>,
    /// Write each function's and object's size to this file, the largest first; - for the screen
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Print sizes, what stands where, and what was passed over
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

fn parse_arch(name: &str) -> Result<Arch, String> {
    Arch::ALL
        .into_iter()
        .find(|arch| arch.name() == name)
        .ok_or_else(|| {
            let names: Vec<&str> = Arch::ALL.iter().map(|arch| arch.name()).collect();
            format!("one of {}", names.join(", "))
        })
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match (cli.command, cli.link) {
        (Some(Command::Link(args)), _) => link(*args),
        (None, Some(args)) => link(args),
        (Some(Command::Dump(args)), _) => dump(&args),
        (None, None) => Cli::command()
            .error(
                ErrorKind::MissingRequiredArgument,
                "name the inputs and -o OUT",
            )
            .exit(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                eprintln!("mpy-link: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))
}

fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read(path)?).map_err(|_| format!("{}: not UTF-8", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes)
        .map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}

fn link(args: LinkArgs) -> Result<(), String> {
    if args.preprocess {
        return preprocess(&args);
    }
    let mut inputs = Vec::new();
    for path in args.inputs.iter().chain(&args.libs) {
        add_input(&mut inputs, path)?;
    }
    let output = match &args.output {
        Some(output) => output.clone(),
        None => args.inputs[0].with_extension("mpy"),
    };
    let source_name = args.source_name.unwrap_or_else(|| {
        let name = output.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    });
    let mut options = LinkOptions::new(args.arch, source_name);
    options.entry = args.entry;
    options.keep = args.keep;
    if let Some(path) = &args.qstrs {
        options.qstrs = upstream::numbered_qstrs(path, &read_text(path)?)?;
    }
    if let Some(path) = &args.externs {
        options.externs = upstream::externs(path, &read_text(path)?)?;
    }
    if let Some(flags) = &args.arch_flags {
        options.arch_flags =
            mpy_link::parse_arch_flags(args.arch, flags).map_err(|error| error.to_string())?;
    }
    let linked = mpy_link::link(&options, &inputs).map_err(|error| error.to_string())?;
    if args.verbose > 0 {
        show(&report::details(&linked))?;
    }
    match args.map.as_deref() {
        Some(path) if path == Path::new("-") => show(&report::map(&linked))?,
        Some(path) => write(path, report::map(&linked).as_bytes())?,
        None => {}
    }
    write(&output, &linked.mpy)
}

/// An input's bytes.
enum Bytes {
    /// Libraries are megabytes of which a link needs little, so files are mapped, not read.
    Mapped(Mmap),
    /// From a pipe.
    Read(Vec<u8>),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(bytes) => bytes,
            Bytes::Read(bytes) => bytes,
        }
    }
}

fn open(path: &Path) -> Result<Bytes, String> {
    let mapped = fs::File::open(path).and_then(|file| {
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        // SAFETY: the memory is only read. Whoever changes the file meanwhile changes what is linked, or ends this
        // process if it gets shorter; nothing has been written by then.
        unsafe { Mmap::map(&file) }.map(Some)
    });
    match mapped {
        Ok(Some(bytes)) => Ok(Bytes::Mapped(bytes)),
        Ok(None) => Ok(Bytes::Read(read(path)?)),
        Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
    }
}

/// Adds a file, or those that it names.
fn add_input(inputs: &mut Vec<Input<Bytes>>, path: &Path) -> Result<(), String> {
    let bytes = open(path)?;
    let Some(files) = upstream::group(bytes.as_ref()) else {
        inputs.push(Input {
            name: path.display().to_string(),
            bytes,
        });
        return Ok(());
    };
    for file in files {
        inputs.push(Input {
            bytes: open(Path::new(&file))?,
            name: file,
        });
    }
    Ok(())
}

fn preprocess(args: &LinkArgs) -> Result<(), String> {
    let sources = args
        .inputs
        .iter()
        // Some are in older encodings; names are ASCII.
        .map(|path| Ok(String::from_utf8_lossy(&read(path)?).into_owned()))
        .collect::<Result<Vec<String>, String>>()?;
    let output = match &args.output {
        Some(output) => output.clone(),
        None => args.inputs[0].with_extension("config.h"),
    };
    write(&output, upstream::header(&sources).as_bytes())
}

fn show(text: &str) -> Result<(), String> {
    unless_closed(std::io::stdout().write_all(text.as_bytes()))
}

/// A reader that has seen enough (`head`) is no failure.
fn unless_closed(written: std::io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Writes as it goes: a malformed file can make much more text than it has bytes itself.
fn dump(args: &DumpArgs) -> Result<(), String> {
    let dump = mpy_link::dump(&read(&args.file)?)
        .map_err(|error| format!("{}: {error}", args.file.display()))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    unless_closed(if args.json {
        serde_json::to_writer_pretty(&mut out, &dump)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out))
            .and_then(|()| out.flush())
    } else {
        write!(out, "{dump}").and_then(|()| out.flush())
    })
}
