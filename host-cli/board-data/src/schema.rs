//! Decides what a file of `boards/` may say. Everything is required unless it says otherwise, and nothing else is allowed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// One board.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// What `--board` takes: small letters, digits and hyphens; also the file's name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The chip as espflash and esptool spell it: `esp32s3`, `rp2040`.
    pub chip: String,
    /// The architecture of its native modules, as `mpy_ld.py` names it.
    pub arch: String,
    /// Its name on MicroPython's download page, which is also how firmware files begin. `None` where there is nothing
    /// to flash.
    pub firmware: Option<String>,
    pub flash: Flash,
    /// USB numbers by which it is known.
    #[serde(default)]
    pub usb: Usb,
    pub reset: Reset,
    pub pins: Pins,
    pub notes: Notes,
}

/// How a firmware gets there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flash {
    pub method: Method,
    /// Where a firmware file begins, in bytes from the start of the flash memory.
    #[serde(default)]
    pub offset: u32,
    /// The smallest flash memory that such boards have, in bytes.
    #[serde(default)]
    pub size: u32,
    /// The family of its UF2 files.
    pub family: Option<u32>,
    /// What `INFO_UF2.TXT` on its drive says after `Board-ID:`.
    pub drive: Option<String>,
}

/// The way to flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The serial protocol of Espressif's ROMs, through the espflash library.
    Espressif,
    /// The same protocol for a chip that espflash does not know, by its ROM alone.
    Rom,
    /// Copying a UF2 file to the drive that the bootloader shows.
    Uf2,
    /// There is nothing to flash.
    None,
}

/// USB vendor and product numbers, written `303a:1001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsbId {
    pub vendor: u16,
    pub product: u16,
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}

impl<'de> Deserialize<'de> for UsbId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = |text: &str| {
            (text.len() == 4)
                .then(|| u16::from_str_radix(text, 16).ok())
                .flatten()
        };
        text.split_once(':')
            .and_then(|(vendor, product)| {
                Some(Self {
                    vendor: number(vendor)?,
                    product: number(product)?,
                })
            })
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not like \"303a:1001\"")))
    }
}

/// The USB devices that such a board may show; those of USB-to-serial chips stand under both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usb {
    /// While MicroPython runs.
    pub running: Vec<UsbId>,
    /// While it waits for a firmware.
    pub bootloader: Vec<UsbId>,
}

/// How to restart it without a finger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// As the reset button does.
    pub hard: Vec<Step>,
    /// Into the bootloader; empty where there is none.
    #[serde(default)]
    pub bootloader: Vec<Step>,
    /// The same where a USB-to-serial chip is between, for boards that exist with and without one; empty where that makes
    /// no difference.
    #[serde(default)]
    pub bootloader_by_uart: Vec<Step>,
}

/// One step of a reset: `dtr on`, `rts off`, `wait 100` (milliseconds), `run CODE` (Python, at the raw REPL).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Dtr(bool),
    Rts(bool),
    Wait(Duration),
    Run(String),
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let level = |word: &str| match word {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        let step = match text.split_once(' ') {
            Some(("dtr", word)) => level(word).map(Self::Dtr),
            Some(("rts", word)) => level(word).map(Self::Rts),
            Some(("wait", number)) => number
                .parse()
                .ok()
                .map(|time| Self::Wait(Duration::from_millis(time))),
            Some(("run", code)) => Some(Self::Run(code.to_owned())),
            _ => None,
        };
        step.ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{text:?} is no step: dtr on, rts off, wait MILLISECONDS or run CODE"
            ))
        })
    }
}

/// What a lesson finds on the board itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    pub led: Option<Led>,
    /// The number of the pin of a button that connects it to ground.
    pub button: Option<u8>,
}

/// The light on the board.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Led {
    pub pin: Pin,
    #[serde(default)]
    pub kind: Kind,
    /// The level at which a plain LED lights.
    #[serde(default = "one")]
    pub on: u8,
}

fn one() -> u8 {
    1
}

/// What `machine.Pin` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Pin {
    Number(u8),
    Name(String),
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    Plain,
    /// An addressable RGB LED: `neopixel.NeoPixel`.
    Neopixel,
}

/// What a student should know, in one or two sentences per language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    pub en: String,
    pub es: String,
}

impl Board {
    /// Reads a file of `boards/`.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Where its firmware is: a page, not a file, since the newest one changes.
    pub fn page(&self) -> Option<String> {
        self.firmware
            .as_ref()
            .map(|name| format!("https://micropython.org/download/{name}/"))
    }
}
