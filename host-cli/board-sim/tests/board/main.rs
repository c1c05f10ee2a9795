//! The simulated board from outside: what a client on its serial port, a lesson's script and its owner see.
//!
//! Every test runs real MicroPython. Where none can be had the test says so by name; with
//! `UMQTT_REQUIRE_ALL` set that is a failure.

#![cfg(unix)]

mod bench;
mod find;
mod interrupts;
mod link;
mod modules;
mod mpremote;
mod network;
mod processes;
mod repl;
mod walls;
