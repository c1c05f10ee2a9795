//! What a simulated board is made of: its MicroPython, its folder, its networks, its idea of the world.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::micropython::MicroPython;

/// Settings of one simulated board.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The folder that is the board's filesystem; it must exist.
    pub root: PathBuf,
    /// The MicroPython that runs the board's code.
    pub micropython: MicroPython,
    /// Where host names lead.
    pub hosts: HostMap,
    /// Bytes of Python heap for scripts, beside what the board's own modules take; None leaves
    /// MicroPython's default, which is 2 MB on 64-bit computers with those modules in it.
    pub heap: Option<usize>,
    /// The Wi-Fi networks in reach.
    pub networks: Vec<WifiNetwork>,
    /// Size of the filesystem in bytes, for `os.statvfs` and the error of a full disk (ENOSPC).
    pub flash: u64,
    /// Bytes of typed input the board keeps while a script runs; what comes beyond is lost, as on an
    /// ESP32 (`stdin_ringbuf` in ports/esp32/mphalport.c holds 260).
    pub input_ring: usize,
}

impl SimConfig {
    /// A board as an ESP32 with 4 MB of flash comes: 2 MB of filesystem, the networks `Wokwi-GUEST`
    /// (open) and `umqtt` (password `contraseña`), and real host names.
    pub fn new(root: impl Into<PathBuf>, micropython: MicroPython) -> SimConfig {
        SimConfig {
            root: root.into(),
            micropython,
            hosts: HostMap::default(),
            heap: None,
            networks: vec![
                WifiNetwork::open("Wokwi-GUEST"),
                WifiNetwork::with_password("umqtt", "contraseña"),
            ],
            flash: 2 * 1024 * 1024,
            input_ring: 260,
        }
    }
}

/// One Wi-Fi network that the simulated radio sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiNetwork {
    pub ssid: String,
    /// None for an open network.
    pub password: Option<String>,
    /// 1 to 13.
    pub channel: u8,
    /// Signal strength in dBm, such as -60.
    pub rssi: i8,
}

impl WifiNetwork {
    /// A network without a password.
    pub fn open(ssid: &str) -> WifiNetwork {
        WifiNetwork {
            ssid: ssid.to_string(),
            password: None,
            channel: 6,
            rssi: -59,
        }
    }

    /// A network with WPA2.
    pub fn with_password(ssid: &str, password: &str) -> WifiNetwork {
        WifiNetwork {
            password: Some(password.to_string()),
            channel: 11,
            rssi: -67,
            ..WifiNetwork::open(ssid)
        }
    }
}

/// Where host names lead on the simulated board.
#[derive(Clone, Debug, Default)]
pub struct HostMap {
    /// Where the names of public brokers lead; None leaves them to this computer's resolver (online).
    pub broker: Option<BrokerHosts>,
    /// Further names, in lower case, and the address each leads to. A port of 0 keeps the script's port.
    pub names: BTreeMap<String, SocketAddr>,
    /// `localhost` leads to the broker too, on MQTT's ports: where the broker cannot have these on the computer itself.
    pub localhost: bool,
}

/// The listeners that stand in for public brokers.
#[derive(Clone, Copy, Debug)]
pub struct BrokerHosts {
    /// MQTT over TCP: what port 1883 of a public broker leads to.
    pub tcp: SocketAddr,
    /// MQTT over TLS, for port 8883 and its like; None refuses the connection.
    pub tls: Option<SocketAddr>,
}

impl HostMap {
    /// The names of public brokers lead to this listener; all other names are real.
    pub fn to_broker(tcp: SocketAddr) -> HostMap {
        HostMap {
            broker: Some(BrokerHosts { tcp, tls: None }),
            names: BTreeMap::new(),
            localhost: false,
        }
    }
}
