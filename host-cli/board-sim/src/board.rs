//! The owner's handle on a simulated board: start it, find its device, drive its pins, end it.

use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::config::SimConfig;
use crate::console::Console;
use crate::error::SimError;
use crate::page::{PINS, Page};
use crate::peripherals::{PeripheralView, Peripherals};
use crate::supervisor::{Channels, Order, Supervisor};
use crate::walls::Walls;

/// How long a bouncing contact stays open or closed.
const BOUNCE: Duration = Duration::from_millis(1);

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
    peripherals: PeripheralView,
    orders: Sender<Order>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl SimBoard {
    /// Starts a board: power comes on, boot.py and main.py run if the folder has them.
    pub fn start(config: SimConfig) -> Result<SimBoard, SimError> {
        Self::start_with(config, crate::modules::START.to_string())
    }

    /// Starts a board with another first code than the real one.
    pub(crate) fn start_with(
        mut config: SimConfig,
        first_code: String,
    ) -> Result<SimBoard, SimError> {
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
        let page = Arc::new(Page::new().map_err(SimError::system("share memory"))?);
        let peripherals =
            Peripherals::new(page.clone(), config.networks.clone(), mac_for(&config.root));
        let view = peripherals.view();
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
            first_code,
        };
        let thread = std::thread::Builder::new()
            .name("simulated board".to_string())
            .spawn(move || {
                Supervisor::new(config, console, page, peripherals, channels).run(started);
            })
            .map_err(SimError::system("start a thread"))?;
        let mut board = SimBoard {
            device,
            walls: Walls::default(),
            peripherals: view,
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

    /// What the script does to its peripherals, and the sensors it reads.
    pub fn peripherals(&self) -> &PeripheralView {
        &self.peripherals
    }

    /// Connects a pin to a level from outside, as a button or another board does; None disconnects it.
    /// An edge that the script waits for reaches its handler. Numbers no ESP32 has are ignored.
    pub fn set_input(&self, pin: u8, level: Option<bool>) {
        if usize::from(pin) < PINS {
            self.order(Order::Input {
                pin: pin.into(),
                value: connection(level),
            });
        }
    }

    /// Puts a resistor from a pin to 3.3 V (true) or ground (false), or takes it away: it holds the pin's level while
    /// nothing drives it. Numbers no ESP32 has are ignored.
    pub fn set_resistor(&self, pin: u8, level: Option<bool>) {
        if usize::from(pin) < PINS {
            self.order(Order::Resistor {
                pin: pin.into(),
                value: connection(level),
            });
        }
    }

    /// Presses a button or lets it go, as far as the pin is concerned: `from` what it was connected to, `to` what it is
    /// now. The contact bounces, as in every button: for some milliseconds, in which this waits, it opens and closes.
    pub fn switch(&self, pin: u8, from: Option<bool>, to: Option<bool>) {
        for level in [to, from, to, from] {
            self.set_input(pin, level);
            std::thread::sleep(BOUNCE);
        }
        self.set_input(pin, to);
    }

    /// What an ADC on this pin measures from now on, in microvolts.
    pub fn set_adc(&self, pin: u8, microvolts: u32) {
        if usize::from(pin) < PINS {
            self.order(Order::Microvolts {
                pin: pin.into(),
                microvolts,
            });
        }
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

/// How the shared page writes what a pin is connected to.
fn connection(level: Option<bool>) -> u8 {
    match level {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    }
}

/// A hardware address in Espressif's range that is the board's own: two boards in two folders differ.
fn mac_for(root: &Path) -> [u8; 6] {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    let [a, b, c, ..] = hasher.finish().to_le_bytes();
    [0x24, 0x0a, 0xc4, a, b, c & 0xfe]
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
