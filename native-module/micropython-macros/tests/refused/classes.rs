//! Structs and impls that cannot be classes.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[class]
    enum NoStruct {
        One,
    }

    #[class]
    struct Generic<T>(T);

    #[class(bases = "object")]
    struct Argument;

    #[class(base = object)]
    struct BareBase;

    #[class(name = "two words")]
    struct Name;

    #[class(base = "a.b.c")]
    struct DeepBase;

    trait Trait {}

    #[class]
    struct OfATrait;

    #[class]
    impl Trait for OfATrait {}
}

fn main() {}
