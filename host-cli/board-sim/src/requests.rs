//! What the board's process asks of its supervisor, and what it only tells it.
//!
//! A request is `id, name, 0, content`; its answer `A, id, failed, content`, where the content of a
//! failure is an errno as a little-endian i32.

use std::net::SocketAddr;

use crate::hosts;
use crate::modules;
use crate::supervisor::{Halt, Order, ResetCause, Supervisor};

/// What lwip answers for a name nobody knows; ESP32's `getaddrinfo` raises it as it is.
const EAI_UNKNOWN: i32 = -202;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;

/// Size of a block of the filesystem in bytes, as on an ESP32.
const BLOCK: u64 = 4096;

type Answer = Result<Vec<u8>, i32>;

/// Packs an answer.
fn packet(id: u8, answer: &Answer) -> Vec<u8> {
    let mut packet = vec![b'A', id];
    match answer {
        Ok(content) => {
            packet.push(0);
            packet.extend_from_slice(content);
        }
        Err(errno) => {
            packet.push(1);
            packet.extend_from_slice(&errno.to_le_bytes());
        }
    }
    packet
}

fn split(content: &[u8]) -> (String, &[u8]) {
    let end = content.iter().position(|b| *b == 0);
    let (name, rest) = content.split_at(end.unwrap_or(content.len()));
    (
        String::from_utf8_lossy(name).into_owned(),
        rest.get(1..).unwrap_or_default(),
    )
}

impl Supervisor {
    pub(crate) fn answer_request(&mut self, content: &[u8]) {
        let Some((&id, content)) = content.split_first() else {
            return;
        };
        let (name, content) = split(content);
        if name == "resolve" {
            return self.answer_resolve(id, content);
        }
        let answer = self.answer(&name, content);
        if let Some(child) = &self.child {
            // A process that is gone wants no answer.
            let _ = child.send(&packet(id, &answer));
        }
    }

    fn answer(&mut self, name: &str, content: &[u8]) -> Answer {
        let text = || std::str::from_utf8(content).map_err(|_| EINVAL);
        match name {
            "settings" => Ok(format!(
                "{}\n{}\n{}",
                self.config.root.display(),
                u8::from(self.walls.landlock),
                u8::from(self.walls.seccomp)
            )
            .into_bytes()),
            "module" => modules::source(text()?)
                .map(|source| source.as_bytes().to_vec())
                .ok_or(ENOENT),
            // Bytes that still fit.
            "room" => {
                let blocks = (self.config.flash / BLOCK).saturating_sub(self.used_blocks());
                Ok((blocks * BLOCK).to_string().into_bytes())
            }
            "statvfs" => {
                Ok(format!("{} {}", self.config.flash / BLOCK, self.used_blocks()).into_bytes())
            }
            "reset-cause" => Ok(self.reset_cause().into_bytes()),
            // sys.stdout.buffer: bytes that must not be changed, in order with what was printed.
            "raw" => {
                self.drain_printed();
                self.console.put(content);
                Ok(Vec::new())
            }
            _ => self.peripherals.answer(name, text()?),
        }
    }

    /// `machine.reset_cause()` and `machine.wake_reason()` (ports/esp32/modmachine.c).
    fn reset_cause(&self) -> String {
        let (cause, wake) = match self.reset_cause {
            _ if self.soft_reset => (5, 0),
            ResetCause::PowerOn => (1, 0),
            ResetCause::Reset | ResetCause::Crash { .. } => (2, 0),
            ResetCause::Watchdog => (3, 0),
            ResetCause::DeepSleep { .. } => (4, 4),
        };
        format!("{cause} {wake}")
    }

    /// Blocks in use, counted as littlefs does: two for each folder, and whole ones for files.
    fn used_blocks(&self) -> u64 {
        fn blocks(folder: &std::path::Path) -> u64 {
            let Ok(entries) = std::fs::read_dir(folder) else {
                return 0;
            };
            2 + entries
                .filter_map(Result::ok)
                .map(|entry| match entry.metadata() {
                    Ok(data) if data.is_dir() => blocks(&entry.path()),
                    Ok(data) if data.is_file() => data.len().div_ceil(BLOCK),
                    _ => 0,
                })
                .sum::<u64>()
        }
        blocks(&self.config.root)
    }

    /// `host 0 port`: the address, on a thread of its own if it must be looked up.
    fn answer_resolve(&mut self, id: u8, content: &[u8]) {
        let (host, port) = split(content);
        let port = std::str::from_utf8(port).ok().and_then(|p| p.parse().ok());
        let done = move |address: Option<SocketAddr>| {
            let answer = address
                .map(|a| format!("{} {}", a.ip(), a.port()).into_bytes())
                .ok_or(EAI_UNKNOWN);
            packet(id, &answer)
        };
        let port: u16 = port.unwrap_or(0);
        if self.peripherals.cut_off() {
            if let Some(child) = &self.child {
                // A process that is gone wants no answer.
                let _ = child.send(&done(None));
            }
            return;
        }
        if let Some(address) = hosts::mapped(&self.config.hosts, &host, port) {
            if let Some(child) = &self.child {
                // A process that is gone wants no answer.
                let _ = child.send(&done(Some(address)));
            }
            return;
        }
        let (orders, waker, session) =
            (self.order_sender.clone(), self.waker.clone(), self.session);
        std::thread::spawn(move || {
            let packet = done(hosts::resolve(&host, port));
            // The board may be gone by now.
            if orders.send(Order::Answer { session, packet }).is_ok() {
                waker.wake();
            }
        });
    }

    /// Something the process tells without waiting.
    pub(crate) fn take_notice(&mut self, content: &[u8]) -> Result<(), Halt> {
        let (name, content) = split(content);
        let text = String::from_utf8_lossy(content);
        if matches!(name.as_str(), "reset" | "deepsleep") {
            self.drain_printed();
        }
        match name.as_str() {
            "reset" => Err(Halt::Reset(ResetCause::Reset)),
            "deepsleep" => Err(Halt::Reset(ResetCause::DeepSleep {
                milliseconds: text.parse().ok(),
            })),
            _ => {
                self.peripherals.notice(&name, &text);
                Ok(())
            }
        }
    }
}
