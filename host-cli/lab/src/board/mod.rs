//! A board of the laboratory: what pages ask of it goes to its thread, and its simulated parts are moved at once.

mod files;
mod line;
mod outfit;
#[cfg_attr(not(unix), path = "sim_unsupported.rs")]
mod sim;
mod text;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use board_link::{PortSpec, Timeouts};
use broker::network::{Conditions, Network};

use crate::protocol::{Activity, BoardId, Kind, LinkView, SourceFile};
use crate::view::View;
use crate::words::Words;
use line::Line;
pub use worker::Regrets;
use worker::{Order, Worker};

pub use files::check_name;
pub use outfit::{Loan, Outfit};
pub use sim::{Maker, Sim};

/// A network that is slower than this is as good as cut.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Where host names lead on a simulated board.
#[derive(Debug, Clone)]
pub struct Names {
    /// What the names of public brokers lead to.
    pub broker: SocketAddr,
    /// What they lead to on the ports of MQTT over TLS.
    pub secure: Option<SocketAddr>,
    /// Further names.
    pub others: BTreeMap<String, SocketAddr>,
}

/// A simulated board and the network that is its own.
pub struct Simulated {
    pub sim: Sim,
    /// Between it and the broker; none where its names lead to the real ones.
    pub network: Option<Network>,
}

/// One board and its thread. Dropping it ends both.
pub struct Handle {
    id: BoardId,
    port: PortSpec,
    view: Arc<View>,
    line: Arc<Line>,
    orders: Mutex<Sender<Order>>,
    simulated: Option<Simulated>,
    thread: Option<JoinHandle<()>>,
}

/// What a board is made of.
pub struct Parts {
    pub id: BoardId,
    pub port: PortSpec,
    /// The simulated board behind the port, if it is one of ours.
    pub simulated: Option<Simulated>,
    pub view: Arc<View>,
    pub loan: Box<dyn Loan>,
    pub timeouts: Timeouts,
    pub regrets: Arc<Regrets>,
}

impl Handle {
    /// Starts the thread; the board must be known to the view.
    pub fn start(parts: Parts) -> Self {
        let Parts {
            id,
            port,
            simulated,
            view,
            loan,
            timeouts,
            regrets,
        } = parts;
        let kind = if simulated.is_some() {
            Kind::Sim
        } else {
            Kind::Real
        };
        let (orders, received) = channel();
        let line = Arc::<Line>::default();
        let worker = Worker {
            id,
            kind,
            port: port.clone(),
            line: Arc::clone(&line),
            orders: received,
            view: Arc::clone(&view),
            loan,
            timeouts,
            regrets,
            lent: false,
        };
        let thread = std::thread::spawn(move || worker.run());
        Self {
            id,
            port,
            view,
            line,
            orders: Mutex::new(orders),
            simulated,
            thread: Some(thread),
        }
    }

    pub fn port(&self) -> &PortSpec {
        &self.port
    }

    fn order(&self, order: Order) {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread outlives this handle, unless it panicked, which has been shown.
        let _ = orders.send(order);
    }

    fn activity(&self) -> Activity {
        self.view.state_of(self.id).unwrap_or(Activity::Gone)
    }

    /// Runs a program, after what runs now was stopped.
    ///
    /// # Errors
    /// Where it is none, in words.
    pub fn run(&self, program: Vec<SourceFile>, main: String) -> Result<(), Words> {
        files::check(&program, &main)?;
        self.view.files(self.id, &program, &main);
        match self.activity() {
            Activity::Idle => self.view.activity(self.id, Activity::Starting),
            Activity::Starting | Activity::Running => self.line.stop(),
            Activity::Gone => {}
        }
        self.order(Order::Run {
            files: program,
            main,
        });
        Ok(())
    }

    /// Stops the program, or what was typed at the prompt.
    pub fn stop(&self) {
        match self.activity() {
            Activity::Idle => self.line.type_in(b"\x03"),
            _ => self.line.stop(),
        }
    }

    /// Presses the reset button; a board that was lost is looked for again.
    pub fn reset(&self) {
        match &self.simulated {
            Some(simulated) => {
                simulated.sim.reset();
                if self.activity() == Activity::Gone {
                    self.order(Order::Reset);
                }
            }
            None => {
                self.line.stop();
                self.order(Order::Reset);
            }
        }
    }

