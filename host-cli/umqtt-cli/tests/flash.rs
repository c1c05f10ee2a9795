//! `umqtt flash` from the outside: what it says of firmware files and boards, a folder that stands for the drive of a
//! Pico's bootloader, and what is kept for the next board. How it speaks to Espressif's chips is tested in board-flash,
//! against a fake ROM.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Done, Home, finish};
use testkit::{Chip, FakePort, FakeRom, Fault};

/// A UF2 file for this family, as MicroPython's page names it.
fn uf2(home: &Home, name: &str, family: u32) -> PathBuf {
    let mut bytes = Vec::new();
    for number in 0..200_u32 {
        let mut block = vec![0; 512];
        let words = [
            0x0a32_4655,
            0x9e5d_5157,
            0x2000,
            0x1000_0000 + 256 * number,
            256,
            number,
            200,
            family,
        ];
        for (at, word) in words.into_iter().enumerate() {
            block[4 * at..4 * at + 4].copy_from_slice(&u32::to_le_bytes(word));
        }
        block[508..].copy_from_slice(&0x0ab1_6f30_u32.to_le_bytes());
        bytes.extend(block);
    }
    home.script(name, bytes)
}

/// An image's header for this chip of Espressif's, and what follows it.
fn esp(home: &Home, name: &str, chip: u8) -> PathBuf {
    let mut bytes = vec![0x5a; 8192];
    bytes[..16].copy_from_slice(&[
        0xe9, 3, 2, 0x20, 0, 0, 8, 0x40, 0xee, 0, 0, 0, chip, 0, 0, 0,
    ]);
    home.script(name, bytes)
}

/// `umqtt flash` with a cache of this home's.
fn flash(home: &Home, arguments: &[&str]) -> Done {
    let mut command = home.umqtt(["flash"].iter().chain(arguments));
    finish(
        command
            .env("XDG_CACHE_HOME", home.path().join("cache"))
            .spawn()
            .expect("umqtt starts"),
    )
}

