//! Decides the numbers of a .mpy file: its header, its flags, its persistent objects and its relocations
//! (`py/persistentcode.h`, `py/persistentcode.c`, `py/runtime0.h`).
//!
//! ```text
//! 'M'  6  arch<<2|sub  small-int bits        header, 4 bytes
//! [uint architecture flags]                  where byte 2 has ARCH_FLAGS (1.28 and later)
//! uint n_qstr  uint n_obj  qstr…  obj…       the first qstr is the source file's name
//! uint len<<3|has_children<<2|kind  text…    a raw code; kind counts from MP_CODE_BYTECODE
//! uint scope flags                           for kind viper
//! [uint rodata size] [uint bss size] [rodata…]
//! relocation… 0xff
//! ```
//! A uint is big-endian base 128 with a continuation bit (`read_uint`).

use crate::layout::abi_consts;

/// First byte of the header (`mp_raw_code_load`).
pub const MPY_MAGIC: u8 = b'M';

abi_consts! {
    /// The version numbers of `py/persistentcode.h`.
    VERSIONS: u8 {
        /// Second byte of the header.
        MPY_VERSION = 6,
        /// Low bits of the third byte; a native file needs it exactly.
        MPY_SUB_VERSION = 3,
    }
}

/// Size of the header in bytes (`mp_raw_code_load`).
pub const HEADER_SIZE: usize = 4;
/// Mask of the sub-version in the header's third byte (`MPY_FEATURE_DECODE_SUB_VERSION`).
pub const SUB_VERSION_MASK: u8 = 3;
/// Shift of the architecture in the header's third byte (`MPY_FEATURE_DECODE_ARCH`).
pub const ARCH_SHIFT: u32 = 2;
/// Mask of the architecture after shifting, as 1.28 and later have it beside [`ARCH_FLAGS`].
pub const ARCH_MASK: u8 = 0x0f;
/// Bit of the third byte that says an uint of architecture flags follows the header
/// (`MPY_FEATURE_ARCH_FLAGS`, 1.28 and later; older loaders refuse the file).
pub const ARCH_FLAGS: u8 = 0x40;
/// Fourth byte of the header: the bits of a small int the file needs (`MP_SMALL_INT_BITS` of `tools/mpy_ld.py`).
pub const SMALL_INT_BITS: u8 = 31;
/// The longest qstr in bytes: its length is kept in one byte (`MICROPY_QSTR_BYTES_IN_LEN` of `py/mpconfig.h`, which no
/// port of 1.26 sets), and `qstr_from_strn` raises RuntimeError for a longer one.
pub const QSTR_LENGTH_LIMIT: usize = 255;

/// Mask of the kind in a raw code's first uint; it counts from [`crate::raw_code::MP_CODE_BYTECODE`] (`load_raw_code`).
pub const RAW_CODE_KIND_MASK: usize = 3;
/// The kind in a file that a native module has: `MP_CODE_NATIVE_VIPER - MP_CODE_BYTECODE`.
pub const RAW_CODE_KIND_VIPER: usize = 2;
/// Bit of a raw code's first uint that says children follow (`load_raw_code`).
pub const RAW_CODE_HAS_CHILDREN: usize = 4;
/// Shift of the length in a raw code's first uint (`load_raw_code`).
pub const RAW_CODE_LEN_SHIFT: u32 = 3;

abi_consts! {
    /// The scope flags of `py/runtime0.h` that a native file uses.
    SCOPE_FLAGS: usize {
        /// Relocations follow.
        MP_SCOPE_FLAG_VIPERRELOC = 0x10,
        /// A rodata section follows.
        MP_SCOPE_FLAG_VIPERRODATA = 0x20,
        /// Room for bss is asked for.
        MP_SCOPE_FLAG_VIPERBSS = 0x40,
    }
}

abi_consts! {
    /// The persistent objects of `py/persistentcode.h`: the byte that opens each entry of a file's object table.
    PERSISTENT_OBJS: u8 {
        /// The function table itself.
        MP_PERSISTENT_OBJ_FUN_TABLE = 0,
        /// None.
        MP_PERSISTENT_OBJ_NONE = 1,
        /// False.
        MP_PERSISTENT_OBJ_FALSE = 2,
        /// True.
        MP_PERSISTENT_OBJ_TRUE = 3,
        /// Ellipsis.
        MP_PERSISTENT_OBJ_ELLIPSIS = 4,
        /// uint length, UTF-8, NUL.
        MP_PERSISTENT_OBJ_STR = 5,
        /// uint length, bytes, NUL.
        MP_PERSISTENT_OBJ_BYTES = 6,
        /// uint length, decimal digits.
        MP_PERSISTENT_OBJ_INT = 7,
        /// uint length, text.
        MP_PERSISTENT_OBJ_FLOAT = 8,
        /// uint length, text.
        MP_PERSISTENT_OBJ_COMPLEX = 9,
        /// uint number, then that many objects.
        MP_PERSISTENT_OBJ_TUPLE = 10,
    }
}

/// The op codes of relocations (`mp_native_relocate` in `py/persistentcode.c`).
///
/// An op is one byte: `destination << 1 | address follows`. The address is an uint
/// `word index << 1 | in rodata`; without one the op applies to the word after the last.
pub mod reloc {
    /// Ends the list.
    pub const END: u8 = 0xff;
    /// Bit of the op byte: an address follows.
    pub const HAS_ADDRESS: u8 = 1;
    /// Bit of the address: the word is in rodata, not in text.
    pub const ADDRESS_IN_RODATA: usize = 1;
    /// Destination: the text's beginning.
    pub const TEXT: u8 = 0;
    /// The same, and an uint says how many words in a row.
    pub const TEXT_REPEATED: u8 = 1;
    /// Destination: rodata's beginning.
    pub const RODATA: u8 = 2;
    /// The same, repeated.
    pub const RODATA_REPEATED: u8 = 3;
    /// Destination: the bss's beginning.
    pub const BSS: u8 = 4;
    /// The same, repeated.
    pub const BSS_REPEATED: u8 = 5;
    /// Destination: the 16-bit qstr table.
    pub const QSTR_TABLE: u8 = 6;
    /// Destination: the object table.
    pub const OBJ_TABLE: u8 = 7;
    /// Destination: the function table itself.
    pub const FUN_TABLE: u8 = 8;
    /// Destination: the value of entry 0 of the function table; entry n is this plus n.
    pub const FUN_TABLE_ENTRY: u8 = 9;
    /// The highest entry that every op can name. Entry 118 would be [`END`] with an address and is only possible
    /// without one; above it the byte overflows.
    pub const FUN_TABLE_ENTRY_MAX: usize = 117;
}
