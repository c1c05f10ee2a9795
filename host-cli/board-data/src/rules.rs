//! Decides what must be true of a board's file beyond its form: a list of rules with names, run on every file.

use std::time::Duration;

use micropython_sys::arch::Arch;

use crate::schema::{Board, Method, Pin, Step};

/// Something that holds for every board.
#[derive(Debug)]
pub struct Rule {
    pub name: &'static str,
    /// Says why a board breaks it.
    pub check: fn(&Board) -> Result<(), String>,
}

/// All of them.
pub const RULES: &[Rule] = &[
    Rule {
        name: "the name can be typed",
        check: name,
    },
    Rule {
        name: "the architecture is one of MicroPython's",
        check: architecture,
    },
    Rule {
        name: "the chip has that architecture",
        check: chip,
    },
    Rule {
        name: "the firmware is named as on the download page",
        check: firmware,
    },
    Rule {
        name: "the chip is flashed as its maker says",
        check: method,
    },
    Rule {
        name: "a firmware begins where the chip looks for it",
        check: offset,
    },
    Rule {
        name: "the flash memory has a real size",
        check: size,
    },
    Rule {
        name: "UF2 boards, and only they, have a family and a drive",
        check: uf2,
    },
    Rule {
        name: "boards that are plugged in have USB numbers, each once",
        check: usb,
    },
    Rule {
        name: "a reset lets go of both lines and takes less than 2 seconds",
        check: reset,
    },
    Rule {
        name: "the pins exist on the chip",
        check: pins,
    },
    Rule {
        name: "the notes say something short in both languages",
        check: notes,
    },
];

/// A chip as its data sheet has it.
struct Chip {
    name: &'static str,
    arch: Arch,
    method: Method,
    /// Where the ROM looks for the second-stage bootloader, which a firmware file begins with.
    offset: u32,
    /// The highest number of a pin.
    last_pin: u8,
}

/// Sources: Espressif's data sheets and the chapters "Boot Mode" of esptool's documentation, Raspberry Pi's data sheets of
/// RP2040 and RP2350. The simulated board has an ESP32's pins.
static CHIPS: [Chip; 9] = {
    const fn chip(
        name: &'static str,
        arch: Arch,
        method: Method,
        offset: u32,
        last_pin: u8,
    ) -> Chip {
        Chip {
            name,
            arch,
            method,
            offset,
            last_pin,
        }
    }
    [
        chip("esp32", Arch::Xtensawin, Method::Espressif, 0x1000, 39),
        chip("esp32s2", Arch::Xtensawin, Method::Espressif, 0x1000, 46),
        chip("esp32s3", Arch::Xtensawin, Method::Espressif, 0, 48),
        chip("esp32c3", Arch::Rv32imc, Method::Espressif, 0, 21),
        chip("esp32c6", Arch::Rv32imc, Method::Espressif, 0, 30),
        chip("esp8266", Arch::Xtensa, Method::Rom, 0, 16),
        chip("rp2040", Arch::Armv6m, Method::Uf2, 0, 29),
        chip("rp2350", Arch::Armv7emsp, Method::Uf2, 0, 47),
        chip("sim", Arch::X64, Method::None, 0, 39),
    ]
};

fn of(board: &Board) -> Result<&'static Chip, String> {
    CHIPS
        .iter()
        .find(|chip| chip.name == board.chip)
        .ok_or_else(|| format!("nobody knows the chip {:?}", board.chip))
}

/// `Ok` if it holds, else the reason.
fn ensure(holds: bool, reason: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason.into()) }
}

fn name(board: &Board) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure(
        !board.name.is_empty() && board.name.len() <= 20 && board.name.chars().all(fits),
        format!(
            "{:?} is not made of small letters, digits and hyphens",
            board.name
        ),
    )?;
    ensure(!board.title.trim().is_empty(), "the title is empty")
}

fn architecture(board: &Board) -> Result<(), String> {
    let known = Arch::ALL.iter().any(|arch| arch.name() == board.arch);
    ensure(known, format!("{:?} is no architecture", board.arch))
}

fn chip(board: &Board) -> Result<(), String> {
    let arch = of(board)?.arch.name();
    ensure(arch == board.arch, format!("{} is {arch}", board.chip))
}

fn firmware(board: &Board) -> Result<(), String> {
    let Some(name) = &board.firmware else {
        return ensure(
            board.flash.method == Method::None,
            "it has none and can be flashed",
        );
    };
    ensure(
        board.flash.method != Method::None,
        "it has one and cannot be flashed",
    )?;
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    ensure(
        !name.is_empty() && name.chars().all(fits),
        format!("{name:?} is no name of that page"),
    )
}

