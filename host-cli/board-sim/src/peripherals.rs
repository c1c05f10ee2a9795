//! The board's peripherals, kept outside Python: pins, timers, sensors, Wi-Fi.

use std::time::Instant;

use crate::child::Child;
use crate::page::{PINS, Page};
use crate::supervisor::ResetCause;

pub(crate) struct Peripherals {}

impl Peripherals {
    pub(crate) fn new() -> Peripherals {
        Peripherals {}
    }

    pub(crate) fn hard_reset(&mut self, page: &Page, _cause: ResetCause) {
        for pin in 0..PINS {
            page.pin(pin).clear(true);
        }
    }

    pub(crate) fn soft_reset(&mut self, page: &Page) {
        for pin in 0..PINS {
            page.pin(pin).clear_irq();
        }
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn fire_timers(&mut self, _child: &mut Child, _page: &Page) {}

    pub(crate) fn set_input(
        &mut self,
        pin: usize,
        value: u8,
        page: &Page,
        _child: Option<&mut Child>,
    ) {
        page.pin(pin).set_input(value);
    }

    pub(crate) fn answer(
        &mut self,
        _name: &str,
        _text: &str,
        _page: &Page,
    ) -> Result<Vec<u8>, i32> {
        Err(22)
    }

    pub(crate) fn notice(&mut self, _name: &str, _text: &str, _page: &Page) {}
}
