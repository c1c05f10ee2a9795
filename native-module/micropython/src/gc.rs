//! Memory of the collected heap, and references that live in statics.

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_void;
use core::ptr::NonNull;

use micropython_sys::{MpObj, ObjStr, ObjType};

use crate::slot::Span;
use crate::table::table;
use crate::{Buffer, Error, Obj, Result};

/// A static that holds a reference to an object; the collector finds it there.
///
/// Written while the module is imported, read by its functions. MicroPython runs an import in one thread.
pub struct Static(UnsafeCell<MpObj>);

// SAFETY: a reference is one word, set during import, before other code can reach the module's functions.
unsafe impl Sync for Static {}

impl Static {
    #[allow(
        clippy::new_without_default,
        reason = "a static needs a const function"
    )]
    pub const fn new() -> Self {
        Static(UnsafeCell::new(MpObj::NULL))
    }

    pub fn set(&self, value: Obj) {
        // SAFETY: see the type: nobody reads during import.
        unsafe { *self.0.get() = value.0 }
    }

    /// The object; None before one is set.
    #[inline(never)]
    pub fn get(&self) -> Obj {
        // SAFETY: nobody writes after import.
        let value = unsafe { *self.0.get() };
        if value == MpObj::NULL {
            return Obj::none();
        }
        Obj(value)
    }
}

/// A static that remembers a str or bytes object and where its bytes are: they never change, and do not move.
///
/// The object is kept alive, so that no other can be taken for it. As with [`Static`], nothing else of the interpreter
/// runs while a function of the module does.
pub struct KeptBytes(UnsafeCell<(MpObj, *mut u8, usize)>);

// SAFETY: see the type.
unsafe impl Sync for KeptBytes {}

impl KeptBytes {
    #[allow(
        clippy::new_without_default,
        reason = "a static needs a const function"
    )]
    pub const fn new() -> Self {
        KeptBytes(UnsafeCell::new((MpObj::NULL, core::ptr::null_mut(), 0)))
    }

    /// True if it remembers this object.
    #[inline(always)]
    pub fn is(&self, object: Obj) -> bool {
        // SAFETY: see the type.
        unsafe { (*self.0.get()).0 == object.0 }
    }

    /// What [`KeptBytes::set`] was given last.
    #[inline(always)]
    pub fn bytes(&self) -> Buffer {
        // SAFETY: see the type; both numbers are of one buffer.
        unsafe {
            let (_, start, len) = *self.0.get();
            Buffer::from_span(Span { start, len })
        }
    }

    /// Lets go of the object.
    pub fn forget(&self) {
        // SAFETY: see the type. The bytes are a block of their own, which is let go of as well.
        unsafe { *self.0.get() = (MpObj::NULL, core::ptr::null_mut(), 0) }
    }

    /// Notes where an object's bytes are, and remembers the object if it is one that cannot change: a str, or a bytes
    /// object. For any other the bytes are there until other code runs.
    pub fn set(&self, object: Obj, bytes: Buffer) {
        let type_ = object.raw_type();
        let fixed = type_ == table().type_str || type_ == BYTES.get();
        let kept = if fixed { object.0 } else { MpObj::NULL };
        // SAFETY: see the type.
        unsafe { *self.0.get() = (kept, bytes.as_ptr(), bytes.len()) }
    }
}

/// Allocates `len` bytes on the collected heap, aligned for any field; `None` if there is no room. Does not
/// raise. The memory is not initialised.
pub fn alloc(len: usize) -> Option<*mut u8> {
    // SAFETY: NULL asks for a new block. EXCEPTION: none, failure is NULL.
    let block = unsafe { (table().realloc_)(core::ptr::null_mut(), len, false) };
    (!block.is_null()).then_some(block.cast())
}

/// Frees a block of [`alloc`].
///
/// # Safety
/// `block` must come from [`alloc`], and nobody may use it any more.
pub unsafe fn free(block: *mut u8) {
    // SAFETY: size 0 frees. EXCEPTION: none.
    unsafe { (table().realloc_)(block.cast::<c_void>(), 0, false) };
}