fn method(board: &Board) -> Result<(), String> {
    let method = of(board)?.method;
    ensure(
        method == board.flash.method,
        format!("{} is flashed by {method:?}", board.chip),
    )
}

fn offset(board: &Board) -> Result<(), String> {
    let offset = of(board)?.offset;
    ensure(
        offset == board.flash.offset,
        format!("{} looks at {offset:#x}", board.chip),
    )
}

fn size(board: &Board) -> Result<(), String> {
    let size = board.flash.size;
    if board.flash.method == Method::None {
        return ensure(size == 0, "it has no flash memory");
    }
    ensure(
        size.is_power_of_two() && (1 << 20..=1 << 27).contains(&size),
        format!("{size:#x} is no size of a flash memory from 1 to 128 MiB"),
    )
}

fn uf2(board: &Board) -> Result<(), String> {
    let (family, drive) = (board.flash.family, board.flash.drive.as_deref());
    match board.flash.method {
        // Raspberry Pi's families: 0xe48bff56 to 0xe48bff5b (the UF2 format's list of families).
        Method::Uf2 => ensure(
            family.is_some_and(|family| (0xe48b_ff56..=0xe48b_ff5b).contains(&family))
                && drive.is_some_and(|drive| !drive.trim().is_empty()),
            "family or drive is missing or wrong",
        ),
        _ => ensure(family.is_none() && drive.is_none(), "it is no UF2 board"),
    }
}

fn usb(board: &Board) -> Result<(), String> {
    for ids in [&board.usb.running, &board.usb.bootloader] {
        ensure(
            ids.is_empty() == (board.flash.method == Method::None),
            "only the simulated board has no USB numbers",
        )?;
        let mut different = ids.clone();
        different.sort();
        different.dedup();
        ensure(
            different.len() == ids.len(),
            "a USB number stands there twice",
        )?;
        ensure(ids.iter().all(|id| id.vendor != 0), "0 is no vendor")?;
    }
    Ok(())
}

fn reset(board: &Board) -> Result<(), String> {
    ensure(!board.reset.hard.is_empty(), "there is no way to reset it")?;
    ensure(
        board.reset.bootloader.is_empty() == (board.flash.method == Method::None),
        "a board that can be flashed has a bootloader, and no other",
    )?;
    for steps in [
        &board.reset.hard,
        &board.reset.bootloader,
        &board.reset.bootloader_by_uart,
    ] {
        let code = |step: &Step| matches!(step, Step::Run(_));
        ensure(
            !steps.iter().any(code) || steps.len() == 1,
            "code that resets a board is the only step",
        )?;
        let (mut dtr, mut rts, mut time) = (false, false, Duration::ZERO);
        for step in steps {
            match step {
                Step::Dtr(on) => dtr = *on,
                Step::Rts(on) => rts = *on,
                Step::Wait(length) => time += *length,
                Step::Run(code) => ensure(!code.trim().is_empty(), "there is nothing to run")?,
            }
        }
        ensure(
            !dtr && !rts,
            "a line stays on: the board stays in reset or in its bootloader",
        )?;
        ensure(time < Duration::from_secs(2), "it waits for too long")?;
    }
    Ok(())
}

fn pins(board: &Board) -> Result<(), String> {
    let last = of(board)?.last_pin;
    let led = board.pins.led.as_ref();
    let number = match led.map(|led| &led.pin) {
        Some(Pin::Number(number)) => Some(*number),
        Some(Pin::Name(name)) => {
            ensure(!name.is_empty(), "the LED's pin has an empty name")?;
            None
        }
        None => None,
    };
    for pin in number.into_iter().chain(board.pins.button) {
        ensure(pin <= last, format!("{} has no pin {pin}", board.chip))?;
    }
    ensure(led.is_none_or(|led| led.on <= 1), "a level is 0 or 1")?;
    let same = number.is_some() && number == board.pins.button;
    ensure(!same, "LED and button are the same pin")
}

