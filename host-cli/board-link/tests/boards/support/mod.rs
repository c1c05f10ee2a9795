//! What the tests share: boards to talk to.

pub mod model;
pub mod qemu;
