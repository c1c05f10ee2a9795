//! `umqtt completions`: decides what a shell has to read once so that it asks this program for completions.

use std::io::Write;

use board_link::Lang;
use clap_complete::env::{Bash, EnvCompleter, Fish, Powershell, Zsh};

use crate::cli::{CompletionsOptions, Shell};
use crate::completion::VARIABLE;
use crate::failure::{Failure, Status};
use crate::lines;

pub fn run(options: &CompletionsOptions, lang: Lang) -> Result<(), Failure> {
    lines::refuse(
        lang.pick(
            "what a shell reads is no JSON",
            "lo que lee un shell no es JSON",
        ),
        lang.pick("leave --json out", "quita --json"),
    )?;
    let shell: &dyn EnvCompleter = match options.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    // By its full path, since it need not be on PATH.
    let program = std::env::current_exe().ok();
    let program = program
        .as_ref()
        .and_then(|path| path.to_str())
        .unwrap_or("umqtt");
    let mut text = Vec::new();
    shell
        .write_registration(VARIABLE, "umqtt", "umqtt", program, &mut text)
        .map_err(|error| {
            let message = lang.pick(
                "the completions cannot be written",
                "no se pueden escribir los completados",
            );
            Failure::complete(Status::Failed, format!("{message}: {error}"))
        })?;
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().lock().write_all(&text);
    Ok(())
}
