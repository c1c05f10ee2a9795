//! `--lan`: decides at which address boards of the local network find the embedded broker, how it is announced to them,
//! what the script is told, and whether a firewall may stand in the way.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;

use board_link::Lang;
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use crate::broker_choice::BrokerChoice;
use crate::display::Sender;
use crate::failure::{Failure, Status};

/// The type under which MQTT brokers announce themselves (IANA's list of service names).
const SERVICE: &str = "_mqtt._tcp.local.";
/// The name under which this one is found: `umqtt.local`.
const HOST: &str = "umqtt.local.";

/// What `--lan` asks for, beside what `--broker` names.
///
/// # Errors
/// Those of `address`, and where the broker is somebody else's.
pub fn wanted(
    named: Option<&str>,
    broker: Option<&BrokerChoice>,
    lang: Lang,
) -> Result<Option<Ipv4Addr>, Failure> {
    if named.is_some() && matches!(broker, Some(BrokerChoice::Outside(_))) {
        let message = lang.pick(
            "--lan is for the embedded broker, and --broker names another one",
            "--lan es para el broker incluido, y --broker nombra otro",
        );
        let help = lang.pick("leave one of the two out", "quita una de las dos");
        return Err(Failure::new(Status::Usage, message, help));
    }
    named.map(|named| address(named, lang)).transpose()
}

/// The address under which others see this computer: the one that was named, else that of the interface that leads
/// outside.
///
/// # Errors
/// Where there is none, or what was named is none of this computer's.
pub fn address(named: &str, lang: Lang) -> Result<Ipv4Addr, Failure> {
    let help = lang.pick(
        "connect this computer to the boards' network, or name its address: --lan=192.168.1.7",
        "conecta este equipo a la red de las placas, o di su dirección: --lan=192.168.1.7",
    );
    if !named.is_empty() {
        let address = named.parse().ok();
        return address
            .filter(|ip: &Ipv4Addr| !ip.is_unspecified())
            .ok_or_else(|| {
                let message = match lang {
                    Lang::En => format!("\"{named}\" is no IPv4 address"),
                    Lang::Es => format!("\"{named}\" no es una dirección IPv4"),
                };
                Failure::new(Status::Usage, message, help)
            });
    }
    match own_address() {
        Some(IpAddr::V4(ip)) => Ok(ip),
        _ => {
            let message = lang.pick(
                "this computer is in no network",
                "este equipo no está en ninguna red",
            );
            Err(Failure::new(Status::Failed, message, help))
        }
    }
}

/// The address of the interface that leads outside.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Connecting a UDP socket sends nothing; the address is one kept for documentation (RFC 5737).
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The broker's announcement; it ends when this is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Announcement {
    /// Announces the broker by mDNS.
    ///
    /// # Errors
    /// In the words of the library; the broker works without.
    pub fn start(broker: SocketAddr) -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        if broker.ip().is_loopback() {
            daemon.enable_interface(IfKind::LoopbackV4)?;
        }
        let properties = [("version", env!("CARGO_PKG_VERSION"))];
        let service = ServiceInfo::new(
            SERVICE,
            "umqtt",
            HOST,
            broker.ip(),
            broker.port(),
            &properties[..],
        )?;
        let name = service.get_fullname().to_owned();
        daemon.register(service)?;
        Ok(Self { daemon, name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Others forget the announcement by themselves if this one is not heard.
        if let Ok(gone) = self.daemon.unregister(&self.name) {
            let _ = gone.recv_timeout(std::time::Duration::from_secs(1));
        }
        let _ = self.daemon.shutdown();
    }
}

/// Announces the broker, and says what may keep others from it.
pub fn announce(broker: SocketAddr, display: &Sender, lang: Lang) -> Option<Announcement> {
    if let Some(firewall) = firewall(broker.port(), Path::new("/etc")) {
        let Firewall { name, command } = firewall;
        display.note(match lang {
            Lang::En => format!(
                "the firewall {name} may keep boards out; if none connects: {command}"
            ),
            Lang::Es => format!(
                "el cortafuegos {name} puede impedir el paso a las placas; si no conecta ninguna: {command}"
            ),
        });
    }
    match Announcement::start(broker) {
        Ok(announcement) => {
            display.note(lang.pick(
                "announced by mDNS as umqtt.local (_mqtt._tcp)",
                "anunciado por mDNS como umqtt.local (_mqtt._tcp)",
            ));
            Some(announcement)
        }
        Err(error) => {
            display.note(match lang {
                Lang::En => format!("not announced by mDNS: {error}"),
                Lang::Es => format!("sin anunciar por mDNS: {error}"),
            });
            None
        }
    }
}

