//! Attributes and calls.

use core::mem::MaybeUninit;

use micropython_sys::MpObj;

use crate::table::table;
use crate::{Obj, Qstr};

/// The most arguments of a plain call from Rust.
const FEW_ARGS: usize = 4;

/// A method bound to its object, ready to be called.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Method {
    /// The function, then the object it is bound to, which is NULL for a plain function.
    pair: [MpObj; 2],
}

impl Obj {
    /// `self.name`. Raises AttributeError, or what a property raises.
    #[inline(never)]
    pub fn get(self, name: Qstr) -> Obj {
        // SAFETY: the reference is valid and the number an interned string's.
        // EXCEPTION: AttributeError, or what `__getattr__` or a property raises.
        Obj(unsafe { (table().load_attr)(self.0, name.number()) })
    }

    /// `self.name = value`. Raises AttributeError, or what a property raises.
    #[inline(never)]
    pub fn set(self, name: Qstr, value: Obj) {
        // SAFETY: the references are valid and the number an interned string's.
        // EXCEPTION: AttributeError, MemoryError, or what a property raises.
        unsafe { (table().store_attr)(self.0, name.number(), value.0) }
    }

    /// The method `self.name`. Raises AttributeError.
    #[inline(never)]
    pub fn method(self, name: Qstr) -> Method {
        let mut method = MaybeUninit::<Method>::uninit();
        // SAFETY: the entry writes two references. EXCEPTION: AttributeError.
        unsafe {
            (table().load_method)(self.0, name.number(), method.as_mut_ptr().cast());
            method.assume_init()
        }
    }

    /// The method `self.name`, if there is one. Raises only what a property or `__getattr__` raises.
    #[inline(never)]
    pub fn method_maybe(self, name: Qstr) -> Option<Method> {
        let mut method = MaybeUninit::<Method>::uninit();
        // SAFETY: the entry writes two references, NULL both if there is no such attribute.
        // EXCEPTION: none for a missing attribute; what `__getattr__` or a property raises.
        let method = unsafe {
            (table().load_method_maybe)(self.0, name.number(), method.as_mut_ptr().cast());
            method.assume_init()
        };
        (method.pair[0] != MpObj::NULL).then_some(method)
    }

    /// `self.name(*args)`, with up to four arguments. Raises AttributeError, or what the callee raises.
    #[inline(always)]
    pub fn call_method<const N: usize>(self, name: Qstr, args: &[Obj; N]) -> Obj {
        const { assert!(N <= FEW_ARGS, "too many arguments for `call_method`") };
        self.call_method_few(name, args)
    }

    #[inline(never)]
    fn call_method_few(self, name: Qstr, args: &[Obj]) -> Obj {
        self.method(name).call_few(args)
    }

    /// Calls the object. Raises what the callee raises.
    #[inline(never)]
    pub fn call(self, args: &[Obj]) -> Obj {
        // SAFETY: `Obj` is a transparent `MpObj`; the entry reads `args.len()` references.
        // EXCEPTION: what the callee raises.
        Obj(unsafe { (table().call_function_n_kw)(self.0, args.len(), args.as_ptr().cast()) })
    }
}

impl Method {
    /// What the name led to, whether it can be called or not.
    pub(crate) fn function(&self) -> Obj {
        Obj(self.pair[0])
    }

    /// True if the method is this very function object, that is: nobody has overridden it.
    #[inline]
    pub fn is(&self, function: Obj) -> bool {
        self.pair[0] == function.0
    }

    /// Calls the method with up to four arguments. Raises what the callee raises.
    #[inline(always)]
    pub fn call<const N: usize>(self, args: &[Obj; N]) -> Obj {
        const { assert!(N <= FEW_ARGS, "too many arguments for `Method::call`") };
        self.call_few(args)
    }

    /// Calls the method with keyword arguments besides, as `f(*args, **keywords)` does. Raises what the callee raises,
    /// and TypeError or AttributeError if `keywords` is no mapping of names.
    #[inline(always)]
    pub fn call_with<const N: usize>(self, args: &[Obj; N], keywords: Obj) -> Obj {
        const { assert!(N <= FEW_ARGS, "too many arguments for `Method::call_with`") };
        self.call_few_with(args, keywords)
    }

    #[inline(never)]
    fn call_few(self, args: &[Obj]) -> Obj {
        let mut words = Words::new(self);
        words.add(args);
        // SAFETY: the array holds function, self and the values, as the entry expects them.
        // EXCEPTION: what the callee raises.
        Obj(unsafe { (table().call_method_n_kw)(args.len(), 0, words.as_ptr()) })
    }

    #[inline(never)]
    fn call_few_with(self, args: &[Obj], keywords: Obj) -> Obj {
        let mut words = Words::new(self);
        words.add(args);
        // A pair without a name is a mapping, and the number says that no argument is a sequence.
        words.add(&[Obj(MpObj::NULL), keywords, Obj::small(0)]);
        // SAFETY: the array holds what the entry expects: function, self, the values, one pair, the number.
        // EXCEPTION: what the callee raises; TypeError, AttributeError for keywords that are none.
        Obj(unsafe { (table().call_method_n_kw_var)(true, args.len() | 1 << 8, words.as_ptr()) })
    }
}

/// The words of a call, put together on the stack: a method, its arguments, and three that say more about them.
struct Words {
    words: [MaybeUninit<MpObj>; 2 + FEW_ARGS + 3],
    len: usize,
}

impl Words {
    #[inline(always)]
    fn new(method: Method) -> Self {
        let mut words = [const { MaybeUninit::uninit() }; _];
        words[0].write(method.pair[0]);
        words[1].write(method.pair[1]);
        Words { words, len: 2 }
    }

    /// Adds as many as there is room for.
    #[inline(always)]
    fn add(&mut self, more: &[Obj]) {
        for arg in more {
            if let Some(place) = self.words.get_mut(self.len) {
                place.write(arg.0);
            }
            self.len += 1;
        }
    }

    fn as_ptr(&self) -> *const MpObj {
        self.words.as_ptr().cast()
    }
}
