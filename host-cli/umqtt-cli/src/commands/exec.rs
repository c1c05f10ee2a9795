//! `umqtt exec`: decides what is shown of a piece of code that runs on a board: its output and its traceback, as they
//! are.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::time::Duration;

use board_link::{Ending, Event, Lang};

use crate::direct::{Direct, on_board};
use crate::failure::{Failure, Status};
use crate::lines;
use crate::options::board::ExecOptions;
use crate::output;

pub fn run(options: &ExecOptions, lang: Lang) -> Result<(), Failure> {
    let code = code(&options.code, lang)?;
    on_board(&options.port, lang, |direct| {
        show(direct, &code, options.seconds, lang)
    })
}

/// Runs code on a board and shows what it prints, for at most `seconds`.
pub fn show(
    direct: &mut Direct,
    code: &str,
    seconds: Option<Duration>,
    lang: Lang,
) -> Result<(), Failure> {
    if let Some(seconds) = seconds {
        direct.stop.request_after(seconds);
    }
    let stop = direct.stop.clone();
    let mut pieces = Pieces::default();
    let mut show = |event: Event<'_>| match event {
        Event::Stdout(text) => {
            let text = pieces.of(text);
            if output::print(text.as_bytes(), lang).is_err() {
                stop.request();
            }
        }
        Event::Stderr(_) if lines::wanted() => {}
        // There is nowhere left to report that standard error is closed.
        Event::Stderr(text) => drop(std::io::stderr().lock().write_all(text.as_bytes())),
    };
    let run = (direct.board)
        .exec_streaming(code, &mut show, direct.stop.flag())
        .map_err(|error| Failure::from_link(&error, lang))?;
    if lines::wanted() {
        let mut last = pieces.rest();
        if !run.stderr.is_empty() {
            last.push_str(&lines::script("stderr", &run.stderr));
        }
        output::print(last.as_bytes(), lang)?;
    }
    match run.ending {
        Ending::Finished | Ending::Exited | Ending::Restarted => Ok(()),
        // What --seconds asked for is done.
        Ending::Stopped if seconds.is_some() => Ok(()),
        Ending::Stopped | Ending::Raised => Err(Failure::shown(Status::Failed)),
    }
}

/// What the code prints, as it came or, for `--json`, by lines.
#[derive(Default)]
struct Pieces {
    line: String,
}

impl Pieces {
    fn of<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if !lines::wanted() {
            return text.into();
        }
        self.line.push_str(text);
        let end = self.line.rfind('\n').map_or(0, |at| at + 1);
        let whole: String = self.line.drain(..end).collect();
        let lines = whole.split_inclusive('\n');
        lines.map(|line| lines::script("stdout", line)).collect()
    }

    /// A line without an end.
    fn rest(&mut self) -> String {
        match std::mem::take(&mut self.line) {
            line if line.is_empty() => line,
            line => lines::script("stdout", &line),
        }
    }
}

/// What was written as code, or what standard input has where that is `-`.
pub fn code(written: &str, lang: Lang) -> Result<String, Failure> {
    if written != "-" {
        return Ok(written.to_owned());
    }
    let mut code = String::new();
    std::io::stdin()
        .read_to_string(&mut code)
        .map_err(|error| {
            let message = lang.pick(
                "standard input cannot be read as UTF-8 text",
                "no se puede leer la entrada estándar como texto UTF-8",
            );
            Failure::complete(Status::Failed, format!("{message}: {error}"))
        })?;
    Ok(code)
}
