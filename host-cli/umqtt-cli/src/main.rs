//! The command `umqtt`: MQTT lessons on MicroPython boards, real or simulated.
//!
//! | file | question it answers |
//! |---|---|
//! | `cli`, `usage` | what may be written on the command line, its help and its errors, in both languages |
//! | `options/` | the same for the commands that have much to say, and what several of them share |
//! | `language` | whether the command speaks English or Spanish |
//! | `completion` | what a shell offers where the cursor is |
//! | `bench/` | how umqtt in Python and the native module are compared |
//! | `commands/` | what each subcommand does, one file each |
//! | `script`, `script_error` | which script is to run, whether its text can be sent, and what the error means that ended it |
//! | `source`, `settings` | what `deploy` puts on a board besides umqtt |
//! | `target` | which board a command works on, and how it is reached |
//! | `output` | how an answer is written to standard output |
//! | `direct` | the same for commands whose answer is their own output, not a run's |
//! | `data_folder` | where what is to stay is kept |
//! | `simulated` | how the simulated board is started, and on which folder |
//! | `module` | what belongs on a board, and whether it is there |
//! | `loan` | what a board has for the time of a run only |
//! | `doctor/` | what may stop a student, and what to do about it |
//! | `package/` | what a lesson in one file is |
//! | `fit` | whether a board can load a .mpy file |
//! | `lan` | how boards of the local network find the embedded broker |
//! | `mqtt_client`, `tls_client`, `events` | how a broker is reached, whom TLS trusts, and how its answers are waited for |
//! | `monitor/` | what a monitor knows of a broker, and how that looks on a terminal |
//! | `message_format` | how `sub -F` writes a message |
//! | `broker_choice`, `observer` | which broker a script talks to, and how an outside one is watched |
//! | `display/` | how events become lines, columns or JSON |
//! | `lines` | what all that `--json` prints has in common |
//! | `failure` | what an error says, and the exit status that goes with it |
//! | `repl/` | which lines `umqtt repl` keeps, what stands at the cursor, and whether the board has started anew |
//! | `progress` | how long work shows that it moves |
//! | `trace` | the log of `-v` and the transcript of `--trace` |
//! | `table` | how rows of words become a table |
//! | `stop` | Ctrl-C and the end of `--seconds` |
//! | `whole_file` | how a file is written whole or not at all |

mod bench;
mod broker_choice;
mod cli;
mod commands;
mod completion;
mod data_folder;
mod direct;
mod display;
mod doctor;
mod events;
mod failure;
mod fit;
mod lan;
mod language;
mod lines;
mod loan;
mod message_format;
mod module;
mod monitor;
mod mqtt_client;
mod observer;
mod options;
mod output;
mod package;
mod progress;
mod repl;
mod script;
mod script_error;
mod settings;
#[cfg_attr(not(unix), path = "simulated_unsupported.rs")]
mod simulated;
mod source;
mod stop;
mod table;
mod target;
mod tls_client;
mod trace;
mod usage;
mod whole_file;

use std::process::ExitCode;

use board_link::Lang;

use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = language::choose(&arguments, |name| std::env::var(name).ok());
    completion::answer(lang);
    let (command, telling) = match cli::parse(&arguments, lang) {
        Ok(command) => command,
        Err(answer) => {
            if arguments.iter().any(|argument| argument == "--json") {
                lines::start();
            }
            return answer.print();
        }
    };
    if telling.json {
        lines::start();
    }
    trace::start_log(telling.verbose);
    let transcript = match &telling.trace {
        Some(path) => trace::start_transcript(path, lang),
        None => Ok(()),
    };
    let done = transcript.and_then(|()| run(command, lang));
    lines::end(&done);
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(lang);
            ExitCode::from(failure.status())
        }
    }
}

/// Does what was asked for; a word for how it ended well.
fn run(command: cli::Command, lang: Lang) -> Result<&'static str, Failure> {
    let done = match command {
        cli::Command::Run(options) => return commands::run::run(&options, lang),
        cli::Command::Install(options) => commands::install::run(&options, lang),
        cli::Command::New(options) => commands::new::run(&options, lang),
        cli::Command::Build(options) => commands::build::run(&options, lang),
        cli::Command::Check(options) => commands::check::run(&options, lang),
        cli::Command::Completions(options) => commands::completions::run(&options, lang),
        cli::Command::Flash(options) => commands::flash::run(&options, lang),
        cli::Command::Doctor(options) => commands::doctor::run(&options, lang),
        cli::Command::Package(options) => commands::package::run(&options, lang),
        cli::Command::Boards(options) => commands::boards::run(&options, lang),
        cli::Command::Ports(options) => commands::ports::run(&options, lang),
        cli::Command::Deploy(options) => commands::deploy::run(&options, lang),
        cli::Command::Fs(options) => commands::fs::run(&options, lang),
        cli::Command::Exec(options) => commands::exec::run(&options, lang),
        cli::Command::Repl(options) => commands::repl::run(&options, lang),
        cli::Command::Mount(options) => commands::mount::run(&options, lang),
        cli::Command::Reset(options) => commands::reset::run(&options, lang),
        cli::Command::Monitor(options) => commands::monitor::run(&options, lang),
        cli::Command::Bench(options) => commands::bench::run(&options, lang),
        cli::Command::Pub(options) => commands::publish::run(&options, lang),
        cli::Command::Sub(options) => commands::subscribe::run(&options, lang),
        cli::Command::Lab(options) => commands::lab::run(&options, lang),
        cli::Command::Broker(options) => commands::broker::run(&options, lang),
    };
    done.map(|()| "done")
}