fn notes(board: &Board) -> Result<(), String> {
    for (language, text) in [("en", &board.notes.en), ("es", &board.notes.es)] {
        let length = text.chars().count();
        ensure(
            (20..=200).contains(&length) && text.ends_with('.'),
            format!("{language}: {length} characters; it takes 20 to 200 and a full stop"),
        )?;
    }
    ensure(
        board.notes.en != board.notes.es,
        "both languages say the same words",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::UsbId;

    /// For each rule, by its name, something that breaks it.
    type Break = (&'static str, fn(&mut Board));

    const BREAKS: &[Break] = &[
        ("the name can be typed", |board| {
            board.name = "ESP 32".into()
        }),
        ("the name can be typed", |board| board.title = " ".into()),
        ("the architecture is one of MicroPython's", |board| {
            board.arch = "mips".into()
        }),
        ("the chip has that architecture", |board| {
            board.arch = "xtensa".into()
        }),
        ("the chip has that architecture", |board| {
            board.chip = "esp64".into()
        }),
        ("the firmware is named as on the download page", |board| {
            board.firmware = None
        }),
        ("the firmware is named as on the download page", |board| {
            board.firmware = Some("esp32/..".into());
        }),
        ("the chip is flashed as its maker says", |board| {
            board.flash.method = Method::Uf2
        }),
        ("a firmware begins where the chip looks for it", |board| {
            board.flash.offset = 0
        }),
        ("the flash memory has a real size", |board| {
            board.flash.size = 3 << 20
        }),
        ("the flash memory has a real size", |board| {
            board.flash.size = 0
        }),
        (
            "UF2 boards, and only they, have a family and a drive",
            |board| {
                board.flash.family = Some(0xe48b_ff56);
            },
        ),
        (
            "boards that are plugged in have USB numbers, each once",
            |board| {
                board.usb.running.clear();
            },
        ),
        (
            "boards that are plugged in have USB numbers, each once",
            |board| {
                let first = board.usb.bootloader[0];
                board.usb.bootloader.push(first);
            },
        ),
        (
            "boards that are plugged in have USB numbers, each once",
            |board| {
                board.usb.running = vec![UsbId {
                    vendor: 0,
                    product: 1,
                }];
            },
        ),
        (
            "a reset lets go of both lines and takes less than 2 seconds",
            |board| {
                board.reset.hard.push(Step::Rts(true));
            },
        ),
        (
            "a reset lets go of both lines and takes less than 2 seconds",
            |board| {
                board
                    .reset
                    .bootloader
                    .push(Step::Wait(Duration::from_secs(2)));
            },
        ),
        (
            "a reset lets go of both lines and takes less than 2 seconds",
            |board| {
                board.reset.hard.clear();
            },
        ),
        ("the pins exist on the chip", |board| {
            board.pins.button = Some(40)
        }),
        ("the pins exist on the chip", |board| {
            board.pins.button = Some(2);
        }),
        ("the notes say something short in both languages", |board| {
            board.notes.es = board.notes.en.clone();
        }),
        ("the notes say something short in both languages", |board| {
            board.notes.es = "Sí.".into()
        }),
    ];

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let good = crate::find("esp32").expect("the ESP32");
        for rule in RULES {
            assert_eq!((rule.check)(good), Ok(()), "{}", rule.name);
            let breaks = BREAKS.iter().filter(|(name, _)| *name == rule.name);
            let mut tried = 0;
            for (_, spoil) in breaks {
                let mut board = good.clone();
                spoil(&mut board);
                assert!((rule.check)(&board).is_err(), "{}: {board:?}", rule.name);
                tried += 1;
            }
            assert!(tried > 0, "nothing breaks the rule {:?}", rule.name);
        }
        for (name, _) in BREAKS {
            assert!(
                RULES.iter().any(|rule| rule.name == *name),
                "no rule {name:?}"
            );
        }
    }

    #[test]
    fn a_file_says_nothing_that_is_not_in_the_schema() {
        let text = crate::FILES[0].1;
        for (from, to, reason) in [
            ("chip =", "cpu =", "unknown field `cpu`"),
            ("\"wait 100\"", "\"sleep 100\"", "is no step"),
            ("\"rts on\"", "\"rts up\"", "is no step"),
            ("10c4:ea60", "10c4ea60", "is not like"),
            ("\"espressif\"", "\"jtag\"", "unknown variant"),
            ("button = 0", "button = \"boot\"", "invalid type"),
            ("offset = 0x1000", "offset = -1", "invalid value"),
        ] {
            let spoilt = text.replacen(from, to, 1);
            assert_ne!(spoilt, text, "{from} stands in the file");
            let error = Board::parse(&spoilt).expect_err(to).to_string();
            assert!(error.contains(reason), "{to}: {error}");
        }
    }
}
