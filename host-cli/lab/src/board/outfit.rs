//! What a board is lent so that a program finds `umqtt`; the command knows how, the laboratory only when.

use std::net::SocketAddr;

use board_link::{Board, LinkError};

use crate::words::Words;

/// Knows what belongs on a board.
pub trait Outfit: Send + Sync {
    /// Something to lend from, for one board; `broker` is where its programs are told that the broker is.
    fn loan(&self, broker: Option<SocketAddr>) -> Box<dyn Loan>;
}

/// What one board is lent.
pub trait Loan: Send {
    /// Looks whether the board has umqtt as it should be, and lends it if not. What there is to say goes to `note`.
    /// `with_files` says that files of the program will lie in the folder of what is lent, and go with it.
    ///
    /// # Errors
    /// Those of the line to the board; a board that cannot have it is a note.
    fn give(
        &mut self,
        board: &mut Board,
        with_files: bool,
        note: &mut dyn FnMut(Words),
    ) -> Result<(), LinkError>;

    /// Lets the interpreter that runs now find what was lent, and where the broker is.
    ///
    /// # Errors
    /// Those of the line to the board.
    fn show(&self, board: &mut Board) -> Result<(), LinkError>;

    /// Removes what was lent.
    ///
    /// # Errors
    /// Those of the line to the board.
    fn take_back(&mut self, board: &mut Board) -> Result<(), LinkError>;
}
