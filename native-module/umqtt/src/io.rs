//! Writing whole packets to a client's socket, and how the socket waits.

use core::ptr::NonNull;

use micropython::{Attribute, Errno, Obj, Result, Stream, alloc, error, free, qstr};
use mqtt_core::encode::Sink;

use crate::state::State;
use crate::wait;

/// The stream of a connected client. Raises AttributeError as umqtt.simple does when there is none.
#[inline]
pub fn socket(client: Obj) -> Result<Stream> {
    static SOCK: Attribute = Attribute::new();
    let sock = client.get_own(qstr!("sock"), &SOCK);
    if sock.is_none() {
        return Err(error!(
            "AttributeError",
            "not connected: call connect() first"
        ));
    }
    Ok(Stream::new(sock))
}

/// Puts the socket back into the mode in which it waits: blocking, or with the timeout that `wait` has given it. A script
/// (and umqtt.robust's `check_msg`) may have made it non-blocking.
#[cold]
pub fn restore_blocking(client: Obj) {
    let sock = client.get(qstr!("sock"));
    // SAFETY: the state is the client's own.
    let limit = State::of(client).map(|state| unsafe { (*state).armed_seconds.get() });
    if let Ok(Some(limit)) = limit {
        // A TLS socket has no timeout of its own; that of the socket below holds for it.
        let owner = sock.method_maybe(qstr!("settimeout"));
        let owner = owner.or_else(|| client.get(qstr!("_raw")).method_maybe(qstr!("settimeout")));
        if let Some(set) = owner {
            set.call(&[limit]);
            return;
        }
    }
    set_blocking(sock, true);
}

/// Switches blocking on or off, where the socket can do that.
pub fn set_blocking(sock: Obj, blocks: bool) {
    if let Some(set) = sock.method_maybe(qstr!("setblocking")) {
        set.call(&[Obj::from_bool(blocks)]);
    }
}

/// Closes the socket, if there is one that this has not closed before: its number may be another one's by now.
#[cold]
pub fn close(client: Obj) {
    let sock = client.get(qstr!("sock"));
    let Ok(state) = State::of(client) else {
        return;
    };
    // SAFETY: the state is the client's own.
    let closed = unsafe { core::mem::replace(&mut (*state).closed, sock.into()) };
    if sock.is_true() && closed.get() != Some(sock) {
        sock.call_method(qstr!("close"), &[]);
    }
}

/// Writes all of a packet. One call of the stream, unless it takes only part.
///
/// # Safety
/// `from` must be readable for `len` bytes, in memory that stays where it is while other code runs.
#[inline]
pub unsafe fn write_all(client: Obj, stream: Stream, from: *const u8, len: usize) -> Result<()> {
    // SAFETY: as the caller promises.
    match unsafe { stream.write(from, len)? } {
        Ok(n) if n == len => Ok(()),
        // SAFETY: as the caller promises.
        other => unsafe { write_rest(client, stream, from, len, other) },
    }
}

/// Writes a small packet.
#[inline(never)]
pub fn send(client: Obj, packet: &[u8]) -> Result<()> {
    let stream = socket(client)?;
    // SAFETY: the packet is a constant or a local of the caller's.
    unsafe { write_all(client, stream, packet.as_ptr(), packet.len()) }
}

/// Goes on after a write that did not take everything. A packet must not be left half sent: where the rest cannot be
/// written, the connection is closed.
#[cold]
unsafe fn write_rest(
    client: Obj,
    stream: Stream,
    from: *const u8,
    len: usize,
    first: core::result::Result<usize, Errno>,
) -> Result<()> {
    let mut done = 0;
    let mut answer = first;
    let mut may_restore = true;
    let mut waited = 0;
    loop {
        let errno = match answer {
            Ok(0) => Some(Errno(BROKEN_PIPE)),
            Ok(n) => {
                done += n;
                may_restore = true;
                None
            }
            Err(Errno::AGAIN) if wait::shakes_hands(client)? => None,
            // Wait, as umqtt.simple's blocking socket does.
            Err(Errno::AGAIN) if may_restore => {
                restore_blocking(client);
                may_restore = false;
                None
            }
            Err(errno) => (!wait::may_write_again(client, errno, &mut waited)?).then_some(errno),
        };
        if let Some(errno) = errno {
            if done > 0 {
                close(client);
            }
            return Err(errno.into());
        }
        if done >= len {
            return Ok(());
        }
        // SAFETY: `done` is below `len`.
        answer = unsafe { stream.write(from.add(done), len - done)? };
    }
}

/// `EPIPE`: the stream takes no more bytes.
const BROKEN_PIPE: i32 = 32;

