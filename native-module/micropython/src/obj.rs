//! Object references, and conversion of None, bool, int, str and bytes.

use core::ffi::CStr;

use micropython_sys::native_type::{MP_NATIVE_TYPE_INT, MP_NATIVE_TYPE_QSTR, MP_NATIVE_TYPE_UINT};
use micropython_sys::op::{
    MP_BINARY_OP_EQUAL, MP_BINARY_OP_EXCEPTION_MATCH, MP_BINARY_OP_MULTIPLY,
    MP_BINARY_OP_TRUE_DIVIDE,
};
use micropython_sys::types::MP_TYPE_FLAG_INSTANCE_TYPE;
use micropython_sys::{MpObj, ObjBase, ObjType};

use crate::table::table;
use crate::{Qstr, Result};

/// A reference to a Python object. Copying it copies the reference.
///
/// `==` compares identity, as Python's `is`; [`Obj::equals`] is Python's `==`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Obj(pub(crate) MpObj);

/// A reference to a Python object, or to nothing: one word, which is zero for nothing, so that zeroed memory is a valid
/// one. In memory of the collected heap it keeps its object alive, as [`Obj`] does.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct MaybeObj(MpObj);

impl MaybeObj {
    /// Nothing.
    pub const NOTHING: MaybeObj = MaybeObj(MpObj::NULL);

    /// The object, if there is one.
    #[inline(always)]
    pub fn get(self) -> Option<Obj> {
        (self.0 != MpObj::NULL).then_some(Obj(self.0))
    }
}

impl Default for MaybeObj {
    fn default() -> Self {
        MaybeObj::NOTHING
    }
}

impl From<Obj> for MaybeObj {
    #[inline(always)]
    fn from(object: Obj) -> Self {
        MaybeObj(object.0)
    }
}

impl Obj {
    /// `None`.
    #[inline(always)]
    pub fn none() -> Self {
        Obj(table().const_none)
    }

    /// `True` or `False`.
    #[inline(always)]
    pub fn from_bool(value: bool) -> Self {
        Obj(if value {
            table().const_true
        } else {
            table().const_false
        })
    }

    /// An int of -2^30 to 2^30 - 1: no call is needed for one.
    ///
    /// It is made as `MP_OBJ_NEW_SMALL_INT` of `py/obj.h` does it in the representations A and C. Native code has no other
    /// ones: where mpy-cross compiles a constant int, the .mpy holds it in this form.
    #[inline(always)]
    pub fn small(value: impl Into<i32>) -> Self {
        let word = (value.into() as isize) << 1 | 1;
        Obj(MpObj(core::ptr::without_provenance_mut(word as usize)))
    }

    /// The value of such an int, of whatever size fits a word but for its lowest bit; `None` for any other object.
    #[inline(always)]
    fn as_small(self) -> Option<isize> {
        let word = self.0.0.addr() as isize;
        (word & 1 != 0).then_some(word >> 1)
    }

    /// An int. May raise MemoryError if it does not fit a small int.
    #[inline(never)]
    pub fn from_int(value: isize) -> Self {
        // SAFETY: the entry accepts any word with this type.
        // EXCEPTION: MemoryError, only where a big int must be allocated.
        Obj(unsafe { (table().native_to_obj)(value as usize, MP_NATIVE_TYPE_INT) })
    }

    /// The str object of an interned string.
    #[inline]
    pub fn from_qstr(name: Qstr) -> Self {
        // SAFETY: the number comes from the interpreter's own table of interned strings.
        // EXCEPTION: none; interned strings are packed into the reference.
        Obj(unsafe { (table().native_to_obj)(name.number(), MP_NATIVE_TYPE_QSTR) })
    }

    /// A new str. May raise MemoryError.
    #[inline(never)]
    pub fn from_text(text: &str) -> Self {
        Obj::from_raw_text(text.as_bytes())
    }

    /// A new str from bytes. Raises UnicodeError if they are not UTF-8; may raise MemoryError.
    #[inline(never)]
    pub fn from_raw_text(text: &[u8]) -> Self {
        // SAFETY: pointer and length describe readable memory, which the entry copies.
        // EXCEPTION: MemoryError; UnicodeError if it is not UTF-8.
        Obj(unsafe { (table().obj_new_str)(text.as_ptr().cast(), text.len()) })
    }

    /// A new str from a C string, which must be UTF-8. May raise MemoryError, UnicodeError.
    pub fn from_c_text(text: &CStr) -> Self {
        Obj::from_raw_text(text.to_bytes())
    }

