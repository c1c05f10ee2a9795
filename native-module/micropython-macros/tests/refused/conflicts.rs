//! Classes that contradict themselves, which shows when they are made.

use micropython::prelude::*;

#[module]
mod refused {
    use super::*;

    #[class(base = "dict")]
    struct TwoNatives {
        memory: Block,
    }

    #[class]
    impl TwoNatives {
        #[new]
        fn new() -> Result<Self> {
            Ok(TwoNatives {
                memory: Block::zeroed(1)?,
            })
        }

        #[buffer]
        fn memory(&self) -> Block {
            self.memory
        }
    }
}

fn main() {}
