//! What the system says about USB before any port is opened: whether a board is seen at all, whether it has a port, and
//! who may open it. Linux tells this in `/sys` and `/dev`; elsewhere only the list of ports is there.

use std::fs;
use std::path::{Path, PathBuf};

use board_data::Method;
use board_link::Lang;

use super::{Check, Finding};

/// The folders that Linux tells things in; tests put theirs in their place.
#[derive(Debug, Clone)]
pub struct System {
    pub sys: PathBuf,
    /// Where udev's rules are, which may hand a device to another program.
    pub rules: PathBuf,
    #[cfg(unix)]
    pub groups: PathBuf,
    /// Who is asking; empty where nobody says.
    pub user: String,
}

/// Names a folder in the place of Linux's root, for tests: no computer has every broken state.
const ROOT: &str = "UMQTT_TEST_ROOT";

impl Default for System {
    fn default() -> Self {
        let root = std::env::var_os(ROOT).map_or_else(|| PathBuf::from("/"), PathBuf::from);
        Self {
            sys: root.join("sys"),
            rules: root.join("usr/lib/udev/rules.d"),
            #[cfg(unix)]
            groups: root.join("etc/group"),
            user: std::env::var("USER").unwrap_or_default(),
        }
    }
}

/// A USB device as Linux sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub vendor: u16,
    pub product: u16,
    pub name: Option<String>,
    /// Whether a driver made a serial port of it.
    pub has_port: bool,
}

impl Device {
    /// Whether boards show these numbers and talk over a serial port; a Pico that waits for a firmware is a drive.
    fn wants_port(&self) -> bool {
        let boards = board_data::of_usb(self.vendor, self.product);
        let drive = board_data::in_bootloader(self.vendor, self.product)
            .iter()
            .any(|board| board.flash.method == Method::Uf2);
        !boards.is_empty() && !drive
    }

    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        format!("{:04x}:{:04x} {name}", self.vendor, self.product)
            .trim_end()
            .to_owned()
    }
}

/// The USB devices; `None` where the system does not tell them so.
pub fn devices(system: &System) -> Option<Vec<Device>> {
    let folder = system.sys.join("bus/usb/devices");
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    let read = |path: &Path, name: &str| {
        fs::read_to_string(path.join(name))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let number = |path: &Path, name: &str| u16::from_str_radix(&read(path, name)?, 16).ok();
    let mut devices = Vec::new();
    for entry in &entries {
        let (Some(vendor), Some(product)) = (number(entry, "idVendor"), number(entry, "idProduct"))
        else {
            continue;
        };
        let name = entry
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        // The interfaces of device 1-2 stand beside it as 1-2:1.0 and so on.
        let has_port = entries.iter().any(|interface| {
            let of = interface
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            of.split_once(':').is_some_and(|(device, _)| device == name) && has_tty(interface)
        });
        devices.push(Device {
            vendor,
            product,
            name: read(entry, "product"),
            has_port,
        });
    }
    Some(devices)
}

/// USB-to-serial drivers put `ttyUSB0` into the interface's folder, CDC-ACM a folder `tty` with `ttyACM0` in it.
fn has_tty(interface: &Path) -> bool {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    };
    names(interface)
        .iter()
        .any(|name| name.starts_with("ttyUSB"))
        || !names(&interface.join("tty")).is_empty()
}

/// Whether a board is seen at all. A cable without data wires looks just like no cable.
pub fn cable(ports: usize, devices: Option<&[Device]>, lang: Lang) -> Finding {
    let seen = devices
        .into_iter()
        .flatten()
        .filter(|device| !board_data::of_usb(device.vendor, device.product).is_empty());
    let seen: Vec<String> = seen.map(Device::text).collect();
    if ports > 0 {
        return Finding::well(
            Check::Cable,
            match lang {
                Lang::En => format!("{ports} USB serial port(s)"),
                Lang::Es => format!("{ports} puerto(s) serie USB"),
            },
        );
    }
    if !seen.is_empty() {
        return Finding::well(Check::Cable, seen.join(", "));
    }
    let help = match (cfg!(target_os = "linux"), lang) {
        (true, Lang::En) => {
            "use another cable: many only charge and have no data wires. Then: umqtt ports"
        }
        (true, Lang::Es) => {
            "usa otro cable: muchos solo cargan y no llevan hilos de datos. Después: umqtt ports"
        }
        (false, Lang::En) => {
            "use another cable: many only charge. If it is not that, install the driver of the board's USB chip (CP210x from Silicon Labs, CH340 from WCH). Then: umqtt ports"
        }
        (false, Lang::Es) => {
            "usa otro cable: muchos solo cargan. Si no es eso, instala el controlador del chip USB de la placa (CP210x de Silicon Labs, CH340 de WCH). Después: umqtt ports"
        }
    };
    Finding::problem(
        Check::Cable,
        lang.pick(
            "this computer sees no board: it is not plugged in, or the cable only charges",
            "este equipo no ve ninguna placa: no está enchufada, o el cable solo carga",
        ),
        help,
    )
}

