//! Decides what a board can be measured with: whether it has a clock, a network, and a broker at the end of that, and what
//! is said where it has not.

use board_link::{Board, Execution, Lang, LinkError};

use super::board_side::Ended;
use super::{Broken, Comparison};
use crate::failure::{Failure, Status};

/// What is sent first to a board that lacks something.
pub const STAND_INS: &str = include_str!("../../../../python/bench/stand_ins.py");

/// What a firmware has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The module `socket`.
    pub network: bool,
    /// `time.ticks_us`.
    pub clock: bool,
}

impl Reach {
    /// Asks the board.
    pub fn of(board: &mut Board) -> Result<Reach, LinkError> {
        let code = "try:\n    import socket\n    print('network')\nexcept ImportError:\n    pass\n\
                    try:\n    import time\n    time.ticks_us\n    print('clock')\n\
                    except (AttributeError, ImportError):\n    pass\n";
        let said = board.exec(code).and_then(Execution::into_stdout)?;
        let has = |what: &str| said.lines().any(|line| line.trim() == what);
        Ok(Reach {
            network: has("network"),
            clock: has("clock"),
        })
    }

    /// Nothing has to stand in for anything.
    pub fn is_whole(self) -> bool {
        self.network && self.clock
    }

    /// What is not measured, and why.
    pub fn remarks(self, lang: Lang) -> Vec<String> {
        let network = lang.pick(
            "this board has no network (its firmware has no module socket): its messages go to a stream in memory, with QoS 0 \
             only; what needs a broker is not measured",
            "esta placa no tiene red (su firmware no trae el módulo socket): sus mensajes van a un flujo en memoria, solo con \
             QoS 0; lo que necesita un broker no se mide",
        );
        let clock = lang.pick(
            "this board has no clock (its firmware has no time.ticks_us): no times are measured, only memory and network",
            "esta placa no tiene reloj (su firmware no trae time.ticks_us): no se miden tiempos, solo memoria y red",
        );
        let lacking = [(self.network, network), (self.clock, clock)];
        let lacking = lacking.into_iter().filter(|(has, _)| !has);
        lacking.map(|(_, remark)| remark.to_owned()).collect()
    }
}

impl Comparison<'_> {
    /// Connects once, with a bare socket: a broker that is not there is better said at once than by every measurement.
    pub(super) fn probe(&mut self) -> Result<(), Broken> {
        let Some(broker) = self.broker else {
            return Ok(());
        };
        let said = self.talk().run("probe()");
        let why = match (said.failures.into_iter().next(), said.ended) {
            (None, Ended::Well) => return Ok(()),
            (_, Ended::Interrupted) => return Err(Broken::Interrupted),
            (_, Ended::Lost(error)) => return Err(error.into()),
            (Some((_, why)), _) | (None, Ended::Badly(why)) => why,
        };
        let name = &broker.name;
        let message = match self.lang {
            Lang::En => format!("the board cannot connect to the broker {name}: {why}"),
            Lang::Es => format!("la placa no puede conectar con el broker {name}: {why}"),
        };
        let help = if let Some((_, code)) = why.split_once("CONNACK ") {
            match code {
                // Section 3.2.2.3: bad user name or password; not authorized.
                "4" | "5" => self.lang.pick(
                    "the broker wants another user or password: --broker mqtt://user:password@host",
                    "el broker quiere otro usuario o contraseña: --broker mqtt://usuario:contraseña@host",
                ),
                _ => self.lang.pick(
                    "the broker refuses MQTT 3.1.1 or this client; its log says why",
                    "el broker rechaza MQTT 3.1.1 o este cliente; su registro dice por qué",
                ),
            }
        } else if broker.port.is_none() {
            self.lang.pick(
                "check address and port, that the broker speaks TLS there, and that the board has memory for TLS",
                "revisa dirección y puerto, que el broker hable TLS ahí y que la placa tenga memoria para TLS",
            )
        } else if self.simulated {
            self.lang.pick(
                "check address and port, and that the broker runs: umqtt broker, for example",
                "revisa dirección y puerto, y que el broker esté en marcha: por ejemplo, umqtt broker",
            )
        } else {
            self.lang.pick(
                "a real board needs its Wi-Fi: let its boot.py connect it; check address and port, and this computer's firewall",
                "una placa real necesita su Wi-Fi: que la conecte su boot.py; revisa dirección y puerto, y el cortafuegos de este equipo",
            )
        };
        Err(Broken::Said(Failure::new(Status::Failed, message, help)))
    }
}
