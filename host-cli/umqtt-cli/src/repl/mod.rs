//! What `umqtt repl` knows beyond the bytes that pass: what the line with the cursor says, what was entered
//! before, and whether the board has started anew.

pub mod history;
pub mod restart;
pub mod screen;
