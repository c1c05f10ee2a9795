//! A real MicroPython with a real raw REPL: its QEMU port, on a pseudo-terminal or a TCP socket,
//! one at a time.

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use board_link::PortSpec;
use testkit::emulator::{Arch, Emulator, Line};

/// An emulated Cortex-M3 board that runs MicroPython; stopped on drop.
pub struct QemuBoard {
    emulator: Emulator,
    pub spec: PortSpec,
    /// Emulated boards never sleep; one at a time leaves the machine responsive.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl QemuBoard {
    /// Starts a board behind a pseudo-terminal; `None`: skipped, and said so.
    pub fn on_pty(name: &str) -> Option<QemuBoard> {
        QemuBoard::on(name, Line::Pty)
    }

    /// Starts a board behind a TCP socket.
    pub fn on_socket(name: &str) -> Option<QemuBoard> {
        QemuBoard::on(name, Line::Socket)
    }

    fn on(name: &str, line: Line) -> Option<QemuBoard> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        match Emulator::start(Arch::Armv7m, line) {
            Ok(emulator) => Some(QemuBoard {
                spec: emulator.port().clone(),
                emulator,
                _turn: turn,
            }),
            Err(reason) => {
                testkit::skip(name, reason);
                None
            }
        }
    }

    /// The pseudo-terminal's path.
    pub fn device(&self) -> String {
        self.spec.to_string()
    }

    /// Ends the board as pulling its plug does.
    pub fn unplug(&mut self) {
        self.emulator.unplug();
    }
}

/// A TCP port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has a number").port()
}

/// Waits for a server that takes a trial connection for its client.
pub fn wait_until_listening(port: u16) {
    testkit::emulator::wait_until_listening(port).expect("the server starts");
}

/// True if `program` can be started.
pub fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