/// A folder that stands for the drive of a board's bootloader; it goes away once a file of this size is there.
fn drive(home: &Home, id: &str, size: u64) -> (PathBuf, std::thread::JoinHandle<()>) {
    let folder = home.path().join(id);
    fs::create_dir_all(&folder).expect("a folder");
    let info = folder.join("INFO_UF2.TXT");
    fs::write(&info, format!("UF2 Bootloader v3.0\r\nBoard-ID: {id}\r\n")).expect("its file");
    let file = folder.join("firmware.uf2");
    let board = std::thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if fs::metadata(&file).is_ok_and(|data| data.len() == size) {
                fs::remove_file(&info).expect("it goes");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    (folder, board)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_pico_takes_its_file_and_the_next_one_by_name() {
    let home = Home::new();
    let file = uf2(&home, "RPI_PICO_W-20250911-v1.26.1.uf2", 0xe48b_ff56);
    let size = fs::metadata(&file).expect("it").len();
    let (folder, board) = drive(&home, "RPI-RP2", size);
    let done = flash(
        &home,
        &[
            "--firmware",
            text(&file),
            "--drive",
            text(&folder),
            "--json",
        ],
    );
    done.expect_status(0);
    board.join().expect("it went");
    let report = done.said("flash");
    assert_eq!(
        (&report["board"], &report["written"]),
        (&"pico-w".into(), &size.into()),
        "{done:#?}"
    );
    assert_eq!(
        fs::read(folder.join("firmware.uf2")).expect("it"),
        fs::read(&file).expect("it")
    );

    // The firmware was kept: the class's second board needs its name alone.
    fs::remove_dir_all(&folder).expect("unplugged");
    fs::remove_file(&file).expect("it goes");
    let (folder, board) = drive(&home, "RPI-RP2", size);
    let done = flash(
        &home,
        &[
            "--board",
            "pico-w",
            "--drive",
            text(&folder),
            "--lang",
            "es",
        ],
    );
    done.expect_status(0);
    board.join().expect("it went");
    assert!(done.stdout.contains("la placa se reinició"), "{done:#?}");
}

#[test]
fn what_does_not_suit_is_refused_before_anything_is_written() {
    let home = Home::new();
    let pico2 = uf2(&home, "x.uf2", 0xe48b_ff59);
    let c3 = esp(&home, "c3.bin", 5);
    let page = home.script("page.html", "<html>");
    let (folder, board) = drive(&home, "RPI-RP2", 0);
    let cases: [(&[&str], i32, &str); 7] = [
        (
            &["--firmware", text(&pico2), "--board", "pico-w"],
            1,
            "is for rp2350 and the board is rp2040",
        ),
        (
            &["--firmware", text(&c3), "--board", "esp32"],
            1,
            "is for esp32c3 and the board is esp32",
        ),
        (
            &["--firmware", text(&pico2), "--drive", text(&folder)],
            1,
            "is not the drive RP2350",
        ),
        (&["--firmware", text(&page)], 1, "is no firmware"),
        (&["--firmware", "nowhere.bin"], 1, "cannot be read"),
        (&[], 2, "--firmware FILE"),
        (&["--board", "sim"], 2, "no firmware to flash"),
    ];
    for (arguments, status, words) in cases {
        let done = flash(&home, arguments);
        done.expect_status(status);
        assert!(done.stderr.contains(words), "{words:?}: {done:#?}");
        assert!(done.stderr.contains("try: ") || status == 2, "{done:#?}");
    }
    let done = flash(&home, &["--firmware", text(&page), "--lang", "es"]);
    assert!(
        done.stderr
            .contains("no es ni una imagen para chips de Espressif"),
        "{done:#?}"
    );
    assert!(!folder.join("firmware.uf2").exists() && !home.path().join("cache").exists());
    fs::write(folder.join("firmware.uf2"), "").expect("the fake may end");
    board.join().expect("it went");
}

#[test]
fn where_there_is_no_firmware_its_page_is_named() {
    let home = Home::new();
    for (name, page) in [
        ("esp32-s3", "ESP32_GENERIC_S3"),
        ("pico-2-w", "RPI_PICO2_W"),
    ] {
        let done = flash(&home, &["--board", name]);
        done.expect_status(1);
        assert!(
            done.stderr
                .contains(&format!("micropython.org/download/{page}/")),
            "{done:#?}"
        );
    }
}

/// An ESP8266's image of this size, as MicroPython's begin.
fn esp8266(home: &Home, size: usize) -> PathBuf {
    let mut bytes: Vec<u8> = (0..size).map(|n| (n * n / 11 % 251) as u8).collect();
    bytes[..16].copy_from_slice(&[
        0xe9, 1, 2, 0x40, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 0x80, 8, 0, 0,
    ]);
    home.script("ESP8266_GENERIC-20250911-v1.26.1.bin", bytes)
}

/// The chip is a fake on a pseudo-terminal: see `testkit::FakeRom`.
#[test]
fn an_esp8266_is_flashed_from_end_to_end() {
    let home = Home::new();
    let file = esp8266(&home, 100_000);
    let rom = FakeRom::start(Chip::Esp8266, Fault::None);
    let done = flash(&home, &["--firmware", text(&file), "--port", &rom.device()]);
    done.expect_status(0);
    assert!(
        done.stdout.contains(
            "written: 100000 bytes, each block with its checksum; read back: 400 of them"
        ),
        "{done:#?}"
    );
    assert!(rom.flash().starts_with(&fs::read(&file).expect("it")));
    // It was kept; what the ROM cannot know is written again.
    let done = flash(
        &home,
        &["--board", "esp8266", "--port", &rom.device(), "--json"],
    );
    done.expect_status(0);
    let report = done.said("flash");
    assert_eq!(
        (&report["written"], &report["skipped"], &report["compared"]),
        (&100_000.into(), &0.into(), &400.into()),
        "{done:#?}"
    );
    // An ESP32's file, and a board that is something else than its file.
    let wrong = esp(&home, "ESP32_GENERIC-20250911-v1.26.1.bin", 0);
    let refused = flash(
        &home,
        &[
            "--firmware",
            text(&wrong),
            "--port",
            &rom.device(),
            "--lang",
            "es",
        ],
    );
    refused.expect_status(1);
    assert!(
        refused
            .stderr
            .contains("el firmware es para esp32 y la placa es esp8266"),
        "{refused:#?}"
    );
    let rom = FakeRom::start(Chip::Esp32, Fault::None);
    let refused = flash(
        &home,
        &[
            "--firmware",
            text(&file),
            "--port",
            &rom.device(),
            "--erase",
        ],
    );
    refused.expect_status(1);
    assert!(
        refused
            .stderr
            .contains("is for esp8266 and the board is esp32"),
        "{refused:#?}"
    );
    assert!(rom.flash().iter().all(|byte| *byte == 0xff));
}

#[test]
fn what_breaks_while_a_chip_is_flashed_says_what_to_try() {
    let home = Home::new();
    let file = esp8266(&home, 100_000);
    for (fault, status, words) in [
        (Fault::SilentAfter(30), 3, "run it again"),
        (Fault::BadCell(1), 1, "--baud 115200"),
        (Fault::NoFlash, 3, "no flash memory answers"),
    ] {
        let rom = FakeRom::start(Chip::Esp8266, fault);
        let done = flash(&home, &["--firmware", text(&file), "--port", &rom.device()]);
        done.expect_status(status);
        assert!(
            done.stderr.contains(words) && done.stderr.contains("  try: "),
            "{fault:?}: {done:#?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_bar_moves_while_a_chip_is_flashed() {
    let home = Home::new();
    let file = esp8266(&home, 400_000);
    let rom = FakeRom::start(Chip::Esp8266, Fault::None);
    let arguments = ["flash", "--firmware", text(&file), "--port", &rom.device()];
    let mut command = home.umqtt(arguments);
    command.env("XDG_CACHE_HOME", home.path().join("cache"));
    let mut terminal = common::terminal::Terminal::of(command, 100);
    let status = terminal.end_within(Duration::from_secs(90));
    let drawn = &terminal.heard;
    assert_eq!(status, Some(0), "{drawn}");
    // Several stages of it, and how much there is to write in all.
    let moves = drawn.matches("KiB/390.62 KiB").count();
    assert!(drawn.contains("writing") && moves > 3, "{moves}: {drawn:?}");
}

#[test]
fn a_port_without_a_bootloader_says_which_button_to_hold() {
    let home = Home::new();
    let port = FakePort::start(|_| Vec::new()).expect("a pseudo-terminal");
    let device = port.device().display().to_string();
    let file = esp(&home, "ESP32_GENERIC-20250911-v1.26.1.bin", 0);
    let done = flash(
        &home,
        &["--firmware", text(&file), "--port", &device, "--lang", "es"],
    );
    done.expect_status(3);
    assert!(done.stderr.contains("mantén pulsado BOOT"), "{done:#?}");
    // The same for a chip that espflash does not know.
    let mut bytes = vec![0; 4096];
    bytes[..16].copy_from_slice(&[
        0xe9, 1, 2, 0x40, 0, 0, 0x10, 0x40, 0, 0, 0x10, 0x40, 0x80, 8, 0, 0,
    ]);
    let old = home.script("ESP8266_GENERIC-20250911-v1.26.1.bin", bytes);
    let done = flash(&home, &["--firmware", text(&old), "--port", &device]);
    done.expect_status(3);
    assert!(done.stderr.contains("hold the BOOT button"), "{done:#?}");
    let done = flash(
        &home,
        &["--firmware", text(&file), "--port", "socket://127.0.0.1:1"],
    );
    done.expect_status(3);
    assert!(
        done.stderr.contains("serial port of this computer"),
        "{done:#?}"
    );
}
