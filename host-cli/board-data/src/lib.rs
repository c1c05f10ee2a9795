//! The boards of `boards/*.toml` as data: what they are, how they are flashed and reset, what to tell a student.
//!
//! | file | question it answers |
//! |---|---|
//! | `schema` | what such a file may say |
//! | `rules` | what must be true of it beyond its form |
//!
//! The files are part of the program, so a command needs no repository to know its boards. A new board is a new file and
//! its line in [`FILES`].

mod rules;
mod schema;

use std::sync::LazyLock;

pub use rules::{RULES, Rule};
pub use schema::{Board, Flash, Kind, Led, Method, Notes, Pin, Pins, Reset, Step, Usb, UsbId};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../boards/", $name, ".toml")))),*]
    };
}

/// Name and text of every file, in the order in which they are shown.
pub const FILES: [(&str, &str); 9] = files![
    "esp32", "esp32-s2", "esp32-s3", "esp32-c3", "esp32-c6", "esp8266", "pico-w", "pico-2-w",
    "sim",
];

/// Every board, in the order of [`FILES`].
pub fn all() -> &'static [Board] {
    static BOARDS: LazyLock<Vec<Board>> = LazyLock::new(|| {
        let parse = |(name, text): &(&str, &str)| {
            // Tests read every file, so this cannot happen to a user.
            Board::parse(text).unwrap_or_else(|error| panic!("boards/{name}.toml: {error}"))
        };
        FILES.iter().map(parse).collect()
    });
    &BOARDS
}

/// The board of this name, in whatever case.
pub fn find(name: &str) -> Option<&'static Board> {
    all()
        .iter()
        .find(|board| board.name.eq_ignore_ascii_case(name))
}

/// The board that a running MicroPython belongs to, by `sys.implementation._machine` ("Generic ESP32C3 module with
/// ESP32C3", "Raspberry Pi Pico W with RP2040"), which ends with the chip.
pub fn of_machine(machine: &str) -> Option<&'static Board> {
    if machine.starts_with("Simulated ") {
        return find("sim");
    }
    let (_, chip) = machine.rsplit_once(" with ")?;
    let chip: String = chip.to_ascii_lowercase().replace('-', "");
    // "ESP32-S3-FN8" and "esp32s3" are the same chip; "ESP32" must not be taken for the start of "ESP32S3".
    all()
        .iter()
        .filter(|board| chip.starts_with(&board.chip))
        .max_by_key(|board| board.chip.len())
}

/// The boards that may be behind a USB device of these numbers. Several have the same USB-to-serial chip.
pub fn of_usb(vendor: u16, product: u16) -> Vec<&'static Board> {
    let id = UsbId { vendor, product };
    all()
        .iter()
        .filter(|board| board.usb.running.contains(&id) || board.usb.bootloader.contains(&id))
        .collect()
}

/// The boards whose bootloader alone shows these numbers: what sits there waits for a firmware.
pub fn in_bootloader(vendor: u16, product: u16) -> Vec<&'static Board> {
    let id = UsbId { vendor, product };
    all()
        .iter()
        .filter(|board| board.usb.bootloader.contains(&id) && !board.usb.running.contains(&id))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_here() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .collect();
        let here: BTreeSet<String> = FILES
            .iter()
            .map(|(name, _)| format!("{name}.toml"))
            .collect();
        assert_eq!(there, here);
    }

    #[test]
    fn every_rule_holds_for_every_board() {
        let mut broken = Vec::new();
        for ((file, _), board) in FILES.iter().zip(all()) {
            assert_eq!(*file, board.name, "a file is named after its board");
            for rule in RULES {
                if let Err(reason) = (rule.check)(board) {
                    broken.push(format!("boards/{file}.toml: {}: {reason}", rule.name));
                }
            }
        }
        assert!(broken.is_empty(), "{broken:#?}");
    }

    #[test]
    fn no_two_boards_share_a_name_or_a_firmware() {
        let names: BTreeSet<&str> = all().iter().map(|board| board.name.as_str()).collect();
        assert_eq!(names.len(), all().len());
        let firmware: Vec<&str> = all()
            .iter()
            .filter_map(|board| board.firmware.as_deref())
            .collect();
        let different: BTreeSet<&&str> = firmware.iter().collect();
        assert_eq!(different.len(), firmware.len());
    }

    #[test]
    fn a_board_is_known_by_what_it_says() {
        let name = |machine: &str| of_machine(machine).map(|board| board.name.as_str());
        // As official firmware says it (MICROPY_HW_BOARD_NAME " with " MICROPY_HW_MCU_NAME).
        assert_eq!(name("Generic ESP32 module with ESP32"), Some("esp32"));
        assert_eq!(
            name("Generic ESP32S3 module with ESP32S3"),
            Some("esp32-s3")
        );
        assert_eq!(name("TinyS3 with ESP32-S3-FN8"), Some("esp32-s3"));
        assert_eq!(name("ESP32C3 module with ESP32C3"), Some("esp32-c3"));
        assert_eq!(name("ESP module with ESP8266"), Some("esp8266"));
        assert_eq!(name("Raspberry Pi Pico W with RP2040"), Some("pico-w"));
        assert_eq!(name("Raspberry Pi Pico 2 W with RP2350"), Some("pico-2-w"));
        assert_eq!(name("Simulated ESP32 module with ESP32"), Some("sim"));
        assert_eq!(name("PYBv1.1 with STM32F405RG"), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn usb_numbers_name_boards_and_bootloaders() {
        let names = |boards: Vec<&Board>| -> Vec<String> {
            boards.iter().map(|board| board.name.clone()).collect()
        };
        assert_eq!(names(of_usb(0x2e8a, 0x0003)), ["pico-w"]);
        assert_eq!(names(in_bootloader(0x2e8a, 0x000f)), ["pico-2-w"]);
        assert!(names(of_usb(0x10c4, 0xea60)).contains(&"esp32".to_owned()));
        // A USB-to-serial chip looks the same whatever the board does.
        assert!(in_bootloader(0x10c4, 0xea60).is_empty());
        assert!(of_usb(1, 1).is_empty());
        assert_eq!(
            find("PICO-W").map(|board| board.chip.as_str()),
            Some("rp2040")
        );
    }
}
