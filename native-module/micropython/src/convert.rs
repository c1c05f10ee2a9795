//! Conversion of arguments by their kinds, in one place for all functions, and of results.

use core::ffi::CStr;

use micropython_sys::MpObj;

use crate::define::{Ended, Parameter};
use crate::slot::{Slot, Span, kind};
use crate::text::Text;
use crate::{Dict, Error, List, Obj, Qstr, Result, Tuple};

/// Raises `class("'name' what")`.
#[cold]
#[inline(never)]
pub(crate) fn raise_about(class: Qstr, name: Qstr, what: &CStr) -> ! {
    let mut text = Text::new();
    if name != Qstr::UNUSED {
        text.push(b"'");
        // SAFETY: an interned string stays where it is.
        text.push(unsafe { Obj::from_qstr(name).buffer().as_slice() });
        text.push(b"' ");
    }
    text.push(what.to_bytes());
    let message = Obj::from_raw_text(text.whole_characters());
    Error::instance(Obj::global(class).call(&[message])).raise()
}

/// Raises TypeError for an argument of a wrong type.
#[cold]
#[inline(never)]
pub(crate) fn raise_type(name: Qstr, what: &CStr) -> ! {
    raise_about(qstr!("TypeError"), name, what)
}

/// Converts an argument to its kind, for the parameter of this name. False if it is None and that is allowed. Raises
/// TypeError, OverflowError.
pub(crate) type Convert = fn(Obj, u8, Qstr, &mut Slot) -> bool;

/// Which function converts.
pub(crate) enum Converter {
    None,
    /// [`convert_common`].
    Common,
    /// [`convert_all`].
    All,
}

/// What converts all of these parameters, and notes which the body supplies; as little as will do, since it becomes part of the module.
pub(crate) const fn converter(parameters: &[Parameter]) -> Converter {
    let (mut some, mut all) = (false, false);
    let mut i = 0;
    while i < parameters.len() {
        let of = parameters[i].kind & !kind::POSITION;
        // `*args` and `**kwargs`, which have no name, are what they shall be.
        let plain =
            of == kind::OBJECT && !parameters[i].is_expression() || parameters[i].name.is_unused();
        some |= !plain;
        let wide = of & kind::INT != 0 && of & 3 == 3 && size_of::<usize>() < 8;
        let rare = matches!(
            of & kind::MASK,
            kind::LIST | kind::TUPLE | kind::DICT | kind::F32 | kind::F64
        );
        all |= !plain && (wide || rare);
        i += 1;
    }
    match (some, all) {
        (false, _) => Converter::None,
        (true, false) => Converter::Common,
        (true, true) => Converter::All,
    }
}

/// Objects, truth values, texts, bytes and integers of up to a word.
#[inline(never)]
pub(crate) fn convert_common(object: Obj, of: u8, name: Qstr, slot: &mut Slot) -> bool {
    if of & kind::OPTIONAL != 0 && object.is_none() {
        return false;
    }
    let of = of & kind::MASK;
    let buffer = match of {
        kind::BOOL => {
            slot.word = usize::from(object.is_true());
            return true;
        }
        kind::STR if object.is_str() => object.buffer(),
        kind::BYTES if object.is_bytes() => object.buffer(),
        kind::BUFFER => object.buffer(),
        kind::BUFFER_MUT => object.buffer_mut(),
        kind::STR => raise_type(name, c"must be str"),
        kind::BYTES => raise_type(name, c"must be bytes"),
        _ if of & kind::INT != 0 => {
            slot.word = match object.to_word(of) {
                Some(word) => word,
                None => raise_range(name),
            };
            return true;
        }
        _ => {
            slot.object = object.0;
            return true;
        }
    };
    slot.span = Span {
        start: buffer.as_ptr(),
        len: buffer.len(),
    };
    true
}

/// Everything.
#[inline(never)]
pub(crate) fn convert_all(object: Obj, of: u8, name: Qstr, slot: &mut Slot) -> bool {
    if of & kind::OPTIONAL != 0 && object.is_none() {
        return false;
    }
    let (is, what) = match of & kind::MASK {
        kind::LIST => (List::is(object), c"must be list"),
        kind::TUPLE => (Tuple::is(object), c"must be tuple"),
        kind::DICT => (Dict::is(object), c"must be dict"),
        kind::F32 => {
            slot.single = object.to_f32();
            return true;
        }
        kind::F64 => {
            slot.double = object.to_f64();
            return true;
        }
        wide if wide & kind::INT != 0 && wide & 3 == 3 && size_of::<usize>() < 8 => {
            slot.wide = match object.to_integer(wide) {
                Some(value) => value,
                None => raise_range(name),
            };
            return true;
        }
        _ => return convert_common(object, of, name, slot),
    };
    if !is {
        raise_type(name, what);
    }
    slot.object = object.0;
    true
}

