//! Members that do not fit their class.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[class]
    struct Receivers;

    #[class]
    impl Receivers {
        fn none() {}
    }

    #[class]
    struct Named;

    #[class]
    impl Named {
        fn of_another_name(object: Obj) {}
    }

    #[class]
    struct Taken;

    #[class]
    impl Taken {
        #[new]
        fn new() -> Self {
            Taken
        }

        fn away(self) {}
    }

    #[class]
    struct WithoutNew;

    #[class]
    impl WithoutNew {
        fn method(&self) {}
    }

    #[class]
    struct Setters;

    #[class]
    impl Setters {
        #[setter]
        fn value(this: Obj, value: i32) {}
    }

    #[class]
    struct WriteOnly;

    #[class]
    impl WriteOnly {
        #[setter]
        fn set_value(this: Obj, value: i32) {}
    }

    #[class]
    struct Roles;

    #[class]
    impl Roles {
        #[getter]
        #[staticmethod]
        fn value() {}
    }

    #[class]
    struct Twins;

    #[class]
    impl Twins {
        fn one(this: Obj) {}
        #[name = "one"]
        fn two(this: Obj) {}
    }

    #[class]
    struct StaticSelf;

    #[class]
    impl StaticSelf {
        #[staticmethod]
        fn method(&self) {}
    }
}

fn main() {}
