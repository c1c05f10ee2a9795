//! Protocols that a class cannot have.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[class]
    struct Exclusive {
        memory: Block,
    }

    #[class]
    impl Exclusive {
        #[new]
        fn new() -> Result<Self> {
            Ok(Exclusive {
                memory: Block::zeroed(1)?,
            })
        }

        #[buffer]
        fn memory(&mut self) -> Block {
            self.memory
        }
    }

    #[class]
    struct NoResult;

    #[class]
    impl NoResult {
        #[new]
        fn new() -> Self {
            NoResult
        }

        #[stream_read]
        fn read(&mut self, _into: Buffer, _more: usize) {}
    }
}

fn main() {}
