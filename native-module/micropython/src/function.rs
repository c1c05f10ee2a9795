//! Native functions: how the interpreter calls them and how they become Python objects.

use core::ffi::c_void;

use micropython_sys::raw_code::{
    MP_CODE_NATIVE_VIPER, MP_PROTO_FUN_INDICATOR_RAW_CODE_0, MP_PROTO_FUN_INDICATOR_RAW_CODE_1,
};
use micropython_sys::{ModuleContext, RawCodeTruncated};

use crate::Obj;
use crate::define::{FunctionDef, as_children};
use crate::table::table;

/// The entry point of a native function.
pub type NativeFunction = micropython_sys::fun::FunViper;

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
