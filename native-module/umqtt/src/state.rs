//! What a client keeps between calls and no script needs to see.

use core::ptr::addr_of_mut;

use micropython::{BytesBuilder, Error, Obj, Result, alloc, qstr};
use mqtt_core::Session;

use crate::EMPTY_BYTES;

/// Largest packet that is put together in memory and written in one call, in bytes. A larger one is written in
/// two: as much as fits, then the rest straight from the caller's object.
pub const PACKET_BUFFER_MAX: usize = 8192;

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
    /// Bytes of `out`.
    out_len: usize,
    /// A block for packets to send, kept from one call to the next; NULL while in use or before first use.
    out: *mut u8,
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
            return Err(Error::text(qstr!("RuntimeError"), c"_state was changed"));
        }
        Ok(memory.as_ptr().cast())
    }

    /// Takes a block of at least `len` bytes for a packet; `None` if there is no memory for it.
    ///
    /// # Safety
    /// `this` must come from [`State::of`].
    pub unsafe fn take_out(this: *mut State, len: usize) -> Option<(*mut u8, usize)> {
        // SAFETY: as the caller promises. The block leaves the state while it is used, so that a nested
        // call takes another one.
        unsafe {
            let (block, size) = (*addr_of_mut!((*this).out), *addr_of_mut!((*this).out_len));
            addr_of_mut!((*this).out).write(core::ptr::null_mut());
            if !block.is_null() && size >= len {
                return Some((block, size));
            }
        }
        let size = len.next_power_of_two();
        alloc(size).map(|block| (block, size))
    }

    /// Gives a block back for the next packet.
    ///
    /// # Safety
    /// `this` must come from [`State::of`], the block from [`State::take_out`].
    pub unsafe fn return_out(this: *mut State, (block, size): (*mut u8, usize)) {
        // SAFETY: as the caller promises.
        unsafe {
            addr_of_mut!((*this).out).write(block);
            addr_of_mut!((*this).out_len).write(size);
        }
    }
}
