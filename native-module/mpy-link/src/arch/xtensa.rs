//! Xtensa: the meaning of its relocation numbers (binutils, `include/elf/xtensa.h`), and where its
//! sections go. Two architectures share it: *xtensawin* (ESP32, S2, S3), whose calls move a window
//! over the registers, and *xtensa* (ESP8266), whose calls do not.
//!
//! Text is executed from memory that some chips can only read by aligned words, so that nothing but
//! code and words may stand there: all other data goes to the block with bss and rodata. Code has
//! no use for distances: it takes every address from a word ahead of it, with `l32r`. Those words are
//! the table of addresses, which therefore leads the text; [`literals`] says how they get there.
//! Ahead of the table stands only the jump to the entry.

mod code;
mod literals;
mod made;
mod shorten;

use std::borrow::Cow;

use micropython_sys::arch::Arch;
use object::elf;

use super::{Architecture, CodeSection, PlanError, Reference, Start};
use crate::error::LinkError;
use crate::input::Parts;
use crate::piece::{Block, Fixup, Group, Piece, PieceId, Pieces};
use crate::references::plan_data;
use crate::relocation::{Field, RelocationKind};
use crate::section::SectionKind;

/// How functions call each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abi {
    /// A callee starts with `entry`, which moves the window.
    Windowed,
    /// `call0`; a0 holds the return address.
    Call0,
}

pub(super) struct Xtensa {
    abi: Abi,
}

/// xtensawin.
pub(super) const WINDOWED: Xtensa = Xtensa { abi: Abi::Windowed };
/// xtensa.
pub(super) const CALL0: Xtensa = Xtensa { abi: Abi::Call0 };

/// The reference stands in an instruction, which says what it means.
const IN_INSTRUCTION: RelocationKind = RelocationKind::Own(0);
/// An `l32r` whose literal has been lifted: the symbol and addend are the literal's own.
const LITERAL: RelocationKind = RelocationKind::Own(1);

const NO_TLS: &str =
    "thread-local data, which MicroPython does not give a module; use a plain static";
const LINKED: &str = "a relocation of shared libraries; give the objects as the compiler made them";
const BUNDLED: &str =
    "an instruction of a bundle (FLIX), which no board with MicroPython has; compile for its core";

impl Architecture for Xtensa {
    fn arch(&self) -> Arch {
        match self.abi {
            Abi::Windowed => Arch::Xtensawin,
            Abi::Call0 => Arch::Xtensa,
        }
    }

    fn elf_machine(&self) -> u16 {
        elf::EM_XTENSA.0
    }