/// Says how a script finds the broker by the settings that it is given.
pub fn say_settings(broker: SocketAddr, display: &Sender, lang: Lang) {
    display.note(match lang {
        Lang::En => {
            format!("the script finds it by: from settings import BROKER, BROKER_PORT ({broker})")
        }
        Lang::Es => format!(
            "el programa lo encuentra con: from settings import BROKER, BROKER_PORT ({broker})"
        ),
    });
}

/// Python that gives the script its settings, which is run before it: `from settings import BROKER, BROKER_PORT`. What a
/// settings.py on the board says besides stays.
pub fn settings(broker: SocketAddr) -> String {
    format!(
        "
def _u():
 import sys
 try:
  import settings as s
 except ImportError:
  class s:
   pass
  sys.modules['settings']=s
 s.BROKER='{}'
 s.BROKER_PORT={}
_u()
del _u
",
        broker.ip(),
        broker.port()
    )
}

/// A firewall that keeps others from this port, or may: its name, and the command that lets them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    pub name: &'static str,
    pub command: String,
}

/// Asks the firewalls that tell an ordinary user something. `etc` is where ufw keeps its settings.
pub fn firewall(port: u16, etc: &Path) -> Option<Firewall> {
    let says = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if cfg!(target_os = "macos") {
        let state = says(
            "/usr/libexec/ApplicationFirewall/socketfilterfw",
            &["--getglobalstate"],
        )?;
        return state.contains("enabled").then(|| Firewall {
            name: "macOS",
            command: "sudo /usr/libexec/ApplicationFirewall/socketfilterfw --add umqtt --unblockapp umqtt".to_owned(),
        });
    }
    if cfg!(windows) {
        let state = says("netsh", &["advfirewall", "show", "currentprofile", "state"])?;
        return state.contains("ON").then(|| Firewall {
            name: "Windows Defender",
            command: format!(
                "netsh advfirewall firewall add rule name=umqtt dir=in action=allow protocol=TCP localport={port}"
            ),
        });
    }
    let rule = format!("{port}/tcp");
    if says("firewall-cmd", &["--query-port", &rule]).is_some_and(|answer| answer == "no") {
        return Some(Firewall {
            name: "firewalld",
            command: format!("sudo firewall-cmd --add-port={rule}"),
        });
    }
    // ufw's rules are root's to read; whether it is on, anybody may.
    let enabled = fs::read_to_string(etc.join("ufw/ufw.conf")).is_ok_and(|text| {
        text.lines()
            .any(|line| line.trim().eq_ignore_ascii_case("enabled=yes"))
    });
    let allowed = fs::read_to_string(etc.join("ufw/user.rules"))
        .is_ok_and(|text| text.contains(&format!("allow tcp {port} ")));
    (enabled && !allowed).then(|| Firewall {
        name: "ufw",
        command: format!("sudo ufw allow {rule}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_this_computers_or_the_one_named() {
        assert_eq!(
            address("192.168.1.7", Lang::En).expect("it"),
            Ipv4Addr::new(192, 168, 1, 7)
        );
        for text in ["x", "::1", "0.0.0.0", "1.2.3"] {
            assert_eq!(address(text, Lang::Es).expect_err(text).status(), 2);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_firewall_in_the_way_is_named_with_its_command() {
        let etc = tempfile::tempdir().expect("a folder");
        let ufw = etc.path().join("ufw");
        fs::create_dir(&ufw).expect("a folder");
        assert_eq!(firewall(1883, etc.path()), None);
        fs::write(
            ufw.join("ufw.conf"),
            "# settings\nENABLED=yes\nLOGLEVEL=low\n",
        )
        .expect("a file");
        let found = firewall(1883, etc.path()).expect("ufw");
        assert_eq!(
            (found.name, found.command.as_str()),
            ("ufw", "sudo ufw allow 1883/tcp")
        );
        fs::write(
            ufw.join("user.rules"),
            "### tuple ### allow tcp 1883 0.0.0.0/0 any 0.0.0.0/0 in\n",
        )
        .expect("a file");
        assert_eq!(firewall(1883, etc.path()), None);
        assert!(firewall(1884, etc.path()).is_some());
        fs::write(ufw.join("ufw.conf"), "ENABLED=no\n").expect("a file");
        assert_eq!(firewall(1884, etc.path()), None);
    }
}
