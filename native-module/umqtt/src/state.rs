//! What a client keeps between calls and no script needs to see.

use micropython::{BytesBuilder, Obj, Result, error, qstr};
use mqtt_core::Session;

use crate::EMPTY_BYTES;

/// State of one client, in the memory of a bytes object that the client holds as `_state`: the collector keeps
/// it alive, finds the references in it, and Python code cannot write to it.
///
/// Every bit pattern is valid, so nothing that happens to that memory makes reading it undefined. Calls nest
/// (a callback publishes), so the state is reached by pointer and never borrowed across other code.
#[repr(C)]
pub struct State {
    pub session: Session,
    /// Counts packets read, so that a caller sees whether an overridden `wait_msg` read one.
    pub packets: u32,
    /// A block for packets to send, kept from one call to the next (`io::Block`); NULL while in use or before first use.
    pub block: *mut u8,
    /// Its size in bytes.
    pub block_len: usize,
    /// Topic and payload of the PUBLISH that is being received, if it is a large one.
    pub topic: Option<BytesBuilder>,
    pub payload: Option<BytesBuilder>,
}

impl State {
    /// A new client's state, as the object to be kept in `_state`. May raise MemoryError.
    pub fn create() -> Result<Obj> {
        let memory = BytesBuilder::new(EMPTY_BYTES.get(), size_of::<State>())?;
        let state = memory.data().cast::<State>();
        // SAFETY: the block is as large as the state, and blocks of MicroPython's heap are aligned to
        // four words; the zeroed state is a valid one.
        unsafe { state.write_bytes(0, 1) };
        Ok(memory.object())
    }

    /// The state of a client. Raises AttributeError if `__init__` did not run.
    #[inline]
    pub fn of(client: Obj) -> Result<*mut State> {
        let memory = client.get(qstr!("_state")).buffer();
        if memory.len() != size_of::<State>() || !memory.as_ptr().cast::<State>().is_aligned() {
            return Err(error!("RuntimeError", "_state was changed"));
        }
        Ok(memory.as_ptr().cast())
    }
}
