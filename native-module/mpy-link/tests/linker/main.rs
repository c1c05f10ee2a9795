//! The linker's tests: what goes in (`inputs`), what comes out and runs (`cases`), what is shown
//! (`dump`), what people type (`command`), and what must never crash it (`robustness`).

mod cases;
mod command;
mod dump;
mod inputs;
mod robustness;
mod support;
