//! A MicroPython board over any byte stream: which port it is on, its raw REPL, its files.
//!
//! | file | question it answers |
//! |---|---|
//! | `ports` | which ports are there, and which one does `--port` mean |
//! | `transport/` | how bytes reach the board: serial device, TCP, RFC 2217 |
//! | `state` | what is going on behind a port, without disturbing it |
//! | `link`, `patience` | bytes with deadlines: wait for this, for at most so long |
//! | `raw_repl` | entering, leaving, soft reset, sending code with flow control |
//! | `exec` | running code: live output, stopping it, how it ended |
//! | `files`, `put` | the board's filesystem |
//! | `agent/` | the program on the board that does it, and the conversation with it |
//! | `mount/` | a folder of this computer as one of the board's, confined to it |
//! | `info` | what kind of board it is |
//! | `traceback` | showing an exception with the script's own file name |
//! | `error`, `texts` | what went wrong, whose fault it is, what to try |
//!
//! Everything is synchronous and nothing waits without a limit. Nothing here starts or knows the
//! simulated board: it is opened by the device it offers, like any other.

mod agent;
mod board;
mod error;
mod exec;
mod files;
mod info;
mod lang;
mod link;
mod mount;
mod patience;
mod ports;
mod put;
mod python;
mod raw_repl;
mod state;
mod texts;
mod traceback;
mod transport;
mod utf8;

pub use board::{Board, Timeouts};
pub use error::{Clue, Fault, LinkError, Step};
pub use exec::{Ending, Event, Execution, Run};
pub use files::{Digest, Entry, FileState, Space};
pub use info::{BoardInfo, MpyVersion};
pub use lang::Lang;
pub use mount::{Folder, MOUNT_POINT, MountKey, share, share_nothing};
pub use ports::{OpenOptions, PortInfo, PortSpec, UsbInfo, list, open, open_with, resolve};
pub use put::{NewFile, PutProgress};
pub use python::{bytes_literal, str_literal};
pub use state::{PortState, look};
pub use traceback::{Frame, Traceback};
pub use transport::Transport;
pub use transport::rfc2217::Rfc2217Transport;
pub use transport::serial::{DEFAULT_BAUD, SerialTransport};
pub use transport::socket::SocketTransport;
pub use transport::traced::{Traced, Watcher, Way};
