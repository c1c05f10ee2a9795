//! What the safe layer offers without its macros, one function each, for `python/tests/layer.py` to call and check.

use core::sync::atomic::{AtomicU32, Ordering};

use micropython::{
    Args, BytesBuilder, Class, Error, Function, Module, Obj, Qstr, Result, Static, Stream,
    enter_module, function, import, qstr,
};

/// In `.bss`.
static CALLS: AtomicU32 = AtomicU32::new(0);
/// In `.data`.
static STEP: AtomicU32 = AtomicU32::new(7);
/// Kept alive by the collector through the module's memory.
static KEPT: Static = Static::new();
/// Read-only data with addresses in it.
static NAMES: [&str; 3] = ["cero", "uno", "dos"];

pub fn fill(module: &Module) -> Result<()> {
    KEPT.set(Obj::from_items(&[
        Obj::from_text("kept"),
        Obj::from_bytes(b"bytes"),
    ]));
    let functions: [(Qstr, Function); 17] = [
        (qstr!("constants"), function!(constants)),
        (qstr!("is_true"), function!(is_true)),
        (qstr!("int"), function!(int)),
        (qstr!("truncated"), function!(truncated)),
        (qstr!("text"), function!(text)),
        (qstr!("arguments"), function!(arguments)),
        (qstr!("swap_attribute"), function!(swap_attribute)),
        (qstr!("call_method"), function!(call_method)),
        (qstr!("call_keywords"), function!(call_keywords)),
        (qstr!("fail"), function!(fail)),
        (qstr!("panic"), function!(panic_at_will)),
        (qstr!("count"), function!(count)),
        (qstr!("kept"), function!(kept)),
        (qstr!("copy_stream"), function!(copy_stream)),
        (qstr!("reversed_bytes"), function!(reversed_bytes)),
        (qstr!("join"), function!(join)),
        (qstr!("set_byte"), function!(set_byte)),
    ];
    for (name, function) in functions {
        module.set(name, module.function(function));
    }
    let class = Class::new(module, qstr!("Counter"), &[Obj::global(qstr!("object"))]);
    class.method(qstr!("__init__"), function!(counter_init));
    class.method(qstr!("add"), function!(counter_add));
    class.method(qstr!("twice"), function!(counter_twice));
    class.attribute(qstr!("UNIT"), Obj::from_text("pulses"));
    module.set(qstr!("Counter"), class.finish());
    let error = Class::new(
        module,
        qstr!("OwnError"),
        &[Obj::global(qstr!("ValueError"))],
    );
    module.set(qstr!("OwnError"), error.finish());
    Ok(())
}

fn one(args: Args) -> Obj {
    let [value] = args.take(1, [Obj::none()], &[qstr!("value")]);
    value
}

fn constants(_: Args) -> Result<Obj> {
    Ok(Obj::from_items(&[
        Obj::none(),
        Obj::from_bool(true),
        Obj::from_bool(false),
    ]))
}

fn is_true(args: Args) -> Result<Obj> {
    Ok(Obj::from_bool(one(args).is_true()))
}

fn int(args: Args) -> Result<Obj> {
    Ok(Obj::from_int(one(args).to_int()?))
}

fn truncated(args: Args) -> Result<Obj> {
    Ok(Obj::from_int(
        (one(args).to_int_truncated() & 0xff) as isize,
    ))
}

fn text(args: Args) -> Result<Obj> {
    let index = one(args).to_int()? as usize;
    let name = NAMES
        .get(index)
        .ok_or_else(|| Error::new(qstr!("IndexError")))?;
    Ok(Obj::from_text(name))
}

/// `arguments(a, b, c=30, d=None)`
fn arguments(args: Args) -> Result<Obj> {
    let none = Obj::none();
    let values = args.take(
        2,
        [none, none, Obj::from_int(30), none],
        &[qstr!("a"), qstr!("b"), qstr!("c"), qstr!("d")],
    );
    Ok(Obj::from_items(&values))
}

/// `swap_attribute(obj, new)`: sets `obj.value` and returns what it was.
fn swap_attribute(args: Args) -> Result<Obj> {
    let [obj, new] = args.take(2, [Obj::none(); 2], &[qstr!("obj"), qstr!("new")]);
    let old = obj.get(qstr!("value"));
    obj.set(qstr!("value"), new);
    Ok(old)
}

/// `call_method(obj, arg)`: `obj.method(arg)` if there is such a method, else None.
fn call_method(args: Args) -> Result<Obj> {
    let [obj, arg] = args.take(2, [Obj::none(); 2], &[qstr!("obj"), qstr!("arg")]);
    Ok(match obj.method_maybe(qstr!("method")) {
        Some(method) => method.call(&[arg]),
        None => Obj::none(),
    })
}