/// Whether each board that is seen has a port.
pub fn driver(devices: Option<&[Device]>, system: &System, lang: Lang) -> Finding {
    let Some(devices) = devices else {
        return Finding::unknown(
            Check::Driver,
            lang.pick(
                "this system does not tell its USB devices",
                "este sistema no dice qué dispositivos USB tiene",
            ),
        );
    };
    let without: Vec<&Device> = devices
        .iter()
        .filter(|device| device.wants_port() && !device.has_port)
        .collect();
    let Some(first) = without.first() else {
        return Finding::well(
            Check::Driver,
            lang.pick(
                "every board that is seen has a port",
                "toda placa que se ve tiene su puerto",
            ),
        );
    };
    let list: Vec<String> = without.iter().map(|device| device.text()).collect();
    let list = list.join(", ");
    let message = match lang {
        Lang::En => format!("{list} is plugged in and has no serial port"),
        Lang::Es => format!("{list} está enchufado y no tiene puerto serie"),
    };
    // Ubuntu's Braille driver takes every CH340 and CP210x for a Braille display.
    let brltty = fs::read_dir(&system.rules)
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().contains("brltty"));
    let help = match (first.vendor, brltty) {
        (0x1a86 | 0x10c4 | 0x0403, true) => lang.pick(
            "sudo apt remove brltty, the driver of Braille displays, which takes it; then plug the board in again",
            "sudo apt remove brltty, el controlador de líneas Braille, que se lo queda; después vuelve a enchufar la placa",
        ),
        (0x10c4, _) => "sudo modprobe cp210x",
        (0x1a86, _) if first.product == 0x7523 => "sudo modprobe ch341",
        (0x0403, _) => "sudo modprobe ftdi_sio",
        _ => "sudo modprobe cdc_acm",
    };
    Finding::problem(Check::Driver, message, help)
}

/// Why this user may not open the device, and what gives the right.
pub fn permission(port: &str, system: &System, lang: Lang) -> Finding {
    let message = match lang {
        Lang::En => format!("you may not open {port}"),
        Lang::Es => format!("no tienes permiso para abrir {port}"),
    };
    let group = group_of(port, system);
    let user = &system.user;
    let help = match group {
        Some((name, members)) if !user.is_empty() && name != "root" && members.contains(user) => {
            match lang {
                Lang::En => format!(
                    "you are in the group {name} since you logged in: log out and in again, or: newgrp {name}"
                ),
                Lang::Es => format!(
                    "estás en el grupo {name} desde después de entrar: cierra la sesión y vuelve a entrar, o: newgrp {name}"
                ),
            }
        }
        Some((name, _)) if name != "root" => match lang {
            Lang::En => format!("sudo usermod -aG {name} $USER, then log out and in again"),
            Lang::Es => format!(
                "sudo usermod -aG {name} $USER, y después cierra la sesión y vuelve a entrar"
            ),
        },
        _ => match lang {
            Lang::En => format!(
                "sudo chmod a+rw {port}, until it is unplugged; for good: sudo usermod -aG dialout $USER and log in again"
            ),
            Lang::Es => format!(
                "sudo chmod a+rw {port}, hasta que se desenchufe; para siempre: sudo usermod -aG dialout $USER y volver a entrar"
            ),
        },
    };
    Finding::problem(Check::Permission, message, help)
}

/// Name and members of the group that the device belongs to.
#[cfg(unix)]
fn group_of(port: &str, system: &System) -> Option<(String, Vec<String>)> {
    use std::os::unix::fs::MetadataExt;
    let id = fs::metadata(port).ok()?.gid().to_string();
    // name:password:number:members, see group(5).
    fs::read_to_string(&system.groups)
        .ok()?
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let (name, number) = (fields.next()?, fields.nth(1)?);
            let members = fields.next()?.split(',').map(str::to_owned).collect();
            (number == id).then(|| (name.to_owned(), members))
        })
}

