//! `umqtt reset`: decides how a board is started anew: Python alone, the chip, or the chip's bootloader.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use board_link::{Board, Ending, Lang, LinkError, Timeouts, Transport};

use crate::board_options::ResetOptions;
use crate::direct;
use crate::failure::{Failure, Status};
use crate::stop::Stop;

/// How long a reset line is held.
const PULSE: Duration = Duration::from_millis(100);
/// How long the boot pin is held after the chip has started (esptool's classic sequence).
const BOOT_PIN: Duration = Duration::from_millis(50);

pub fn run(options: &ResetOptions, lang: Lang) -> Result<(), Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    let stop = Stop::on_signals(lang)?;
    let (transport, _simulated) = direct::open(&options.port, &stop, lang)?;
    let mut board = Board::new(transport, Timeouts::default());
    if !options.hard && !options.bootloader {
        board.enter_raw().map_err(link)?;
        return board.restart().map_err(link);
    }
    let (call, en, es) = if options.hard {
        ("machine.reset()", "be reset", "reiniciar")
    } else {
        (
            "machine.bootloader()",
            "enter its bootloader",
            "entrar en su cargador",
        )
    };
    // Python first: it works over any connection. A board that does not answer is reset by its lines.
    let by_python = (board.enter_raw()).and_then(|()| {
        board.exec_streaming(
            &format!("import machine\n{call}\n"),
            &mut |_| {},
            &AtomicBool::new(false),
        )
    });
    match by_python {
        Ok(run) if run.ending == Ending::Restarted => return Ok(()),
        // The board went away before its last word: that is what was asked for.
        Err(LinkError::Lost { .. }) => return Ok(()),
        Ok(run) if run.ending != Ending::Raised => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    let mut transport = board.into_transport();
    let done = if options.hard {
        pulse(&mut *transport)
    } else {
        boot_pin(&mut *transport)
    };
    done.map_err(|error| {
        let port = transport.describe();
        let message = match lang {
            Lang::En => format!("the board on {port} cannot {en} from here: {error}"),
            Lang::Es => format!("no se puede {es} desde aquí la placa en {port}: {error}"),
        };
        let help = if options.hard {
            lang.pick("press its RESET or EN button", "pulsa su botón RESET o EN")
        } else {
            lang.pick(
                "hold its BOOT (or BOOTSEL) button, press RESET, let go",
                "mantén pulsado BOOT (o BOOTSEL), pulsa RESET y suelta",
            )
        };
        Failure::new(Status::Failed, message, help)
    })
}

/// RTS drives EN on boards with a USB-to-serial chip; DTR stays off, so that GPIO0 stays high.
fn pulse(transport: &mut dyn Transport) -> std::io::Result<()> {
    transport.set_lines(Some(false), Some(true))?;
    std::thread::sleep(PULSE);
    transport.set_lines(None, Some(false))
}

/// DTR drives GPIO0: held low while EN rises, the ESP's ROM waits for a firmware.
fn boot_pin(transport: &mut dyn Transport) -> std::io::Result<()> {
    transport.set_lines(Some(false), Some(true))?;
    std::thread::sleep(PULSE);
    transport.set_lines(Some(true), Some(false))?;
    std::thread::sleep(BOOT_PIN);
    transport.set_lines(Some(false), None)
}
