//! `umqtt boards`: decides how the known boards are listed, and how one is described.

use std::io::Write;

use board_data::{Board, Kind, Method, UsbId};
use board_link::Lang;
use serde_json::{Value, json};

use crate::cli::BoardsOptions;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::table::table;

pub fn run(options: &BoardsOptions, lang: Lang) -> Result<(), Failure> {
    let boards: Vec<&Board> = match &options.name {
        None => board_data::all().iter().collect(),
        Some(name) => vec![known(name, lang)?],
    };
    let text = if lines::wanted() {
        boards
            .iter()
            .map(|board| lines::event("board", object(board)))
            .collect()
    } else if options.name.is_some() {
        describe(boards[0], lang)
    } else {
        list(&boards, lang)
    };
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

/// The board of this name.
///
/// # Errors
/// Lists the names there are.
pub fn known(name: &str, lang: Lang) -> Result<&'static Board, Failure> {
    board_data::find(name).ok_or_else(|| {
        let names: Vec<&str> = board_data::all()
            .iter()
            .map(|board| board.name.as_str())
            .collect();
        let message = match lang {
            Lang::En => format!("there is no board {name}"),
            Lang::Es => format!("no hay ninguna placa {name}"),
        };
        Failure::new(Status::Usage, message, names.join(", "))
    })
}

fn list(boards: &[&Board], lang: Lang) -> String {
    let head = lang.pick(
        [
            "NAME",
            "BOARD",
            "ARCHITECTURE",
            "FLASH",
            "LED",
            "BUTTON",
            "FIRMWARE",
        ],
        [
            "NOMBRE",
            "PLACA",
            "ARQUITECTURA",
            "FLASH",
            "LED",
            "BOTÓN",
            "FIRMWARE",
        ],
    );
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(boards.iter().map(|board| {
        [
            board.name.clone(),
            title(board, lang),
            board.arch.clone(),
            flash(board).unwrap_or_else(|| "-".to_owned()),
            led_pin(board).unwrap_or_else(|| "-".to_owned()),
            board
                .pins
                .button
                .map_or("-".to_owned(), |pin| pin.to_string()),
            board.firmware.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    table(&rows)
}

/// The board's name for people; only the simulated one's is a word that can be translated.
pub fn title(board: &Board, lang: Lang) -> String {
    match (board.flash.method, lang) {
        (Method::None, Lang::Es) => "Placa simulada".to_owned(),
        _ => board.title.clone(),
    }
}

/// The size of the flash memory, `4 MiB`.
fn flash(board: &Board) -> Option<String> {
    (board.flash.size > 0).then(|| format!("{} MiB", board.flash.size >> 20))
}

fn led_pin(board: &Board) -> Option<String> {
    board.pins.led.as_ref().map(|led| led.pin.to_string())
}

fn describe(board: &Board, lang: Lang) -> String {
    let mut text = format!("{} ({})\n", title(board, lang), board.name);
    let mut row = |en: &str, es: &str, value: Option<String>| {
        if let Some(value) = value {
            let label = lang.pick(en, es);
            text.push_str(&format!("  {label}: {value}\n"));
        }
    };
    row("chip", "chip", Some(board.chip.clone()));
    row(
        "native modules",
        "módulos nativos",
        Some(board.arch.clone()),
    );
    row("flash memory", "memoria flash", flash(board));
    row(
        "LED",
        "LED",
        board.pins.led.as_ref().map(|led| {
            let pin = format!("Pin({})", led.pin);
            match (led.kind, led.on) {
                (Kind::Neopixel, _) => format!("NeoPixel({pin}, 1)"),
                (Kind::Plain, 0) => format!("{pin}, {}", lang.pick("lights at 0", "luce con 0")),
                (Kind::Plain, _) => pin,
            }
        }),
    );
    row(
        "button",
        "botón",
        board.pins.button.map(|pin| {
            format!(
                "Pin({pin}, Pin.IN, Pin.PULL_UP), {}",
                lang.pick("0 while pressed", "0 mientras se pulsa")
            )
        }),
    );
    row("USB", "USB", usb(board));
    row("firmware", "firmware", board.page());
    row("flashed with", "se graba con", how(board, lang));
    text.push_str(&format!(
        "  {}\n",
        lang.pick(&board.notes.en, &board.notes.es)
    ));
    text
}

fn usb(board: &Board) -> Option<String> {
    let mut ids: Vec<UsbId> = board.usb.running.clone();
    ids.extend(&board.usb.bootloader);
    let mut texts: Vec<String> = Vec::new();
    for id in ids {
        let text = id.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn how(board: &Board, lang: Lang) -> Option<String> {
    let offset = board.flash.offset;
    Some(match board.flash.method {
        Method::None => return None,
        Method::Espressif | Method::Rom => {
            format!("umqtt flash --board {} ({offset:#x})", board.name)
        }
        Method::Uf2 => {
            let drive = board.flash.drive.as_deref().unwrap_or_default();
            let on = lang.pick("the drive", "la unidad");
            format!("umqtt flash --board {} ({on} {drive})", board.name)
        }
    })
}

fn object(board: &Board) -> Value {
    let ids = |ids: &[UsbId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "name": board.name, "title": board.title, "chip": board.chip, "arch": board.arch,
        "firmware": board.firmware, "page": board.page(),
        "flash": {
            "method": match board.flash.method {
                Method::Espressif => "espressif",
                Method::Rom => "rom",
                Method::Uf2 => "uf2",
                Method::None => "none",
            },
            "offset": board.flash.offset, "size": board.flash.size,
            "family": board.flash.family, "drive": board.flash.drive,
        },
        "usb": { "running": ids(&board.usb.running), "bootloader": ids(&board.usb.bootloader) },
        "led": board.pins.led.as_ref().map(|led| json!({
            "pin": match &led.pin {
                board_data::Pin::Number(number) => json!(number),
                board_data::Pin::Name(name) => json!(name),
            },
            "neopixel": led.kind == Kind::Neopixel, "on": led.on,
        })),
        "button": board.pins.button,
        "notes": { "en": board.notes.en, "es": board.notes.es },
    })
}