#[cfg(not(unix))]
fn group_of(_: &str, _: &System) -> Option<(String, Vec<String>)> {
    None
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// A folder that stands for Linux's.
    struct Fake {
        folder: tempfile::TempDir,
        system: System,
    }

    impl Fake {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let system = System {
                sys: folder.path().join("sys"),
                rules: folder.path().join("rules.d"),
                groups: folder.path().join("group"),
                user: "ana".to_owned(),
            };
            fs::create_dir_all(system.sys.join("bus/usb/devices")).expect("a folder");
            fs::create_dir_all(&system.rules).expect("a folder");
            Self { folder, system }
        }

        /// Plugs a device in; `tty` is what its driver puts below the interface.
        fn plug(&self, name: &str, id: (&str, &str), product: &str, tty: Option<&str>) {
            let devices = self.system.sys.join("bus/usb/devices");
            let device = devices.join(name);
            fs::create_dir_all(&device).expect("a folder");
            for (file, text) in [
                ("idVendor", id.0),
                ("idProduct", id.1),
                ("product", product),
            ] {
                fs::write(device.join(file), format!("{text}\n")).expect("a file");
            }
            let interface = devices.join(format!("{name}:1.0"));
            fs::create_dir_all(interface.join(tty.unwrap_or("power"))).expect("a folder");
        }

        fn devices(&self) -> Vec<Device> {
            devices(&self.system).expect("they are told")
        }

        fn driver(&self, lang: Lang) -> Finding {
            driver(Some(&self.devices()), &self.system, lang)
        }
    }

    #[test]
    fn a_cable_that_only_charges_looks_like_no_board() {
        let fake = Fake::new();
        fake.plug("usb1", ("1d6b", "0002"), "xHCI Host Controller", None);
        fake.plug("1-1", ("046d", "c52b"), "USB Receiver", None);
        for lang in [Lang::En, Lang::Es] {
            let found = cable(0, Some(&fake.devices()), lang);
            assert_eq!(found.verdict, Verdict::Problem);
            assert!(found.help.is_some_and(|help| help.contains("umqtt ports")));
            assert!(
                found
                    .message
                    .contains(lang.pick("only charges", "solo carga"))
            );
        }
        fake.plug(
            "1-2",
            ("10c4", "ea60"),
            "CP2102 USB to UART Bridge Controller",
            Some("ttyUSB0"),
        );
        assert_eq!(
            cable(1, Some(&fake.devices()), Lang::En).verdict,
            Verdict::Well
        );
        assert_eq!(fake.driver(Lang::En).verdict, Verdict::Well);
    }

    #[test]
    fn a_board_without_a_port_lacks_its_driver() {
        let cases = [
            ("10c4", "ea60", "sudo modprobe cp210x"),
            ("1a86", "7523", "sudo modprobe ch341"),
            ("1a86", "55d4", "sudo modprobe cdc_acm"),
            ("303a", "1001", "sudo modprobe cdc_acm"),
            ("2e8a", "0005", "sudo modprobe cdc_acm"),
        ];
        for (vendor, product, command) in cases {
            let fake = Fake::new();
            fake.plug("1-2", (vendor, product), "a board", None);
            let found = fake.driver(Lang::En);
            assert_eq!(
                (found.verdict, found.help.as_deref()),
                (Verdict::Problem, Some(command))
            );
            assert!(
                found
                    .message
                    .contains(&format!("{vendor}:{product} a board")),
                "{found:?}"
            );
            assert!(
                fake.driver(Lang::Es)
                    .message
                    .contains("no tiene puerto serie")
            );
            // It is seen, so it is not the cable.
            assert_eq!(
                cable(0, Some(&fake.devices()), Lang::En).verdict,
                Verdict::Well
            );
        }
    }

    #[test]
    fn brltty_takes_a_ch340_away() {
        let fake = Fake::new();
        fake.plug("1-2", ("1a86", "7523"), "USB Serial", None);
        fs::write(fake.system.rules.join("85-brltty.rules"), "").expect("a file");
        let found = fake.driver(Lang::Es);
        assert!(
            found
                .help
                .is_some_and(|help| help.starts_with("sudo apt remove brltty"))
        );
    }

    #[test]
    fn what_has_a_port_or_is_a_drive_lacks_nothing() {
        let fake = Fake::new();
        fake.plug(
            "1-1",
            ("2e8a", "0005"),
            "Board in FS mode",
            Some("tty/ttyACM0"),
        );
        fake.plug("1-2", ("2e8a", "0003"), "RP2 Boot", None);
        fake.plug("1-3", ("1234", "5678"), "a camera", None);
        assert_eq!(fake.driver(Lang::En).verdict, Verdict::Well);
        let nowhere = System {
            sys: fake.folder.path().join("nowhere"),
            ..fake.system.clone()
        };
        assert_eq!(devices(&nowhere), None);
        assert_eq!(driver(None, &nowhere, Lang::En).verdict, Verdict::Unknown);
    }

    #[cfg(unix)]
    #[test]
    fn the_group_of_the_port_is_named() {
        use std::os::unix::fs::MetadataExt;
        let fake = Fake::new();
        let port = fake.folder.path().join("ttyUSB0");
        fs::write(&port, "").expect("a file");
        let id = fs::metadata(&port).expect("it is there").gid();
        let port = port.display().to_string();
        let help = |groups: String, lang| {
            fs::write(&fake.system.groups, groups).expect("a file");
            permission(&port, &fake.system, lang)
                .help
                .expect("what to do")
        };
        assert!(
            help(format!("uucp:x:{id}:somebody\n"), Lang::En)
                .starts_with("sudo usermod -aG uucp $USER")
        );
        assert!(help(format!("a:x:1:\nuucp:x:{id}:other,ana\n"), Lang::Es).contains("newgrp uucp"));
        assert!(help(format!("root:x:{id}:nobody\n"), Lang::En).starts_with("sudo chmod a+rw"));
        assert!(help(String::new(), Lang::Es).contains("dialout"));
    }
}