    fn known(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        let word = Field::either(4);
        // The shortest instructions have two bytes; which one it is, the bytes say.
        let code = Field::either(2);
        let none = Field::either(1);
        let known = match elf::RelocationType(number) {
            elf::R_XTENSA_NONE => ("R_XTENSA_NONE", Kind::None, none),
            elf::R_XTENSA_32 => ("R_XTENSA_32", Kind::Absolute, word),
            // The address of a function, to be called; in a module the function's own.
            elf::R_XTENSA_PLT => ("R_XTENSA_PLT", Kind::Absolute, word),
            elf::R_XTENSA_32_PCREL => ("R_XTENSA_32_PCREL", Kind::Relative, Field::signed(4)),
            elf::R_XTENSA_SLOT0_OP => ("R_XTENSA_SLOT0_OP", IN_INSTRUCTION, code),
            // Marks for a linker that makes code shorter, which this one does not do where they
            // stand: an l32r and callx that could be one call; the difference of two labels, filled
            // in already; C++ tables.
            elf::R_XTENSA_ASM_EXPAND => ("R_XTENSA_ASM_EXPAND", Kind::None, none),
            elf::R_XTENSA_ASM_SIMPLIFY => ("R_XTENSA_ASM_SIMPLIFY", Kind::None, none),
            elf::R_XTENSA_DIFF8
            | elf::R_XTENSA_DIFF16
            | elf::R_XTENSA_DIFF32
            | elf::R_XTENSA_PDIFF8
            | elf::R_XTENSA_PDIFF16
            | elf::R_XTENSA_PDIFF32
            | elf::R_XTENSA_NDIFF8
            | elf::R_XTENSA_NDIFF16
            | elf::R_XTENSA_NDIFF32 => ("R_XTENSA_DIFF", Kind::None, none),
            elf::R_XTENSA_GNU_VTINHERIT => ("R_XTENSA_GNU_VTINHERIT", Kind::None, none),
            elf::R_XTENSA_GNU_VTENTRY => ("R_XTENSA_GNU_VTENTRY", Kind::None, none),
            elf::R_XTENSA_RTLD => ("R_XTENSA_RTLD", Kind::Refused(LINKED), word),
            elf::R_XTENSA_GLOB_DAT => ("R_XTENSA_GLOB_DAT", Kind::Refused(LINKED), word),
            elf::R_XTENSA_JMP_SLOT => ("R_XTENSA_JMP_SLOT", Kind::Refused(LINKED), word),
            elf::R_XTENSA_RELATIVE => ("R_XTENSA_RELATIVE", Kind::Refused(LINKED), word),
            elf::RelocationType(number)
                if (elf::R_XTENSA_TLSDESC_FN.0..=elf::R_XTENSA_TLS_CALL.0).contains(&number) =>
            {
                ("R_XTENSA_TLS", Kind::Refused(NO_TLS), none)
            }
            elf::RelocationType(number)
                if (elf::R_XTENSA_SLOT1_OP.0..=elf::R_XTENSA_SLOT14_ALT.0).contains(&number) =>
            {
                ("R_XTENSA_SLOT", Kind::Refused(BUNDLED), none)
            }
            _ => return None,
        };
        Some(known)
    }

    fn prepare<'a>(&self, parts: &mut Parts<'_, 'a>) -> Result<(), LinkError> {
        literals::check_abi(self.abi, parts).map_err(|problem| parts.unsuitable(problem))?;
        literals::lift(parts).map_err(|problem| parts.unsuitable(problem))?;
        literals::note_entries(parts);
        Ok(())
    }

    fn placement(&self, kind: &SectionKind, _: u64) -> Option<(Block, Group)> {
        match kind {
            SectionKind::ReadOnly => Some((Block::Rodata, Group::ReadOnly)),
            SectionKind::ReadOnlyAfterLoad => Some((Block::Rodata, Group::ReadOnlyAfterLoad)),
            _ => super::beside_code(kind),
        }
    }

    fn got_leads(&self) -> bool {
        // l32r reaches backwards only.
        true
    }

    fn block_alignment(&self, block: Block) -> u64 {
        match block {
            // Behind the header of a list node (esp32), or word by word (esp8266): both in
            // `esp_native_code_commit`.
            Block::Text => 4,
            // A block of the heap: `MICROPY_BYTES_PER_GC_BLOCK`, four words.
            Block::Rodata | Block::Bss => 16,
        }
    }

    fn text_holds_statics(&self) -> bool {
        // `MP_PLAT_COMMIT_EXEC` is there, so `py/mpconfig.h` has the block tracked.
        false
    }

    fn plan_code<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        piece: PieceId,
        code: &CodeSection<'_, 'a>,
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        let mut fixups = Vec::new();
        let mut gone = Vec::new();
        if let Some(shortened) = shorten::shorten(self.abi, pieces, piece, code) {
            let place = &mut pieces.pieces[piece.0];
            place.data = Cow::Owned(shortened.bytes);
            place.cuts = shortened.cuts;
            fixups = shortened.fixups;
            gone = shortened.gone;
        }
        for reference in code.references {
            if gone.binary_search(&reference.offset).is_err() {
                fixups.push(code::plan(self.abi, pieces, code.bytes, reference)?);
            }
        }
        Ok(fixups)
    }

    fn plan_data<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        _: &[u8],
        references: &[Reference<'a>],
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        references
            .iter()
            .map(|reference| plan_data(pieces, &code::in_code(pieces, *reference)))
            .collect()
    }

    fn entry_code<'a>(&self, start: &Start<'_, 'a>) -> Result<Piece<'a>, PlanError> {
        Ok(made::entry(self.abi, start))
    }
}
