//! Numbers both ways: integers of every width and floats.
//!
//! Floats and integers wider than a word travel through memory, by the table's entries for typed arrays
//! (`binary_get_val_array`, `binary_set_val_array`): which register a float is passed in depends on how the firmware
//! was built, and RP2350's for one is built otherwise than its architecture value says.

use core::ffi::{c_char, c_void};

use micropython_sys::native_type::MP_NATIVE_TYPE_UINT;

use crate::Obj;
use crate::slot::kind;
use crate::table::table;

/// The object of element 0 of an array of this typecode. May raise MemoryError.
#[inline(never)]
unsafe fn load(typecode: u8, place: *const c_void) -> Obj {
    // SAFETY: the caller has a value of the typecode there. EXCEPTION: MemoryError.
    Obj(unsafe { (table().binary_get_val_array)(typecode as c_char, place.cast_mut(), 0) })
}

/// Stores an object as element 0 of an array of this typecode. Raises TypeError; a wide integer is cut.
#[inline(never)]
unsafe fn store(typecode: u8, place: *mut c_void, value: Obj) {
    // SAFETY: the caller has room for a value of the typecode there. EXCEPTION: TypeError.
    unsafe { (table().binary_set_val_array)(typecode as c_char, place, 0, value.0) }
}

impl Obj {
    /// An int of any 64-bit value. May raise MemoryError.
    pub fn from_i64(value: i64) -> Obj {
        match isize::try_from(value) {
            Ok(value) => Obj::from_int(value),
            // SAFETY: `q` is a 64-bit integer.
            Err(_) => unsafe { load(b'q', (&raw const value).cast()) },
        }
    }

    /// An int of any unsigned 64-bit value. May raise MemoryError.
    pub fn from_u64(value: u64) -> Obj {
        match usize::try_from(value) {
            Ok(value) => Obj::from_uint(value),
            // SAFETY: `Q` is an unsigned 64-bit integer.
            Err(_) => unsafe { load(b'Q', (&raw const value).cast()) },
        }
    }

    /// An int of an unsigned word. May raise MemoryError.
    #[inline(never)]
    pub fn from_uint(value: usize) -> Obj {
        // SAFETY: the entry accepts any word with this type.
        // EXCEPTION: MemoryError, only where a big int must be allocated.
        Obj(unsafe { (table().native_to_obj)(value, MP_NATIVE_TYPE_UINT) })
    }

    /// A float. May raise MemoryError; RuntimeError where the board has no floats.
    pub fn from_f64(value: f64) -> Obj {
        // SAFETY: `d` is a double.
        unsafe { load(b'd', (&raw const value).cast()) }
    }

    /// A float. May raise MemoryError.
    pub fn from_f32(value: f32) -> Obj {
        // SAFETY: `f` is a float.
        unsafe { load(b'f', (&raw const value).cast()) }
    }

    /// The value of a float, int or bool. Raises TypeError.
    pub fn to_f64(self) -> f64 {
        let mut value = 0.0_f64;
        // SAFETY: `d` is a double.
        unsafe { store(b'd', (&raw mut value).cast(), self) };
        value
    }

    /// The value of a float, int or bool, rounded to single precision. Raises TypeError.
    pub fn to_f32(self) -> f32 {
        let mut value = 0.0_f32;
        // SAFETY: `f` is a float.
        unsafe { store(b'f', (&raw mut value).cast(), self) };
        value
    }

    /// The value as an integer of the kind's width and sign, which is at most a word's; `None` if it does not fit.
    /// Raises TypeError for what is no int or bool.
    #[inline(never)]
    pub(crate) fn to_word(self, of: u8) -> Option<usize> {
        let signed = of & kind::SIGNED != 0;
        let word = self.to_int_truncated();
        // What the word alone says, as an object again.
        let again = if signed {
            Obj::from_int(word as isize)
        } else {
            Obj::from_uint(word)
        };
        if again != self && !again.equals(self) {
            return None;
        }
        // Bits above the width must repeat the sign, or be clear.
        let unused = usize::BITS - (8 << (of & 3));
        let cut = word << unused;
        let back = if signed {
            (cut as isize >> unused) as usize
        } else {
            cut >> unused
        };
        (back == word).then_some(word)
    }

    /// The value as a 64-bit integer of the kind's sign; `None` if it does not fit. Raises TypeError for what is no
    /// int or bool.
    #[inline(never)]
    pub(crate) fn to_integer(self, of: u8) -> Option<u64> {
        let signed = of & kind::SIGNED != 0;
        if size_of::<usize>() == 8 {
            return self.to_word(of).map(|word| word as u64);
        }
        // As a word first, since a small int may be stored cut to one.
        let of_word = kind::INT | of & kind::SIGNED | size_of::<usize>().trailing_zeros() as u8;
        if let Some(word) = self.to_word(of_word) {
            return Some(if signed {
                word as isize as i64 as u64
            } else {
                word as u64
            });
        }
        let mut wide = 0u64;
        let typecode = if signed { b'q' } else { b'Q' };
        // SAFETY: both typecodes are of 64 bits.
        let again = unsafe {
            store(typecode, (&raw mut wide).cast(), self);
            load(typecode, (&raw const wide).cast())
        };
        again.equals(self).then_some(wide)
    }

    /// The value of an int or bool; `None` if it does not fit. Raises TypeError for anything else.
    pub fn to_i64(self) -> Option<i64> {
        self.to_integer(kind::INT | kind::SIGNED | 3)
            .map(|value| value as i64)
    }

    /// The value of an int or bool that is not negative; `None` if it does not fit. Raises TypeError for anything
    /// else.
    pub fn to_u64(self) -> Option<u64> {
        self.to_integer(kind::INT | 3)
    }
}
