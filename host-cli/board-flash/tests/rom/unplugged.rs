//! The plug is pulled at every stage of flashing: an error that says so, in bounded time.

use std::fs;
use std::time::{Duration, Instant};

use board_flash::{Esp8266Options, EspOptions, FlashError, Image, flash_esp, flash_esp8266};
use testkit::{Chip, FakeRom, Fault};

/// Places where each conversation breaks.
const BREAKS: usize = 10;

/// All time-outs of one try together, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Small, so that all of it stays short: some blocks and some sectors.
const SIZE: usize = 30_000;

fn firmware(chip: Chip) -> (tempfile::TempDir, Image) {
    let mut bytes: Vec<u8> = (0..SIZE).map(|n| (n * n / 7 % 251) as u8).collect();
    bytes[..16].copy_from_slice(match chip {
        Chip::Esp32 => &[0xe9, 3, 2, 0x20, 0, 0, 8, 0x40, 0xee, 0, 0, 0, 0, 0, 0, 0],
        Chip::Esp8266 => &[
            0xe9, 1, 2, 0x40, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 0x80, 8, 0, 0,
        ],
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("firmware.bin");
    fs::write(&path, bytes).expect("a file");
    let image = Image::read(&path).expect("an image");
    (folder, image)
}

fn flash(chip: Chip, rom: &FakeRom, image: &Image) -> Result<(), FlashError> {
    let board = image.board().expect("a known chip");
    let device = rom.device();
    match chip {
        Chip::Esp32 => flash_esp(&device, board, image, EspOptions::default(), &mut |_| {}),
        Chip::Esp8266 => flash_esp8266(
            &device,
            board,
            image,
            Esp8266Options::default(),
            &mut |_| {},
        ),
    }
    .map(drop)
}

fn pulled_everywhere(chip: Chip) {
    let (_folder, image) = firmware(chip);
    let whole = FakeRom::start(chip, Fault::None);
    flash(chip, &whole, &image).expect("it is flashed");
    let packets = whole.packets();
    assert!(packets > BREAKS, "{packets}");
    for number in 0..BREAKS {
        let at = number * (packets - 1) / (BREAKS - 1);
        let rom = FakeRom::start(chip, Fault::None);
        rom.mute_after(at);
        let started = Instant::now();
        let broken = std::thread::scope(|scope| {
            let flashing = scope.spawn(|| flash(chip, &rom, &image));
            while rom.packets() < at && !flashing.is_finished() {
                std::thread::sleep(Duration::from_millis(1));
            }
            rom.unplug();
            flashing.join().expect("no panic")
        });
        let text = format!("{chip:?}, after {at} of {packets}: {broken:?}");
        assert!(
            matches!(
                broken,
                Err(FlashError::NoBootloader { .. }
                    | FlashError::Broke { .. }
                    | FlashError::Port { .. })
            ),
            "{text}"
        );
        assert!(started.elapsed() < LIMIT, "{text}: {:?}", started.elapsed());
    }
}

#[test]
fn an_esp32_is_unplugged_at_every_stage() {
    pulled_everywhere(Chip::Esp32);
}

#[test]
fn an_esp8266_is_unplugged_at_every_stage() {
    pulled_everywhere(Chip::Esp8266);
}
