//! What a client keeps between calls and no script needs to see.

use micropython::{Attribute, BytesBuilder, MaybeObj, Obj, Result, error, qstr};
use mqtt_core::Session;

/// The objects of a message in flight, to be sent again should the connection be lost. Nothing for one that was read
/// from a stream.
#[derive(Clone, Copy, Default)]
pub struct Kept {
    pub topic: MaybeObj,
    pub message: MaybeObj,
}

/// State of one client, in the memory of a bytes object that the client holds as `_state`: the collector keeps
/// it alive, finds the references in it, and Python code cannot write to it.
///
/// Every bit pattern is valid, so nothing that happens to that memory makes reading it undefined. Calls nest
/// (a callback publishes), so the state is reached by pointer and never borrowed across other code.
#[repr(C)]
pub struct State {
    /// Counts packets read, so that a caller sees whether an overridden `wait_msg` read one.
    pub packets: u32,
    /// A block for packets to send, kept from one call to the next (`io::Block`); NULL while in use or before first use.
    pub block: *mut u8,
    /// Its size in bytes.
    pub block_len: usize,
    /// Topic and payload of the PUBLISH that is being received, if it is a large one.
    pub topic: Option<BytesBuilder>,
    pub payload: Option<BytesBuilder>,
    /// Topic of the last message that was not a large one. The next one's is mostly the same, and then the same object.
    pub last_topic: Option<BytesBuilder>,
    /// Where they go, and how many bytes of payload have room: those objects, or the program's buffer (`pieces`).
    pub topic_at: *mut u8,
    pub payload_at: *mut u8,
    pub payload_room: usize,
    /// The largest payload that is taken, in bytes; 0 for any.
    pub max_size: usize,
    /// What is subscribed (`again`): a dict of filters.
    pub subscriptions: MaybeObj,
    /// Messages that wait for the callback (`deliver`): a list of places, the first one taken, how many are.
    pub deferred: MaybeObj,
    pub deferred_first: u8,
    pub deferred_len: u8,
    /// 1 while the callback runs.
    pub in_callback: u8,
    /// How the innermost overridden `wait_msg` is to wait: one of `wait::Role`'s numbers, 0 by its own choice.
    pub role: u8,
    /// When the call began for which it waits, and how many milliseconds it may take.
    pub role_start: u32,
    pub role_limit: u32,
    /// The exception that the callback has raised last, which is no sign of a lost connection.
    pub callback_error: MaybeObj,
    /// The buffer for messages in pieces (`pieces`), its size, two memoryviews over it.
    pub buffer: *mut u8,
    pub buffer_len: usize,
    pub topic_view: MaybeObj,
    pub piece_view: MaybeObj,
    /// The place in the payload of the piece that is being received.
    pub piece_start: usize,
    /// While a TLS handshake is under way that does not block: when `connect` was called, and how many milliseconds it may
    /// take; else 0.
    pub shaking_since: u32,
    pub shaking_limit: u32,
    /// The socket that was closed last.
    pub closed: MaybeObj,
    /// When connecting failed last, and for how many milliseconds it is not tried again.
    pub failed_at: u32,
    pub delay: u32,
    /// The socket's timeout in milliseconds if it is one of `wait`'s; 0 if there is none.
    pub armed: u32,
    /// The same as the object that `settimeout` takes.
    pub armed_seconds: MaybeObj,
    /// A `select.poll` object that watches `sock` for reading.
    pub poller: MaybeObj,
    /// What is done with the PUBLISH that is being received: one of `pieces`' numbers.
    pub pieces: u8,
    /// Why a message was read over: one of `pieces`' numbers, 0 if none was.
    pub dropped: u8,
    /// 1 if `sock` is a TLS one, whose timeouts are those of the socket below.
    pub tls: u8,
    /// What the last `connect` was told.
    pub clean_session: u8,
    /// 1 while `again` connects.
    pub resuming: u8,
    /// 1 while the connection is known to be lost (`check_msg` with a policy).
    pub lost: u8,
    /// How often connecting has failed since.
    pub tries: u8,
    /// Last because it is large: processors reach the fields of a structure's beginning with shorter instructions.
    pub session: Session<Kept>,
}

/// Where clients have theirs.
static STATE: Attribute = Attribute::new();

impl State {
    /// A new client's state, as the object to be kept in `_state`. May raise MemoryError.
    pub fn create() -> Result<Obj> {
        let memory = BytesBuilder::new(size_of::<State>())?;
        let state = memory.data().cast::<State>();
        // SAFETY: the block is as large as the state, and blocks of MicroPython's heap are aligned to
        // four words; the zeroed state is a valid one.
        unsafe { state.write_bytes(0, 1) };
        Ok(memory.object())
    }

    /// The state of a client. Raises AttributeError if `__init__` did not run.
    #[inline]
    pub fn of(client: Obj) -> Result<*mut State> {
        let memory = client.get_own(qstr!("_state"), &STATE);
        match BytesBuilder::of(memory) {
            Some(memory) if memory.len() == size_of::<State>() => {
                let state = memory.data().cast::<State>();
                if state.is_aligned() {
                    return Ok(state);
                }
            }
            _ => {}
        }
        Err(error!("RuntimeError", "_state was changed"))
    }
}
