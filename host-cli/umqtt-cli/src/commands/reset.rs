//! `umqtt reset`: decides how a board is started anew: Python alone, the chip, or the chip's bootloader, in the way that
//! its file in `boards/` says and, where that does not help, by Python or by the lines that most boards have.

use std::time::{Duration, Instant};

use board_data::Step;
use board_link::{Board, Ending, Lang, LinkError, Step as Doing, Transport};
use serde_json::json;

use crate::direct;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::options::board::ResetOptions;
use crate::output;
use crate::stop::Stop;
use crate::target;

/// A board whose lines were moved says something or goes away within this time, where it answered before.
const SIGN: Duration = Duration::from_secs(2);
const SLICE: Duration = Duration::from_millis(20);

/// Espressif's number for USB devices: a port of theirs is the chip itself, without a USB-to-serial chip between.
const ESPRESSIF: u16 = 0x303a;

/// What is to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Chip,
    Bootloader,
}

pub fn run(options: &ResetOptions, lang: Lang) -> Result<(), Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    let stop = Stop::on_signals(lang)?;
    let (transport, _simulated) = direct::open(&options.port, &stop, lang)?;
    let mut board = Board::new(transport, target::timeouts());
    let kind = match (options.hard, options.bootloader) {
        (true, _) => Kind::Chip,
        (_, true) => Kind::Bootloader,
        _ => {
            board.enter_raw().map_err(link)?;
            board.restart().map_err(link)?;
            return tell("python", None, None, lang);
        }
    };
    // What it is, it says itself; where it does not answer, its port may know.
    let answers = unless_lost(board.enter_raw()).map_err(link)?.is_some();
    let info = match answers {
        true => unless_lost(board.info()).map_err(link)?,
        false => None,
    };
    let port = board.port();
    let usb = board_link::list()
        .ok()
        .and_then(|ports| ports.into_iter().find(|info| info.device == port)?.usb);
    let known = info
        .and_then(|info| board_data::of_machine(&info.machine))
        .or_else(|| {
            only(board_data::of_usb(
                usb.as_ref()?.vendor_id,
                usb.as_ref()?.product_id,
            ))
        });
    let own_usb = (usb.as_ref()).is_some_and(|usb| usb.vendor_id == ESPRESSIF);
    if let Some(known) = known
        && kind == Kind::Bootloader
        && known.reset.bootloader.is_empty()
    {
        let message = match lang {
            Lang::En => format!("{} has no bootloader", known.title),
            Lang::Es => format!("{} no tiene cargador de arranque", known.title),
        };
        let help = lang.pick(
            "umqtt reset --hard starts it anew",
            "umqtt reset --hard la reinicia",
        );
        return Err(Failure::new(Status::Failed, message, help));
    }
    let mut reasons = Vec::new();
    for steps in ways(kind, known, own_usb) {
        let by = if moves_lines(&steps) {
            "lines"
        } else {
            "python"
        };
        match perform(board, &steps, answers, usb.is_some()) {
            (_, Outcome::Done) => {
                return tell(kind.word(), known, Some(by), lang);
            }
            (_, Outcome::Lost(error)) => return Err(link(error)),
            (same, why) => {
                reasons.push(why.text(lang));
                board = same;
            }
        }
    }
    reasons.dedup();
    Err(failure(kind, &port, &reasons, lang))
}

/// A line that broke says nothing about the board; anything else that failed does.
fn unless_lost<T>(result: Result<T, LinkError>) -> Result<Option<T>, LinkError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ LinkError::Lost { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Bootloader => "bootloader",
        }
    }
}

/// Says what was done, to programs always, to people where they have to do something now.
fn tell(
    kind: &str,
    board: Option<&board_data::Board>,
    by: Option<&str>,
    lang: Lang,
) -> Result<(), Failure> {
    if lines::wanted() {
        let board = board.map(|board| board.name.as_str());
        let fields = json!({ "kind": kind, "board": board, "by": by });
        return lines::print("reset", fields, lang);
    }
    if kind == Kind::Bootloader.word() {
        let text = lang.pick(
            "the board waits for a firmware; umqtt flash puts one there\n",
            "la placa espera un firmware; umqtt flash le pone uno\n",
        );
        return output::print(text.as_bytes(), lang);
    }
    Ok(())
}

