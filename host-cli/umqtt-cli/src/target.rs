//! Decides which board a command works on.

use board_link::{Board, Lang, PortSpec, Timeouts, Transport};

use crate::display::Sender;
use crate::failure::Failure;
use crate::simulated::Simulated;
use crate::stop::Stop;
use crate::trace;

/// A board that was chosen and not yet spoken to.
pub enum Target {
    /// To be started by us.
    Simulated,
    /// Attached, and opened.
    Real(Box<dyn Transport>),
}

impl Target {
    /// What `--port` means; without it, the one attached board, else the simulated one.
    pub fn choose(port: Option<&str>, display: &Sender, lang: Lang) -> Result<Self, Failure> {
        let link = |error| Failure::from_link(&error, lang);
        let asked: PortSpec = port.unwrap_or("auto").parse().map_err(link)?;
        let meant = board_link::resolve(&asked).map_err(link)?;
        if meant == PortSpec::Sim {
            if asked == PortSpec::Auto {
                display.note(lang.pick(
                    "no board is attached: using the simulated one",
                    "no hay ninguna placa conectada: se usa la simulada",
                ));
            }
            return Ok(Self::Simulated);
        }
        let transport = board_link::open(&meant).map_err(link)?;
        Ok(Self::Real(trace::watched(transport)))
    }
}

/// Multiplies every time-out: for an emulated board on a computer that has other things to do.
const PATIENCE: &str = "UMQTT_PATIENCE";

/// How long a board may take.
pub fn timeouts() -> Timeouts {
    let factor = std::env::var(PATIENCE)
        .ok()
        .and_then(|text| text.parse().ok());
    let factor: u32 = factor.unwrap_or(1).clamp(1, 100);
    let usual = Timeouts::default();
    Timeouts {
        enter: usual.enter * factor,
        // A pause says the same however slow the board is.
        quiet: usual.quiet,
        reply: usual.reply * factor,
        boot: usual.boot * factor,
        exec: usual.exec * factor,
        stop: usual.stop * factor,
        write: usual.write * factor,
    }
}

/// Reaches the raw REPL of a board, whatever it was doing.
pub fn connect(transport: Box<dyn Transport>, lang: Lang) -> Result<Board, Failure> {
    Board::connect(transport, timeouts()).map_err(|error| Failure::from_link(&error, lang))
}

/// A board at its raw REPL, and what keeps it alive where it is simulated.
pub struct Reached {
    pub board: Board,
    _simulated: Option<Simulated>,
}

/// Chooses a board and reaches it, for commands that need no broker.
pub fn reach(
    port: Option<&str>,
    display: &Sender,
    stop: &Stop,
    lang: Lang,
) -> Result<Reached, Failure> {
    let (transport, simulated) = match Target::choose(port, display, lang)? {
        Target::Simulated => {
            let simulated = Simulated::start(None, display, stop, lang)?;
            (simulated.open(lang)?, Some(simulated))
        }
        Target::Real(transport) => (transport, None),
    };
    Ok(Reached {
        board: connect(transport, lang)?,
        _simulated: simulated,
    })
}

/// Leaves a board as its user expects it: fresh, at its ordinary prompt, or running what it ran before.
pub fn leave(board: &mut Board, lang: Lang) -> Result<(), Failure> {
    let link = |error| Failure::from_link(&error, lang);
    board.soft_reset().map_err(link)?;
    board.leave().map_err(link)
}
