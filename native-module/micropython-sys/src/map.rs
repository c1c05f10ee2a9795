//! Decides how the hash table under dicts, modules and keyword arguments is laid out (`py/obj.h`, `mp_map_t`).

use crate::layout::{abi_consts, abi_struct};
use crate::obj::MpObj;

abi_struct! {
    /// One entry; the key is NULL where the entry is empty, `MpObj::SENTINEL` where it was deleted.
    ["_mp_map_elem_t" in "py/obj.h", size 2]
    pub struct MpMapElem {
        /// The key.
        [0] pub key: MpObj,
        /// The value.
        [1] pub value: MpObj,
    }
}

abi_struct! {
    /// `mp_map_t`.
    ["_mp_map_t" in "py/obj.h", size 3]
    pub struct MpMap {
        /// Bit-fields, lowest bit first: [`MP_MAP_ALL_KEYS_ARE_QSTRS`], [`MP_MAP_IS_FIXED`],
        /// [`MP_MAP_IS_ORDERED`], then from bit [`MP_MAP_USED_SHIFT`] on the number of entries in use.
        [0, "_bitfield_1"] pub flags_and_used: usize,
        /// The number of entries that `table` has room for.
        [1] pub alloc: usize,
        /// The entries.
        [2] pub table: *mut MpMapElem,
    }
    bits {
        all_keys_are_qstrs: 0 + 0,
        is_fixed: 0 + 1,
        is_ordered: 0 + 2,
        used: 0 + 3,
    }
}

/// `mp_map_t.all_keys_are_qstrs`.
pub const MP_MAP_ALL_KEYS_ARE_QSTRS: usize = 1;
/// `mp_map_t.is_fixed`: read-only.
pub const MP_MAP_IS_FIXED: usize = 2;
/// `mp_map_t.is_ordered`: an array rather than a hash table.
pub const MP_MAP_IS_ORDERED: usize = 4;
/// `mp_map_t.used` begins at this bit.
pub const MP_MAP_USED_SHIFT: u32 = 3;

abi_consts! {
    /// `mp_map_lookup_kind_t`.
    LOOKUP_KINDS: u32 {
        /// Look a key up.
        MP_MAP_LOOKUP = 0,
        /// Add it where it is missing.
        MP_MAP_LOOKUP_ADD_IF_NOT_FOUND = 1,
        /// Remove it where it is found.
        MP_MAP_LOOKUP_REMOVE_IF_FOUND = 2,
    }
}
