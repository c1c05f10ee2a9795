//! Which ports there are, what `--port` may say, and which port it means.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serialport::SerialPortType;

use crate::error::{BadPort, LinkError};
use crate::transport::Transport;
use crate::transport::rfc2217::Rfc2217Transport;
use crate::transport::serial::{DEFAULT_BAUD, SerialTransport};
use crate::transport::socket::{SocketTransport, join};

/// What `--port` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PortSpec {
    /// A serial device or pseudo-terminal: `/dev/ttyUSB0`, `COM3`.
    Device(String),
    /// The simulated board.
    Sim,
    /// `socket://HOST:PORT`: the board's bytes over TCP as they are.
    Socket { host: String, port: u16 },
    /// `rfc2217://HOST:PORT`: a serial port behind a telnet server.
    Rfc2217 { host: String, port: u16 },
    /// `id:SERIAL`: the USB device with this serial number, wherever it is plugged in.
    Id(String),
    /// The one attached board; the simulated one if there is none.
    #[default]
    Auto,
}

impl FromStr for PortSpec {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<PortSpec, LinkError> {
        let bad = |reason| LinkError::BadPort {
            spec: text.to_owned(),
            reason,
        };
        let trimmed = text.trim();
        if let Some((scheme, rest)) = trimmed.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            // A wrong word in front is said before what follows it is looked at.
            if !["socket", "rfc2217"].contains(&scheme.as_str()) {
                return Err(bad(BadPort::UnknownScheme));
            }
            let (host, port) = host_and_port(rest).map_err(bad)?;
            return Ok(match scheme.as_str() {
                "socket" => PortSpec::Socket { host, port },
                _ => PortSpec::Rfc2217 { host, port },
            });
        }
        match trimmed {
            "" => Err(bad(BadPort::Empty)),
            "sim" => Ok(PortSpec::Sim),
            "auto" => Ok(PortSpec::Auto),
            _ => match trimmed.strip_prefix("id:") {
                Some("") => Err(bad(BadPort::NoSerial)),
                Some(serial) => Ok(PortSpec::Id(serial.to_owned())),
                None => Ok(PortSpec::Device(trimmed.to_owned())),
            },
        }
    }
}

/// `HOST:PORT` or `[IPV6]:PORT`; anything from a `?` or `/` on is refused with the number.
fn host_and_port(text: &str) -> Result<(String, u16), BadPort> {
    let (host, port) = text.rsplit_once(':').ok_or(BadPort::NoHostOrPort)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or(BadPort::NoHostOrPort)?,
        None => host,
    };
    if host.is_empty() {
        return Err(BadPort::NoHostOrPort);
    }
    match port.parse() {
        Ok(0) | Err(_) => Err(BadPort::BadNumber),
        Ok(port) => Ok((host.to_owned(), port)),
    }
}

impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortSpec::Device(device) => f.write_str(device),
            PortSpec::Sim => f.write_str("sim"),
            PortSpec::Socket { host, port } => write!(f, "socket://{}", join(host, *port)),
            PortSpec::Rfc2217 { host, port } => write!(f, "rfc2217://{}", join(host, *port)),
            PortSpec::Id(serial) => write!(f, "id:{serial}"),
            PortSpec::Auto => f.write_str("auto"),
        }
    }
}

/// A port of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// What to open: `/dev/ttyUSB0`, `/dev/cu.usbmodem101`, `COM3`.
    pub device: String,
    /// What USB says about it; `None` for built-in and Bluetooth ports.
    pub usb: Option<UsbInfo>,
    /// The user says in `UMQTT_PORTS` that a board is there.
    pub named: bool,
}

/// A USB device's own words about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbInfo {
    pub vendor_id: u16,
    pub product_id: u16,
    pub manufacturer: Option<String>,
    pub product: Option<String>,
    pub serial: Option<String>,
}

impl UsbInfo {
    /// The USB chip's common name, for the chips that boards carry.
    pub fn chip(&self) -> Option<&'static str> {
        // USB ids from the vendors' data sheets and drivers.
        Some(match (self.vendor_id, self.product_id) {
            (0x10c4, 0xea60) => "CP210x",
            (0x1a86, 0x7523 | 0x5523) => "CH340",
            (0x1a86, 0x55d2..=0x55d8) => "CH343/CH9102",
            (0x0403, 0x6001 | 0x6010 | 0x6011 | 0x6014 | 0x6015) => "FTDI",
            (0x067b, _) => "PL2303",
            (0x303a, 0x1001) => "ESP32 USB-Serial-JTAG",
            (0x303a, _) => "ESP32 USB",
            (0x2e8a, _) => "RP2040/RP2350",
            (0xf055, _) => "MicroPython USB",
            (0x0d28, 0x0204) => "DAPLink",
            _ => return None,
        })
    }
}

impl PortInfo {
    /// Whether a board may be there: a computer's built-in ports have none, only USB says that something is attached,
    /// or the user in `UMQTT_PORTS`.
    pub fn may_be_a_board(&self) -> bool {
        self.usb.is_some() || self.named
    }
}

