//! The board's peripherals, kept outside Python: pins, PWM, pixels, sensors, timers, Wi-Fi, storage.
//!
//! Levels live in the shared page, so that a script reads and writes them at memory speed; everything
//! else is told or asked by the modules in `python/sim`. The owner of the board sees a snapshot and a
//! stream of events, and drives the inputs.

mod storage;
mod timers;
mod wifi;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::child::Child;
use crate::config::WifiNetwork;
use crate::page::{PINS, Page, PinBytes, PinMode};
use crate::supervisor::ResetCause;

pub use wifi::WifiState;

const EINVAL: i32 = 22;

/// One thing that a script did, for a display.
#[derive(Clone, Debug, PartialEq)]
pub enum PeripheralEvent {
    /// A pin was set up or changed its output.
    Pin(PinState),
    /// PWM on a pin was started or changed; None is off.
    Pwm { pin: u8, pwm: Option<Pwm> },
    /// A strip of pixels was written.
    Pixels { pin: u8, colours: Vec<[u8; 4]> },
    /// The radio did something.
    Wifi(WifiState),
    /// The board was reset; `soft` keeps pins and Wi-Fi.
    Reset { soft: bool },
}

/// What one pin is and shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinState {
    pub pin: u8,
    pub mode: PinMode,
    /// What a meter on the pin would show.
    pub level: bool,
    /// It is an input that nothing drives and no resistor holds: what it reads is chance.
    pub floats: bool,
}

/// A square wave on a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pwm {
    /// In hertz.
    pub frequency: u32,
    /// 0 to 65535, the latter always on.
    pub duty: u16,
}

/// What a DHT11 or DHT22 measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Climate {
    /// In degrees Celsius, shown to a tenth.
    pub temperature: f32,
    /// Relative, in percent, shown to a tenth.
    pub humidity: f32,
}

impl Default for Climate {
    fn default() -> Climate {
        Climate {
            temperature: 24.0,
            humidity: 40.0,
        }
    }
}

/// All that can be seen of the peripherals at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct PeripheralSnapshot {
    /// The pins in use, by number.
    pub pins: Vec<PinState>,
    pub pwm: BTreeMap<u8, Pwm>,
    /// Red, green, blue and white of each pixel, by the pin of the strip.
    pub pixels: BTreeMap<u8, Vec<[u8; 4]>>,
    pub wifi: WifiState,
}

/// State that both the owner and the board's thread see.
#[derive(Default)]
struct Shared {
    pwm: BTreeMap<u8, Pwm>,
    pixels: BTreeMap<u8, Vec<[u8; 4]>>,
    /// None is a pin with nothing connected; a pin that is not here has the default sensor.
    climates: BTreeMap<u8, Option<Climate>>,
    /// What a sensor measured last, and when.
    measured: BTreeMap<u8, (Instant, Climate)>,
    wifi: wifi::Wifi,
    listeners: Vec<Sender<PeripheralEvent>>,
}

/// The owner's view of the peripherals of one board.
#[derive(Clone)]
pub struct PeripheralView {
    page: Arc<Page>,
    shared: Arc<Mutex<Shared>>,
}

impl PeripheralView {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Every change to the state is complete in itself, so a panic elsewhere leaves it usable.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything as it is now.
    pub fn snapshot(&self) -> PeripheralSnapshot {
        let shared = self.lock();
        PeripheralSnapshot {
            pins: (0..PINS)
                .map(|pin| pin_state(&self.page, pin))
                .filter(|state| state.mode != PinMode::Unused)
                .collect(),
            pwm: shared.pwm.clone(),
            pixels: shared.pixels.clone(),
            wifi: shared.wifi.state(Instant::now()),
        }
    }

    /// From now on, all that happens. A receiver that is dropped is forgotten.
    pub fn events(&self) -> Receiver<PeripheralEvent> {
        let (sender, receiver) = channel();
        self.lock().listeners.push(sender);
        receiver
    }

    /// Takes all Wi-Fi networks out of reach, or brings them back. Names lead nowhere meanwhile; what carries the board's
    /// connections is its owner's affair.
    pub fn set_wifi_in_reach(&self, in_reach: bool) {
        let (sender, state) = {
            let mut shared = self.lock();
            let before = shared.wifi.state(Instant::now());
            shared.wifi.set_in_reach(in_reach, Instant::now());
            let after = shared.wifi.state(Instant::now());
            if before == after {
                return;
            }
            (shared.listeners.clone(), after)
        };
        for listener in sender {
            // Whoever has gone is forgotten with the next event.
            let _ = listener.send(PeripheralEvent::Wifi(state.clone()));
        }
    }

