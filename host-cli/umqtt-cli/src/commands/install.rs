//! `umqtt install`: decides how umqtt is put on a board, and what is said about it.

use board_link::{Board, Lang};

use crate::cli::InstallOptions;
use crate::display::{Display, Form, Sender};
use crate::failure::{Failure, Status};
use crate::module::{self, InstallError};
use crate::simulated::Simulated;
use crate::stop::Stop;
use crate::target::{self, Target};

pub fn run(options: &InstallOptions, lang: Lang) -> Result<(), Failure> {
    let stop = Stop::on_signals(lang)?;
    let display = Display::start(
        Form {
            json: false,
            all_packets: false,
            lang,
        },
        &stop,
    );
    let sender = display.sender();
    let done = install(options, &sender, &stop, lang);
    drop(sender);
    display.finish();
    done
}

fn install(
    options: &InstallOptions,
    display: &Sender,
    stop: &Stop,
    lang: Lang,
) -> Result<(), Failure> {
    let link = |error| Failure::from_link(&error, lang);
    // The simulated board must live until the end of this function.
    let (mut board, _simulated) = match Target::choose(options.port.port.as_deref(), display, lang)?
    {
        Target::Simulated => {
            let simulated = Simulated::start(None, display, stop, lang)?;
            (
                target::connect(simulated.open(lang)?, lang)?,
                Some(simulated),
            )
        }
        Target::Real(transport) => (target::connect(transport, lang)?, None),
    };
    let info = board.info().map_err(link)?;
    let written =
        module::install(&mut board, &info, display, lang).map_err(|error| match error {
            InstallError::Unfit(unfit) => {
                Failure::new(Status::Failed, unfit.message(&info, lang), unfit.help(lang))
            }
            InstallError::Link(error) => link(error),
        })?;
    leave(&mut board, lang)?;
    display.note(match (written.is_empty(), lang) {
        (true, Lang::En) => "umqtt was there already, nothing was written".to_owned(),
        (true, Lang::Es) => "umqtt ya estaba, no se escribió nada".to_owned(),
        (false, Lang::En) => format!("written: {}", written.join(", ")),
        (false, Lang::Es) => format!("escrito: {}", written.join(", ")),
    });
    Ok(())
}

/// Leaves the board as its user expects it: fresh, at its ordinary prompt.
fn leave(board: &mut Board, lang: Lang) -> Result<(), Failure> {
    let link = |error| Failure::from_link(&error, lang);
    board.soft_reset().map_err(link)?;
    board.exit_raw().map_err(link)
}
