//! What is going on behind a port, found out without disturbing a program that runs there.

use std::time::{Duration, Instant};

use crate::error::{Clue, LinkError, Step};
use crate::link::Link;
use crate::ports::{PortSpec, open};

/// What answers at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortState {
    /// MicroPython, or a relative of it, waits for input at its prompt.
    Prompt {
        /// As its banner has it: `MicroPython v1.26.1`.
        firmware: String,
        /// The board's and chip's name: `Generic ESP32 module with ESP32`.
        machine: String,
    },
    /// It prints something of its own accord: `main.py` runs. The end of what came.
    Running { heard: String },
    /// The chip's ROM waits for a firmware.
    Bootloader,
    /// The chip's ROM finds no firmware.
    NoFirmware,
    /// What comes is no text.
    Garbage,
    /// Nothing comes: a program that prints nothing, no MicroPython, or no board.
    Silent,
    /// Another program has the port; its name and number where the system tells.
    Busy { holder: Option<String> },
    /// This user may not open it.
    Denied,
    /// It cannot be opened or broke at once, in the words of the error.
    Failed { message: String },
}

/// Ends a line that somebody left half typed, leaves a raw REPL that another tool left, and asks for the banner. A
/// program that runs does not notice, unless it reads its input.
const QUESTION: &[u8] = b"\r\x02";

/// What the banner's line has in it (`MICROPY_BANNER_NAME_AND_VERSION`); CircuitPython's has it too.
const BANNER: &str = "Python ";

/// Opens the port, asks, listens for at most `patience` (0.2 s of silence after an answer are enough), and closes it.
/// Nothing is interrupted.
pub fn look(spec: &PortSpec, patience: Duration) -> PortState {
    if let PortSpec::Device(device) = spec
        && let Some(holder) = crate::transport::serial::holder(device)
    {
        // Not every program asks for the port alone, and two that read it take each other's bytes.
        return PortState::Busy {
            holder: Some(holder),
        };
    }
    let transport = match open(spec) {
        Ok(transport) => transport,
        Err(LinkError::PortBusy { holder, .. }) => return PortState::Busy { holder },
        Err(LinkError::PortDenied { .. }) => return PortState::Denied,
        Err(error) => return failed(&error),
    };
    let mut link = Link::new(transport, patience);
    match listen(&mut link, patience) {
        Ok(bytes) => judge(&bytes, &link),
        Err(error) => failed(&error),
    }
}

fn failed(error: &LinkError) -> PortState {
    PortState::Failed {
        message: error.to_string(),
    }
}

/// Most that is looked at of a board that never stops talking.
const ENOUGH: usize = 8 * 1024;

fn listen(link: &mut Link, patience: Duration) -> Result<Vec<u8>, LinkError> {
    link.write(QUESTION, Step::Enter)?;
    let deadline = Instant::now() + patience;
    let mut bytes = Vec::new();
    while Instant::now() < deadline && bytes.len() < ENOUGH {
        let came = link.peek(Duration::from_millis(200), Step::Read)?;
        let count = came.len();
        bytes.extend_from_slice(came);
        link.used(count);
        if count == 0 && banner(&String::from_utf8_lossy(&bytes)).is_some() {
            break;
        }
    }
    Ok(bytes)
}

fn judge(bytes: &[u8], link: &Link) -> PortState {
    let text = String::from_utf8_lossy(bytes);
    if let Some((firmware, machine)) = banner(&text)
        && text.trim_end().ends_with(">>>")
    {
        return PortState::Prompt {
            firmware: firmware.to_owned(),
            machine: machine.to_owned(),
        };
    }
    if bytes.is_empty() {
        return PortState::Silent;
    }
    match link.clue() {
        Clue::Bootloader => PortState::Bootloader,
        Clue::NoFirmware => PortState::NoFirmware,
        Clue::Garbage => PortState::Garbage,
        Clue::Text => PortState::Running {
            heard: last_line(&text)
                .chars()
                .filter(|c| !c.is_control())
                .take(60)
                .collect(),
        },
    }
}

/// The last line that came whole; what there is of one where none did.
fn last_line(text: &str) -> &str {
    let lines = || {
        text.split_inclusive(['\r', '\n'])
            .rev()
            .filter(|line| !line.trim().is_empty())
    };
    let whole = lines().find(|line| line.ends_with(['\r', '\n']));
    whole.or_else(|| lines().next()).unwrap_or_default().trim()
}

/// Firmware and machine of the last complete banner: `MicroPython v1.26.1 on 2025-09-11; Generic ESP32 module with ESP32`.
fn banner(text: &str) -> Option<(&str, &str)> {
    let line = text
        .split_inclusive(['\r', '\n'])
        .rfind(|line| line.ends_with(['\r', '\n']) && line.contains(BANNER))?;
    let (front, machine) = line.split_once("; ")?;
    let (firmware, _) = front.split_once(" on ")?;
    Some((firmware.trim(), machine.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners_of_relatives_are_read_too() {
        assert_eq!(
            banner(
                "\r\nMicroPython v1.26.1 on 2025-09-11; Generic ESP32 module with ESP32\r\nType \"help()\"\r\n>>> "
            ),
            Some(("MicroPython v1.26.1", "Generic ESP32 module with ESP32"))
        );
        assert_eq!(
            banner(
                "Adafruit CircuitPython 9.2.1 on 2024-11-20; Raspberry Pi Pico W with rp2040\r\n>>> "
            ),
            Some((
                "Adafruit CircuitPython 9.2.1",
                "Raspberry Pi Pico W with rp2040"
            ))
        );
        assert_eq!(banner("MicroPython v1.26.1 on 2025-09-11; Generic"), None);
        assert_eq!(banner("I like Python \r\n>>> "), None);
    }

    #[test]
    fn a_line_that_is_still_coming_is_not_shown() {
        for (text, line) in [
            ("vuelta 1\r\nvuelta 2\r\nvuelta", "vuelta 2"),
            ("vuelta 1\r\n\r\n", "vuelta 1"),
            ("vuel", "vuel"),
            ("\r\n", ""),
        ] {
            assert_eq!(last_line(text), line, "{text:?}");
        }
    }
}
