//! Attributes and calls.

use micropython_sys::MpObj;

use crate::table::table;
use crate::{Obj, Qstr};

/// The most arguments of a plain call from Rust.
const FEW_ARGS: usize = 4;

/// The most arguments of a call from Rust with keywords, each of which counts as two.
const MAX_ARGS: usize = 24;

/// A method bound to its object, ready to be called.
#[derive(Clone, Copy)]
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
        let mut pair = [MpObj::NULL; 2];
        // SAFETY: the entry writes two references. EXCEPTION: AttributeError.
        unsafe { (table().load_method)(self.0, name.number(), pair.as_mut_ptr()) };
        Method { pair }
    }

    /// The method `self.name`, if there is one. Raises only what a property or `__getattr__` raises.
    #[inline(never)]
    pub fn method_maybe(self, name: Qstr) -> Option<Method> {
        let mut pair = [MpObj::NULL; 2];
        // SAFETY: the entry writes two references.
        // EXCEPTION: none for a missing attribute; what `__getattr__` or a property raises.
        unsafe { (table().load_method_maybe)(self.0, name.number(), pair.as_mut_ptr()) };
        (pair[0] != MpObj::NULL).then_some(Method { pair })
    }

    /// `self.name(*args)`. Raises AttributeError, or what the callee raises.
    #[inline(never)]
    pub fn call_method(self, name: Qstr, args: &[Obj]) -> Obj {
        self.method(name).call(args)
    }

    /// Calls the object. Raises what the callee raises.
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

    /// Calls the method with up to [`FEW_ARGS`] arguments. Raises what the callee raises. More arguments are a
    /// programming error and panic.
    #[inline(never)]
    pub fn call(&self, args: &[Obj]) -> Obj {
        self.call_from::<{ 2 + FEW_ARGS }>(args, &[])
    }

    /// Calls the method with keyword arguments, given as pairs of name and value. Raises what the callee
    /// raises. More than 24 words of arguments are a programming error and panic.
    #[inline(never)]
    pub fn call_with(&self, args: &[Obj], keywords: &[[Obj; 2]]) -> Obj {
        self.call_from::<{ 2 + MAX_ARGS }>(args, keywords)
    }

    /// Calls from an array of `N` words on the stack. The array stays there while the callee runs, and the collector
    /// takes whatever it holds for references: so it is no larger than need be, and cleared.
    #[inline(always)]
    fn call_from<const N: usize>(&self, args: &[Obj], keywords: &[[Obj; 2]]) -> Obj {
        let mut all = [MpObj::NULL; N];
        let words = self.pair.into_iter();
        let words = words.chain(args.iter().map(|arg| arg.0));
        let words = words.chain(keywords.as_flattened().iter().map(|arg| arg.0));
        assert!(
            2 + args.len() + 2 * keywords.len() <= N,
            "too many arguments"
        );
        for (place, word) in all.iter_mut().zip(words) {
            *place = word;
        }
        // SAFETY: the array holds function, self, the values and the pairs, as the entry expects them.
        // EXCEPTION: what the callee raises.
        Obj(unsafe { (table().call_method_n_kw)(args.len(), keywords.len(), all.as_ptr()) })
    }
}
