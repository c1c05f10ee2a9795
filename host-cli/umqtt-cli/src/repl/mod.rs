//! What `umqtt repl` knows beyond the bytes that pass: what the line with the cursor says, and what was entered before.

pub mod history;
pub mod screen;