    /// What there is to measure for the sensor on a pin from now on: it shows with its next measurement. None unplugs it.
    pub fn set_climate(&self, pin: u8, climate: Option<Climate>) {
        let mut shared = self.lock();
        if climate.is_none() {
            shared.measured.remove(&pin);
        }
        shared.climates.insert(pin, climate);
    }
}

fn pin_state(page: &Page, pin: usize) -> PinState {
    let bytes = page.pin(pin);
    PinState {
        pin: pin as u8,
        mode: bytes.mode(),
        level: bytes.level(),
        floats: bytes.floats(),
    }
}

/// The board's side of the peripherals.
pub(crate) struct Peripherals {
    view: PeripheralView,
    timers: timers::Timers,
    storage: storage::Storage,
    /// Six bytes, as `machine.unique_id` and the radio show them.
    mac: [u8; 6],
}

impl Peripherals {
    pub(crate) fn new(page: Arc<Page>, networks: Vec<WifiNetwork>, mac: [u8; 6]) -> Peripherals {
        let shared = Shared {
            wifi: wifi::Wifi::new(networks, mac),
            ..Shared::default()
        };
        Peripherals {
            view: PeripheralView {
                page,
                shared: Arc::new(Mutex::new(shared)),
            },
            timers: timers::Timers::default(),
            storage: storage::Storage::default(),
            mac,
        }
    }

    pub(crate) fn view(&self) -> PeripheralView {
        self.view.clone()
    }

    fn tell(&self, event: PeripheralEvent) {
        self.view
            .lock()
            .listeners
            .retain(|listener| listener.send(event.clone()).is_ok());
    }

    /// Everything a script set is gone; what is connected from outside stays.
    pub(crate) fn hard_reset(&mut self, cause: ResetCause) {
        for pin in 0..PINS {
            self.view.page.pin(pin).clear();
        }
        self.timers.clear();
        self.storage.reset(cause);
        {
            let mut shared = self.view.lock();
            shared.pwm.clear();
            shared.pixels.clear();
            shared.wifi.reset();
        }
        self.tell(PeripheralEvent::Reset { soft: false });
    }

    /// Pins keep their levels and Wi-Fi its connection; interrupts, PWM and timers end, as in
    /// ports/esp32/main.c after `soft_reset_exit`.
    pub(crate) fn soft_reset(&mut self) {
        for pin in 0..PINS {
            self.view.page.pin(pin).clear_irq();
        }
        self.timers.soft_reset();
        self.view.lock().pwm.clear();
        self.tell(PeripheralEvent::Reset { soft: true });
    }

    /// When a timer or the watchdog is due.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Sends the timers that are due; true if the watchdog has waited too long.
    pub(crate) fn fire_timers(&mut self, child: &mut Child) -> bool {
        for timer in self.timers.due(Instant::now()) {
            // An event too many is lost, as on a board whose queue is full.
            child.send_event(&[b'T', timer], &self.view.page);
        }
        self.timers.watchdog_barks(Instant::now())
    }

    /// Something outside drives a pin: 0 nothing, 1 low, 2 high. An edge the script waits for reaches it.
    pub(crate) fn set_input(&mut self, pin: usize, value: u8, child: Option<&mut Child>) {
        self.connect(pin, child, |bytes| bytes.set_input(value));
    }

    /// A resistor outside holds a pin: 0 none, 1 low, 2 high. An edge the script waits for reaches it.
    pub(crate) fn set_resistor(&mut self, pin: usize, value: u8, child: Option<&mut Child>) {
        self.connect(pin, child, |bytes| bytes.set_resistor(value));
    }

