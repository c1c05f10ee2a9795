//! Writing whole packets to a client's socket, and how the socket waits.

use micropython::{Errno, Error, Obj, Result, Stream, qstr};
use mqtt_core::encode::Sink;

/// The stream of a connected client. Raises AttributeError as umqtt.simple does when there is none.
#[inline]
pub fn socket(client: Obj) -> Result<Stream> {
    let sock = client.get(qstr!("sock"));
    if sock.is_none() {
        return Err(Error::text(
            qstr!("AttributeError"),
            c"not connected: call connect() first",
        ));
    }
    Ok(Stream::new(sock))
}

/// Puts the socket back into the mode that `connect` was asked for: blocking, or with its timeout. A script (and
/// umqtt.robust's `check_msg`) may have made it non-blocking.
#[cold]
pub fn restore_blocking(client: Obj) {
    let sock = client.get(qstr!("sock"));
    let timeout = client.get(qstr!("_timeout"));
    if !timeout.is_none() {
        // A TLS socket has no timeout of its own; that of the socket below holds for it.
        let owner = sock.method_maybe(qstr!("settimeout"));
        let owner = owner.or_else(|| client.get(qstr!("_raw")).method_maybe(qstr!("settimeout")));
        if let Some(set) = owner {
            set.call(&[timeout]);
            return;
        }
    }
    if let Some(set) = sock.method_maybe(qstr!("setblocking")) {
        set.call(&[Obj::from_bool(true)]);
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

/// Goes on after a write that did not take everything.
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
    loop {
        match answer {
            Ok(0) => return Err(Errno(BROKEN_PIPE).into()),
            Ok(n) => {
                done += n;
                may_restore = true;
            }
            // A packet must not be left half sent: wait, as umqtt.simple's blocking socket does.
            Err(Errno::AGAIN) if may_restore => {
                restore_blocking(client);
                may_restore = false;
            }
            Err(errno) => return Err(errno.into()),
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

/// Memory that a packet is written to: the stack's or a block's, not initialised before.
pub struct Memory {
    at: *mut u8,
    left: usize,
}

impl Memory {
    /// # Safety
    /// `start` must be writable for `len` bytes, which nobody else uses while this value is.
    #[inline(always)]
    pub unsafe fn new(start: *mut u8, len: usize) -> Self {
        Memory {
            at: start,
            left: len,
        }
    }
}

impl Sink for Memory {
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> core::result::Result<(), mqtt_core::Error> {
        if bytes.len() > self.left {
            return Err(mqtt_core::Error::BufferTooSmall);
        }
        // SAFETY: there is room, see `new`.
        unsafe {
            self.at
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            self.at = self.at.add(bytes.len());
        }
        self.left -= bytes.len();
        Ok(())
    }
}
