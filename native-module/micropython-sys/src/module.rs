//! Decides how a module and its context are laid out (`py/obj.h`, `py/bc.h`).

use crate::containers::ObjDict;
use crate::layout::abi_struct;
use crate::obj::{MpObj, ObjBase, QstrShort};

abi_struct! {
    /// `mp_obj_module_t`.
    ["_mp_obj_module_t" in "py/obj.h", size 2]
    pub struct ObjModule {
        /// The type.
        [0] pub base: ObjBase,
        /// The module's names.
        [1] pub globals: *mut ObjDict,
    }
}

abi_struct! {
    /// `mp_module_constants_t`, as builds that can load a .mpy have it.
    ["_mp_module_constants_t" in "py/bc.h", size 2]
    pub struct ModuleConstants {
        /// The file's qstrs by index; index 0 is the source file's name.
        [0] pub qstr_table: *const QstrShort,
        /// The file's constant objects by index.
        [1] pub obj_table: *const MpObj,
    }
}

abi_struct! {
    /// `mp_module_context_t`: what every function of a module points to.
    ["_mp_module_context_t" in "py/bc.h", size 4]
    pub struct ModuleContext {
        /// The module itself.
        [0] pub module: ObjModule,
        /// Its constants.
        [2] pub constants: ModuleConstants,
    }
}