    fn connect(
        &mut self,
        pin: usize,
        child: Option<&mut Child>,
        change: impl FnOnce(&PinBytes<'_>),
    ) {
        let bytes = self.view.page.pin(pin);
        let before = bytes.level();
        change(&bytes);
        let after = bytes.level();
        if before == after {
            return;
        }
        let edge = if after { 1 } else { 2 };
        if bytes.irq() & edge != 0
            && let Some(child) = child
        {
            // An event too many is lost, as on a board whose queue is full.
            child.send_event(&[b'I', pin as u8], &self.view.page);
        }
        self.tell(PeripheralEvent::Pin(pin_state(&self.view.page, pin)));
    }

    /// Answers a module's request, in words; the error is an errno.
    pub(crate) fn answer(&mut self, name: &str, text: &str) -> Result<Vec<u8>, i32> {
        let hex = |bytes: &[u8]| to_hex(bytes).into_bytes();
        match name {
            "wifi" => {
                let (answer, changed) = {
                    let mut shared = self.view.lock();
                    let before = shared.wifi.state(Instant::now());
                    let answer = shared.wifi.ask(text, Instant::now()).ok_or(EINVAL)?;
                    let after = shared.wifi.state(Instant::now());
                    (answer, (before != after).then_some(after))
                };
                if let Some(state) = changed {
                    self.tell(PeripheralEvent::Wifi(state));
                }
                Ok(answer.into_bytes())
            }
            "dht" => {
                let mut numbers = text.split(' ').map(|n| n.parse::<u64>().ok());
                let (Some(Some(pin)), Some(Some(seconds))) = (numbers.next(), numbers.next())
                else {
                    return Err(EINVAL);
                };
                Ok(self.measure(pin as u8, Duration::from_secs(seconds)))
            }
            "cut-off" => Ok(u8::from(self.cut_off()).to_string().into_bytes()),
            "unique-id" => Ok(hex(&self.mac)),
            // A chip that has run for a while: 53 degrees Celsius.
            "temperature" => Ok(b"127".to_vec()),
            "rtc" => Ok(self.storage.clock_offset().to_string().into_bytes()),
            "rtc-memory" => Ok(hex(self.storage.rtc_memory())),
            "nvs-set" | "nvs-get" | "nvs-erase" => self.storage.nvs(name, text).ok_or(EINVAL),
            _ => Err(EINVAL),
        }
    }

    /// True where no network is in reach, or the script uses the Wi-Fi and is not connected: it has no network then.
    pub(crate) fn cut_off(&self) -> bool {
        self.view.lock().wifi.cut_off(Instant::now())
    }

    fn measure(&self, pin: u8, pause: Duration) -> Vec<u8> {
        let mut shared = self.view.lock();
        let Some(now) = shared
            .climates
            .get(&pin)
            .copied()
            .unwrap_or(Some(Climate::default()))
        else {
            return Vec::new();
        };
        let climate = match shared.measured.get(&pin) {
            Some((at, climate)) if at.elapsed() < pause => *climate,
            _ => {
                shared.measured.insert(pin, (Instant::now(), now));
                now
            }
        };
        let tenths = |value: f32| (value * 10.0).round() as i32;
        format!(
            "{} {}",
            tenths(climate.temperature),
            tenths(climate.humidity)
        )
        .into_bytes()
    }

    /// Takes what a module only tells. What it cannot mean is left out.
    pub(crate) fn notice(&mut self, name: &str, text: &str) {
        let mut words = text.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        match name {
            "pin" => {
                if let Some(pin) = number().and_then(|n| usize::try_from(n).ok())
                    && pin < PINS
                {
                    self.tell(PeripheralEvent::Pin(pin_state(&self.view.page, pin)));
                }
            }
            "pwm" => {
                if let (Some(pin), Some(frequency), Some(duty)) = (number(), number(), number()) {
                    let pwm = (frequency > 0).then_some(Pwm {
                        frequency: frequency as u32,
                        duty: duty as u16,
                    });
                    let pin = pin as u8;
                    {
                        let mut shared = self.view.lock();
                        match pwm {
                            Some(pwm) => drop(shared.pwm.insert(pin, pwm)),
                            None => drop(shared.pwm.remove(&pin)),
                        }
                    }
                    self.tell(PeripheralEvent::Pwm { pin, pwm });
                }
            }
            "pixels" => {
                if let (Some(pin), Some(bytes_each)) = (number(), number()) {
                    let bytes = from_hex(words.next().unwrap_or_default());
                    let colours: Vec<[u8; 4]> = bytes
                        .chunks(bytes_each.clamp(3, 4) as usize)
                        .filter(|chunk| chunk.len() >= 3)
                        // On the wire green comes first.
                        .map(|c| [c[1], c[0], c[2], c.get(3).copied().unwrap_or(0)])
                        .collect();
                    let pin = pin as u8;
                    self.view.lock().pixels.insert(pin, colours.clone());
                    self.tell(PeripheralEvent::Pixels { pin, colours });
                }
            }
            "timer" => {
                if let (Some(id), Some(microseconds), Some(repeat)) = (number(), number(), number())
                {
                    self.timers.set(id, microseconds, repeat != 0);
                }
            }
            "wdt" => {
                if let Some(milliseconds) = number() {
                    self.timers.feed(milliseconds);
                }
            }
            "rtc" => {
                if let Some(seconds) = number() {
                    self.storage.set_clock_offset(seconds);
                }
            }
            "rtc-memory" => self.storage.set_rtc_memory(from_hex(text)),
            _ => {}
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
