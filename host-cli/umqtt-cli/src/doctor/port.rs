//! What a port gives away when it is opened: who else has it, whether a firmware answers.

use board_link::{Lang, LinkError, PortState};

use super::computer::{self, System};
use super::{Check, Finding};

/// What a look at the port says. Nothing is interrupted for it.
pub fn findings(port: &str, state: &PortState, system: &System, lang: Lang) -> Vec<Finding> {
    let opened = |message: &str| {
        vec![
            Finding::well(Check::Permission, port.to_owned()),
            Finding::well(Check::InUse, message.to_owned()),
        ]
    };
    let alone = lang.pick(
        "no other program has the port",
        "ningún otro programa tiene el puerto",
    );
    let firmware = match state {
        PortState::Denied => return vec![computer::permission(port, system, lang)],
        PortState::Busy { holder } => {
            return vec![
                Finding::well(Check::Permission, port.to_owned()),
                in_use(port, holder.as_deref(), lang),
            ];
        }
        PortState::Failed { message } => {
            let help = lang.pick(
                "umqtt ports lists the ports there are",
                "umqtt ports lista los puertos que hay",
            );
            return vec![Finding::problem(Check::Cable, message.clone(), help)];
        }
        PortState::Prompt { firmware, .. } => Finding::well(Check::Firmware, firmware.clone()),
        PortState::Running { heard } => Finding::well(
            Check::Firmware,
            match lang {
                Lang::En => format!("a program runs: {heard}"),
                Lang::Es => format!("hay un programa en marcha: {heard}"),
            },
        ),
        PortState::Silent => Finding::unknown(
            Check::Firmware,
            lang.pick(
                "nothing comes of its own accord",
                "no llega nada por sí solo",
            ),
        ),
        PortState::Bootloader => Finding::problem(
            Check::Firmware,
            lang.pick(
                "the board is in its bootloader and waits for a firmware",
                "la placa está en su cargador de arranque y espera un firmware",
            ),
            match lang {
                Lang::En => format!(
                    "let go of BOOT and press reset (EN); if it has no MicroPython: umqtt flash --port {port} --board NAME"
                ),
                Lang::Es => format!(
                    "suelta BOOT y pulsa reset (EN); si no tiene MicroPython: umqtt flash --port {port} --board NOMBRE"
                ),
            },
        ),
        PortState::NoFirmware => Finding::problem(
            Check::Firmware,
            lang.pick("the board has no firmware", "la placa no tiene firmware"),
            match lang {
                Lang::En => {
                    format!("umqtt flash --port {port} --board NAME (umqtt boards lists the names)")
                }
                Lang::Es => format!(
                    "umqtt flash --port {port} --board NOMBRE (umqtt boards lista los nombres)"
                ),
            },
        ),
        PortState::Garbage => Finding::problem(
            Check::Firmware,
            lang.pick(
                "what comes is no text: the speed is wrong, or it is no MicroPython",
                "lo que llega no es texto: la velocidad no es esa, o no es MicroPython",
            ),
            match lang {
                Lang::En => format!(
                    "press reset (EN) and try again; if it stays so: umqtt flash --port {port} --board NAME"
                ),
                Lang::Es => format!(
                    "pulsa reset (EN) e inténtalo otra vez; si sigue igual: umqtt flash --port {port} --board NOMBRE"
                ),
            },
        ),
    };
    let mut findings = opened(alone);
    findings.push(firmware);
    findings
}

fn in_use(port: &str, holder: Option<&str>, lang: Lang) -> Finding {
    let Some(holder) = holder else {
        return Finding::problem(
            Check::InUse,
            match lang {
                Lang::En => format!("another program has {port}"),
                Lang::Es => format!("otro programa tiene {port}"),
            },
            lang.pick(
                "close Thonny, the serial monitor or the other umqtt",
                "cierra Thonny, el monitor serie o el otro umqtt",
            ),
        );
    };
    // "name (number)"
    let number = holder
        .rsplit_once('(')
        .map(|(_, rest)| rest.trim_end_matches(')'));
    let message = match lang {
        Lang::En => format!("{holder} has {port}"),
        Lang::Es => format!("{holder} tiene {port}"),
    };
    let help = match (number, lang) {
        (Some(number), Lang::En) => format!("close it, or: kill {number}"),
        (Some(number), Lang::Es) => format!("ciérralo, o: kill {number}"),
        (None, Lang::En) => "close it".to_owned(),
        (None, Lang::Es) => "ciérralo".to_owned(),
    };
    Finding::problem(Check::InUse, message, help)
}

/// Why the board's REPL could not be reached although the port is open.
pub fn unreachable(error: &LinkError, lang: Lang) -> Finding {
    Finding::problem(Check::Firmware, error.message(lang), error.help(lang))
}
