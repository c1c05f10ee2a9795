//! Decides how what a command answers is written to standard output.

use std::io::Write;

use board_link::Lang;

use crate::failure::{Failure, Status};

/// Writes to standard output.
///
/// # Errors
/// A quiet end where the reader has seen enough (`| head`), in words else.
pub fn print(bytes: &[u8], lang: Lang) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Err(Failure::shown(Status::Failed))
        }
        Err(error) => {
            let message = lang.pick(
                "standard output cannot be written",
                "no se puede escribir en la salida estándar",
            );
            Err(Failure::complete(
                Status::Failed,
                format!("{message}: {error}"),
            ))
        }
    }
}