/// A block of the collected heap in which a packet is put together. Blocks of up to [`KEPT_MAX`] bytes are kept by
/// the client for its next packet, so that sending leaves no garbage; larger ones are freed at once. If writing
/// raises, the collector finds the block.
pub struct Block {
    start: NonNull<u8>,
    len: usize,
}

/// Largest block that a client keeps, in bytes: three full TCP segments of an Ethernet.
pub const KEPT_MAX: usize = 3 * 1460;

impl Block {
    /// A block of at least `len` bytes; `None` if there is no room for it.
    ///
    /// # Safety
    /// `state` must come from [`State::of`].
    pub unsafe fn take(state: *mut State, len: usize) -> Option<Self> {
        // SAFETY: as the caller promises. The block leaves the state while it is used, so that a call from a
        // callback takes another one.
        let (start, kept) = unsafe {
            let start = core::mem::replace(&mut (*state).block, core::ptr::null_mut());
            (start, (*state).block_len)
        };
        if let Some(kept_start) = NonNull::new(start) {
            if kept >= len {
                return Some(Block {
                    start: kept_start,
                    len: kept,
                });
            }
            // SAFETY: the state has let go of it.
            unsafe { free(start) };
        }
        let start = NonNull::new(alloc(len)?)?;
        Some(Block { start, len })
    }

    /// Frees the block that the client keeps, if there is one.
    ///
    /// # Safety
    /// `state` must come from [`State::of`].
    pub unsafe fn drop_kept(state: *mut State) {
        // SAFETY: as the caller promises; the state lets go of the block first.
        unsafe {
            let start = core::mem::replace(&mut (*state).block, core::ptr::null_mut());
            if !start.is_null() {
                free(start);
            }
        }
    }

    /// What the block is filled through. Only one such value at a time may be used.
    pub fn memory(&self) -> Memory {
        // SAFETY: the block is this value's own.
        unsafe { Memory::new(self.start.as_ptr(), self.len) }
    }

    /// Writes the block's first `n` bytes, which must have been filled, and gives the block back.
    ///
    /// # Safety
    /// `state` must come from [`State::of`].
    pub unsafe fn send(self, client: Obj, state: *mut State, n: usize) -> Result<()> {
        // SAFETY: the collector does not move the block, which is given back once.
        unsafe {
            let result = send(
                client,
                core::slice::from_raw_parts(self.start.as_ptr(), n.min(self.len)),
            );
            self.give_back(state);
            result
        }
    }

    /// Where it begins, and how many bytes there are.
    #[inline(always)]
    pub fn place(&self) -> (*mut u8, usize) {
        (self.start.as_ptr(), self.len)
    }

    /// Gives the block back.
    ///
    /// # Safety
    /// `state` must come from [`State::of`].
    pub unsafe fn give_back(self, state: *mut State) {
        // SAFETY: nobody uses the block after it is freed or given back.
        unsafe {
            if self.len <= KEPT_MAX && (*state).block.is_null() {
                (*state).block = self.start.as_ptr();
                (*state).block_len = self.len;
            } else {
                free(self.start.as_ptr());
            }
        }
    }

    /// Writes the block's first `filled` bytes, then `size` bytes that are read from a stream, block by block.
    pub fn send_from(&self, client: Obj, filled: usize, from: Stream, size: usize) -> Result<()> {
        let to = socket(client)?;
        let (mut filled, mut left) = (filled, size);
        loop {
            while left > 0 && filled < self.len {
                let want = left.min(self.len - filled);
                // SAFETY: within the block, which the collector does not move.
                match unsafe { from.read(self.start.as_ptr().add(filled), want)? } {
                    Ok(0) => return Err(error!("ValueError", "stream ended early")),
                    Ok(n) => {
                        filled += n;
                        left -= n;
                    }
                    Err(errno) => return Err(errno.into()),
                }
            }
            // SAFETY: as above.
            unsafe { write_all(client, to, self.start.as_ptr(), filled)? };
            if left == 0 {
                return Ok(());
            }
            filled = 0;
        }
    }
}

/// Memory that a packet is written to: the stack's or a block's, not initialised before.
pub struct Memory {
    at: *mut u8,
    end: *mut u8,
}

impl Memory {
    /// # Safety
    /// `start` must be writable for `len` bytes, which nobody else uses while this value is.
    #[inline(always)]
    pub unsafe fn new(start: *mut u8, len: usize) -> Self {
        Memory {
            at: start,
            // SAFETY: as the caller promises.
            end: unsafe { start.add(len) },
        }
    }