impl fmt::Display for PortInfo {
    /// `/dev/ttyUSB0  10c4:ea60  CP2102 USB to UART Bridge Controller  id:0001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.device)?;
        let Some(usb) = &self.usb else {
            return Ok(());
        };
        write!(f, "  {:04x}:{:04x}", usb.vendor_id, usb.product_id)?;
        if let Some(name) = usb.product.as_deref().or(usb.chip()) {
            write!(f, "  {name}")?;
        }
        if let Some(serial) = &usb.serial {
            write!(f, "  id:{serial}")?;
        }
        Ok(())
    }
}

/// The computer's serial ports, sorted by name.
///
/// # Errors
/// [`LinkError::NoPortList`].
pub fn list() -> Result<Vec<PortInfo>, LinkError> {
    // The serialport crate panics where Linux has no terminals at all, as in some containers.
    #[cfg(target_os = "linux")]
    if !std::path::Path::new("/sys/class/tty").is_dir() {
        return Ok(Vec::new());
    }
    let found = serialport::available_ports().map_err(|error| LinkError::NoPortList {
        source: error.into(),
    })?;
    let mut ports: Vec<PortInfo> = found
        .into_iter()
        // macOS shows each port twice; opening the tty side waits for a modem's carrier.
        .filter(|port| !(cfg!(target_os = "macos") && port.port_name.starts_with("/dev/tty.")))
        .map(|port| PortInfo {
            device: port.port_name,
            usb: match port.port_type {
                SerialPortType::UsbPort(usb) => Some(UsbInfo {
                    vendor_id: usb.vid,
                    product_id: usb.pid,
                    manufacturer: usb.manufacturer,
                    product: usb.product,
                    serial: usb.serial_number.filter(|serial| !serial.is_empty()),
                }),
                _ => None,
            },
            named: false,
        })
        .collect();
    ports.sort_by_key(|port| natural(&port.device));
    for name in named(&std::env::var(NAMED).unwrap_or_default()) {
        match ports.iter_mut().find(|port| port.device == name) {
            Some(port) => port.named = true,
            None => ports.push(PortInfo {
                device: name.to_owned(),
                usb: None,
                named: true,
            }),
        }
    }
    Ok(ports)
}

/// Boards that no USB tells of: those behind an address, on a computer's built-in port, on a pseudo-terminal.
const NAMED: &str = "UMQTT_PORTS";

fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

/// Sorts COM10 behind COM9.
fn natural(device: &str) -> (String, u32) {
    let name = device.trim_end_matches(|c: char| c.is_ascii_digit());
    (
        name.to_owned(),
        device[name.len()..].parse().unwrap_or(u32::MAX),
    )
}

/// Whether the system lists `device`.
pub(crate) fn exists(device: &str) -> bool {
    list().is_ok_and(|ports| (ports.iter()).any(|port| port.device.eq_ignore_ascii_case(device)))
}

/// Which port `spec` means: a [`PortSpec`] that is neither `Id` nor `Auto`.
///
/// `Auto` means the one attached USB serial port, and the simulated board if there is none.
///
/// # Errors
/// [`LinkError::SeveralBoards`], [`LinkError::NoSuchSerial`], [`LinkError::NoPortList`].
pub fn resolve(spec: &PortSpec) -> Result<PortSpec, LinkError> {
    match spec {
        PortSpec::Id(_) | PortSpec::Auto => choose(spec, list()?),
        known => Ok(known.clone()),
    }
}

fn choose(spec: &PortSpec, ports: Vec<PortInfo>) -> Result<PortSpec, LinkError> {
    let boards: Vec<PortInfo> = (ports.into_iter())
        .filter(PortInfo::may_be_a_board)
        .collect();
    let PortSpec::Id(wanted) = spec else {
        return match boards.as_slice() {
            [] => Ok(PortSpec::Sim),
            [port] => port.device.parse(),
            _ => Err(LinkError::SeveralBoards { ports: boards }),
        };
    };
    let serial = |port: &PortInfo| port.usb.as_ref().and_then(|usb| usb.serial.clone());
    // Systems disagree about the case of serial numbers.
    let same = |port: &&PortInfo| serial(port).is_some_and(|s| s.eq_ignore_ascii_case(wanted));
    match boards.iter().find(same) {
        Some(port) => Ok(PortSpec::Device(port.device.clone())),
        None => Err(LinkError::NoSuchSerial {
            serial: wanted.clone(),
            present: boards.iter().filter_map(serial).collect(),
        }),
    }
}

/// How to open a port.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Bits per second; nothing to pseudo-terminals, sockets and native USB.
    pub baud: u32,
    /// Limit for connecting to an address, and for each answer of an RFC 2217 server.
    pub connect: Duration,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            baud: DEFAULT_BAUD,
            connect: Duration::from_secs(5),
        }
    }
}

