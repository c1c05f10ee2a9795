//! What a native function's body gets: its arguments, converted already, one slot each.
//!
//! Conversion is driven by a byte per parameter ([`Argument::KIND`]) and done in one place ([`crate::convert`]), so
//! that a function costs its own code and a table of four bytes per parameter. The types that can be parameters read
//! their slot here.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use micropython_sys::MpObj;

use crate::{Buffer, Dict, List, Obj, Tuple};

/// The most parameters of a native function, the receiver included.
pub const MAX_PARAMETERS: usize = 16;

/// Kinds of argument; an integer is [`kind::INT`] with its width and sign.
#[doc(hidden)]
pub mod kind {
    pub const OBJECT: u8 = 0;
    pub const BOOL: u8 = 1;
    pub const STR: u8 = 2;
    pub const BYTES: u8 = 3;
    pub const BUFFER: u8 = 4;
    pub const BUFFER_MUT: u8 = 5;
    pub const LIST: u8 = 6;
    pub const TUPLE: u8 = 7;
    pub const DICT: u8 = 8;
    pub const F32: u8 = 9;
    pub const F64: u8 = 10;
    /// `*args`: no conversion.
    pub const REST: u8 = 11;
    /// Bits 0 and 1: the width, as a power of two of bytes. Bit 2: signed.
    pub const INT: u8 = 0x20;
    pub const SIGNED: u8 = 4;
    /// May not be passed by keyword.
    pub const POSITION: u8 = 0x40;
    /// None is accepted, and makes the argument absent.
    pub const OPTIONAL: u8 = 0x80;
    pub const MASK: u8 = 0x3f;

    /// True if None can be passed.
    pub const fn accepts_none(kind: u8) -> bool {
        kind & OPTIONAL != 0 || kind & MASK == OBJECT
    }
}

/// An address and a length.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Span {
    pub start: *mut u8,
    pub len: usize,
}

/// One argument; the parameter's kind says which field was written.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) union Slot {
    /// Integers of up to a word, and bool.
    pub word: usize,
    /// Integers wider than a word.
    pub wide: u64,
    pub object: MpObj,
    pub single: f32,
    pub double: f64,
    /// Bytes, or objects for `*args`.
    pub span: Span,
}

/// The arguments of one call.
#[doc(hidden)]
pub struct Frame {
    /// As many are filled as the function has parameters, the receiver counted.
    pub(crate) slots: [MaybeUninit<Slot>; MAX_PARAMETERS],
    /// Bit i: argument i is None, and its type an `Option`.
    pub(crate) absent: u16,
    /// Bit i: argument i was not given, and its default is an expression.
    pub(crate) missing: u16,
}

impl Frame {
    /// Slot `i`.
    ///
    /// # Safety
    /// The function must have as many parameters.
    #[inline(always)]
    pub(crate) unsafe fn slot(&self, i: usize) -> &Slot {
        // SAFETY: as the caller promises.
        unsafe { self.slots[i].assume_init_ref() }
    }

    /// True if the body must supply argument `i` itself.
    #[inline(always)]
    pub fn is_missing(&self, i: usize) -> bool {
        self.missing & (1 << i) != 0
    }

    #[inline(always)]
    fn is_absent(&self, i: usize) -> bool {
        self.absent & (1 << i) != 0
    }

    /// Argument `i`.
    ///
    /// # Safety
    /// The function's table must have `T`'s kind there, and the argument must not be missing.
    #[inline(always)]
    pub unsafe fn take<'a, T: Argument<'a>>(&'a self, i: usize) -> T {
        // SAFETY: as the caller promises.
        unsafe { T::take(self, i) }
    }
}

