//! Functions that Python cannot call.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[function]
    fn of_nothing(&self) {}

    #[function]
    async fn asynchronous() {}

    #[function]
    unsafe fn dangerous() {}

    #[function]
    fn generic<T>(value: T) -> T {
        value
    }

    #[function]
    extern "C" fn foreign() {}

    #[function]
    fn in_pieces((a, b): (i32, i32)) -> i32 {
        a + b
    }

    #[function(a = 5)]
    fn arguments(a: i32) -> i32 {
        a
    }

    #[function]
    #[getter]
    fn role() {}

    #[function]
    struct NoFunction;
}

fn main() {}
