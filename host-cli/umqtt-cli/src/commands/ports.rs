//! `umqtt ports`: decides how the ports that boards may be on are listed, and what is said about each.

use std::io::Write;
use std::time::Duration;

use board_data::Board;
use board_link::{Lang, PortInfo, PortSpec, PortState};
use serde_json::{Value, json};

use crate::cli::PortsOptions;
use crate::commands::boards;
use crate::failure::Failure;
use crate::lines;
use crate::table::table;

/// How long a board may take to answer. One that has just been plugged in needs longer; it is called silent then.
const PATIENCE: Duration = Duration::from_millis(1200);

/// A port and what was found out about it.
struct Row {
    port: String,
    usb: Option<board_link::UsbInfo>,
    /// `None` where nobody looked.
    state: Option<PortState>,
}

pub fn run(options: &PortsOptions, lang: Lang) -> Result<(), Failure> {
    let link = |error| Failure::from_link(&error, lang);
    let listed = board_link::list().map_err(link)?;
    let mut ports: Vec<(PortSpec, PortInfo)> = match &options.port {
        None => listed
            .into_iter()
            .map(|port| (PortSpec::Device(port.device.clone()), port))
            .collect(),
        Some(text) => {
            let spec = board_link::resolve(&text.parse().map_err(link)?).map_err(link)?;
            let device = spec.to_string();
            let known = listed.into_iter().find(|port| port.device == device);
            let info = known.unwrap_or(PortInfo { device, usb: None });
            vec![(spec, info)]
        }
    };
    ports.retain(|(spec, _)| *spec != PortSpec::Sim);
    // A computer's built-in ports have no board; only one that was asked for is opened.
    let wanted =
        |port: &PortInfo| !options.no_open && (port.usb.is_some() || options.port.is_some());
    let looking: Vec<_> = ports
        .into_iter()
        .map(|(spec, port)| {
            let look = wanted(&port);
            std::thread::spawn(move || Row {
                state: look.then(|| board_link::look(&spec, PATIENCE)),
                port: port.device,
                usb: port.usb,
            })
        })
        .collect();
    let mut rows: Vec<Row> = looking
        .into_iter()
        // A panic of that thread has been printed by itself.
        .filter_map(|thread| thread.join().ok())
        .collect();
    if options.port.as_deref().is_none_or(|port| port == "sim") {
        rows.push(Row {
            port: "sim".to_owned(),
            usb: None,
            state: None,
        });
    }
    let text = if lines::wanted() {
        rows.iter()
            .map(|row| lines::event("port", object(row, lang)))
            .collect()
    } else {
        let head = lang.pick(
            ["PORT", "BOARD", "USB", "STATE"],
            ["PUERTO", "PLACA", "USB", "ESTADO"],
        );
        let mut words = vec![head.map(str::to_owned)];
        words.extend(rows.iter().map(|row| {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            [
                row.port.clone(),
                or_dash(board_text(row, lang)),
                or_dash(row.usb.as_ref().map(usb_text)),
                or_dash(row.state.as_ref().map(|state| state_text(state, lang))),
            ]
        }));
        table(&words)
    };
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

/// The boards that it may be: the one that its banner names, else those with this USB chip.
fn candidates(row: &Row) -> Vec<&'static Board> {
    if row.port == "sim" {
        return board_data::find("sim").into_iter().collect();
    }
    if let Some(PortState::Prompt { machine, .. }) = &row.state
        && let Some(board) = board_data::of_machine(machine)
    {
        return vec![board];
    }
    row.usb
        .as_ref()
        .map(|usb| board_data::of_usb(usb.vendor_id, usb.product_id))
        .unwrap_or_default()
}

fn board_text(row: &Row, lang: Lang) -> Option<String> {
    let boards = candidates(row);
    match (&row.state, boards.as_slice()) {
        (_, []) => None,
        (Some(PortState::Prompt { machine, .. }), [_]) => Some(machine.clone()),
        (_, [one]) => Some(boards::title(one, lang)),
        (_, [first, .., last]) => {
            let or = lang.pick("or", "o");
            Some(format!("{} … {or} {}?", first.name, last.name))
        }
    }
}

/// `10c4:ea60 CP210x id:0001`.
fn usb_text(usb: &board_link::UsbInfo) -> String {
    let mut text = format!("{:04x}:{:04x}", usb.vendor_id, usb.product_id);
    if let Some(chip) = usb.chip().or(usb.product.as_deref()) {
        text.push_str(&format!(" {chip}"));
    }
    if let Some(serial) = &usb.serial {
        text.push_str(&format!(" id:{serial}"));
    }
    text
}

/// What is said of a state to people.
pub fn state_text(state: &PortState, lang: Lang) -> String {
    let say = |en: &str, es: &str| lang.pick(en, es).to_owned();
    match state {
        PortState::Prompt { firmware, .. } => firmware.clone(),
        PortState::Running { heard } => match lang {
            Lang::En => format!("a program runs: {heard}"),
            Lang::Es => format!("hay un programa en marcha: {heard}"),
        },
        PortState::Bootloader => say(
            "bootloader, waits for a firmware",
            "cargador de arranque, espera un firmware",
        ),
        PortState::NoFirmware => say("no firmware", "sin firmware"),
        PortState::Garbage => say(
            "no text comes (wrong speed?)",
            "no llega texto (¿velocidad equivocada?)",
        ),
        PortState::Silent => say(
            "silent (a program that prints nothing, or no MicroPython)",
            "en silencio (un programa que no imprime, o no hay MicroPython)",
        ),
        PortState::Busy {
            holder: Some(holder),
        } => match lang {
            Lang::En => format!("in use by {holder}"),
            Lang::Es => format!("en uso por {holder}"),
        },
        PortState::Busy { holder: None } => {
            say("in use by another program", "en uso por otro programa")
        }
        PortState::Denied => say(
            "no permission; umqtt doctor says what to do",
            "sin permiso; umqtt doctor dice qué hacer",
        ),
        PortState::Failed { message } => message.clone(),
    }
}

/// The word for `--json`, in English whatever the language.
pub fn state_word(state: &PortState) -> &'static str {
    match state {
        PortState::Prompt { .. } => "prompt",
        PortState::Running { .. } => "running",
        PortState::Bootloader => "bootloader",
        PortState::NoFirmware => "no firmware",
        PortState::Garbage => "garbage",
        PortState::Silent => "silent",
        PortState::Busy { .. } => "busy",
        PortState::Denied => "denied",
        PortState::Failed { .. } => "failed",
    }
}

fn object(row: &Row, lang: Lang) -> Value {
    let mut object = json!({ "port": row.port });
    if let Some(usb) = &row.usb {
        object["vendor_id"] = json!(usb.vendor_id);
        object["product_id"] = json!(usb.product_id);
        object["manufacturer"] = json!(usb.manufacturer);
        object["product"] = json!(usb.product);
        object["serial"] = json!(usb.serial);
        object["chip"] = json!(usb.chip());
    }
    let boards: Vec<&str> = candidates(row)
        .iter()
        .map(|board| board.name.as_str())
        .collect();
    object["boards"] = json!(boards);
    if let Some(state) = &row.state {
        object["state"] = json!(state_word(state));
        object["message"] = json!(state_text(state, lang));
        match state {
            PortState::Prompt { firmware, machine } => {
                object["firmware"] = json!(firmware);
                object["machine"] = json!(machine);
            }
            PortState::Busy { holder } => object["holder"] = json!(holder),
            PortState::Running { heard } => object["heard"] = json!(heard),
            _ => {}
        }
    }
    object
}
