//! Functions: how arguments are passed, converted and returned, and how exceptions are caught.

use micropython::prelude::*;

#[function]
pub fn unit() {}

#[function]
#[signature(a, b = 2, c = None, d = "four", e = 1000, f = -1)]
pub fn with_defaults(a: i32, b: i32, c: Option<i32>, d: &str, e: Option<i32>, f: i8) -> Tuple {
    Tuple::new(&[
        Obj::from_int(a as isize),
        Obj::from_int(b as isize),
        micropython::IntoObj::into_obj(c),
        Obj::from_text(d),
        micropython::IntoObj::into_obj(e),
        Obj::from_int(f as isize),
    ])
}

#[function]
#[signature(a, b, /, c)]
pub fn position_only(a: Obj, b: Obj, c: Obj) -> (Obj, Obj, Obj) {
    (a, b, c)
}

#[function]
#[signature(a, *, b, c = true)]
pub fn keyword_only(a: Obj, b: Obj, c: bool) -> (Obj, Obj, bool) {
    (a, b, c)
}

#[function]
#[signature(first, *args)]
pub fn rest(first: Obj, args: &[Obj]) -> (Obj, Tuple) {
    (first, Tuple::new(args))
}

#[function]
#[signature(a, *args, key = None, **kwargs)]
pub fn everything(a: Obj, args: &[Obj], key: Option<&str>, kwargs: Dict) -> Result<Tuple> {
    let key = micropython::IntoObj::into_obj(key);
    Ok(Tuple::new(&[a, Tuple::new(args).obj(), key, kwargs.obj()]))
}

/// Fourteen parameters and no more than MicroPython has registers for.
#[function]
#[allow(clippy::too_many_arguments, reason = "that is what is tested")]
pub fn many(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
    n: u8,
) -> u32 {
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
        .iter()
        .fold(0, |sum, n| sum * 2 + u32::from(*n))
}

#[function]
pub fn i8(value: i8) -> i8 {
    value
}

#[function]
pub fn u16(value: u16) -> u16 {
    value
}

#[function]
pub fn i64(value: i64) -> i64 {
    value
}

#[function]
pub fn u64(value: u64) -> u64 {
    value
}

#[function]
pub fn f32_half(value: f32) -> f32 {
    value / 2.0
}

#[function]
pub fn f64_half(value: f64) -> f64 {
    value / 2.0
}

#[function]
pub fn boolean(value: bool) -> bool {
    !value
}

#[function]
pub fn string(value: &str) -> (usize, &str) {
    (value.chars().count(), value)
}

#[function]
pub fn bytes(value: &[u8]) -> [u8; 2] {
    [value.len() as u8, value.iter().fold(0, |a, b| a ^ b)]
}

#[function]
#[signature(value = None)]
pub fn bytes_or_none(value: Option<&[u8]>) -> Option<usize> {
    value.map(<[u8]>::len)
}

#[function]
pub fn sum(value: Buffer) -> u32 {
    let mut total = 0;
    let mut part = [0; 16];
    let mut at = 0;
    loop {
        let n = value.read_at(at, &mut part);
        if n == 0 {
            return total;
        }
        total += part.iter().take(n).map(|b| u32::from(*b)).sum::<u32>();
        at += n;
    }
}

#[function]
pub fn set_first(memory: BufferMut, value: u8) -> usize {
    memory.write_at(0, &[value])
}

#[function]
pub fn list_twice(list: List) -> List {
    for i in 0..list.len() {
        if let Some(item) = list.get(i) {
            list.push(item);
        }
    }
    list
}

#[function]
pub fn swap(pair: Tuple) -> Result<(Obj, Obj)> {
    match pair.as_slice() {
        [a, b] => Ok((*b, *a)),
        _ => Err(Error::text(qstr!("ValueError"), c"two items are needed")),
    }
}

#[function]
pub fn pairs(dict: Dict) -> List {
    let list = List::new(&[]);
    for (key, value) in dict.iter() {
        list.push(Tuple::new(&[key, value]).obj());
    }
    list
}

#[function]
pub fn dict_sum(dict: Dict, keys: Obj) -> Result<i64> {
    let mut sum = 0;
    for key in keys.iter() {
        if let Some(value) = dict.get(key) {
            sum += value.to_i64().unwrap_or(0);
        }
    }
    Ok(sum)
}

#[function]
pub fn next_or_none(iterator: Obj) -> Option<Obj> {
    iterator.iter().next()
}

/// What `f()` returns, or the exception that it raised.
#[function]
pub fn caught(f: Obj) -> (bool, Obj) {
    match catch(|| f.call(&[])) {
        Ok(value) => (true, value),
        Err(exception) => (false, exception.object()),
    }
}

/// 1 for a ValueError, 2 for an OSError, and raises anything else again.
#[function]
pub fn caught_kind(f: Obj) -> Result<u8> {
    match catch(|| f.call(&[])) {
        Ok(_) => Ok(0),
        Err(exception) if exception.is(qstr!("ValueError")) => Ok(1),
        Err(exception) if exception.is(qstr!("OSError")) => Ok(2),
        Err(exception) => Err(exception.into()),
    }
}

/// An exception inside of an exception, and locals that must survive both.
#[function]
pub fn nested_catch(f: Obj, g: Obj) -> (u32, bool, bool) {
    let mut steps = 0;
    let outer = catch(|| {
        steps += 1;
        let inner = catch(|| f.call(&[]));
        steps += 10;
        g.call(&[]);
        steps += 100;
        inner.is_err()
    });
    (steps, outer.is_ok(), outer.unwrap_or(true))
}

/// An exception that Rust itself raises inside of `catch`: a name that does not exist.
#[function]
pub fn caught_within() -> bool {
    let missing = catch(|| Obj::global(qstr!("no_such_name")));
    matches!(missing, Err(e) if e.is(qstr!("NameError")))
}
