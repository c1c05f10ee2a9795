//! What a byte stream to a board must offer, whatever carries it.

pub mod rfc2217;
pub mod serial;
pub mod socket;
pub mod traced;

use std::io;
use std::time::Duration;

/// A byte stream to a board. Nothing in this crate waits longer than the time-outs it is given.
pub trait Transport: Send {
    /// Reads what is there, waiting at most `timeout` for the first byte.
    ///
    /// `Ok(0)` says that nothing has come yet. A stream that has ended is an error
    /// (`UnexpectedEof`, `BrokenPipe` or what the system says), never `Ok(0)`.
    fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize>;

    /// Writes all of `data`, or fails with `TimedOut` once `timeout` has passed without
    /// the other side taking it all.
    fn write(&mut self, data: &[u8], timeout: Duration) -> io::Result<()>;

    /// The name that messages use: a device path, a COM port, an address.
    fn describe(&self) -> String;

    /// Changes the line's speed, in bits per second. Streams without a line refuse.
    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        let _ = baud;
        Err(no_line())
    }

    /// Sets the modem lines DTR and RTS; `None` leaves a line as it is.
    fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> io::Result<()> {
        let _ = (dtr, rts);
        Err(no_line())
    }
}

fn no_line() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this kind of connection has no serial line",
    )
}

/// True for the errors that mean "nothing yet", not "the stream is gone".
pub(crate) fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
