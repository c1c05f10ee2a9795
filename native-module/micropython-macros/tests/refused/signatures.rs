//! Signatures that do not fit their function.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[function]
    #[signature(a)]
    fn left_out(a: i32, b: i32) -> i32 {
        a + b
    }

    #[function]
    #[signature(a, b)]
    fn too_many(a: i32) -> i32 {
        a
    }

    #[function]
    #[signature(b, a)]
    fn order(a: i32, b: i32) -> i32 {
        a - b
    }

    #[function]
    #[signature(a = 1, b)]
    fn default_before(a: i32, b: i32) -> i32 {
        a + b
    }

    #[function]
    #[signature(**kwargs, a)]
    fn behind_kwargs(kwargs: Dict, a: i32) -> i32 {
        a
    }

    #[function]
    #[signature(*args, *, a)]
    fn two_stars(args: &[Obj], a: i32) -> i32 {
        a
    }

    #[function]
    #[signature(a: int)]
    fn bare_type(a: i32) -> i32 {
        a
    }

    #[function]
    #[signature = "a"]
    fn no_list(a: i32) -> i32 {
        a
    }

    #[function]
    fn on_the_parameter(#[default(5)] a: i32) -> i32 {
        a
    }
}

fn main() {}
