//! The linker's tests: what goes in (`inputs`), what comes out and runs (`cases`), what differs between boards
//! (`boards`; modules for them run in the test kit, which has the boards), what is shown
//! (`dump`), Xtensa with its literals (`xtensa`), what people type (`command`), and what must never crash it (`robustness`).

mod boards;
mod cases;
mod command;
mod dump;
mod inputs;
mod robustness;
mod support;
mod xtensa;
