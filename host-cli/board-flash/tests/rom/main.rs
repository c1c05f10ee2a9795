//! How Espressif's chips are flashed, against a fake of their ROMs' bootloaders.
#![cfg(unix)]

mod esp32;
mod esp8266;
mod unplugged;
