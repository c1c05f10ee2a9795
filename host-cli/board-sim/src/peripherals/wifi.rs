//! The simulated radio: which networks it sees and how connecting to them goes.
//!
//! What a script sees follows ports/esp32/network_wlan.c: the status codes, the endless retries, and
//! which of them shows while it retries.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::to_hex;
use crate::config::WifiNetwork;

/// How long a successful connection takes, from `connect` to an address.
const CONNECT_TIME: Duration = Duration::from_millis(600);

/// How long it takes until the radio has seen that a network is not there, or that its password is wrong.
const REFUSE_TIME: Duration = Duration::from_millis(900);

const STAT_IDLE: u32 = 1000;
const STAT_CONNECTING: u32 = 1001;
const STAT_GOT_IP: u32 = 1010;
/// The access point fell silent (WIFI_REASON_BEACON_TIMEOUT).
const BEACON_TIMEOUT: u32 = 200;
const NO_AP_FOUND: u32 = 201;
const AUTH_FAIL: u32 = 202;

/// Address, mask, gateway and name server of the station, as a router gives them.
const STATION_ADDRESS: &str = "10.10.0.2 255.255.255.0 10.10.0.1 10.10.0.1";
const NO_ADDRESS: &str = "0.0.0.0 0.0.0.0 0.0.0.0 0.0.0.0";
const AP_ADDRESS: &str = "192.168.4.1 255.255.255.0 192.168.4.1 0.0.0.0";

/// What the radio is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WifiState {
    /// The station interface is on.
    pub active: bool,
    /// The access point is on.
    pub access_point: bool,
    /// The network asked for.
    pub ssid: Option<String>,
    /// It has an address there.
    pub connected: bool,
    /// What `WLAN.status()` returns.
    pub status: u32,
}

/// What connecting to a network comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Connected,
    NoSuchNetwork,
    WrongPassword,
}

struct Attempt {
    ssid: String,
    password: String,
    since: Instant,
    end: End,
}

#[derive(Default)]
pub(super) struct Wifi {
    networks: Vec<WifiNetwork>,
    mac: [u8; 6],
    active: bool,
    access_point: bool,
    attempt: Option<Attempt>,
    /// A reason that shows until the next success: the radio forgets it no sooner.
    left: bool,
    /// A script has asked for a network since the board had power.
    used: bool,
    /// Since when no network is in reach; none while all are.
    away: Option<Instant>,
    address: Option<String>,
    ap_address: Option<String>,
    settings: BTreeMap<String, String>,
}

impl Wifi {
    pub(super) fn new(networks: Vec<WifiNetwork>, mac: [u8; 6]) -> Wifi {
        Wifi {
            networks,
            mac,
            ..Wifi::default()
        }
    }

    /// The radio after a hard reset.
    pub(super) fn reset(&mut self) {
        let away = self.away;
        *self = Wifi::new(std::mem::take(&mut self.networks), self.mac);
        self.away = away;
    }

    /// Takes all networks out of reach, or brings them back: the radio then connects again by itself, as it retries
    /// without end.
    pub(super) fn set_in_reach(&mut self, in_reach: bool, now: Instant) {
        match (in_reach, self.away) {
            (false, None) => self.away = Some(now),
            (true, Some(_)) => {
                self.away = None;
                if let Some(attempt) = &mut self.attempt {
                    attempt.since = now;
                }
            }
            _ => {}
        }
    }

    pub(super) fn is_in_reach(&self) -> bool {
        self.away.is_none()
    }

    pub(super) fn state(&self, now: Instant) -> WifiState {
        let status = self.status(now);
        WifiState {
            active: self.active,
            access_point: self.access_point,
            ssid: self.attempt.as_ref().map(|a| a.ssid.clone()),
            connected: status == STAT_GOT_IP,
            status,
        }
    }

    fn status(&self, now: Instant) -> u32 {
        let Some(attempt) = self.attempt.as_ref().filter(|_| self.active) else {
            return STAT_IDLE;
        };
        let elapsed = now.saturating_duration_since(attempt.since);
        if let Some(away) = self.away {
            let had_address = attempt.end == End::Connected
                && away.saturating_duration_since(attempt.since) >= CONNECT_TIME;
            let looked = now.saturating_duration_since(away.max(attempt.since)) >= REFUSE_TIME;
            return match (looked, had_address) {
                (true, _) => NO_AP_FOUND,
                (false, true) => BEACON_TIMEOUT,
                (false, false) => STAT_CONNECTING,
            };
        }
        match attempt.end {
            End::Connected if elapsed >= CONNECT_TIME => STAT_GOT_IP,
            End::NoSuchNetwork if elapsed >= REFUSE_TIME => NO_AP_FOUND,
            End::WrongPassword if elapsed >= REFUSE_TIME => AUTH_FAIL,
            // After a disconnect the reason "left" shows until something else does.
            _ if self.left => STAT_IDLE,
            _ => STAT_CONNECTING,
        }
    }

