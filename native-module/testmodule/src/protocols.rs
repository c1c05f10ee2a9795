//! Protocols: iteration, context managers, buffers and streams.

use micropython::prelude::*;

/// An iterator.
#[class]
pub struct Countdown {
    n: u32,
}

#[class]
impl Countdown {
    #[new]
    fn new(n: u32) -> Self {
        Countdown { n }
    }

    fn __iter__(this: This<Self>) -> This<Self> {
        this
    }

    fn __next__(&mut self) -> Option<u32> {
        let next = self.n.checked_sub(1)?;
        self.n = next;
        Some(next)
    }
}

/// A context manager that swallows ValueError.
#[class]
pub struct Session {
    open: bool,
    seen: Obj,
}

#[class]
impl Session {
    #[new]
    fn new() -> Self {
        Session {
            open: false,
            seen: Obj::none(),
        }
    }

    fn __enter__(this: This<Self>) -> Result<This<Self>> {
        this.with_mut(|this| this.open = true)?;
        Ok(this)
    }

    fn __exit__(&mut self, kind: Obj, _value: Obj, _traceback: Obj) -> bool {
        self.open = false;
        self.seen = kind;
        kind == Obj::global(qstr!("ValueError"))
    }

    #[getter]
    fn state(&self) -> (bool, Obj) {
        (self.open, self.seen)
    }
}

/// Memory that Python sees as bytes.
#[class]
pub struct Pixels {
    memory: Block,
}

#[class]
impl Pixels {
    #[new]
    fn new(len: usize) -> Result<Self> {
        Ok(Pixels {
            memory: Block::zeroed(len)?,
        })
    }

    #[buffer]
    fn memory(&self) -> Block {
        self.memory
    }

    fn fill(&mut self, value: u8) {
        for byte in self.memory.bytes() {
            byte.set(value);
        }
    }

    /// What a buffer is while the state is lent exclusively.
    fn while_lent(&mut self, f: Obj) -> Obj {
        f.call(&[])
    }
}

/// A stream: what is written can be read, up to 64 bytes.
#[class]
pub struct Pipe {
    memory: [u8; 64],
    from: usize,
    to: usize,
    closed: bool,
}

#[class]
impl Pipe {
    #[new]
    fn new() -> Self {
        Pipe {
            memory: [0; 64],
            from: 0,
            to: 0,
            closed: false,
        }
    }

    #[stream_read]
    fn read(&mut self, into: Buffer) -> core::result::Result<usize, Errno> {
        if self.from == self.to && !self.closed {
            return Err(Errno::AGAIN);
        }
        let ready = self.memory.get(self.from..self.to).unwrap_or(&[]);
        let n = into.write_at(0, ready);
        self.from += n;
        Ok(n)
    }

    #[stream_write]
    fn write(&mut self, from: Buffer) -> core::result::Result<usize, Errno> {
        if self.closed {
            return Err(Errno(9));
        }
        let n = from.read_at(0, self.memory.get_mut(self.to..).unwrap_or(&mut []));
        self.to += n;
        Ok(n)
    }

    #[stream_ioctl]
    fn ioctl(&mut self, request: usize, argument: usize) -> core::result::Result<usize, Errno> {
        match request {
            // MP_STREAM_POLL: readable with something in it, writable with room.
            3 => {
                let readable = usize::from(self.from < self.to);
                let writable = usize::from(self.to < self.memory.len()) * 4;
                Ok(argument & (readable | writable))
            }
            // MP_STREAM_CLOSE.
            4 => {
                self.closed = true;
                Ok(0)
            }
            _ => Err(Errno::INVALID),
        }
    }

    fn close(&mut self) {
        self.closed = true;
    }

    #[getter]
    fn waiting(&self) -> usize {
        self.to - self.from
    }
}
