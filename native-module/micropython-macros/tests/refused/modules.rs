//! Modules that cannot be made.

use micropython::prelude::*;

#[module]
struct NoModule;

#[constant]
const OUTSIDE: i32 = 5;

#[init]
fn outside(_: &Module) {}

fn main() {}
