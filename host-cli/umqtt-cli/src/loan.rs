//! Decides what a run lends to a board: umqtt, where the board has it not, in a folder of its own before the board's own
//! modules, so that no file of the board is touched and everything is taken back.

use board_link::{Board, BoardInfo, Execution, FileState, Lang, LinkError};

use crate::display::Sender;
use crate::module::{self, InstallError, Item};

/// A board that was unplugged during a run keeps it until the next run takes it back.
const FOLDER: &str = "/.umqtt-run";

/// What is on the board for the time of a run.
#[derive(Debug, Default)]
pub struct Loan {
    /// The folder is there, by us or by a run that broke.
    there: bool,
    /// The board's own umqtt does not serve.
    needed: bool,
}

impl Loan {
    /// Looks whether the board has umqtt as it should be, and lends it if not; whether it did.
    pub fn give(
        &mut self,
        board: &mut Board,
        info: &BoardInfo,
        display: &Sender,
        lang: Lang,
    ) -> Result<bool, InstallError> {
        let items = module::umqtt(info, lang).map_err(InstallError::Unfit)?;
        self.there = board.state(FOLDER)? != FileState::Missing;
        if module::has(board, &items)? {
            return Ok(false);
        }
        let lent = |item: Item| Item::new(format!("{FOLDER}{}", item.path), item.content);
        let items: Vec<Item> = items.into_iter().map(lent).collect();
        (self.there, self.needed) = (true, true);
        module::install(board, info, &items, display, lang)?;
        Ok(true)
    }

    /// Says that others put files into the folder: they are found, and go, with what is lent.
    pub fn extend(&mut self) {
        (self.there, self.needed) = (true, true);
    }

    /// Lets the interpreter that runs now find what was lent.
    pub fn show(&self, board: &mut Board) -> Result<(), LinkError> {
        if !self.needed {
            return Ok(());
        }
        // The script's own names stay as they are.
        let code = format!("__import__('sys').path.insert(0, '{FOLDER}')\n");
        board.exec(&code).and_then(Execution::into_stdout).map(drop)
    }

    /// Removes what was lent.
    pub fn take_back(&mut self, board: &mut Board) -> Result<(), LinkError> {
        if !std::mem::take(&mut self.there) {
            return Ok(());
        }
        match board.rm(FOLDER, true) {
            // The script may have removed it.
            Err(LinkError::FileMissing { .. }) => Ok(()),
            removed => removed,
        }
    }
}
