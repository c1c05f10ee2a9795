//! What the tests share: boards to talk to, faults, and skipping that cannot look green.

pub mod faulty;
pub mod model;
pub mod qemu;
pub mod random;