/// A type that a parameter of a native function can have.
///
/// # Safety
/// `take` reads the field of the slot that its `KIND` says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the parameter of a function that Python calls",
    label = "Python has no value of this type",
    note = "integers, f32, f64, bool, &str, &[u8], Buffer, List, Tuple, Dict, Obj, This<Class> and Option of these can be parameters"
)]
pub unsafe trait Argument<'a>: Sized {
    #[doc(hidden)]
    const KIND: u8;

    /// # Safety
    /// As for [`Frame::take`].
    #[doc(hidden)]
    unsafe fn take(frame: &'a Frame, i: usize) -> Self;
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        // SAFETY: an integer of up to a word is in `word`, a wider one in `wide`.
        unsafe impl Argument<'_> for $type {
            const KIND: u8 = kind::INT
                | size_of::<$type>().trailing_zeros() as u8
                | if <$type>::MIN == 0 { 0 } else { kind::SIGNED };

            #[inline(always)]
            unsafe fn take(frame: &Frame, i: usize) -> Self {
                // SAFETY: as the caller promises.
                unsafe {
                    if size_of::<$type>() > size_of::<usize>() {
                        frame.slot(i).wide as $type
                    } else {
                        frame.slot(i).word as $type
                    }
                }
            }
        }
    )*};
}

integers!(i8, u8, i16, u16, i32, u32, i64, u64, isize, usize);

macro_rules! arguments {
    ($($type:ty, $kind:ident, |$slot:ident| $value:expr;)*) => {$(
        // SAFETY: the kind and the field belong together.
        unsafe impl<'a> Argument<'a> for $type {
            const KIND: u8 = kind::$kind;

            #[inline(always)]
            unsafe fn take(frame: &'a Frame, i: usize) -> Self {
                // SAFETY: as the caller promises.
                unsafe {
                    let $slot = frame.slot(i);
                    $value
                }
            }
        }
    )*};
}

arguments! {
    Obj, OBJECT, |slot| Obj(slot.object);
    bool, BOOL, |slot| slot.word != 0;
    f32, F32, |slot| slot.single;
    f64, F64, |slot| slot.double;
    // A str is immutable and the caller holds it while the function runs; it is UTF-8.
    &'a str, STR, |slot| core::str::from_utf8_unchecked(core::slice::from_raw_parts(slot.span.start, slot.span.len));
    // So is a bytes object.
    &'a [u8], BYTES, |slot| core::slice::from_raw_parts(slot.span.start, slot.span.len);
    Buffer, BUFFER, |slot| Buffer::from_span(slot.span);
    BufferMut, BUFFER_MUT, |slot| BufferMut(Buffer::from_span(slot.span));
    List, LIST, |slot| List::from_obj_unchecked(Obj(slot.object));
    Tuple, TUPLE, |slot| Tuple::from_obj_unchecked(Obj(slot.object));
    Dict, DICT, |slot| Dict::from_obj_unchecked(Obj(slot.object));
}

// SAFETY: the kind is the inner one's, and an absent argument is not read.
unsafe impl<'a, T: Argument<'a>> Argument<'a> for Option<T> {
    const KIND: u8 = T::KIND | kind::OPTIONAL;

    #[inline(always)]
    unsafe fn take(frame: &'a Frame, i: usize) -> Self {
        if frame.is_absent(i) {
            None
        } else {
            // SAFETY: as the caller promises.
            Some(unsafe { T::take(frame, i) })
        }
    }
}

/// Bytes that may be written: a bytearray, a writable memoryview or array.
#[derive(Clone, Copy)]
pub struct BufferMut(pub(crate) Buffer);

impl core::ops::Deref for BufferMut {
    type Target = Buffer;

    fn deref(&self) -> &Buffer {
        &self.0
    }
}

// SAFETY: for `*args`, which is the only place where the macro allows it, the span is one of objects, which the caller
// holds while the function runs.
unsafe impl<'a> Argument<'a> for &'a [Obj] {
    const KIND: u8 = kind::REST;

    #[inline(always)]
    unsafe fn take(frame: &'a Frame, i: usize) -> Self {
        // SAFETY: as the caller promises; `Obj` is a transparent `MpObj`.
        unsafe {
            let span = frame.slot(i).span;
            core::slice::from_raw_parts(span.start.cast(), span.len)
        }
    }
}

/// Marks a type without owning a value of it.
pub(crate) type Marker<T> = PhantomData<fn() -> T>;