    /// Types on the board's console.
    pub fn type_in(&self, text: &str) {
        self.line.type_in(text.as_bytes());
    }

    /// Presses the button at a pin, which then is at `level`, or lets it go. What it was before is not done again.
    ///
    /// # Errors
    /// A real board's is pressed by hand.
    pub fn press(&self, pin: u8, pressed: bool, level: bool, bounce: bool) -> Result<(), Words> {
        let sim = self.sim()?;
        let (from, to) = match pressed {
            true => (None, Some(level)),
            false => (Some(level), None),
        };
        let mut differs = false;
        self.view.inputs(self.id, |inputs| {
            differs = match pressed {
                true => inputs.pressed.insert(pin),
                false => inputs.pressed.remove(&pin),
            };
        });
        match (differs, bounce) {
            // It takes some milliseconds, in which pages wait: presses must come in their order.
            (true, true) => sim.switch(pin, from, to),
            _ => sim.set_input(pin, to),
        }
        Ok(())
    }

    /// Lets all buttons go.
    pub fn release(&self) {
        let mut pressed = BTreeSet::new();
        self.view.inputs(self.id, |inputs| {
            pressed = std::mem::take(&mut inputs.pressed)
        });
        if let Some(Simulated { sim, .. }) = &self.simulated {
            for pin in pressed {
                sim.set_input(pin, None);
            }
        }
    }

    /// The simulated board, for its parts.
    ///
    /// # Errors
    /// A real board's parts are moved by hand.
    pub fn sim(&self) -> Result<&Sim, Words> {
        self.simulated().map(|simulated| &simulated.sim)
    }

    fn simulated(&self) -> Result<&Simulated, Words> {
        self.simulated.as_ref().ok_or_else(|| {
            Words::new(
                "this is a real board: press, turn, measure and unplug on the board itself",
                "es una placa de verdad: pulsa, gira, mide y desconecta en la propia placa",
            )
        })
    }

    /// Cuts the board's network, slows it, or lets it lose packets; what is not named stays.
    ///
    /// # Errors
    /// Where that cannot be done, in words.
    pub fn set_network(
        &self,
        cut: Option<bool>,
        delay: Option<Duration>,
        loss: Option<f64>,
    ) -> Result<(), Words> {
        let Simulated { sim, network } = self.simulated()?;
        if let Some(loss) = loss
            && !(0.0..=100.0).contains(&loss)
        {
            return Err(Words::new(
                format!("from 0 to 100 percent of packets can be lost, not {loss}"),
                format!("se puede perder del 0 al 100 por ciento de los paquetes, no {loss}"),
            ));
        }
        let Some(network) = network else {
            return Err(Words::new(
                "with --online the board talks to the real brokers itself: its network is as it is",
                "con --online la placa habla sola con los brokers de verdad: su red es como es",
            ));
        };
        if let Some(delay) = delay {
            network.set_delay(delay.min(LONGEST_DELAY));
        }
        if let Some(loss) = loss {
            network.set_loss(loss / 100.0);
        }
        if let Some(cut) = cut {
            // The radio notices first, then its connections break.
            sim.set_wifi_in_reach(!cut);
            network.set_cut(cut);
        }
        self.look();
        Ok(())
    }

    /// Tells the pages what is new on the board; called some thirty times a second.
    pub fn look(&self) {
        self.view.console(self.id, &self.line.printed());
        if let Some(Simulated { sim, network }) = &self.simulated {
            let (pins, wifi) = sim.look();
            self.view.pins(self.id, pins);
            let conditions = network.as_ref().map(Network::conditions);
            let Conditions { cut, delay, loss } = conditions.unwrap_or_default();
            self.view.network(
                self.id,
                LinkView {
                    cut,
                    delay_ms: u32::try_from(delay.as_millis()).unwrap_or(u32::MAX),
                    // A percentage as it was given, without the noise of its last digits.
                    loss: (loss * 1e6).round() / 1e4,
                    wifi,
                },
            );
        }
    }

    /// Tells the thread to end, so that many can end at a time.
    pub fn end(&self) {
        self.order(Order::End);
        self.line.stop();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by itself.
            let _ = thread.join();
        }
    }
}
