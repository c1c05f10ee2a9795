//! The owner's handle on a simulated board: start it, find its device, drive its pins, end it.

use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use crate::config::SimConfig;
use crate::console::Console;
use crate::error::SimError;
use crate::page::Page;
use crate::peripherals::Peripherals;
use crate::supervisor::{Channels, Order, Supervisor};
use crate::walls::Walls;

/// Wakes the board's thread up for an order.
#[derive(Clone)]
pub(crate) struct Waker(Arc<PipeWriter>);

impl Waker {
    pub(crate) fn wake(&self) {
        // A thread that has gone needs no waking.
        let _ = (&*self.0).write(&[0]);
    }
}

/// A running simulated board. Dropping it ends its process and thread; its device goes with it.
pub struct SimBoard {
    device: PathBuf,
    walls: Walls,
    orders: Sender<Order>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl SimBoard {
    /// Starts a board: power comes on, boot.py and main.py run if the folder has them.
    pub fn start(mut config: SimConfig) -> Result<SimBoard, SimError> {
        let root = |source| SimError::Root {
            path: config.root.clone(),
            source,
        };
        let canonical = config.root.canonicalize().map_err(root)?;
        if !canonical.is_dir() {
            return Err(root(std::io::ErrorKind::NotADirectory.into()));
        }
        config.root = canonical;
        let version = config.micropython.implementation().version.clone();
        let console = Console::open().map_err(SimError::system("open a pseudo-terminal"))?;
        let page = Page::new().map_err(SimError::system("share memory"))?;
        let (wake, waker) = std::io::pipe().map_err(SimError::system("open a pipe"))?;
        let waker = Waker(Arc::new(waker));
        let (orders, order_receiver) = channel();
        let device = console.device().to_path_buf();
        let (started, start_result) = channel();
        let channels = Channels {
            orders: order_receiver,
            order_sender: orders.clone(),
            waker: waker.clone(),
            wake,
        };
        let thread = std::thread::Builder::new()
            .name("simulated board".to_string())
            .spawn(move || {
                Supervisor::new(config, console, page, Peripherals::new(), channels).run(started);
            })
            .map_err(SimError::system("start a thread"))?;
        let mut board = SimBoard {
            device,
            walls: Walls::default(),
            orders,
            waker,
            thread: Some(thread),
        };
        match start_result.recv() {
            Ok(Ok(walls)) => {
                board.walls = walls;
                Ok(board)
            }
            Ok(Err(output)) => Err(SimError::Start { version, output }),
            Err(_) => Err(SimError::Start {
                version,
                output: "its thread ended".to_string(),
            }),
        }
    }

    /// The serial device: any client that opens serial ports can open it.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// Which of the kernel's walls stand around the board's process.
    pub fn walls(&self) -> Walls {
        self.walls
    }

    /// Presses the reset button.
    pub fn reset(&self) {
        self.order(Order::Reset);
    }

    fn order(&self, order: Order) {
        // The thread outlives this handle unless MicroPython itself cannot be started any more.
        if self.orders.send(order).is_ok() {
            self.waker.wake();
        }
    }
}

impl Drop for SimBoard {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic in it was already shown.
            let _ = thread.join();
        }
    }
}
