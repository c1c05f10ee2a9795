//! What the safe layer offers beneath its macros, one function each, for `python/tests/layer.py` to call and check.

use core::sync::atomic::{AtomicU32, Ordering};

use micropython::prelude::*;
use micropython::{BytesBuilder, Stream, enter_module, import};

/// In `.bss`.
static CALLS: AtomicU32 = AtomicU32::new(0);
/// In `.data`.
static STEP: AtomicU32 = AtomicU32::new(7);
/// Kept alive by the collector through the module's memory.
static KEPT: Static = Static::new();
/// Read-only data with addresses in it.
static NAMES: [&str; 3] = ["cero", "uno", "dos"];

/// Runs at import.
pub fn fill() {
    KEPT.set(Obj::from_items(&[
        Obj::from_text("kept"),
        Obj::from_bytes(b"bytes"),
    ]));
}

#[function]
pub fn constants() -> (Obj, Obj, Obj) {
    (Obj::none(), Obj::from_bool(true), Obj::from_bool(false))
}

#[function]
pub fn is_true(value: Obj) -> bool {
    value.is_true()
}

#[function]
pub fn int(value: Obj) -> Result<isize> {
    value.to_int()
}

#[function]
pub fn truncated(value: Obj) -> usize {
    value.to_int_truncated() & 0xff
}

#[function]
pub fn text(index: usize) -> Result<&'static str> {
    let name = NAMES.get(index);
    name.copied().ok_or_else(|| Error::new(qstr!("IndexError")))
}

#[function]
#[signature(a, b, c = 30, d = None)]
pub fn arguments(a: Obj, b: Obj, c: Obj, d: Obj) -> (Obj, Obj, Obj, Obj) {
    (a, b, c, d)
}

/// Sets `obj.value` and returns what it was.
#[function]
pub fn swap_attribute(obj: Obj, new: Obj) -> Obj {
    let old = obj.get(qstr!("value"));
    obj.set(qstr!("value"), new);
    old
}

/// `obj.method(arg)` if there is such a method, else None.
#[function]
pub fn call_method(obj: Obj, arg: Obj) -> Option<Obj> {
    let method = obj.method_maybe(qstr!("method"))?;
    Some(method.call(&[arg]))
}

/// `obj.method(1, **keywords)`.
#[function]
pub fn call_keywords(obj: Obj, keywords: Obj) -> Obj {
    obj.method(qstr!("method"))
        .call_with(&[Obj::from_int(1)], keywords)
}

/// Raises in each of the ways that there are.
#[function]
pub fn fail(kind: i32) -> Result<()> {
    Err(match kind {
        0 => Error::new(qstr!("KeyError")),
        1 => error!("ValueError", "a message with ñ"),
        2 => Error::int(qstr!("OSError"), -7),
        3 => Error::text(qstr!("OwnError"), c"of this module"),
        4 => Error::instance(Obj::global(qstr!("OwnError")).call(&[Obj::from_int(4)])),
        5 => Error::instance(enter_module(|| import(qstr!("no_such_module")))),
        _ => return Ok(()),
    })
}

/// Reads element n of an array of three, and panics if there is none.
#[function]
#[name = "panic"]
pub fn panic_at_will(n: i32) -> i32 {
    if n < 0 {
        panic!("asked for");
    }
    [0, 1, 4][n as usize]
}

#[function]
pub fn count() -> (u32, u32) {
    // Not `fetch_add`, which some boards' processors do not have.
    let (step, calls) = (STEP.load(Ordering::Relaxed), CALLS.load(Ordering::Relaxed));
    STEP.store(step + 1, Ordering::Relaxed);
    CALLS.store(calls + 1, Ordering::Relaxed);
    (calls, step)
}

#[function]
pub fn kept() -> Obj {
    KEPT.get()
}

/// Everything, ten bytes at a time; returns how many, or an errno below 0.
#[function]
pub fn copy_stream(source: Obj, target: Obj) -> Result<isize> {
    let (source, target) = (Stream::new(source), Stream::new(target));
    let mut buffer = [0u8; 10];
    let mut total = 0;
    loop {
        // SAFETY: `buffer` is a local.
        let n = match unsafe { source.read(buffer.as_mut_ptr(), buffer.len())? } {
            Ok(0) => return Ok(total),
            Ok(n) => n,
            Err(errno) => return Ok(-(errno.0 as isize)),
        };
        let mut done = 0;
        while done < n {
            // SAFETY: as above.
            match unsafe { target.write(buffer.as_ptr().add(done), n - done)? } {
                Ok(written) => done += written,
                Err(errno) => return Err(errno.into()),
            }
        }
        total += n as isize;
    }
}

#[function]
pub fn reversed_bytes(buffer: Buffer) -> Result<Obj> {
    let out = BytesBuilder::new(buffer.len())?;
    // SAFETY: no Python code runs while the bytes are borrowed, and the new object has as many.
    unsafe {
        for (i, byte) in buffer.as_slice().iter().rev().enumerate() {
            out.data().add(i).write(*byte);
        }
    }
    Ok(out.object())
}

/// By calling Python: `separator.join(items)`.
#[function]
pub fn join(separator: Obj, items: Obj) -> Obj {
    separator.method(qstr!("join")).call(&[items])
}

/// False if out of range.
#[function]
pub fn set_byte(buffer: BufferMut, index: usize, value: u8) -> bool {
    buffer.set(index, value)
}

/// A class whose instances have Python attributes only.
#[class]
pub struct Counter;

#[class]
impl Counter {
    pub const UNIT: &'static str = "pulses";

    #[signature(start = 0)]
    fn __init__(this: Obj, start: Obj) {
        this.set(qstr!("n"), start);
    }

    #[signature(step = 1)]
    fn add(this: Obj, step: i32) -> Result<isize> {
        let n = this.get(qstr!("n")).to_int()? + step as isize;
        this.set(qstr!("n"), Obj::from_int(n));
        Ok(n)
    }

    /// Calls `self.add` twice, whichever that is.
    fn twice(this: Obj) -> Obj {
        this.method(qstr!("add")).call(&[]);
        this.method(qstr!("add")).call(&[])
    }
}

/// An exception that `fail` raises by its name.
#[class(base = "ValueError")]
pub struct OwnError;