    /// A new bytes object that holds a copy. May raise MemoryError.
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // SAFETY: pointer and length describe readable memory, which the entry copies.
        // EXCEPTION: MemoryError.
        Obj(unsafe { (table().obj_new_bytes)(bytes.as_ptr(), bytes.len()) })
    }

    /// A new tuple. May raise MemoryError.
    pub fn from_items(items: &[Obj]) -> Self {
        // SAFETY: `Obj` is a transparent `MpObj`; the entry copies the items.
        // EXCEPTION: MemoryError.
        Obj(unsafe { (table().new_tuple)(items.len(), items.as_ptr().cast()) })
    }

    /// A new, empty dict. May raise MemoryError.
    pub fn new_dict() -> Self {
        // SAFETY: any size is fine. EXCEPTION: MemoryError.
        Obj(unsafe { (table().new_dict)(0) })
    }

    #[inline]
    pub fn is_none(self) -> bool {
        self.0 == table().const_none
    }

    /// Python's truth value. Raises what `__bool__` or `__len__` raises.
    #[inline(never)]
    pub fn is_true(self) -> bool {
        if self.0 == table().const_true {
            return true;
        }
        if self.0 == table().const_false {
            return false;
        }
        // SAFETY: the reference is valid. EXCEPTION: what the object's own methods raise.
        unsafe { (table().obj_is_true)(self.0) }
    }

    /// The value of an int or bool; OverflowError if it does not fit a word. Raises TypeError for anything
    /// else.
    #[inline(never)]
    pub fn to_int(self) -> Result<isize> {
        if let Some(value) = self.as_small() {
            return Ok(value);
        }
        let value = self.to_int_truncated() as isize;
        let again = Obj::from_int(value);
        if again == self || again.equals(self) {
            Ok(value)
        } else {
            Err(error!("OverflowError", "int too large"))
        }
    }

    /// The low word of an int or bool of any size. Raises TypeError otherwise.
    #[inline]
    pub fn to_int_truncated(self) -> usize {
        // SAFETY: the reference is valid. EXCEPTION: TypeError.
        unsafe { (table().native_from_obj)(self.0, MP_NATIVE_TYPE_UINT) }
    }

    /// Python's `==`. Raises what `__eq__` raises.
    pub fn equals(self, other: Obj) -> bool {
        self.operate(MP_BINARY_OP_EQUAL, other) == Obj(table().const_true)
    }

    /// True for an exception that is an instance of the class or of a subclass. Raises TypeError if that is no class.
    pub(crate) fn matches(self, class: Obj) -> bool {
        self.operate(MP_BINARY_OP_EXCEPTION_MATCH, class) == Obj(table().const_true)
    }

    /// `self * other`. Raises TypeError.
    pub fn times(self, other: Obj) -> Obj {
        self.operate(MP_BINARY_OP_MULTIPLY, other)
    }

    /// `self / other`. Raises TypeError, ZeroDivisionError.
    pub fn divided_by(self, other: Obj) -> Obj {
        self.operate(MP_BINARY_OP_TRUE_DIVIDE, other)
    }

    #[inline(never)]
    fn operate(self, operation: u32, other: Obj) -> Obj {
        // SAFETY: both references are valid. EXCEPTION: what the operator raises.
        Obj(unsafe { (table().binary_op)(operation, self.0, other.0) })
    }

    /// `self[index]`. Raises IndexError, KeyError, TypeError.
    #[inline(never)]
    pub fn item(self, index: Obj) -> Obj {
        // SAFETY: both references are valid; SENTINEL asks for a load.
        // EXCEPTION: what indexing raises.
        Obj(unsafe { (table().obj_subscr)(self.0, index.0, MpObj::SENTINEL) })
    }

    /// `self[index] = value`. Raises IndexError, KeyError, TypeError.
    pub fn set_item(self, index: Obj, value: Obj) {
        // SAFETY: all references are valid. EXCEPTION: what indexing raises.
        unsafe { (table().obj_subscr)(self.0, index.0, value.0) };
    }

    /// True for a str, not for a subclass.
    pub fn is_str(self) -> bool {
        self.raw_type() == table().type_str
    }

    /// True for a bytes object, not for a subclass.
    pub fn is_bytes(self) -> bool {
        // The empty one is a constant of the interpreter.
        self.raw_type() == Obj::from_bytes(b"").raw_type()
    }

    /// `NotImplemented`: what an operator's method returns to let the other operand try.
    pub fn not_implemented() -> Obj {
        Obj::global(qstr!("NotImplemented"))
    }

    /// True for an int, not for a bool or a subclass.
    pub fn is_int(self) -> bool {
        self.raw_type() == Obj::small(0).raw_type()
    }

    /// True if the object's class was made in Python (or by calling `type`), not in C.
    #[inline]
    pub fn is_instance_of_python_class(self) -> bool {
        self.type_in_memory()
            .is_some_and(|type_| type_.flags & MP_TYPE_FLAG_INSTANCE_TYPE != 0)
    }

    #[inline]
    pub(crate) fn raw_type(self) -> *const ObjType {
        // SAFETY: the reference is valid. EXCEPTION: none.
        unsafe { (table().obj_get_type)(self.0) }
    }

    /// The type of an object that has memory of its own; where words have 32 bits, found without a call. What stands in
    /// the reference itself (small ints, None) has a type without flags and protocols, and may be without one here.
    #[inline]
    pub(crate) fn type_in_memory(self) -> Option<&'static ObjType> {
        let type_ = if size_of::<usize>() != 4 {
            self.raw_type()
        } else if self.0.is_address() {
            // SAFETY: an object, which begins so.
            unsafe { (*self.0.0.cast::<ObjBase>()).type_ }
        } else {
            return None;
        };
        // SAFETY: every object has a type, and types are never freed while an instance lives.
        Some(unsafe { &*type_ })
    }

    /// True if the object is a dict (not a subclass).
    pub fn is_dict(self) -> bool {
        self.raw_type() == table().type_dict
    }
}
