//! Attributes of an instance that are read at every call: the place where one was found last is looked at before it is
//! searched for. Most instances of a class got theirs in the same order and have the same table. Where code may be large
//! (`targets.toml` has a number as `opt-level`), that is done in place; elsewhere by a call.

use core::ffi::c_void;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use micropython_sys::ObjInstance;

use crate::{Obj, Qstr};

/// An attribute's name as an object, and the number of the entry in which an instance had it last.
pub struct Attribute {
    key: AtomicPtr<c_void>,
    place: AtomicUsize,
}

impl Attribute {
    #[allow(
        clippy::new_without_default,
        reason = "a static needs a const function"
    )]
    pub const fn new() -> Self {
        Attribute {
            key: AtomicPtr::new(core::ptr::null_mut()),
            place: AtomicUsize::new(0),
        }
    }
}

impl Obj {
    /// `self.name`, as [`Obj::get`] has it.
    #[inline]
    pub fn get_own(self, name: Qstr, attribute: &Attribute) -> Obj {
        attribute.get(self, name)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod small {
    use super::*;

    impl Attribute {
        /// The attribute of this instance of a class, if it is where one was found last.
        #[inline(never)]
        pub(super) fn get(&self, instance: Obj, name: Qstr) -> Obj {
            let key = self.key.load(Ordering::Relaxed);
            if !key.is_null() && instance.is_instance_of_python_class() {
                // SAFETY: as in `search`.
                unsafe {
                    let members = &(*instance.0.0.cast::<ObjInstance>()).members;
                    let place = self.place.load(Ordering::Relaxed);
                    if place < members.alloc {
                        let entry = members.table.add(place);
                        if (*entry).key.0 == key {
                            return Obj((*entry).value);
                        }
                    }
                }
            }
            self.search(instance, name)
        }

        /// The same as usual; notes where an instance of a class has it.
        #[cold]
        #[inline(never)]
        fn search(&self, instance: Obj, name: Qstr) -> Obj {
            if instance.is_instance_of_python_class() {
                let key = Obj::from_qstr(name).0;
                self.key.store(key.0, Ordering::Relaxed);
                // SAFETY: it is an instance, whose table has as many entries as it says; other code does not run meanwhile.
                unsafe {
                    let members = &(*instance.0.0.cast::<ObjInstance>()).members;
                    for place in 0..members.alloc {
                        if (*members.table.add(place)).key == key {
                            self.place.store(place, Ordering::Relaxed);
                        }
                    }
                }
            }
            instance.get(name)
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod remembered {
    use micropython_sys::MpObj;

    use super::*;

    impl Attribute {
        /// The attribute of this instance of a class, if the instance has it itself: before all that its class has, since
        /// MicroPython looks there first (`mp_obj_instance_load_attr` of `py/objtype.c`).
        #[inline]
        pub(super) fn get(&self, instance: Obj, name: Qstr) -> Obj {
            self.find(instance, name)
                .unwrap_or_else(|| instance.get(name))
        }

        #[inline]
        fn find(&self, instance: Obj, name: Qstr) -> Option<Obj> {
            if !instance.is_instance_of_python_class() {
                return None;
            }
            // SAFETY: it is an instance, whose table has as many entries as it says; other code does not run meanwhile.
            unsafe {
                let members = &(*instance.0.0.cast::<ObjInstance>()).members;
                let place = self.place.load(Ordering::Relaxed);
                let key = self.key.load(Ordering::Relaxed);
                if place < members.alloc && !key.is_null() {
                    let entry = members.table.add(place);
                    if (*entry).key == MpObj(key) {
                        return Some(Obj((*entry).value));
                    }
                }
            }
            self.search(instance, name)
        }

        #[cold]
        #[inline(never)]
        fn search(&self, instance: Obj, name: Qstr) -> Option<Obj> {
            let key = Obj::from_qstr(name).0;
            self.key.store(key.0, Ordering::Relaxed);
            // SAFETY: as in `find`, whose caller this is.
            unsafe {
                let members = &(*instance.0.0.cast::<ObjInstance>()).members;
                for place in 0..members.alloc {
                    let entry = members.table.add(place);
                    if (*entry).key == key {
                        self.place.store(place, Ordering::Relaxed);
                        return Some(Obj((*entry).value));
                    }
                }
            }
            None
        }
    }
}
