//! A module that uses all of the safe layer, for the programs of `python/tests` to look at from outside: `layer.py`
//! what is beneath the macros (`layer`), `macros.py` what the macros make (the other files).
#![no_std]

use micropython::prelude::*;

mod classes;
mod functions;
mod layer;
mod protocols;

/// Everything that the safe layer does.
#[module]
mod testmodule {
    use super::*;

    /// The largest number that fits 16 bits.
    #[constant]
    const LARGEST: u32 = 65535;
    #[constant]
    const GREETING: &str = "¡hola!";

    #[export]
    use crate::classes::{Account, Meters, Problem, Stateless, Tagged};
    #[export]
    use crate::functions::{
        boolean, bytes, bytes_or_none, caught, caught_kind, caught_within, dict_sum, everything,
        f32_half, f64_half, i8, i64, keyword_only, list_twice, many, nested_catch, next_or_none,
        pairs, position_only, rest, set_first, string, sum, swap, u16, u64, unit, with_defaults,
    };
    #[export]
    use crate::layer::{
        Counter, OwnError, arguments, call_keywords, call_method, constants, copy_stream, count,
        fail, int, is_true, join, kept, panic_at_will, reversed_bytes, set_byte, swap_attribute,
        text, truncated,
    };
    #[export]
    use crate::protocols::{Countdown, Pipe, Pixels, Session};

    /// A function of the module itself.
    #[function]
    #[signature(a: "int", b: "int" = 2, -> "int")]
    fn multiply(a: i32, b: i32) -> i32 {
        a.wrapping_mul(b)
    }

    #[init]
    fn init(_: &Module) {
        layer::fill();
    }
}
