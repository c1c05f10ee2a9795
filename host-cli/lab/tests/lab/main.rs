//! The laboratory as pages meet it: over HTTP and its WebSocket, with simulated boards that run real MicroPython.
#![cfg(unix)]

mod boards;
mod class;
mod client;
mod network;
mod outside;
mod project;
mod real;
mod secure;
mod security;
