//! x64: the meaning of its relocation numbers (System V psABI for AMD64, section 4.4), and where its
//! sections go.
//!
//! Code and read-only data go to text, where code reaches them relative to itself; so does the table
//! of addresses. Writable data goes to bss and rodata, the block on MicroPython's heap that its
//! garbage collector scans. [`code`] tells how code reaches that.

mod code;
mod detour;

use micropython_sys::arch::Arch;
use object::elf;

use super::{Architecture, CodeSection, PlanError, Start};
use crate::piece::{Block, Fixup, Piece, PieceId, Pieces};
use crate::relocation::{Field, RelocationKind};

pub(super) struct X64;

const USE_PIC: &str = "a copy relocation or a slot of a shared library; compile with -C relocation-model=pic (rustc) or -fPIC (gcc) and do not link first";
const NO_TLS: &str =
    "thread-local data, which MicroPython does not give a module; use a plain static";
const NO_IFUNC: &str = "an indirect function (ifunc), which nothing would resolve; remove __attribute__((ifunc)) or target_clones";

impl Architecture for X64 {
    fn arch(&self) -> Arch {
        Arch::X64
    }

    fn elf_machine(&self) -> u16 {
        elf::EM_X86_64.0
    }

    fn known(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        let known = match elf::RelocationType(number) {
            elf::R_X86_64_NONE => ("R_X86_64_NONE", Kind::None, Field::signed(1)),
            elf::R_X86_64_64 => ("R_X86_64_64", Kind::Absolute, Field::either(8)),
            elf::R_X86_64_PC32 => ("R_X86_64_PC32", Kind::Relative, Field::signed(4)),
            elf::R_X86_64_GOT32 => ("R_X86_64_GOT32", Kind::GotSlotOffset, Field::signed(4)),
            elf::R_X86_64_PLT32 => ("R_X86_64_PLT32", Kind::Branch, Field::signed(4)),
            elf::R_X86_64_GOTPCREL => {
                ("R_X86_64_GOTPCREL", Kind::GotSlotRelative, Field::signed(4))
            }
            elf::R_X86_64_32 => ("R_X86_64_32", Kind::Absolute, Field::unsigned(4)),
            elf::R_X86_64_32S => ("R_X86_64_32S", Kind::Absolute, Field::signed(4)),
            elf::R_X86_64_16 => ("R_X86_64_16", Kind::Absolute, Field::either(2)),
            elf::R_X86_64_PC16 => ("R_X86_64_PC16", Kind::Relative, Field::signed(2)),
            elf::R_X86_64_8 => ("R_X86_64_8", Kind::Absolute, Field::either(1)),
            elf::R_X86_64_PC8 => ("R_X86_64_PC8", Kind::Relative, Field::signed(1)),
            elf::R_X86_64_PC64 => ("R_X86_64_PC64", Kind::Relative, Field::signed(8)),
            elf::R_X86_64_GOTOFF64 => ("R_X86_64_GOTOFF64", Kind::GotBaseOffset, Field::signed(8)),
            elf::R_X86_64_GOTPC32 => ("R_X86_64_GOTPC32", Kind::GotBaseRelative, Field::signed(4)),
            elf::R_X86_64_GOT64 => ("R_X86_64_GOT64", Kind::GotSlotOffset, Field::signed(8)),
            elf::R_X86_64_GOTPCREL64 => (
                "R_X86_64_GOTPCREL64",
                Kind::GotSlotRelative,
                Field::signed(8),
            ),
            elf::R_X86_64_GOTPC64 => ("R_X86_64_GOTPC64", Kind::GotBaseRelative, Field::signed(8)),
            elf::R_X86_64_PLTOFF64 => ("R_X86_64_PLTOFF64", Kind::GotBaseOffset, Field::signed(8)),
            elf::R_X86_64_SIZE32 => ("R_X86_64_SIZE32", Kind::Size, Field::unsigned(4)),
            elf::R_X86_64_SIZE64 => ("R_X86_64_SIZE64", Kind::Size, Field::either(8)),
            elf::R_X86_64_GOTPCRELX => (
                "R_X86_64_GOTPCRELX",
                Kind::GotSlotRelative,
                Field::signed(4),
            ),
            elf::R_X86_64_REX_GOTPCRELX => (
                "R_X86_64_REX_GOTPCRELX",
                Kind::GotSlotRelative,
                Field::signed(4),
            ),
            elf::R_X86_64_DTPMOD64 => {
                ("R_X86_64_DTPMOD64", Kind::Refused(NO_TLS), Field::either(8))
            }
            elf::R_X86_64_DTPOFF64 => {
                ("R_X86_64_DTPOFF64", Kind::Refused(NO_TLS), Field::either(8))
            }
            elf::R_X86_64_TPOFF64 => ("R_X86_64_TPOFF64", Kind::Refused(NO_TLS), Field::either(8)),
            elf::R_X86_64_TLSGD => ("R_X86_64_TLSGD", Kind::Refused(NO_TLS), Field::signed(4)),
            elf::R_X86_64_TLSLD => ("R_X86_64_TLSLD", Kind::Refused(NO_TLS), Field::signed(4)),
            elf::R_X86_64_DTPOFF32 => {
                ("R_X86_64_DTPOFF32", Kind::Refused(NO_TLS), Field::signed(4))
            }
            elf::R_X86_64_GOTTPOFF => {
                ("R_X86_64_GOTTPOFF", Kind::Refused(NO_TLS), Field::signed(4))
            }
            elf::R_X86_64_TPOFF32 => ("R_X86_64_TPOFF32", Kind::Refused(NO_TLS), Field::signed(4)),
            elf::R_X86_64_GOTPC32_TLSDESC => (
                "R_X86_64_GOTPC32_TLSDESC",
                Kind::Refused(NO_TLS),
                Field::signed(4),
            ),
            // It marks a two-byte call and fills nothing, so it may stand at the section's end.
            elf::R_X86_64_TLSDESC_CALL => (
                "R_X86_64_TLSDESC_CALL",
                Kind::Refused(NO_TLS),
                Field::signed(1),
            ),
            elf::R_X86_64_TLSDESC => ("R_X86_64_TLSDESC", Kind::Refused(NO_TLS), Field::either(8)),
            elf::R_X86_64_IRELATIVE => (
                "R_X86_64_IRELATIVE",
                Kind::Refused(NO_IFUNC),
                Field::either(8),
            ),
            elf::R_X86_64_COPY => ("R_X86_64_COPY", Kind::Refused(USE_PIC), Field::either(8)),
            elf::R_X86_64_GLOB_DAT => (
                "R_X86_64_GLOB_DAT",
                Kind::Refused(USE_PIC),
                Field::either(8),
            ),
            elf::R_X86_64_JUMP_SLOT => (
                "R_X86_64_JUMP_SLOT",
                Kind::Refused(USE_PIC),
                Field::either(8),
            ),
            elf::R_X86_64_RELATIVE => (
                "R_X86_64_RELATIVE",
                Kind::Refused(USE_PIC),
                Field::either(8),
            ),
            _ => return None,
        };
        Some(known)
    }

    fn block_alignment(&self, block: Block) -> u64 {
        match block {
            // A mapping of its own (`mp_unix_alloc_exec`): page by page.
            Block::Text => 4096,
            // A block of the heap: `MICROPY_BYTES_PER_GC_BLOCK`, four words.
            Block::Rodata | Block::Bss => 32,
        }
    }

    fn text_holds_statics(&self) -> bool {
        // The unix port tracks the block.
        false
    }

    fn plan_code<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        piece: PieceId,
        code: &CodeSection<'_, 'a>,
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        code::plan(pieces, piece, code)
    }

    fn entry_code<'a>(&self, start: &Start<'_, 'a>) -> Result<Piece<'a>, PlanError> {
        Ok(detour::entry(start.functions, start.entry, start.cause))
    }
}