/// `call_keywords(obj, keywords)`: `obj.method(1, **keywords)`.
fn call_keywords(args: Args) -> Result<Obj> {
    let [obj, keywords] = args.take(2, [Obj::none(); 2], &[qstr!("obj"), qstr!("keywords")]);
    let mut pairs = [[Obj::none(); 2]; 3];
    let pairs = keywords.dict_entries(&mut pairs)?;
    Ok(obj
        .method(qstr!("method"))
        .call_with(&[Obj::from_int(1)], pairs))
}

/// `fail(kind)`: raises in each of the ways that there are.
fn fail(args: Args) -> Result<Obj> {
    Err(match one(args).to_int()? {
        0 => Error::new(qstr!("KeyError")),
        1 => Error::text(qstr!("ValueError"), c"a message with ñ"),
        2 => Error::int(qstr!("OSError"), -7),
        3 => Error::text(qstr!("OwnError"), c"of this module"),
        4 => Error::instance(Obj::global(qstr!("OwnError")).call(&[Obj::from_int(4)])),
        5 => Error::instance(enter_module(|| import(qstr!("no_such_module")))),
        _ => return Ok(Obj::none()),
    })
}

/// `panic(n)`: reads element n of an array of three, and says so otherwise.
fn panic_at_will(args: Args) -> Result<Obj> {
    let n = one(args).to_int()?;
    if n < 0 {
        panic!("asked for");
    }
    let squares = [0, 1, 4];
    Ok(Obj::from_int(squares[n as usize]))
}

fn count(_: Args) -> Result<Obj> {
    // Not `fetch_add`, which some boards' processors do not have.
    let (step, calls) = (STEP.load(Ordering::Relaxed), CALLS.load(Ordering::Relaxed));
    STEP.store(step + 1, Ordering::Relaxed);
    CALLS.store(calls + 1, Ordering::Relaxed);
    Ok(Obj::from_items(&[
        Obj::from_int(calls as isize),
        Obj::from_int(step as isize),
    ]))
}

fn kept(_: Args) -> Result<Obj> {
    Ok(KEPT.get())
}

/// `copy_stream(source, target)`: everything, ten bytes at a time; returns how many, or an errno below 0.
fn copy_stream(args: Args) -> Result<Obj> {
    let [source, target] = args.take(2, [Obj::none(); 2], &[qstr!("source"), qstr!("target")]);
    let (source, target) = (Stream::new(source), Stream::new(target));
    let mut buffer = [0u8; 10];
    let mut total = 0;
    loop {
        // SAFETY: `buffer` is a local.
        let n = match unsafe { source.read(buffer.as_mut_ptr(), buffer.len())? } {
            Ok(0) => return Ok(Obj::from_int(total)),
            Ok(n) => n,
            Err(errno) => return Ok(Obj::from_int(-(errno.0 as isize))),
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

fn reversed_bytes(args: Args) -> Result<Obj> {
    let buffer = one(args).buffer();
    let out = BytesBuilder::new(Obj::from_bytes(b""), buffer.len())?;
    // SAFETY: no Python code runs while the bytes are borrowed, and the new object has as many.
    unsafe {
        for (i, byte) in buffer.as_slice().iter().rev().enumerate() {
            out.data().add(i).write(*byte);
        }
    }
    Ok(out.object())
}

/// `join(separator, items)` by calling Python: `separator.join(items)`.
fn join(args: Args) -> Result<Obj> {
    let [separator, items] = args.take(2, [Obj::none(); 2], &[qstr!("separator"), qstr!("items")]);
    Ok(separator.method(qstr!("join")).call(&[items]))
}

/// `set_byte(buffer, index, value)`: False if out of range.
fn set_byte(args: Args) -> Result<Obj> {
    let [buffer, index, value] = args.take(
        3,
        [Obj::none(); 3],
        &[qstr!("buffer"), qstr!("index"), qstr!("value")],
    );
    let done = buffer
        .buffer_mut()
        .set(index.to_int()? as usize, value.to_int()? as u8);
    Ok(Obj::from_bool(done))
}

fn counter_init(args: Args) -> Result<Obj> {
    let [this, start] = args.take(
        1,
        [Obj::none(), Obj::from_int(0)],
        &[qstr!("self"), qstr!("start")],
    );
    this.set(qstr!("n"), start);
    Ok(Obj::none())
}

fn counter_add(args: Args) -> Result<Obj> {
    let [this, step] = args.take(
        1,
        [Obj::none(), Obj::from_int(1)],
        &[qstr!("self"), qstr!("step")],
    );
    let n = this.get(qstr!("n")).to_int()? + step.to_int()?;
    this.set(qstr!("n"), Obj::from_int(n));
    Ok(Obj::from_int(n))
}

/// Calls `self.add` twice, whichever that is.
fn counter_twice(args: Args) -> Result<Obj> {
    let [this] = args.take(1, [Obj::none()], &[qstr!("self")]);
    this.method(qstr!("add")).call(&[]);
    Ok(this.method(qstr!("add")).call(&[]))
}
