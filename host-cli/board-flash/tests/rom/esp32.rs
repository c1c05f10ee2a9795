//! espflash as we use it, against a fake: the bootloader of Espressif's ROMs and espflash's stub, played on a
//! pseudo-terminal by the published serial protocol. No chip is here; what this shows is that our pieces, checks, errors
//! and progress are right, not that a chip takes them.

use std::fs;
use std::path::PathBuf;

use board_flash::{EspOptions, FlashError, Image, Progress, Report, flash_esp};
use testkit::{Chip, FakePort, FakeRom, Fault};

const SIZE: usize = 300_000;

/// A firmware for the chip with this number, half of it hard to compress.
fn firmware(id: u8) -> (tempfile::TempDir, Image) {
    let mut bytes: Vec<u8> = Vec::new();
    let mut state = 0x1234_5678_u32;
    while bytes.len() < SIZE {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.push(if bytes.len().is_multiple_of(2) {
            (state >> 24) as u8
        } else {
            0xff
        });
    }
    bytes[..16].copy_from_slice(&[0xe9, 3, 2, 0x20, 0, 0, 8, 0x40, 0xee, 0, 0, 0, id, 0, 0, 0]);
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("ESP32_GENERIC-20250911-v1.26.1.bin");
    fs::write(&path, bytes).expect("a file");
    let image = Image::read(&path).expect("an image");
    (folder, image)
}

fn flash(rom: &FakeRom, image: &Image, erase: bool) -> (Result<Report, FlashError>, Vec<Progress>) {
    let board = image.board().expect("a known chip");
    let mut steps = Vec::new();
    let options = EspOptions {
        erase,
        ..EspOptions::default()
    };
    let report = flash_esp(&rom.device(), board, image, options, &mut |step| {
        steps.push(step)
    });
    (report, steps)
}

#[test]
fn a_firmware_is_written_verified_and_not_written_twice() {
    let (_folder, image) = firmware(0);
    let rom = FakeRom::start(Chip::Esp32, Fault::None);
    let (report, steps) = flash(&rom, &image, false);
    let report = report.expect("it is flashed");
    assert_eq!((report.written, report.skipped), (SIZE as u64, 0));
    assert_eq!(report.compared, SIZE as u64);
    // A pseudo-terminal has no reset line.
    assert!(!report.restarted);
    assert!(rom.flash()[0x1000..].starts_with(&image.bytes));
    assert_eq!(steps.first(), Some(&Progress::Connecting));
    let total = SIZE as u64;
    assert_eq!(
        steps.last(),
        Some(&Progress::Written { done: total, total })
    );
    let done: Vec<u64> = steps
        .iter()
        .filter_map(|step| match step {
            Progress::Written { done, .. } => Some(*done),
            _ => None,
        })
        .collect();
    assert!(done.is_sorted() && done.len() > 10, "{done:?}");

    let before = rom.blocks();
    let (again, _) = flash(&rom, &image, false);
    let again = again.expect("nothing to do");
    assert_eq!((again.written, again.skipped), (0, SIZE as u64));
    assert_eq!(rom.blocks(), before, "something was sent again");

    // One byte changed on the board: its piece alone is written again.
    rom.spoil(0x1000 + 70_000);
    let (repaired, _) = flash(&rom, &image, false);
    let repaired = repaired.expect("it is repaired");
    assert_eq!(
        (repaired.written, repaired.skipped),
        (64 * 1024, SIZE as u64 - 64 * 1024)
    );
    assert!(rom.flash()[0x1000..].starts_with(&image.bytes));
}

#[test]
fn erasing_comes_first_and_takes_the_files_too() {
    let (_folder, image) = firmware(0);
    let rom = FakeRom::start(Chip::Esp32, Fault::None);
    rom.spoil(0x20_0000);
    let (report, steps) = flash(&rom, &image, true);
    report.expect("it is flashed");
    assert_eq!(steps[..2], [Progress::Connecting, Progress::Erasing]);
    assert_eq!(rom.flash()[0x20_0000], 0xff);
}

#[test]
fn another_chip_is_refused_before_anything_is_written() {
    // The fake is an ESP32; the image is for the ESP32-C3.
    let (_folder, image) = firmware(5);
    let rom = FakeRom::start(Chip::Esp32, Fault::None);
    let (refused, _) = flash(&rom, &image, true);
    assert!(
        matches!(&refused, Err(FlashError::WrongChip { image, board }) if image == "esp32c3" && board == "esp32"),
        "{refused:?}"
    );
    assert!(rom.flash().iter().all(|byte| *byte == 0xff) && rom.blocks() == 0);
}

#[test]
fn an_esp8266_under_an_image_for_an_esp32_is_named() {
    let (_folder, image) = firmware(0);
    let rom = FakeRom::start(Chip::Esp8266, Fault::None);
    let (refused, _) = flash(&rom, &image, true);
    assert!(
        matches!(&refused, Err(FlashError::WrongChip { image, board }) if image == "esp32" && board == "esp8266"),
        "{refused:?}"
    );
    assert_eq!(rom.blocks(), 0);
}

#[test]
fn a_flash_memory_that_keeps_something_else_is_found() {
    let (_folder, image) = firmware(0);
    let rom = FakeRom::start(Chip::Esp32, Fault::BadCell(0x1000 + 100_000));
    let (refused, _) = flash(&rom, &image, false);
    assert!(
        matches!(refused, Err(FlashError::Differs { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_board_that_goes_away_in_the_middle_is_told_and_can_be_flashed_again() {
    let (_folder, image) = firmware(0);
    let rom = FakeRom::start(Chip::Esp32, Fault::SilentAfter(6));
    let (broken, _) = flash(&rom, &image, false);
    assert!(
        matches!(broken, Err(FlashError::Broke { .. })),
        "{broken:?}"
    );
    rom.heal();
    let (report, _) = flash(&rom, &image, false);
    let report = report.expect("it goes on");
    assert!(report.skipped > 0 && report.written > 0, "{report:?}");
    assert!(rom.flash()[0x1000..].starts_with(&image.bytes));
}

#[test]
fn a_port_without_a_bootloader_is_told() {
    let (_folder, image) = firmware(0);
    let board = image.board().expect("the ESP32");
    let chatty = FakePort::start(|_| b"hola\r\n".to_vec()).expect("a pseudo-terminal");
    let device = chatty.device().display().to_string();
    let refused = flash_esp(&device, board, &image, EspOptions::default(), &mut |_| {});
    assert!(
        matches!(refused, Err(FlashError::NoBootloader { .. })),
        "{refused:?}"
    );
    let refused = flash_esp(
        "/dev/ttyUSB99",
        board,
        &image,
        EspOptions::default(),
        &mut |_| {},
    );
    assert!(
        matches!(refused, Err(FlashError::Port { .. })),
        "{refused:?}"
    );
}
