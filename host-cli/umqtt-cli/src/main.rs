//! The command `umqtt`: MQTT lessons on MicroPython boards, real or simulated.
//!
//! | file | question it answers |
//! |---|---|
//! | `cli`, `usage` | what may be written on the command line, its help and its errors, in both languages |
//! | `commands/` | what each subcommand does, one file each |
//! | `script` | which script is to run, and whether its text can be sent |
//! | `target` | which board a command works on, and how it is reached |
//! | `simulated` | how the simulated board is started, and on which folder |
//! | `module` | what belongs on a board, and whether it is there |
//! | `package/` | what a lesson in one file is |
//! | `fit` | whether a board can load a .mpy file |
//! | `broker_choice`, `observer` | which broker a script talks to, and how an outside one is watched |
//! | `display/` | how events become lines, columns or JSON |
//! | `failure` | what an error says, and the exit status that goes with it |
//! | `table` | how rows of words become a table |
//! | `stop` | Ctrl-C and the end of `--seconds` |

mod broker_choice;
mod cli;
mod commands;
mod display;
mod failure;
mod fit;
mod language;
mod module;
mod observer;
mod package;
mod script;
#[cfg_attr(not(unix), path = "simulated_unsupported.rs")]
mod simulated;
mod stop;
mod table;
mod target;
mod usage;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = language::choose(&arguments, |name| std::env::var(name).ok());
    let command = match cli::parse(&arguments, lang) {
        Ok(command) => command,
        Err(answer) => return answer.print(),
    };
    let done = match command {
        cli::Command::Run(options) => commands::run::run(&options, lang),
        cli::Command::Install(options) => commands::install::run(&options, lang),
        cli::Command::New(options) => commands::new::run(&options, lang),
        cli::Command::Build(options) => commands::build::run(&options, lang),
        cli::Command::Check(options) => commands::check::run(&options, lang),
        cli::Command::Package(options) => commands::package::run(&options, lang),
        cli::Command::Boards(options) => commands::boards::run(&options, lang),
        cli::Command::Ports(options) => commands::ports::run(&options, lang),
        cli::Command::Broker(options) => commands::broker::run(&options, lang),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(lang);
            ExitCode::from(failure.status())
        }
    }
}
