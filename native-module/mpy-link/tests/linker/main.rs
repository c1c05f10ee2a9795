//! The linker's tests: what goes in (`inputs`), what comes out and runs (`cases`), what differs between boards
//! (`boards`; modules for them run in the test kit, which has the boards), what is shown
//! (`dump`), Xtensa with its literals (`xtensa`), what people type (`command`), malformed files and the exact words of
//! their errors (`malformed`), and what must never crash it (`robustness`, with `damage` and `peak`).

mod boards;
mod cases;
mod command;
mod damage;
mod dump;
mod elf;
mod inputs;
mod malformed;
mod peak;
mod robustness;
mod support;
mod xtensa;
