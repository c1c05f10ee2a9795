//! Lists, tuples, dicts and iterators.

use core::mem::MaybeUninit;

use micropython_sys::obj::ObjIterBuf;
use micropython_sys::{MpObj, ObjBase, ObjDict, ObjList, ObjTuple};

use crate::table::table;
use crate::{Obj, Result};

macro_rules! wrapper {
    ($(#[$meta:meta])* $name:ident, $type:expr, $message:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[repr(transparent)]
        pub struct $name(Obj);

        impl $name {
            /// Takes the object if it is one; not one of a subclass. The error is a TypeError.
            pub fn from_obj(object: Obj) -> Result<Self> {
                if Self::is(object) {
                    Ok($name(object))
                } else {
                    Err(error!("TypeError", $message))
                }
            }

            pub(crate) fn is(object: Obj) -> bool {
                object.raw_type() == $type
            }

            /// The caller has checked the type.
            pub(crate) fn from_obj_unchecked(object: Obj) -> Self {
                $name(object)
            }

            /// The object.
            pub fn obj(self) -> Obj {
                self.0
            }
        }
    };
}

wrapper! {
    /// A list.
    List, table().type_list, "a list is needed"
}
wrapper! {
    /// A tuple.
    Tuple, Obj::from_items(&[]).raw_type(), "a tuple is needed"
}
wrapper! {
    /// A dict.
    Dict, table().type_dict, "a dict is needed"
}

impl List {
    /// A new list. May raise MemoryError.
    pub fn new(items: &[Obj]) -> List {
        // SAFETY: `Obj` is a transparent `MpObj`; the entry copies the items.
        // EXCEPTION: MemoryError.
        List(Obj(unsafe {
            (table().new_list)(items.len(), items.as_ptr().cast_mut().cast())
        }))
    }

    fn raw(&self) -> *const ObjList {
        self.0.0.0.cast()
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        // SAFETY: the type was checked.
        unsafe { (*self.raw()).len }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Item `index`, if there is one. Does not raise.
    pub fn get(&self, index: usize) -> Option<Obj> {
        // SAFETY: the type was checked; `items` has `len` items.
        unsafe {
            let list = self.raw();
            (index < (*list).len).then(|| Obj((*list).items.add(index).read()))
        }
    }

    /// Replaces item `index`. False if there is none.
    pub fn set(&self, index: usize, value: Obj) -> bool {
        // SAFETY: the type was checked; `items` has `len` items.
        unsafe {
            let list = self.raw();
            if index >= (*list).len {
                return false;
            }
            (*list).items.add(index).write(value.0);
        }
        true
    }

    /// Appends an item. May raise MemoryError.
    pub fn push(&self, value: Obj) {
        // SAFETY: it is a list. EXCEPTION: MemoryError.
        unsafe { (table().list_append)(self.0.0, value.0) };
    }
}

impl Tuple {
    /// A new tuple. May raise MemoryError.
    pub fn new(items: &[Obj]) -> Tuple {
        Tuple(Obj::from_items(items))
    }

    /// The items; a tuple never changes.
    pub fn as_slice(&self) -> &[Obj] {
        let tuple: *const ObjTuple = self.0.0.0.cast();
        // SAFETY: the type was checked, and `len` items follow; the reference in `self` keeps the tuple alive.
        unsafe {
            let items = (&raw const (*tuple).items).cast::<Obj>();
            core::slice::from_raw_parts(items, (*tuple).len)
        }
    }
}

impl Dict {
    /// A new, empty dict. May raise MemoryError.
    pub fn new() -> Dict {
        Dict(Obj::new_dict())
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        // SAFETY: the type was checked.
        let map = unsafe { &(*self.0.0.0.cast::<ObjDict>()).map };
        map.flags_and_used >> micropython_sys::map::MP_MAP_USED_SHIFT
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `self[key] = value`. Raises TypeError for a key without a hash; may raise MemoryError.
    pub fn set(&self, key: Obj, value: Obj) {
        // SAFETY: it is a dict. EXCEPTION: TypeError, MemoryError.
        unsafe { (table().dict_store)(self.0.0, key.0, value.0) };
    }

    /// `self.get(key)`: `None` if there is no such entry. Raises TypeError for a key without a hash.
    pub fn get(&self, key: Obj) -> Option<Obj> {
        // SAFETY: both references are valid. EXCEPTION: TypeError.
        let has =
            unsafe { (table().binary_op)(micropython_sys::op::MP_BINARY_OP_IN, key.0, self.0.0) };
        (has == table().const_true).then(|| self.0.item(key))
    }

    /// The entries, at the time of each step. Changing the dict meanwhile may skip or repeat some.
    pub fn iter(&self) -> impl Iterator<Item = (Obj, Obj)> + use<> {
        let dict = *self;
        let mut at = 0;
        core::iter::from_fn(move || {
            loop {
                // SAFETY: the type was checked; the map is read anew at every step.
                let map = unsafe { &(*dict.0.0.0.cast::<ObjDict>()).map };
                if at >= map.alloc {
                    return None;
                }
                // SAFETY: `table` has `alloc` entries.
                let entry = unsafe { &*map.table.add(at) };
                at += 1;
                if entry.key != MpObj::NULL && entry.key != MpObj::SENTINEL {
                    return Some((Obj(entry.key), Obj(entry.value)));
                }
            }
        })
    }
}

impl Default for Dict {
    fn default() -> Dict {
        Dict::new()
    }
}

/// What a `for` loop goes through. Each step raises what the iterator raises.
pub struct Iter(ObjIterBuf);

impl Obj {
    /// Begins to iterate. Raises TypeError if the object cannot be iterated over.
    pub fn iter(self) -> Iter {
        // SAFETY: NULL asks for an iterator on the heap. EXCEPTION: TypeError, or what `__iter__` raises.
        let iterator = unsafe { (table().getiter)(self.0, core::ptr::null_mut()) };
        // A type of NULL says that the iterator is elsewhere, in the first word.
        Iter(ObjIterBuf {
            base: ObjBase {
                type_: core::ptr::null(),
            },
            buf: [iterator, MpObj::NULL, MpObj::NULL],
        })
    }

    /// Takes a sequence or iterable of exactly `N` items apart. Raises ValueError for another number, TypeError for
    /// what cannot be iterated over.
    pub fn unpack<const N: usize>(self) -> [Obj; N] {
        let mut items = MaybeUninit::<[MpObj; N]>::uninit();
        // SAFETY: the entry writes `N` items, last first, or raises. EXCEPTION: ValueError, TypeError.
        let mut items = unsafe {
            (table().unpack_sequence)(self.0, N, items.as_mut_ptr().cast());
            items.assume_init()
        };
        items.reverse();
        items.map(Obj)
    }
}

impl Iterator for Iter {
    type Item = Obj;

    #[inline(never)]
    fn next(&mut self) -> Option<Obj> {
        // SAFETY: the record says where the iterator is. EXCEPTION: what the iterator raises but StopIteration.
        let item = unsafe { (table().iternext)(&raw mut self.0) };
        (item != MpObj::STOP_ITERATION).then_some(Obj(item))
    }
}
