//! The command `mpy-link`: `mpy-link -o OUT INPUT…` links, `mpy-link dump FILE.mpy` shows what a file holds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use mpy_link::{Arch, Input, LinkOptions, Linked};

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
    Link(LinkArgs),
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
    /// ELF objects (.o) and archives (.a, .rlib), in any order
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    /// The file to write
    #[arg(short, long)]
    output: PathBuf,
    /// The module's architecture
    #[arg(long, default_value = "x64", value_parser = parse_arch)]
    arch: Arch,
    /// The source file's name that the module carries [default: the output's name]
    #[arg(long)]
    source_name: Option<String>,
    /// The function to run at import
    #[arg(long, default_value = "mpy_init")]
    entry: String,
    /// The header that upstream's mpy_ld.py --preprocess made, if the objects name qstrs by number
    #[arg(long, value_name = "CONFIG.H")]
    qstrs: Option<PathBuf>,
    /// Keep this symbol although nothing refers to it (repeatable)
    #[arg(long, value_name = "SYMBOL")]
    keep: Vec<String>,
    /// Print sizes, what stands where, and what was passed over
    #[arg(short, long)]
    verbose: bool,
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
        (Some(Command::Link(args)), _) | (None, Some(args)) => link(args),
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

fn link(args: LinkArgs) -> Result<(), String> {
    let inputs = args
        .inputs
        .iter()
        .map(|path| {
            Ok(Input {
                name: path.display().to_string(),
                bytes: read(path)?,
            })
        })
        .collect::<Result<Vec<Input>, String>>()?;
    let source_name = args.source_name.unwrap_or_else(|| {
        let name = args.output.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    });
    let options = LinkOptions {
        arch: args.arch,
        source_name,
        entry: args.entry,
        qstrs: args
            .qstrs
            .as_deref()
            .map(numbered_qstrs)
            .transpose()?
            .unwrap_or_default(),
        keep: args.keep,
    };
    let linked = mpy_link::link(&options, &inputs).map_err(|error| error.to_string())?;
    if args.verbose {
        print_details(&linked);
    }
    fs::write(&args.output, &linked.mpy)
        .map_err(|error| format!("{}: cannot be written: {error}", args.output.display()))
}

/// The strings of `#define MP_QSTR_x (mp_native_qstr_table[n])`, which must count from 1.
fn numbered_qstrs(path: &Path) -> Result<Vec<String>, String> {
    let text =
        String::from_utf8(read(path)?).map_err(|_| format!("{}: not UTF-8", path.display()))?;
    let mut qstrs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(definition) = line.strip_prefix("#define MP_QSTR_") else {
            continue;
        };
        let Some((name, rest)) = definition.split_once(" (mp_native_qstr_table[") else {
            continue;
        };
        let number = rest
            .strip_suffix("])")
            .and_then(|number| number.parse::<usize>().ok());
        if number != Some(qstrs.len() + 1) {
            return Err(format!(
                "{}:{}: the slot's number is not {}; make the file again with mpy_ld.py --preprocess",
                path.display(),
                index + 1,
                qstrs.len() + 1
            ));
        }
        qstrs.push(name.to_owned());
    }
    Ok(qstrs)
}

fn dump(args: &DumpArgs) -> Result<(), String> {
    let dump = mpy_link::dump(&read(&args.file)?)
        .map_err(|error| format!("{}: {error}", args.file.display()))?;
    let text = if args.json {
        serde_json::to_string_pretty(&dump).map_err(|error| error.to_string())? + "\n"
    } else {
        dump.to_string()
    };
    // A reader that has seen enough (`head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn print_details(linked: &Linked) {
    for entry in &linked.map {
        println!(
            "{:6} {:#08x} {:8} {}",
            entry.block, entry.offset, entry.size, entry.name
        );
    }
    for skipped in &linked.skipped {
        println!("passed over {skipped}");
    }
    let sizes = linked.sizes;
    println!(
        "text {}  rodata {}  bss {}  relocations {}  qstrs {}  file {}",
        sizes.text,
        sizes.rodata,
        sizes.bss,
        sizes.relocations,
        sizes.qstrs,
        linked.mpy.len()
    );
}
