//! A memoryview whose place in its buffer native code moves: a program sees one piece of the buffer after another, and
//! no piece costs an object.

use micropython_sys::ObjArray;

use crate::Obj;

/// Where `free` begins in the unit of bit-fields that it shares with `typecode`.
const FREE_SHIFT: u32 = 8;

/// A memoryview that is moved.
#[derive(Clone, Copy)]
pub struct View(Obj);

impl View {
    /// Takes what calling `memoryview` has returned.
    ///
    /// # Safety
    /// It must come from there, and nobody else may have it.
    pub unsafe fn of(memoryview: Obj) -> View {
        View(memoryview)
    }

    /// Moves the memoryview, wherever the program has kept it, to these bytes of the buffer.
    ///
    /// # Safety
    /// The buffer must consist of bytes, at least `start + len` of them.
    pub unsafe fn place(self, start: usize, len: usize) {
        let array: *mut ObjArray = self.0.0.0.cast();
        // SAFETY: the object is a memoryview, see `of`, and the bytes are the buffer's.
        unsafe {
            let typecode = (*array).typecode_and_free & ((1 << FREE_SHIFT) - 1);
            (*array).typecode_and_free = typecode | start << FREE_SHIFT;
            (*array).len = len;
        }
    }
}
