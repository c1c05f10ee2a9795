//! Native functions: how the interpreter calls them and how they become Python objects.

use core::ffi::c_void;

use micropython_sys::raw_code::{
    MP_CODE_NATIVE_VIPER, MP_PROTO_FUN_INDICATOR_RAW_CODE_0, MP_PROTO_FUN_INDICATOR_RAW_CODE_1,
};
use micropython_sys::{ModuleContext, MpObj, RawCodeTruncated};

use crate::define::{FunctionDef, as_children};
use crate::table::table;
use crate::{Obj, Result};

/// The entry point of a native function, as [`function!`](crate::function) makes it.
pub type NativeFunction = micropython_sys::fun::FunViper;

/// A native function that can become a Python object.
#[derive(Clone, Copy)]
pub struct Function(NativeFunction);

impl Function {
    /// Wraps an entry point.
    ///
    /// # Safety
    /// `entry` must follow the interpreter's convention; [`function!`](crate::function) sees to it.
    #[doc(hidden)]
    pub const unsafe fn new(entry: NativeFunction) -> Self {
        Function(entry)
    }

    /// A function object of the module with this context. Stored in a class it is a method that binds self.
    /// May raise MemoryError.
    pub(crate) fn into_object(self, context: *const ModuleContext) -> Obj {
        make(self.0, core::ptr::null(), context)
    }
}

/// The function object of a table. May raise MemoryError.
pub(crate) fn from_table(
    entry: NativeFunction,
    def: &'static FunctionDef,
    context: *const ModuleContext,
) -> Obj {
    make(entry, as_children(def), context)
}

/// Makes a function object. `children` is handed to the entry, as `child_table` of the function object.
#[inline(never)]
fn make(entry: NativeFunction, children: *const *mut c_void, context: *const ModuleContext) -> Obj {
    let record = RawCodeTruncated {
        proto_fun_indicator: [
            MP_PROTO_FUN_INDICATOR_RAW_CODE_0,
            MP_PROTO_FUN_INDICATOR_RAW_CODE_1,
        ],
        kind: MP_CODE_NATIVE_VIPER,
        is_generator: 0,
        fun_data: entry as *const _,
        children,
    };
    // SAFETY: the entry copies what it needs from the record; the context is the module's own.
    // EXCEPTION: MemoryError.
    Obj(unsafe {
        (table().make_function_from_proto_fun)(
            (&raw const record).cast(),
            context,
            core::ptr::null(),
        )
    })
}

/// Ends a native function: hands the object over or raises the error.
#[doc(hidden)]
#[inline(always)]
pub fn finish(result: Result<Obj>) -> MpObj {
    match result {
        Ok(value) => value.0,
        Err(error) => error.raise(),
    }
}

/// Makes a [`Function`] of a Rust function `fn(Args) -> Result<Obj>`.
#[macro_export]
macro_rules! function {
    ($body:path) => {{
        unsafe extern "C" fn entry(
            _function: *const $crate::sys::ObjFunBc,
            n_pos: usize,
            n_kw: usize,
            values: *const $crate::sys::MpObj,
        ) -> $crate::sys::MpObj {
            // SAFETY: the interpreter passes `n_pos` values and `n_kw` pairs, alive during the call.
            let args = unsafe { $crate::Args::new(n_pos, n_kw, values) };
            $crate::finish($body(args))
        }
        // SAFETY: `entry` has the convention of native functions.
        unsafe { $crate::Function::new(entry) }
    }};
}
