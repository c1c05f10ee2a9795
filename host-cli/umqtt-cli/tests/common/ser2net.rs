//! A serial port over the network: Debian's ser2net in front of a board's device.

use std::process::{Child, Command, Stdio};

use testkit::emulator::wait_until_listening;

use super::free_port;

/// The server; ended on drop.
pub struct Ser2net {
    server: Child,
    port: u16,
}

impl Ser2net {
    /// Serves this device with RFC 2217, on a port of its own.
    pub fn start(device: &str) -> Self {
        let port = free_port();
        let server = Command::new("ser2net")
            .args(["-n", "-d", "-u", "-c", "/dev/null", "-Y"])
            .arg(format!(
                "connection: &board\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{port}\n  \
                 connector: serialdev,{device},115200n81,local\n"
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ser2net starts");
        let server = Self { server, port };
        wait_until_listening(port).expect("ser2net listens");
        server
    }

    /// What `--port` takes.
    pub fn port(&self) -> String {
        format!("rfc2217://127.0.0.1:{}", self.port)
    }
}

impl Drop for Ser2net {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