#[cold]
#[inline(never)]
fn raise_range(name: Qstr) -> ! {
    raise_about(qstr!("OverflowError"), name, c"out of range")
}

/// A value that a native function can return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned to Python",
    label = "Python has no value of this type",
    note = "(), integers, f32, f64, bool, &str, &[u8], Obj, List, Tuple, Dict, This<Class>, a #[class] with #[new], tuples and Option of these can be returned, and Result of them"
)]
pub trait IntoObj {
    /// The object. May raise MemoryError.
    fn into_obj(self) -> Obj;

    /// The object as a body hands it over, where NULL stands for None.
    #[doc(hidden)]
    #[inline(always)]
    fn into_ended(self) -> MpObj
    where
        Self: Sized,
    {
        self.into_obj().0
    }
}

impl IntoObj for () {
    fn into_obj(self) -> Obj {
        Obj::none()
    }

    #[inline(always)]
    fn into_ended(self) -> MpObj {
        MpObj::NULL
    }
}

macro_rules! into_obj {
    ($($type:ty, |$value:ident| $object:expr;)*) => {$(
        impl IntoObj for $type {
            #[inline]
            fn into_obj(self) -> Obj {
                let $value = self;
                $object
            }
        }
    )*};
}

into_obj! {
    Obj, |value| value;
    bool, |value| Obj::from_bool(value);
    i8, |value| Obj::small(value);
    u8, |value| Obj::small(value);
    i16, |value| Obj::small(value);
    u16, |value| Obj::small(value);
    i32, |value| Obj::from_int(value as isize);
    isize, |value| Obj::from_int(value);
    u32, |value| Obj::from_uint(value as usize);
    usize, |value| Obj::from_uint(value);
    i64, |value| Obj::from_i64(value);
    u64, |value| Obj::from_u64(value);
    f32, |value| Obj::from_f32(value);
    f64, |value| Obj::from_f64(value);
    &str, |value| Obj::from_text(value);
    &[u8], |value| Obj::from_bytes(value);
    Qstr, |value| Obj::from_qstr(value);
    List, |value| value.obj();
    Tuple, |value| value.obj();
    Dict, |value| value.obj();
}

impl<const N: usize> IntoObj for [u8; N] {
    fn into_obj(self) -> Obj {
        Obj::from_bytes(&self)
    }
}

impl<T: IntoObj> IntoObj for Option<T> {
    fn into_obj(self) -> Obj {
        self.map_or_else(Obj::none, IntoObj::into_obj)
    }

    #[inline(always)]
    fn into_ended(self) -> MpObj {
        self.map_or(MpObj::NULL, IntoObj::into_ended)
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: IntoObj),*> IntoObj for ($($name,)*) {
            #[allow(non_snake_case, reason = "a variable for each type")]
            fn into_obj(self) -> Obj {
                let ($($name,)*) = self;
                Obj::from_items(&[$($name.into_obj()),*])
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);

/// What a native function can end with: a value, or a [`Result`] with one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned to Python",
    label = "Python has no value of this type",
    note = "(), integers, f32, f64, bool, &str, &[u8], Obj, List, Tuple, Dict, This<Class>, a #[class] with #[new], tuples and Option of these can be returned, and micropython::Result of them"
)]
pub trait Return {
    #[doc(hidden)]
    fn end(self) -> Ended;
}

impl<T: IntoObj> Return for T {
    #[inline(always)]
    fn end(self) -> Ended {
        Ok(self.into_ended())
    }
}

impl<T: IntoObj> Return for Result<T> {
    #[inline(always)]
    fn end(self) -> Ended {
        self.map(IntoObj::into_ended)
    }
}

/// What `__next__` can end with: an `Option`, or a [`Result`] with one. `None` ends the iteration.
#[diagnostic::on_unimplemented(
    message = "`__next__` cannot return `{Self}`",
    label = "write `Option<…>` or `Result<Option<…>>`",
    note = "Some gives the next item, None ends the iteration"
)]
pub trait NextReturn {
    #[doc(hidden)]
    fn end_next(self) -> Ended;
}

impl<T: IntoObj> NextReturn for Option<T> {
    #[inline(always)]
    fn end_next(self) -> Ended {
        match self {
            Some(item) => Ok(item.into_ended()),
            None => Err(Error::new(qstr!("StopIteration"))),
        }
    }
}

impl<T: IntoObj> NextReturn for Result<Option<T>> {
    #[inline(always)]
    fn end_next(self) -> Ended {
        self?.end_next()
    }
}
