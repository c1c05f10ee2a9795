//! Decides what MicroPython's native ABI of .mpy 6.3 looks like, as data: names, numbers and layouts, no logic.
//!
//! One file per C header of MicroPython's `py/` folder, so that a number is found where its source is:
//!
//! | file | mirrors |
//! |---|---|
//! | [`arch`], [`mpy`] | `py/persistentcode.h`, `py/persistentcode.c`, `py/runtime0.h` (scope flags) |
//! | [`fun_table`] | `py/nativeglue.h` |
//! | [`obj`], [`types`], [`map`], [`buffer`] | `py/obj.h` |
//! | [`containers`] | `py/obj.h`, `py/objstr.h`, `py/objtuple.h`, `py/objlist.h`, `py/objarray.h`, `py/objexcept.h`, `py/objtype.h` |
//! | [`fun`] | `py/obj.h`, `py/objfun.h` |
//! | [`module`] | `py/obj.h`, `py/bc.h` |
//! | [`raw_code`] | `py/emitglue.h` |
//! | [`stream`] | `py/stream.h` |
//! | [`arg`] | `py/runtime.h` |
//! | [`print`] | `py/mpprint.h` |
//! | [`native_type`], [`op`] | `py/runtime0.h` |
//! | [`qstr`] | `py/makeqstrdata.py` |
//!
//! Every structure holds for 4- and 8-byte words: its fields are as wide as a pointer wherever C's are, and each
//! carries a [`layout::Layout`] that states offsets as functions of the word size. `tests/abi.rs` compares
//! those with MicroPython's own headers, for both word sizes.
//!
//! What does not hold: object representation D (64-bit objects on 32-bit words), which no native module supports.

#![no_std]

pub mod arch;
pub mod arg;
pub mod buffer;
pub mod containers;
pub mod fun;
pub mod fun_table;
pub mod layout;
pub mod map;
pub mod module;
pub mod mpy;
pub mod native_type;
pub mod obj;
pub mod op;
pub mod print;
pub mod qstr;
pub mod raw_code;
pub mod stream;
pub mod types;

pub use arg::{MpArg, MpArgVal};
pub use buffer::BufferInfo;
pub use containers::{ObjArray, ObjDict, ObjException, ObjInstance, ObjList, ObjStr, ObjTuple};
pub use fun::{ObjFunBc, ObjFunBuiltinFixed, ObjFunBuiltinVar};
pub use fun_table::{FUN_TABLE_NAMES, FunTable};
pub use map::{MpMap, MpMapElem};
pub use module::{ModuleConstants, ModuleContext, ObjModule};
pub use obj::{MpObj, ObjBase};
pub use print::MpPrint;
pub use raw_code::RawCodeTruncated;
pub use stream::StreamP;
pub use types::{ObjFullType, ObjType};

unsafe extern "C" {
    /// The table of the interpreter that loads the module. It has no address at compile time: the linker turns
    /// every reference into a relocation of destination 8 ([`mpy::reloc::FUN_TABLE`]).
    pub static mp_fun_table: FunTable;
}