/// The one board that it may be.
fn only(boards: Vec<&'static board_data::Board>) -> Option<&'static board_data::Board> {
    match boards.as_slice() {
        [board] => Some(board),
        _ => None,
    }
}

/// What is tried, in this order.
fn ways(kind: Kind, known: Option<&board_data::Board>, own_usb: bool) -> Vec<Vec<Step>> {
    let code = match kind {
        Kind::Chip => "import machine; machine.reset()",
        Kind::Bootloader => "import machine; machine.bootloader()",
    };
    let python = vec![Step::Run(code.to_owned())];
    let Some(known) = known else {
        // Python works over any connection; a board that does not answer may have the lines of an ESP32 board.
        let usual = board_data::find("esp32").map(|board| match kind {
            Kind::Chip => board.reset.hard.clone(),
            Kind::Bootloader => board.reset.bootloader.clone(),
        });
        return [Some(python), usual].into_iter().flatten().collect();
    };
    let own = match kind {
        Kind::Chip => &known.reset.hard,
        Kind::Bootloader if !own_usb && !known.reset.bootloader_by_uart.is_empty() => {
            &known.reset.bootloader_by_uart
        }
        Kind::Bootloader => &known.reset.bootloader,
    };
    if moves_lines(own) {
        return vec![own.clone(), python];
    }
    vec![own.clone()]
}

fn moves_lines(steps: &[Step]) -> bool {
    (steps.iter()).any(|step| matches!(step, Step::Dtr(_) | Step::Rts(_)))
}

/// What came of one way.
enum Outcome {
    Done,
    NoLines(std::io::Error),
    /// The board answered before and after as if nothing had happened.
    NoEffect,
    /// Python's last line.
    Refused(String),
    NoPython,
    /// The line broke before the board had been told all.
    Lost(LinkError),
}

impl Outcome {
    fn text(&self, lang: Lang) -> String {
        match self {
            Self::Done => String::new(),
            Self::NoLines(error) if error.kind() == std::io::ErrorKind::Unsupported => lang
                .pick(
                    "this kind of connection has no reset lines (DTR, RTS)",
                    "este tipo de conexión no tiene líneas de reinicio (DTR, RTS)",
                )
                .to_owned(),
            Self::NoLines(error) => match lang {
                Lang::En => format!("the port has no reset lines (DTR, RTS): {error}"),
                Lang::Es => format!(
                    "el puerto no tiene líneas de reinicio (DTR, RTS): {}",
                    lang.reason(error)
                ),
            },
            Self::NoEffect => lang
                .pick(
                    "it does not follow the reset lines (DTR, RTS)",
                    "no hace caso a las líneas de reinicio (DTR, RTS)",
                )
                .to_owned(),
            Self::Refused(line) => match lang {
                Lang::En => format!("its Python says {line}"),
                Lang::Es => format!("su Python dice {line}"),
            },
            Self::NoPython => lang
                .pick("its Python does not answer", "su Python no responde")
                .to_owned(),
            Self::Lost(error) => error.message(lang),
        }
    }
}

fn failure(kind: Kind, port: &str, reasons: &[String], lang: Lang) -> Failure {
    let (en, es, help) = match kind {
        Kind::Chip => (
            "be reset",
            "reiniciar",
            lang.pick("press its RESET or EN button", "pulsa su botón RESET o EN"),
        ),
        Kind::Bootloader => (
            "enter its bootloader",
            "poner en su cargador",
            lang.pick(
                "hold its BOOT (or BOOTSEL) button, press RESET, let go",
                "mantén pulsado BOOT (o BOOTSEL), pulsa RESET y suelta",
            ),
        ),
    };
    let reasons = reasons.join("; ");
    let message = match lang {
        Lang::En => format!("the board on {port} cannot {en} from here: {reasons}"),
        Lang::Es => format!("no se puede {es} desde aquí la placa en {port}: {reasons}"),
    };
    Failure::new(Status::Failed, message, help)
}

/// Does the steps; gives the board back for another way.
fn perform(mut board: Board, steps: &[Step], answers: bool, usb: bool) -> (Board, Outcome) {
    if let [Step::Run(code)] = steps {
        let outcome = if answers {
            by_python(&mut board, code, usb)
        } else {
            Outcome::NoPython
        };
        return (board, outcome);
    }
    let mut transport = board.into_transport();
    let outcome = by_lines(&mut *transport, steps, answers);
    (Board::new(transport, target::timeouts()), outcome)
}

fn by_python(board: &mut Board, code: &str, usb: bool) -> Outcome {
    board.timeouts_mut().stop = Duration::from_secs(1);
    match board.exec_within(code, SIGN) {
        Ok(run) if run.ending == Ending::Raised => {
            let line = run.stderr.trim_end().lines().last().unwrap_or_default();
            Outcome::Refused(line.to_owned())
        }
        // A USB port may go with its board before the board has said that it has the code; other lines stay.
        Err(
            error @ LinkError::Lost {
                step: Doing::Send, ..
            },
        ) if !usb => Outcome::Lost(error),
        // A board that goes away, falls silent or talks at another speed does what was asked for.
        Ok(_) | Err(_) => Outcome::Done,
    }
}

fn by_lines(transport: &mut dyn Transport, steps: &[Step], answers: bool) -> Outcome {
    let mut moved = false;
    for step in steps {
        let set = match step {
            Step::Dtr(level) => transport.set_lines(Some(*level), None),
            Step::Rts(level) => transport.set_lines(None, Some(*level)),
            Step::Wait(time) => {
                std::thread::sleep(*time);
                continue;
            }
            // No board has both; its rules say so.
            Step::Run(_) => continue,
        };
        match set {
            Ok(()) => moved = true,
            Err(error) if !moved => return Outcome::NoLines(error),
            // A chip that is its own USB device goes away while it is reset.
            Err(_) => return Outcome::Done,
        }
    }
    // A board that kept silent before gives no sign that could be told from its silence.
    if !answers || gives_a_sign(transport) {
        Outcome::Done
    } else {
        Outcome::NoEffect
    }
}

/// At its raw prompt a board says nothing, until it starts anew.
fn gives_a_sign(transport: &mut dyn Transport) -> bool {
    let deadline = Instant::now() + SIGN;
    let mut buffer = [0; 64];
    while Instant::now() < deadline {
        match transport.read(&mut buffer, SLICE) {
            Ok(0) => {}
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A port that notes how its lines move, and speaks up or not once they have.
    struct Port {
        moves: Arc<Mutex<Vec<String>>>,
        has_lines: bool,
        speaks: bool,
    }

    impl Transport for Port {
        fn read(&mut self, buffer: &mut [u8], _: Duration) -> std::io::Result<usize> {
            if self.speaks && !self.moves.lock().expect("the moves").is_empty() {
                buffer[0] = b'e';
                return Ok(1);
            }
            Ok(0)
        }
        fn write(&mut self, _: &[u8], _: Duration) -> std::io::Result<()> {
            Ok(())
        }
        fn describe(&self) -> String {
            "a port".to_owned()
        }
        fn set_lines(&mut self, dtr: Option<bool>, rts: Option<bool>) -> std::io::Result<()> {
            if !self.has_lines {
                return Err(std::io::ErrorKind::Unsupported.into());
            }
            let level =
                |name: &str, level: bool| format!("{name} {}", if level { "on" } else { "off" });
            let mut moves = self.moves.lock().expect("the moves");
            moves.extend(dtr.map(|on| level("dtr", on)));
            moves.extend(rts.map(|on| level("rts", on)));
            Ok(())
        }
    }

    fn moves(steps: &[Step]) -> Vec<String> {
        let noted = Arc::default();
        let mut port = Port {
            moves: Arc::clone(&noted),
            has_lines: true,
            speaks: true,
        };
        assert!(matches!(by_lines(&mut port, steps, true), Outcome::Done));
        noted.lock().expect("the moves").clone()
    }

    #[test]
    fn a_known_board_is_reset_as_its_file_says() {
        let board = |name| board_data::find(name).expect("a board");
        let first = |name, kind, own_usb| ways(kind, Some(board(name)), own_usb).remove(0);
        let pulse = ["dtr off", "rts on", "rts off"];
        let by_chip = ["dtr off", "rts on", "dtr on", "rts off", "dtr off"];
        for name in ["esp32", "esp8266", "esp32-c3", "esp32-c6", "esp32-s3"] {
            assert_eq!(moves(&first(name, Kind::Chip, false)), pulse, "{name}");
            let steps = first(name, Kind::Bootloader, false);
            assert_eq!(moves(&steps), by_chip, "{name}");
        }
        // The chip's own USB device reads the lines in another way.
        let by_itself = [
            "rts off", "dtr off", "dtr on", "rts on", "dtr off", "rts off",
        ];
        for name in ["esp32-c3", "esp32-c6"] {
            let steps = first(name, Kind::Bootloader, true);
            assert_eq!(moves(&steps), by_itself, "{name}");
        }
        for name in ["pico-w", "pico-2-w"] {
            for (kind, code) in [
                (Kind::Chip, "import machine; machine.reset()"),
                (Kind::Bootloader, "import machine; machine.bootloader()"),
            ] {
                let all = ways(kind, Some(board(name)), false);
                assert_eq!(all, [[Step::Run(code.to_owned())]], "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_board_is_asked_by_python_first() {
        let all = ways(Kind::Chip, None, false);
        assert!(matches!(all[0].as_slice(), [Step::Run(_)]));
        assert_eq!(moves(&all[1]), ["dtr off", "rts on", "rts off"]);
    }

    #[test]
    fn lines_that_are_not_there_or_do_nothing_are_told_apart() {
        let steps = [Step::Rts(true), Step::Rts(false)];
        let port = |has_lines, speaks| Port {
            moves: Arc::default(),
            has_lines,
            speaks,
        };
        let outcome = by_lines(&mut port(false, true), &steps, true);
        assert!(
            outcome.text(Lang::En).contains("no reset lines"),
            "{}",
            outcome.text(Lang::En)
        );
        let outcome = by_lines(&mut port(true, false), &steps, true);
        assert!(matches!(outcome, Outcome::NoEffect));
        // Who kept silent before may do so now.
        let outcome = by_lines(&mut port(true, false), &steps, false);
        assert!(matches!(outcome, Outcome::Done));
    }
}
