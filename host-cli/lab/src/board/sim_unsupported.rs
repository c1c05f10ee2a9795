//! In the place of `sim` on systems where the simulated board cannot run: there is none.

use board_link::PortSpec;

use crate::board::Names;
use crate::protocol::{PinsView, Wifi};
use crate::words::Words;

/// There is nothing to make simulated boards of.
#[derive(Debug, Clone)]
pub enum Maker {}

/// A simulated board, of which there is none here.
pub enum Sim {}

impl Maker {
    pub fn version(&self) -> String {
        match *self {}
    }

    pub fn start(&self, _: Option<Names>, _: Option<&[u8]>) -> Result<Sim, Words> {
        match *self {}
    }
}

impl Sim {
    pub fn port(&self) -> PortSpec {
        match *self {}
    }

    pub fn set_wifi_in_reach(&self, _: bool) {
        match *self {}
    }

    pub fn reset(&self) {
        match *self {}
    }

    pub fn set_input(&self, _: u8, _: Option<bool>) {
        match *self {}
    }

    pub fn switch(&self, _: u8, _: Option<bool>, _: Option<bool>) {
        match *self {}
    }

    pub fn set_resistor(&self, _: u8, _: Option<bool>) {
        match *self {}
    }

    pub fn set_adc(&self, _: u8, _: u32) {
        match *self {}
    }

    pub fn set_climate(&self, _: u8, _: Option<(f32, f32)>) {
        match *self {}
    }

    pub fn look(&self) -> (PinsView, Wifi) {
        match *self {}
    }
}
