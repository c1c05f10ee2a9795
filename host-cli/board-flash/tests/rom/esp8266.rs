//! How an ESP8266 is flashed, against a fake: its ROM's bootloader, played on a pseudo-terminal by the published serial
//! protocol, with a flash memory that only clears bits and the ROM's way of erasing more than it is asked for. No chip is
//! here: what this shows is that we say what the documents say, not that a chip takes it.

use std::fs;

use board_flash::{Esp8266Options, FlashError, Image, Progress, Report, flash_esp8266};
use testkit::{Chip, FakePort, FakeRom, Fault};

/// Neither whole blocks nor whole sectors.
const SIZE: usize = 200_123;

/// A firmware as MicroPython's for the ESP8266 begins, for a memory of 512 KB as far as its header says.
fn firmware() -> (tempfile::TempDir, Image) {
    let mut state = 0x1234_5678_u32;
    let mut bytes: Vec<u8> = (0..SIZE)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    bytes[..16].copy_from_slice(&[
        0xe9, 1, 2, 0x00, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 0x80, 8, 0, 0,
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ESP8266_GENERIC-20250911-v1.26.1.bin");
    fs::write(&path, bytes).expect("a file");
    let image = Image::read(&path).expect("an image");
    (folder, image)
}

/// What has to be in a memory of 4 MB: its number is in the header's fourth byte.
fn wanted(image: &Image) -> Vec<u8> {
    let mut bytes = image.bytes.clone();
    bytes[3] = 0x40;
    bytes
}

fn flash(device: &str, image: &Image, erase: bool) -> (Result<Report, FlashError>, Vec<Progress>) {
    let board = image.board().expect("a known chip");
    let options = Esp8266Options {
        erase,
        ..Esp8266Options::default()
    };
    let mut steps = Vec::new();
    let report = flash_esp8266(device, board, image, options, &mut |step| steps.push(step));
    (report, steps)
}

#[test]
fn a_firmware_is_written_over_what_was_there_and_looked_at_again() {
    let (_folder, image) = firmware();
    let rom = FakeRom::start(Chip::Esp8266, Fault::None);
    rom.fill(0x00);
    let (report, steps) = flash(&rom.device(), &image, false);
    let report = report.expect("it is flashed");
    assert_eq!((report.written, report.skipped), (SIZE as u64, 0));
    // Sixteen bytes of each of 49 sectors; the last one is not a whole sample.
    assert!((48 * 16..=49 * 16).contains(&report.compared), "{report:?}");
    // A pseudo-terminal has no reset line.
    assert!(!report.restarted);
    let memory = rom.flash();
    assert!(memory.starts_with(&wanted(&image)), "it is not there");
    // Behind the firmware are the board's files: one sector more may go, and no other.
    let end = SIZE.next_multiple_of(4096) + 4096;
    assert!(
        memory[end..].iter().all(|byte| *byte == 0),
        "too much is erased"
    );

    assert_eq!(steps[0], Progress::Connecting);
    let total = SIZE as u64;
    let done: Vec<u64> = steps
        .iter()
        .filter_map(|step| match step {
            Progress::Written { done, .. } => Some(*done),
            _ => None,
        })
        .collect();
    assert!(done.is_sorted() && done.len() > 100, "{done:?}");
    assert_eq!(done.last(), Some(&total));
    assert!(
        matches!(steps.last(), Some(Progress::Compared { done, total }) if done == total),
        "{steps:?}"
    );
}

#[test]
fn erasing_takes_all_of_the_memory() {
    let (_folder, image) = firmware();
    let rom = FakeRom::start(Chip::Esp8266, Fault::None);
    rom.fill(0x00);
    let (report, steps) = flash(&rom.device(), &image, true);
    report.expect("it is flashed");
    assert_eq!(steps[..2], [Progress::Connecting, Progress::Erasing]);
    let memory = rom.flash();
    assert!(memory.starts_with(&wanted(&image)));
    assert!(
        memory[SIZE.next_multiple_of(1024)..]
            .iter()
            .all(|byte| *byte == 0xff)
    );
}

#[test]
fn another_chip_is_refused_before_anything_is_written() {
    let (_folder, image) = firmware();
    let rom = FakeRom::start(Chip::Esp32, Fault::None);
    let (refused, _) = flash(&rom.device(), &image, true);
    assert!(
        matches!(&refused, Err(FlashError::WrongChip { image, board }) if image == "esp8266" && board == "esp32"),
        "{refused:?}"
    );
    assert!(rom.flash().iter().all(|byte| *byte == 0xff) && rom.blocks() == 0);
}

#[test]
fn blocks_that_are_damaged_on_the_way_are_sent_again() {
    let (_folder, image) = firmware();
    let rom = FakeRom::start(Chip::Esp8266, Fault::Damaged);
    let (report, _) = flash(&rom.device(), &image, false);
    report.expect("it is flashed all the same");
    assert!(rom.flash().starts_with(&wanted(&image)));
}

#[test]
fn a_memory_that_keeps_something_else_is_found() {
    let (_folder, image) = firmware();
    // The header is always looked at.
    let rom = FakeRom::start(Chip::Esp8266, Fault::BadCell(2));
    let (refused, _) = flash(&rom.device(), &image, false);
    assert!(
        matches!(refused, Err(FlashError::Differs { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_chip_without_a_memory_is_told_before_anything_is_erased() {
    let (_folder, image) = firmware();
    let rom = FakeRom::start(Chip::Esp8266, Fault::NoFlash);
    rom.fill(0x00);
    let (refused, _) = flash(&rom.device(), &image, true);
    assert!(
        matches!(&refused, Err(FlashError::Broke { reason, .. }) if reason.to_string().contains("no flash memory")),
        "{refused:?}"
    );
    assert!(rom.flash().iter().all(|byte| *byte == 0));
}

#[test]
fn a_board_that_goes_away_in_the_middle_is_told_and_can_be_flashed_again() {
    let (_folder, image) = firmware();
    let rom = FakeRom::start(Chip::Esp8266, Fault::SilentAfter(50));
    let (broken, _) = flash(&rom.device(), &image, false);
    assert!(
        matches!(broken, Err(FlashError::Broke { .. })),
        "{broken:?}"
    );
    rom.heal();
    let (report, _) = flash(&rom.device(), &image, false);
    report.expect("it is flashed");
    assert!(rom.flash().starts_with(&wanted(&image)));
}

#[test]
fn a_port_without_a_bootloader_is_told() {
    let (_folder, image) = firmware();
    // Noise without an end, and silence.
    for noise in [&b"\xc0\x01\x08hola\r\n"[..], b""] {
        let port = FakePort::start(move |_| noise.to_vec()).expect("a pseudo-terminal");
        let (refused, _) = flash(&port.device().display().to_string(), &image, false);
        assert!(
            matches!(refused, Err(FlashError::NoBootloader { .. })),
            "{refused:?}"
        );
    }
    let (refused, _) = flash("/dev/ttyUSB99", &image, false);
    assert!(
        matches!(refused, Err(FlashError::Port { .. })),
        "{refused:?}"
    );
}
