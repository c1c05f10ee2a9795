//! `umqtt exec`: decides what is shown of a piece of code that runs on a board: its output and its traceback, as they
//! are.

use std::io::{Read, Write};

use board_link::{Ending, Event, Lang};

use crate::board_options::ExecOptions;
use crate::direct::{self, on_board};
use crate::failure::{Failure, Status};

pub fn run(options: &ExecOptions, lang: Lang) -> Result<(), Failure> {
    let code = code(options, lang)?;
    on_board(&options.port, lang, |direct| {
        if let Some(seconds) = options.seconds {
            direct.stop.request_after(seconds);
        }
        let stop = direct.stop.clone();
        let mut show = |event: Event<'_>| match event {
            Event::Stdout(text) => {
                if direct::print(text.as_bytes(), lang).is_err() {
                    stop.request();
                }
            }
            // There is nowhere left to report that standard error is closed.
            Event::Stderr(text) => drop(std::io::stderr().lock().write_all(text.as_bytes())),
        };
        let run = (direct.board)
            .exec_streaming(&code, &mut show, direct.stop.flag())
            .map_err(|error| Failure::from_link(&error, lang))?;
        match run.ending {
            Ending::Finished | Ending::Exited | Ending::Restarted => Ok(()),
            // What --seconds asked for is done.
            Ending::Stopped if options.seconds.is_some() => Ok(()),
            Ending::Stopped | Ending::Raised => Err(Failure::shown(Status::Failed)),
        }
    })
}

fn code(options: &ExecOptions, lang: Lang) -> Result<String, Failure> {
    if options.code != "-" {
        return Ok(options.code.clone());
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
