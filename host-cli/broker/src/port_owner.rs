//! Decides which program has a TCP port, for the error that says that the port is taken.

use std::fmt;
use std::net::SocketAddr;

/// A program that has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortOwner {
    /// The program's name, at most 15 bytes of it: the kernel keeps no more.
    pub name: String,
    pub process: u32,
}

impl fmt::Display for PortOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.process)
    }
}

impl PortOwner {
    /// The same in Spanish.
    pub fn to_spanish(&self) -> String {
        format!("{} (proceso {})", self.name, self.process)
    }
}

/// The program that listens on the port of `address`, an address of this computer, where the system tells us: on Linux, and
/// only for processes that we may look at.
pub fn find(address: SocketAddr) -> Option<PortOwner> {
    #[cfg(target_os = "linux")]
    return linux::find(address);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = address;
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::net::SocketAddr;

    use super::PortOwner;

    /// The state LISTEN in /proc/net/tcp, from the kernel's include/net/tcp_states.h.
    const LISTEN: &str = "0A";

    pub(super) fn find(address: SocketAddr) -> Option<PortOwner> {
        let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|table| {
                table
                    .lines()
                    .filter_map(|line| listening(line, address.port()))
                    .collect::<Vec<_>>()
            })
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        for process in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = process
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
                continue;
            };
            let mut targets = descriptors
                .flatten()
                .filter_map(|entry| fs::read_link(entry.path()).ok());
            if targets.any(|target| {
                sockets
                    .iter()
                    .any(|socket| target.as_os_str() == socket.as_str())
            }) {
                let name = fs::read_to_string(process.path().join("comm")).ok()?;
                return Some(PortOwner {
                    name: name.trim().to_owned(),
                    process: pid,
                });
            }
        }
        None
    }

    /// The inode of a line of /proc/net/tcp that listens on `port`: columns sl, local address, remote
    /// address, state, queues, timers, retransmits, user, timeout, inode.
    fn listening(line: &str, port: u16) -> Option<String> {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, local_port) = columns.get(1)?.split_once(':')?;
        let is_ours = u16::from_str_radix(local_port, 16) == Ok(port) && *columns.get(3)? == LISTEN;
        is_ours.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
    }
}
