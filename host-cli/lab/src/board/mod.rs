//! A board of the laboratory: what pages ask of it goes to its thread, and its simulated parts are moved at once.

mod files;
mod line;
mod outfit;
#[cfg_attr(not(unix), path = "sim_unsupported.rs")]
mod sim;
mod text;
mod worker;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use board_link::{PortSpec, Timeouts};

use crate::protocol::{Activity, BoardId, Kind, LinkView, SourceFile};
use crate::view::View;
use crate::words::Words;
use line::Line;
use worker::{Order, Worker};

pub use outfit::{Loan, Outfit};
pub use sim::{Maker, Sim};

/// One board and its thread. Dropping it ends both.
pub struct Handle {
    id: BoardId,
    port: PortSpec,
    view: Arc<View>,
    line: Arc<Line>,
    orders: Mutex<Sender<Order>>,
    sim: Option<Sim>,
    thread: Option<JoinHandle<()>>,
}

/// What a board is made of.
pub struct Parts {
    pub id: BoardId,
    pub port: PortSpec,
    /// The simulated board behind the port, if it is one of ours.
    pub sim: Option<Sim>,
    pub view: Arc<View>,
    pub loan: Box<dyn Loan>,
    pub timeouts: Timeouts,
}

impl Handle {
    /// Starts the thread; the board must be known to the view.
    pub fn start(parts: Parts) -> Self {
        let Parts {
            id,
            port,
            sim,
            view,
            loan,
            timeouts,
        } = parts;
        let kind = if sim.is_some() { Kind::Sim } else { Kind::Real };
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
        };
        let thread = std::thread::spawn(move || worker.run());
        Self {
            id,
            port,
            view,
            line,
            orders: Mutex::new(orders),
            sim,
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
        self.view.files(self.id, &program);
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
        match &self.sim {
            Some(sim) => {
                sim.reset();
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

    /// The simulated board, for its parts.
    ///
    /// # Errors
    /// A real board's parts are moved by hand.
    pub fn sim(&self) -> Result<&Sim, Words> {
        self.sim.as_ref().ok_or_else(|| {
            Words::new(
                "this is a real board: press, turn and measure on the board itself",
                "es una placa de verdad: pulsa, gira y mide en la propia placa",
            )
        })
    }

    /// Tells the pages what is new on the board; called some thirty times a second.
    pub fn look(&self) {
        self.view.console(self.id, &self.line.printed());
        if let Some(sim) = &self.sim {
            let (pins, wifi) = sim.look();
            self.view.pins(self.id, pins);
            self.view.network(
                self.id,
                LinkView {
                    cut: false,
                    delay_ms: 0,
                    loss: 0.0,
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
