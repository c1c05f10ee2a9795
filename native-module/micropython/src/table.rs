//! The one place where the interpreter's function table is reached.

use micropython_sys::FunTable;

/// The function table of the interpreter that loaded this module.
#[inline(always)]
pub(crate) fn table() -> &'static FunTable {
    // SAFETY: the linker resolves `mp_fun_table` to the interpreter's own table, which is constant, lives as
    // long as the interpreter and has the layout of .mpy 6.3 (the loader refuses other versions).
    unsafe { &micropython_sys::mp_fun_table }
}