/// A block of bytes on the collected heap, of a length that never changes. Copying it copies the reference.
///
/// Python code may hold the same memory (`memoryview` of an object whose `#[buffer]` it is), so its bytes are shared
/// cells. The reference is to the block's begin, by which the collector finds it.
#[derive(Clone, Copy)]
pub struct Block {
    start: NonNull<u8>,
    len: usize,
}

impl Block {
    /// A block of zeros. A MemoryError is returned, not raised.
    pub fn zeroed(len: usize) -> Result<Block> {
        let start = alloc(len.max(1)).and_then(NonNull::new);
        let Some(start) = start else {
            return Err(Error::NO_MEMORY);
        };
        // SAFETY: the block is new and has as many bytes.
        unsafe { start.write_bytes(0, len) };
        Ok(Block { start, len })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address of the first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The bytes. The reference in `self` keeps them alive.
    pub fn bytes(&self) -> &[Cell<u8>] {
        // SAFETY: the block has as many bytes, initialised, and everybody writes to them as to cells.
        unsafe { core::slice::from_raw_parts(self.start.as_ptr().cast(), self.len) }
    }
}

/// The type of bytes objects, which the interpreter's table does not have: asked of one, and kept.
struct BytesType(UnsafeCell<*const ObjType>);

// SAFETY: one word, which never changes once it is known. As with [`KeptBytes`], one thread runs at a time.
unsafe impl Sync for BytesType {}

// Through the table of addresses: the linker would have to make a detour of each access.
#[cfg_attr(target_arch = "riscv32", unsafe(export_name = "micropython.BYTES"))]
static BYTES: BytesType = BytesType(UnsafeCell::new(core::ptr::null()));

impl BytesType {
    #[inline(never)]
    fn get(&self) -> *const ObjType {
        // SAFETY: see the type.
        let type_ = unsafe { *self.0.get() };
        if type_.is_null() { self.ask() } else { type_ }
    }

    #[cold]
    #[inline(never)]
    fn ask(&self) -> *const ObjType {
        let type_ = Obj::from_bytes(b"").raw_type();
        // SAFETY: see the type.
        unsafe { *self.0.get() = type_ };
        type_
    }
}

/// A bytes object whose contents are still being filled in.
#[derive(Clone, Copy)]
pub struct BytesBuilder {
    object: NonNull<ObjStr>,
}

impl BytesBuilder {
    /// Allocates a bytes object of `len` bytes. A MemoryError is returned, not raised.
    pub fn new(len: usize) -> Result<Self> {
        let no_memory = Error::NO_MEMORY;
        let object = alloc(size_of::<ObjStr>())
            .ok_or(no_memory)?
            .cast::<ObjStr>();
        // MicroPython keeps a NUL behind the bytes.
        let data = alloc(len.checked_add(1).ok_or(no_memory)?).ok_or(no_memory)?;
        // SAFETY: both blocks are new, large enough and aligned. A hash of 0 is computed when needed.
        unsafe {
            data.add(len).write(0);
            (&raw mut (*object).base.type_).write(BYTES.get());
            (&raw mut (*object).hash).write(0);
            (&raw mut (*object).len).write(len);
            (&raw mut (*object).data).write(data);
        }
        // SAFETY: not NULL, see `alloc`.
        Ok(BytesBuilder {
            object: unsafe { NonNull::new_unchecked(object) },
        })
    }

    /// Takes an object that is a bytes object, not one of a subclass.
    #[inline(always)]
    pub fn of(object: Obj) -> Option<Self> {
        if !core::ptr::eq(object.type_in_memory()?, BYTES.get()) {
            return None;
        }
        let object = NonNull::new(object.0.0.cast())?;
        Some(BytesBuilder { object })
    }

    /// Length of the contents in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: the object is a bytes object.
        unsafe { self.object.as_ref().len }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Address of the contents, which are not initialised yet.
    pub fn data(&self) -> *mut u8 {
        // SAFETY: the object was made by `new`.
        unsafe { self.object.as_ref().data.cast_mut() }
    }

    /// The contents.
    ///
    /// # Safety
    /// They must be written already.
    pub unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: the object was made by `new`, which has set its length; the rest as the caller promises.
        unsafe { core::slice::from_raw_parts(self.data(), self.len()) }
    }

    /// The object. Its contents must be written before Python code sees it.
    pub fn object(&self) -> Obj {
        Obj(MpObj(self.object.as_ptr().cast()))
    }
}