    /// True where no network is in reach, or a script connects the radio itself and is not through with it. Who never asks for a network is taken
    /// for one whose boot.py has connected, as the lessons' programs are written.
    pub(super) fn cut_off(&self, now: Instant) -> bool {
        !self.is_in_reach() || self.used && !self.access_point && self.status(now) != STAT_GOT_IP
    }

    fn connect(&mut self, ssid: &str, password: &str, now: Instant) -> &'static str {
        self.used = true;
        if self.status(now) == STAT_CONNECTING {
            // ESP_ERR_WIFI_STATE and its kin: the radio is busy with the last request.
            return "Wifi Internal State Error";
        }
        let end = match self.networks.iter().find(|n| n.ssid == ssid) {
            None => End::NoSuchNetwork,
            Some(network) => match &network.password {
                Some(right) if right != password => End::WrongPassword,
                _ => End::Connected,
            },
        };
        self.attempt = Some(Attempt {
            ssid: ssid.to_string(),
            password: password.to_string(),
            since: now,
            end,
        });
        "ok"
    }

    /// Answers one request of the module `network`: words in lines. None if it makes no sense.
    pub(super) fn ask(&mut self, text: &str, now: Instant) -> Option<String> {
        let words: Vec<&str> = text.split('\n').collect();
        let answer = match words[..] {
            ["active", interface] => {
                let on = if interface == "0" {
                    self.active
                } else {
                    self.access_point
                };
                u8::from(on).to_string()
            }
            ["activate", "0", on] => {
                self.active = on == "1";
                if !self.active {
                    self.attempt = None;
                    self.left = false;
                }
                String::new()
            }
            ["activate", _, on] => {
                self.access_point = on == "1";
                String::new()
            }
            ["connect", ssid, password] => self.connect(ssid, password, now).to_string(),
            ["reconnect"] => match self.attempt.take() {
                Some(last) => self.connect(&last.ssid, &last.password, now).to_string(),
                None => "Wifi SSID Invalid".to_string(),
            },
            ["disconnect"] => {
                self.left = self.attempt.take().is_some();
                String::new()
            }
            ["status"] => self.status(now).to_string(),
            ["scan"] => self.scan(),
            ["ifconfig", interface] => self.ifconfig(interface, now),
            ["ifconfig", "0", "dhcp"] => {
                self.address = None;
                String::new()
            }
            ["ifconfig", interface, settings] => {
                let place = if interface == "0" {
                    &mut self.address
                } else {
                    &mut self.ap_address
                };
                *place = Some(settings.to_string());
                String::new()
            }
            ["get", name] => self.get(name, now)?,
            ["set", name, value] => {
                self.settings.insert(name.to_string(), value.to_string());
                String::new()
            }
            _ => return None,
        };
        Some(answer)
    }

    fn scan(&self) -> String {
        self.networks
            .iter()
            .enumerate()
            .filter(|_| self.is_in_reach())
            .map(|(i, network)| {
                // AUTH_WPA2_PSK, or AUTH_OPEN.
                let security = if network.password.is_some() { 3 } else { 0 };
                format!(
                    "{} {} {security} 4213370000{:02x} {}\n",
                    network.channel, network.rssi, i as u8, network.ssid
                )
            })
            .collect()
    }

    fn ifconfig(&self, interface: &str, now: Instant) -> String {
        let (set, found) = if interface == "0" {
            let connected = self.status(now) == STAT_GOT_IP;
            (
                &self.address,
                if connected {
                    STATION_ADDRESS
                } else {
                    NO_ADDRESS
                },
            )
        } else {
            (&self.ap_address, AP_ADDRESS)
        };
        set.clone().unwrap_or_else(|| found.to_string())
    }

    fn get(&self, name: &str, now: Instant) -> Option<String> {
        if let Some(value) = self.settings.get(name) {
            return Some(value.clone());
        }
        let network = self
            .attempt
            .as_ref()
            .filter(|_| self.status(now) == STAT_GOT_IP)
            .and_then(|attempt| self.networks.iter().find(|n| n.ssid == attempt.ssid));
        Some(match name {
            "mac0" => to_hex(&self.mac),
            "mac1" => {
                // The access point's address is the station's plus one, as Espressif hands them out.
                let mut mac = self.mac;
                mac[5] = mac[5].wrapping_add(1);
                to_hex(&mac)
            }
            "ssid0" => self
                .attempt
                .as_ref()
                .map(|a| a.ssid.clone())
                .unwrap_or_default(),
            "ssid1" => format!("ESP_{}", to_hex(&self.mac[3..]).to_uppercase()),
            "rssi" => network?.rssi.to_string(),
            "channel" => network.map_or(1, |n| n.channel).to_string(),
            "max_clients" => "4".to_string(),
            "reconnects" => "-1".to_string(),
            "pm" => "1".to_string(),
            "protocol" => "7".to_string(),
            "security" | "authmode" | "hidden" => "0".to_string(),
            "txpower" => "20.0".to_string(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn radio() -> Wifi {
        let networks = vec![
            WifiNetwork::open("abierta"),
            WifiNetwork::with_password("casa", "secreto"),
        ];
        Wifi::new(networks, [0x24, 0x0a, 0xc4, 1, 2, 3])
    }

    #[test]
    fn connecting_takes_a_moment_and_ends_as_an_esp32_says() {
        let start = Instant::now();
        let later = start + Duration::from_secs(5);
        for (ssid, password, status) in [
            ("abierta", "", STAT_GOT_IP),
            ("abierta", "no importa", STAT_GOT_IP),
            ("casa", "secreto", STAT_GOT_IP),
            ("casa", "otro", AUTH_FAIL),
            ("ninguna", "", NO_AP_FOUND),
        ] {
            let mut radio = radio();
            radio.ask("activate\n0\n1", start);
            let request = format!("connect\n{ssid}\n{password}");
            assert_eq!(radio.ask(&request, start).unwrap(), "ok");
            assert_eq!(radio.status(start), STAT_CONNECTING, "{ssid}");
            assert_eq!(radio.status(later), status, "{ssid} {password}");
            assert_eq!(radio.state(later).connected, status == STAT_GOT_IP);
        }
    }

    #[test]
    fn a_network_out_of_reach_is_lost_and_found_again_without_asking() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut radio = radio();
        radio.ask("activate\n0\n1", start);
        radio.ask("connect\nabierta\n", start);
        assert_eq!(radio.status(at(2)), STAT_GOT_IP);
        radio.set_in_reach(false, at(3));
        assert_eq!(radio.status(at(3)), BEACON_TIMEOUT);
        assert_eq!(radio.status(at(5)), NO_AP_FOUND);
        assert!(!radio.state(at(5)).connected && radio.scan().is_empty());
        assert_eq!(radio.ask("ifconfig\n0", at(5)).unwrap(), NO_ADDRESS);
        // A program that asks for it in the meantime does not find it either.
        radio.ask("connect\nabierta\n", at(6));
        assert_eq!(radio.status(at(6)), STAT_CONNECTING);
        assert_eq!(radio.status(at(8)), NO_AP_FOUND);
        radio.set_in_reach(true, at(9));
        assert_eq!(radio.status(at(9)), STAT_CONNECTING);
        assert_eq!(radio.status(at(10)), STAT_GOT_IP);
    }

    #[test]
    fn asking_twice_at_once_is_an_error_and_leaving_is_idle() {
        let start = Instant::now();
        let mut radio = radio();
        radio.ask("activate\n0\n1", start);
        assert_eq!(radio.ask("connect\nabierta\n", start).unwrap(), "ok");
        assert_eq!(
            radio.ask("connect\nabierta\n", start).unwrap(),
            "Wifi Internal State Error"
        );
        let later = start + Duration::from_secs(1);
        assert_eq!(radio.ask("ifconfig\n0", later).unwrap(), STATION_ADDRESS);
        radio.ask("disconnect", later);
        assert_eq!(radio.status(later), STAT_IDLE);
        assert_eq!(radio.ask("ifconfig\n0", later).unwrap(), NO_ADDRESS);
        assert_eq!(radio.ask("nonsense", later), None);
    }
}
