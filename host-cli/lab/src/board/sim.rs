//! A simulated board as the laboratory has it: MicroPython on a folder that goes with the board, and its parts' pins.
//!
//! Systems without pseudo-terminals have `sim_unsupported` in its place.

use board_link::{Lang, PortSpec};
use board_sim::{
    BrokerHosts, Climate, HostMap, MicroPython, PinMode, SimBoard, SimConfig, SimError,
};
use tempfile::TempDir;

use crate::board::Names;
use crate::protocol::{PinView, PinsView, PwmView, Wifi};
use crate::words::Words;

/// The file by which a board trusts the laboratory's broker, as examples name it: DER, which every board reads.
const AUTHORITY: &str = "ca.der";

/// What simulated boards are made of.
#[derive(Debug, Clone)]
pub struct Maker {
    pub micropython: MicroPython,
}

/// A running one. Dropping it ends it.
pub struct Sim {
    // The board goes first: its process must not outlive the folder.
    board: SimBoard,
    _flash: TempDir,
}

fn words(error: &SimError) -> Words {
    Words::new(error.to_string(), error.to_spanish())
}

impl Maker {
    /// The version that its boards run.
    pub fn version(&self) -> String {
        self.micropython.implementation().version.clone()
    }

    /// Starts a board whose host names lead as `names` says, or to themselves. It is born with the certificate of
    /// `authority` among its files.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub fn start(&self, names: Option<Names>, authority: Option<&[u8]>) -> Result<Sim, Words> {
        let no_room = |error| {
            Words::new(
                format!("there is no room for the simulated board's files: {error}"),
                format!(
                    "no hay sitio para los ficheros de la placa simulada: {}",
                    Lang::Es.reason(&error)
                ),
            )
        };
        let flash = tempfile::Builder::new()
            .prefix("umqtt-lab-")
            .tempdir()
            .map_err(no_room)?;
        if let Some(authority) = authority {
            std::fs::write(flash.path().join(AUTHORITY), authority).map_err(no_room)?;
        }
        let mut config = SimConfig::new(flash.path(), self.micropython.clone());
        if let Some(names) = names {
            config.hosts = HostMap {
                broker: Some(BrokerHosts {
                    tcp: names.broker,
                    tls: names.secure,
                }),
                names: names.others,
                localhost: true,
            };
        }
        let board = SimBoard::start(config).map_err(|error| words(&error))?;
        Ok(Sim {
            board,
            _flash: flash,
        })
    }
}

impl Sim {
    /// Its serial device.
    pub fn port(&self) -> PortSpec {
        PortSpec::Device(self.board.device().display().to_string())
    }

    /// Takes all Wi-Fi networks out of the board's reach, or brings them back.
    pub fn set_wifi_in_reach(&self, in_reach: bool) {
        self.board.peripherals().set_wifi_in_reach(in_reach);
    }

    pub fn reset(&self) {
        self.board.reset();
    }

    /// Something outside drives a pin, or lets it go.
    pub fn set_input(&self, pin: u8, level: Option<bool>) {
        self.board.set_input(pin, level);
    }

    /// A button is pressed or let go, and bounces for some milliseconds, in which this waits.
    pub fn switch(&self, pin: u8, from: Option<bool>, to: Option<bool>) {
        self.board.switch(pin, from, to);
    }

    /// A resistor holds a pin high or low while nothing drives it, or is taken away.
    pub fn set_resistor(&self, pin: u8, level: Option<bool>) {
        self.board.set_resistor(pin, level);
    }

    pub fn set_adc(&self, pin: u8, microvolts: u32) {
        self.board.set_adc(pin, microvolts);
    }

    /// What the sensor on a pin measures, degrees Celsius and percent; none unplugs it.
    pub fn set_climate(&self, pin: u8, climate: Option<(f32, f32)>) {
        let climate = climate.map(|(temperature, humidity)| Climate {
            temperature,
            humidity,
        });
        self.board.peripherals().set_climate(pin, climate);
    }

    /// What can be seen of its pins and its Wi-Fi.
    pub fn look(&self) -> (PinsView, Wifi) {
        let snapshot = self.board.peripherals().snapshot();
        let wifi = match (snapshot.wifi.connected, snapshot.wifi.active) {
            (true, _) => Wifi::Connected,
            // The station is on and has a network to look for.
            (false, true) if snapshot.wifi.ssid.is_some() => Wifi::Connecting,
            _ => Wifi::Off,
        };
        let pins = PinsView {
            pins: snapshot
                .pins
                .iter()
                .map(|pin| PinView {
                    pin: pin.pin,
                    mode: mode_name(pin.mode),
                    level: pin.level.into(),
                    floats: pin.floats,
                })
                .collect(),
            pwm: snapshot
                .pwm
                .iter()
                .map(|(pin, pwm)| {
                    let (frequency, duty) = (pwm.frequency, pwm.duty);
                    (*pin, PwmView { frequency, duty })
                })
                .collect(),
            pixels: snapshot.pixels,
        };
        (pins, wifi)
    }
}

/// The word for a mode in `pins`.
fn mode_name(mode: PinMode) -> &'static str {
    match mode {
        PinMode::Unused => "unused",
        PinMode::Input => "input",
        PinMode::Output => "output",
        PinMode::OpenDrain => "open_drain",
    }
}
