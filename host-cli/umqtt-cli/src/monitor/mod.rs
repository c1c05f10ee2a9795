//! What a monitor knows of a broker (`model`), and how that looks on a terminal (`screen`, `terminal`).

pub mod model;
pub mod screen;
pub mod terminal;