    /// How many bytes there is room for.
    #[inline(always)]
    pub fn left(&self) -> usize {
        // SAFETY: both are of one memory, see `new`.
        unsafe { self.end.offset_from_unsigned(self.at) }
    }

    /// Adds as much of `bytes` as there is room for.
    ///
    /// # Safety
    /// `from` must be readable for `len` bytes.
    #[inline(never)]
    pub unsafe fn fill(&mut self, from: *const u8, len: usize) {
        let n = len.min(self.left());
        // SAFETY: there is room, see `new`.
        unsafe {
            let at = self.at;
            self.at = at.add(n);
            copy(at, from, n);
        }
    }
}

/// Copies bytes, in fewer instructions than the interpreter's `memmove`, which takes a call and then 5 to 6 for each word
/// on boards.
///
/// # Safety
/// As for `ptr::copy_nonoverlapping`.
#[inline(never)]
pub unsafe fn copy(at: *mut u8, from: *const u8, n: usize) {
    // SAFETY: as the caller promises; words lie as they should.
    unsafe {
        let (mut at, mut from) = (at, from);
        let end = from.add(n);
        if n >= SHORT {
            if size_of::<usize>() != WORD || (at.addr() | from.addr()) % WORD != 0 {
                at.copy_from_nonoverlapping(from, n);
                return;
            }
            let last = end.wrapping_sub(BLOCK);
            while from <= last {
                block(&mut at, &mut from);
            }
            let last = end.sub(WORD);
            while from <= last {
                word(&mut at, &mut from);
            }
        }
        while from != end {
            // Volatile, or the compiler would call the `memmove` that is to be avoided.
            at.write_volatile(from.read());
            (at, from) = (at.add(1), from.add(1));
        }
    }
}

/// Copies a word and goes on behind it.
///
/// # Safety
/// There must be one, where words lie.
#[inline(always)]
unsafe fn word(at: &mut *mut u8, from: &mut *const u8) {
    // SAFETY: as the caller promises.
    unsafe {
        // Volatile, as above.
        at.cast::<u32>().write_volatile(from.cast::<u32>().read());
        (*at, *from) = (at.add(WORD), from.add(WORD));
    }
}

/// Copies [`BLOCK`] bytes and goes on behind them.
///
/// # Safety
/// There must be as many, where words lie.
#[inline(always)]
unsafe fn block(at: &mut *mut u8, from: &mut *const u8) {
    // SAFETY: as the caller promises.
    #[cfg(target_arch = "arm")]
    unsafe {
        // Four words an instruction, of registers that the smallest cores have.
        core::arch::asm!(
            "ldmia {from}!, {{r2, r3, r4, r5}}",
            "stmia {at}!, {{r2, r3, r4, r5}}",
            "ldmia {from}!, {{r2, r3, r4, r5}}",
            "stmia {at}!, {{r2, r3, r4, r5}}",
            from = inout(reg) *from,
            at = inout(reg) *at,
            out("r2") _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: as the caller promises.
    #[cfg(not(target_arch = "arm"))]
    unsafe {
        // Written out, since the compiler makes a loop of a loop where code is to be small.
        four(at, from);
        four(at, from);
        four(at, from);
        four(at, from);
    }
}

/// Copies four words and goes on behind them.
///
/// # Safety
/// There must be as many, where words lie.
#[cfg(not(target_arch = "arm"))]
#[inline(always)]
unsafe fn four(at: &mut *mut u8, from: &mut *const u8) {
    // SAFETY: as the caller promises.
    unsafe {
        word(at, from);
        word(at, from);
        word(at, from);
        word(at, from);
    }
}

/// Bytes are copied by words where both sides have the same distance from multiples of this.
pub const ALIGNMENT: usize = WORD;

/// Bytes of a `u32`, which is what boards copy at a time.
const WORD: usize = size_of::<u32>();

/// How many bytes are copied between two looks at how many are left.
const BLOCK: usize = if cfg!(target_arch = "arm") { 32 } else { 64 };

/// Fewer bytes are copied one by one: `memmove` takes longer.
const SHORT: usize = 16;

impl Sink for &mut Memory {
    #[inline(always)]
    fn room(&self) -> usize {
        self.left()
    }

    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        // SAFETY: `bytes` is a slice.
        unsafe { self.fill(bytes.as_ptr(), bytes.len()) }
    }

    #[inline(never)]
    fn byte(&mut self, byte: u8) {
        let at = self.at;
        if at != self.end {
            // SAFETY: there is room, see `new`.
            unsafe {
                at.write(byte);
                self.at = at.add(1);
            }
        }
    }
}
