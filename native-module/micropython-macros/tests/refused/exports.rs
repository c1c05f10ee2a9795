//! Exports that say too little.

use micropython::prelude::*;

mod elsewhere {}

#[module]
mod refused {
    #[export]
    use crate::elsewhere::*;
}

fn main() {}
