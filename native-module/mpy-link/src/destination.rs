//! What MicroPython's loader can add to a word, and the op code of each (`mp_native_relocate` in
//! `py/persistentcode.c`).

use micropython_sys::fun_table::FUN_TABLE_NAMES;
use micropython_sys::mpy::reloc;

use crate::piece::Block;

/// The address that the loader adds to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// The start of text.
    Text,
    /// The start of rodata.
    Rodata,
    /// The start of bss.
    Bss,
    /// The module's table of 16-bit qstrs.
    QstrTable,
    /// The module's table of objects.
    ObjectTable,
    /// The function table itself.
    FunctionTable,
    /// The value of this entry of the function table.
    TableEntry(u8),
}

impl Destination {
    /// The op code, before the address bit. A repeat count is possible for the first three only.
    pub(crate) fn op(self, repeated: bool) -> u8 {
        match self {
            Destination::Text => reloc::TEXT + u8::from(repeated),
            Destination::Rodata => reloc::RODATA + u8::from(repeated),
            Destination::Bss => reloc::BSS + u8::from(repeated),
            Destination::QstrTable => reloc::QSTR_TABLE,
            Destination::ObjectTable => reloc::OBJ_TABLE,
            Destination::FunctionTable => reloc::FUN_TABLE,
            Destination::TableEntry(entry) => reloc::FUN_TABLE_ENTRY + entry,
        }
    }

    /// The destination of an op code and whether a repeat count follows.
    pub(crate) fn from_op(op: u8) -> (Destination, bool) {
        match op {
            reloc::TEXT => (Destination::Text, false),
            reloc::TEXT_REPEATED => (Destination::Text, true),
            reloc::RODATA => (Destination::Rodata, false),
            reloc::RODATA_REPEATED => (Destination::Rodata, true),
            reloc::BSS => (Destination::Bss, false),
            reloc::BSS_REPEATED => (Destination::Bss, true),
            reloc::QSTR_TABLE => (Destination::QstrTable, false),
            reloc::OBJ_TABLE => (Destination::ObjectTable, false),
            reloc::FUN_TABLE => (Destination::FunctionTable, false),
            entry => (
                Destination::TableEntry(entry - reloc::FUN_TABLE_ENTRY),
                false,
            ),
        }
    }

    pub(crate) fn can_repeat(self) -> bool {
        matches!(
            self,
            Destination::Text | Destination::Rodata | Destination::Bss
        )
    }

    /// The name of the function table's entry, if it is one that exists.
    pub fn entry_name(self) -> Option<&'static str> {
        match self {
            Destination::TableEntry(entry) => FUN_TABLE_NAMES.get(usize::from(entry)).copied(),
            _ => None,
        }
    }
}

impl From<Block> for Destination {
    fn from(block: Block) -> Destination {
        match block {
            Block::Text => Destination::Text,
            Block::Rodata => Destination::Rodata,
            Block::Bss => Destination::Bss,
        }
    }
}
