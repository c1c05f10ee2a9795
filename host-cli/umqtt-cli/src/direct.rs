//! Decides how commands reach a board whose answer is their own standard output: notes go to standard error, and the
//! board is left as it was found.

use board_link::{Board, Lang, LinkError, Transport};

use crate::display::Display;
use crate::failure::Failure;
use crate::options::PortOption;
use crate::simulated::Simulated;
use crate::stop::Stop;
use crate::target::{self, Target};

/// A board at its raw REPL.
pub struct Direct {
    pub board: Board,
    pub stop: Stop,
    /// The board is ours alone and ends with us.
    simulated: Option<Simulated>,
}

impl Direct {
    /// The board runs on this computer, for this command.
    pub fn is_simulated(&self) -> bool {
        self.simulated.is_some()
    }
}

/// Opens the board's port without saying anything to it.
pub fn open(
    port: &PortOption,
    stop: &Stop,
    lang: Lang,
) -> Result<(Box<dyn Transport>, Option<Simulated>), Failure> {
    let notes = Display::of_notes();
    let sender = notes.sender();
    let opened = match Target::choose(port.port.as_deref(), &sender, lang) {
        Ok(Target::Real(transport)) => Ok((transport, None)),
        Ok(Target::Simulated) => Simulated::start(None, &sender, stop, lang)
            .and_then(|simulated| Ok((simulated.open(lang)?, Some(simulated)))),
        Err(failure) => Err(failure),
    };
    drop(sender);
    notes.finish();
    opened
}

/// Does `work` on the board that `--port` means.
pub fn on_board<T>(
    port: &PortOption,
    lang: Lang,
    work: impl FnOnce(&mut Direct) -> Result<T, Failure>,
) -> Result<T, Failure> {
    on_board_over(port, lang, |transport| transport, work)
}

/// The same with something between the board and the command.
pub fn on_board_over<T>(
    port: &PortOption,
    lang: Lang,
    over: impl FnOnce(Box<dyn Transport>) -> Box<dyn Transport>,
    work: impl FnOnce(&mut Direct) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let stop = Stop::on_signals(lang)?;
    let (transport, simulated) = open(port, &stop, lang)?;
    let link = |error: LinkError| Failure::from_link(&error, lang);
    let mut board = target::connect(over(transport), lang)?;
    board.stop_on(stop.shared());
    let mut direct = Direct {
        board,
        stop,
        simulated,
    };
    let done = work(&mut direct);
    if direct.simulated.is_none() {
        // What the work says comes first; a board that is stuck now says so next time.
        let left = direct.board.leave().map_err(link);
        if done.is_ok() {
            left?;
        }
    }
    done
}
