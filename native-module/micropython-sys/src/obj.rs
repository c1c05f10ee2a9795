//! Decides what an object reference is and how every heap object begins (`py/obj.h`).
//!
//! Small ints, qstrs and floats may be packed into the reference itself, in a way that depends on the port (object
//! representation A on most, C on ESP8266). So a reference is opaque here, but for [`MpObj::is_address`]: read None, False
//! and True from the function table, and convert with its entries 3 and 4.

use core::ffi::c_void;

use crate::layout::abi_struct;
use crate::types::ObjType;

/// `mp_obj_t`: one word, opaque.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct MpObj(pub *mut c_void);

impl MpObj {
    /// `MP_OBJ_NULL` of `py/obj.h`: no object. The same in all representations but D.
    pub const NULL: MpObj = MpObj(core::ptr::null_mut());
    /// `MP_OBJ_STOP_ITERATION` of `py/obj.h`: what an iterator returns at its end, outside debug builds.
    pub const STOP_ITERATION: MpObj = MpObj(core::ptr::null_mut());
    /// `MP_OBJ_SENTINEL` of `py/obj.h`, outside debug builds: a mark that no object equals.
    pub const SENTINEL: MpObj = MpObj(core::ptr::without_provenance_mut(4));

    /// True if the reference is the address of an object, which begins with an [`ObjBase`] (`mp_obj_is_obj` of
    /// `py/obj.h`, the same in the representations A, B and C; D is one of 64-bit words).
    #[inline(always)]
    pub fn is_address(self) -> bool {
        self.0.addr() & 3 == 0
    }
}

/// `qstr` of `py/qstr.h`: the number of an interned string in the running interpreter.
pub type Qstr = usize;

/// `qstr_short_t` of `py/qstr.h`: the same number as a module's qstr table stores it.
pub type QstrShort = u16;

abi_struct! {
    /// How every concrete object begins.
    ["_mp_obj_base_t" in "py/obj.h", size 1]
    pub struct ObjBase {
        /// The object's type.
        [0, "type_"] pub type_: *const ObjType,
    }
}

abi_struct! {
    /// Room for an iterator, so that a loop needs no heap (entries 30 and 31 of the table).
    ["_mp_obj_iter_buf_t" in "py/obj.h", size 4]
    pub struct ObjIterBuf {
        /// The iterator's own base.
        [0] pub base: ObjBase,
        /// Its state.
        [1] pub buf: [MpObj; 3],
    }
}
