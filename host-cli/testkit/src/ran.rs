//! Decides how a test says that the umqtt module of an architecture ran, and on what: the README's table is made of it.

use mpy_link::Arch;

/// What such a line begins with.
pub const RAN: &str = "ran: ";

/// Reports that umqtt's module for `arch` did its work on `what`. `xtask` reads these lines.
pub fn ran(arch: Arch, what: &str) {
    println!("{RAN}{}: {what}", arch.name());
}
