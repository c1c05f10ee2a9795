//! Decides how function objects are laid out (`py/obj.h`, `py/objfun.h`).
//!
//! An [`ObjFunBc`] is what `mpy_init` and every viper function gets as its first argument. Its extra arguments
//! (defaults) and a closure's cells never reach a native module: it makes functions without them.

use core::ffi::c_void;

use crate::layout::abi_struct;
use crate::map::MpMap;
use crate::module::ModuleContext;
use crate::obj::{MpObj, ObjBase};

abi_struct! {
    /// `mp_obj_fun_bc_t`: a function made from a raw-code record, without the default arguments that may follow.
    /// Holds for builds without `sys.settrace` (`MICROPY_PY_SYS_SETTRACE`), which adds a field after `bytecode`.
    ["_mp_obj_fun_bc_t" in "py/objfun.h", size 4]
    pub struct ObjFunBc {
        /// The type: for native modules `mp_type_fun_viper`, which binds self.
        [0] pub base: ObjBase,
        /// The module that the function was defined in.
        [1] pub context: *const ModuleContext,
        /// The functions inside this one.
        [2] pub child_table: *const *mut c_void,
        /// Bytecode, or the address of the native code.
        [3] pub bytecode: *const u8,
        /// Where default arguments begin.
        [4] pub extra_args: [MpObj; 0],
    }
}

abi_struct! {
    /// `mp_obj_fun_builtin_fixed_t`: a built-in function of 0 to 3 arguments. In a class it is a staticmethod.
    ["_mp_obj_fun_builtin_fixed_t" in "py/obj.h", size 2]
    pub struct ObjFunBuiltinFixed {
        /// `type_fun_builtin_0` to `type_fun_builtin_3` of the table.
        [0] pub base: ObjBase,
        /// A function of that many arguments.
        [1] pub fun: *const c_void,
    }
}

abi_struct! {
    /// `mp_obj_fun_builtin_var_t`: a built-in function of any number of arguments. In a class it is a staticmethod.
    ["_mp_obj_fun_builtin_var_t" in "py/obj.h", size 3]
    pub struct ObjFunBuiltinVar {
        /// `type_fun_builtin_var` of the table.
        [0] pub base: ObjBase,
        /// The arguments it takes: [`make_sig`].
        [1] pub sig: u32,
        /// A [`FunVar`], or a [`FunKw`] where the signature takes keywords.
        [2] pub fun: *const c_void,
    }
}

/// `mp_fun_var_t`.
pub type FunVar = unsafe extern "C" fn(n_args: usize, args: *const MpObj) -> MpObj;
/// `mp_fun_kw_t`.
pub type FunKw = unsafe extern "C" fn(n_args: usize, args: *const MpObj, kw: *mut MpMap) -> MpObj;
/// A native function made by entry 26 from a raw code of kind viper. The arguments are `n_args` values, then
/// `n_kw` pairs of key and value; a bound self is the first value.
pub type FunViper = unsafe extern "C" fn(
    self_fun: *const ObjFunBc,
    n_args: usize,
    n_kw: usize,
    args: *const MpObj,
) -> MpObj;

/// `MP_OBJ_FUN_ARGS_MAX` of `py/obj.h`: no upper limit.
pub const MP_OBJ_FUN_ARGS_MAX: u32 = 0xffff;

/// `MP_OBJ_FUN_MAKE_SIG` of `py/obj.h`: the signature word of entry 44 and of [`ObjFunBuiltinVar`].
pub const fn make_sig(n_args_min: u16, n_args_max: u16, takes_kw: bool) -> u32 {
    (n_args_min as u32) << 17 | (n_args_max as u32) << 1 | takes_kw as u32
}