/// Opens the port that `spec` means, with the default options.
///
/// # Errors
/// Those of [`resolve`]; [`LinkError::Simulated`] for the simulated board, which somebody else
/// has to start; and what opening that kind of port says.
pub fn open(spec: &PortSpec) -> Result<Box<dyn Transport>, LinkError> {
    open_with(spec, &OpenOptions::default())
}

/// As [`open`], with options.
///
/// # Errors
/// As [`open`].
pub fn open_with(spec: &PortSpec, options: &OpenOptions) -> Result<Box<dyn Transport>, LinkError> {
    Ok(match resolve(spec)? {
        PortSpec::Device(device) => Box::new(SerialTransport::open(&device, options.baud)?),
        PortSpec::Socket { host, port } => {
            Box::new(SocketTransport::connect(&host, port, options.connect)?)
        }
        PortSpec::Rfc2217 { host, port } => Box::new(Rfc2217Transport::connect(
            &host,
            port,
            options.baud,
            options.connect,
        )?),
        PortSpec::Sim | PortSpec::Id(_) | PortSpec::Auto => return Err(LinkError::Simulated),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_texts() {
        let socket = |host: &str, port| PortSpec::Socket {
            host: host.to_owned(),
            port,
        };
        for (text, spec) in [
            ("/dev/ttyUSB0", PortSpec::Device("/dev/ttyUSB0".into())),
            ("COM3", PortSpec::Device("COM3".into())),
            ("sim", PortSpec::Sim),
            ("auto", PortSpec::Auto),
            ("id:A1B2", PortSpec::Id("A1B2".into())),
            ("socket://localhost:4000", socket("localhost", 4000)),
            ("socket://[::1]:4000", socket("::1", 4000)),
            (
                "rfc2217://10.0.0.2:2217",
                PortSpec::Rfc2217 {
                    host: "10.0.0.2".into(),
                    port: 2217,
                },
            ),
        ] {
            let parsed: PortSpec = text.parse().unwrap();
            assert_eq!(parsed, spec);
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn texts_that_name_no_port() {
        for (text, expected) in [
            ("", BadPort::Empty),
            ("  ", BadPort::Empty),
            ("id:", BadPort::NoSerial),
            ("socket://host", BadPort::NoHostOrPort),
            ("socket://:1", BadPort::NoHostOrPort),
            ("socket://[::1:1", BadPort::NoHostOrPort),
            ("socket://host:0", BadPort::BadNumber),
            ("socket://host:70000", BadPort::BadNumber),
            ("socket://host:1/x", BadPort::BadNumber),
            ("http://host:80", BadPort::UnknownScheme),
        ] {
            match text.parse::<PortSpec>() {
                Err(LinkError::BadPort { reason, .. }) => assert_eq!(reason, expected, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    fn usb(device: &str, serial: &str) -> PortInfo {
        PortInfo {
            device: device.to_owned(),
            usb: Some(UsbInfo {
                vendor_id: 0x10c4,
                product_id: 0xea60,
                manufacturer: None,
                product: None,
                serial: Some(serial.to_owned()),
            }),
            named: false,
        }
    }

    #[test]
    fn auto_takes_the_one_board_or_the_simulated_one_or_lists() {
        let built_in = PortInfo {
            device: "/dev/ttyS0".into(),
            usb: None,
            named: false,
        };
        let (a, b) = (usb("/dev/ttyUSB0", "0001"), usb("/dev/ttyUSB1", "ab02"));
        let auto = PortSpec::Auto;
        assert_eq!(
            choose(&auto, vec![built_in.clone()]).unwrap(),
            PortSpec::Sim
        );
        assert_eq!(
            choose(&auto, vec![built_in, a.clone()]).unwrap(),
            PortSpec::Device("/dev/ttyUSB0".into())
        );
        let several = choose(&auto, vec![a.clone(), b.clone()]).unwrap_err();
        let text = several.message(crate::Lang::Es);
        assert!(
            text.contains("/dev/ttyUSB0  10c4:ea60  CP210x  id:0001"),
            "{text}"
        );
        assert!(text.contains("/dev/ttyUSB1"), "{text}");
        assert_eq!(
            choose(&PortSpec::Id("AB02".into()), vec![a.clone(), b]).unwrap(),
            PortSpec::Device("/dev/ttyUSB1".into())
        );
        let remote = PortInfo {
            device: "socket://10.0.0.2:4000".into(),
            usb: None,
            named: true,
        };
        assert_eq!(
            choose(&auto, vec![remote]).unwrap().to_string(),
            "socket://10.0.0.2:4000"
        );
        let missing = choose(&PortSpec::Id("x".into()), vec![a]).unwrap_err();
        assert!(missing.to_string().contains("0001"), "{missing}");
    }

    #[test]
    fn com10_comes_after_com9() {
        let mut names = ["COM10", "COM9", "COM1"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["COM1", "COM9", "COM10"]);
    }
}
