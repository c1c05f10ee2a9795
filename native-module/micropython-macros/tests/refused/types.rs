//! Types that Python has no value of.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[function]
    fn parameter(value: char) {}

    #[function]
    fn result() -> core::time::Duration {
        core::time::Duration::ZERO
    }

    #[function]
    #[signature(value = None)]
    fn none_for_an_int(value: i32) -> i32 {
        value
    }

    #[function]
    #[signature(*args)]
    fn rest_as_a_list(args: List) {}

    #[function]
    #[signature(**kwargs)]
    fn kwargs_as_an_object(kwargs: Obj) {}

    #[function]
    fn rest_unmarked(args: &[Obj]) {}
}

fn main() {}
