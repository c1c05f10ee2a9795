//! RISC-V: the meaning of its relocation numbers ("RISC-V ELF Specification", psABI), and where its
//! sections go.
//!
//! Code, read-only data and the table of addresses are in text, everything writable in the memory of
//! bss and rodata, as on x64. ESP32-C3 and its like copy text to memory of its own, which has no more
//! than word alignment; read-only data that asks for more therefore goes to rodata. [`code`] tells how
//! code reaches what is not in text, and [`relax`] what becomes shorter.

mod atomics;
mod attributes;
mod code;
mod encoding;
mod frames;
mod order;
mod relax;

use micropython_sys::arch::Arch;
use object::elf;

use super::{Architecture, CodeSection, PlanError, Provided, Reference, Start};
use crate::layout::Layout;
use crate::piece::{Block, Cause, Fixup, Goal, Group, Piece, PieceId, Pieces};
use crate::relocation::{Field, RelocationKind};
use crate::section::SectionKind;
use encoding::*;

/// One of the RISC-V values of the header.
pub(super) struct RiscV(Arch);

pub(super) static RV32: RiscV = RiscV(Arch::Rv32imc);
pub(super) static RV64: RiscV = RiscV(Arch::Rv64imc);

/// The lower part of the value that the `auipc` at the symbol has the upper part of.
const LOW: RelocationKind = RelocationKind::Own(0);
/// V + S + A, V being what the field holds.
const ADD: RelocationKind = RelocationKind::Own(1);
/// V - S - A.
const SUBTRACT: RelocationKind = RelocationKind::Own(2);
/// S + A, to be followed by [`SUBTRACT`].
const SET: RelocationKind = RelocationKind::Own(3);
/// A bytes of padding stand here, enough for any place, so that what follows can be aligned.
const ALIGN: RelocationKind = RelocationKind::Own(4);
/// The instruction may become shorter.
const RELAX: RelocationKind = RelocationKind::Own(5);

const NO_TLS: &str =
    "thread-local data, which MicroPython does not give a module; use a plain static";
const NO_GP: &str = "data relative to gp, which belongs to MicroPython; compile without -msmall-data-limit or with -fpic";
const LINKED: &str = "a slot of a shared library; do not link first";

impl RiscV {
    fn relocation(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        Some(match elf::RelocationType(number) {
            elf::R_RISCV_NONE => ("R_RISCV_NONE", Kind::None, Field::signed(1)),
            elf::R_RISCV_32 => ("R_RISCV_32", Kind::Absolute, Field::either(4)),
            elf::R_RISCV_64 => ("R_RISCV_64", Kind::Absolute, Field::either(8)),
            elf::R_RISCV_BRANCH => ("R_RISCV_BRANCH", Kind::Branch, BRANCH),
            elf::R_RISCV_JAL => ("R_RISCV_JAL", Kind::Branch, JAL),
            elf::R_RISCV_CALL => ("R_RISCV_CALL", Kind::Branch, CALL),
            elf::R_RISCV_CALL_PLT => ("R_RISCV_CALL_PLT", Kind::Branch, CALL),
            elf::R_RISCV_RVC_BRANCH => ("R_RISCV_RVC_BRANCH", Kind::Branch, SHORT_BRANCH),
            elf::R_RISCV_RVC_JUMP => ("R_RISCV_RVC_JUMP", Kind::Branch, SHORT_JUMP),
            elf::R_RISCV_GOT_HI20 => ("R_RISCV_GOT_HI20", Kind::GotSlotRelative, HIGH),
            elf::R_RISCV_PCREL_HI20 => ("R_RISCV_PCREL_HI20", Kind::Relative, HIGH),
            elf::R_RISCV_PCREL_LO12_I => ("R_RISCV_PCREL_LO12_I", LOW, LOW_I),
            elf::R_RISCV_PCREL_LO12_S => ("R_RISCV_PCREL_LO12_S", LOW, LOW_S),
            elf::R_RISCV_HI20 => ("R_RISCV_HI20", Kind::Absolute, HIGH),
            elf::R_RISCV_LO12_I => ("R_RISCV_LO12_I", Kind::Absolute, LOW_I),
            elf::R_RISCV_LO12_S => ("R_RISCV_LO12_S", Kind::Absolute, LOW_S),
            elf::R_RISCV_32_PCREL => ("R_RISCV_32_PCREL", Kind::Relative, Field::either(4)),
            elf::R_RISCV_PLT32 => ("R_RISCV_PLT32", Kind::Branch, Field::signed(4)),
            elf::R_RISCV_GOT32_PCREL => (
                "R_RISCV_GOT32_PCREL",
                Kind::GotSlotRelative,
                Field::signed(4),
            ),
            elf::R_RISCV_ADD8 => ("R_RISCV_ADD8", ADD, Field::either(1)),
            elf::R_RISCV_ADD16 => ("R_RISCV_ADD16", ADD, Field::either(2)),
            elf::R_RISCV_ADD32 => ("R_RISCV_ADD32", ADD, Field::either(4)),
            elf::R_RISCV_ADD64 => ("R_RISCV_ADD64", ADD, Field::either(8)),
            elf::R_RISCV_SUB6 => ("R_RISCV_SUB6", SUBTRACT, SIX_BITS),
            elf::R_RISCV_SUB8 => ("R_RISCV_SUB8", SUBTRACT, Field::either(1)),
            elf::R_RISCV_SUB16 => ("R_RISCV_SUB16", SUBTRACT, Field::either(2)),
            elf::R_RISCV_SUB32 => ("R_RISCV_SUB32", SUBTRACT, Field::either(4)),
            elf::R_RISCV_SUB64 => ("R_RISCV_SUB64", SUBTRACT, Field::either(8)),
            elf::R_RISCV_SET6 => ("R_RISCV_SET6", SET, SIX_BITS),
            elf::R_RISCV_SET8 => ("R_RISCV_SET8", SET, Field::either(1)),
            elf::R_RISCV_SET16 => ("R_RISCV_SET16", SET, Field::either(2)),
            elf::R_RISCV_SET32 => ("R_RISCV_SET32", SET, Field::either(4)),
            // The field's width says nothing here: they fill no field of their own.
            elf::R_RISCV_ALIGN => ("R_RISCV_ALIGN", ALIGN, Field::signed(1)),
            elf::R_RISCV_RELAX => ("R_RISCV_RELAX", RELAX, Field::signed(1)),
            elf::R_RISCV_SET_ULEB128 => ("R_RISCV_SET_ULEB128", SET, ULEB128),
            elf::R_RISCV_SUB_ULEB128 => ("R_RISCV_SUB_ULEB128", SUBTRACT, ULEB128),
            elf::R_RISCV_GPREL_I => ("R_RISCV_GPREL_I", Kind::Refused(NO_GP), Field::signed(4)),
            elf::R_RISCV_GPREL_S => ("R_RISCV_GPREL_S", Kind::Refused(NO_GP), Field::signed(4)),
            elf::R_RISCV_TLS_GOT_HI20 => tls("R_RISCV_TLS_GOT_HI20"),
            elf::R_RISCV_TLS_GD_HI20 => tls("R_RISCV_TLS_GD_HI20"),
            elf::R_RISCV_TPREL_HI20 => tls("R_RISCV_TPREL_HI20"),
            elf::R_RISCV_TPREL_LO12_I => tls("R_RISCV_TPREL_LO12_I"),
            elf::R_RISCV_TPREL_LO12_S => tls("R_RISCV_TPREL_LO12_S"),
            elf::R_RISCV_TPREL_ADD => tls("R_RISCV_TPREL_ADD"),
            elf::R_RISCV_TLSDESC_HI20 => tls("R_RISCV_TLSDESC_HI20"),
            elf::R_RISCV_TLS_DTPREL32 => tls("R_RISCV_TLS_DTPREL32"),
            elf::R_RISCV_RELATIVE => ("R_RISCV_RELATIVE", Kind::Refused(LINKED), Field::signed(4)),
            elf::R_RISCV_COPY => ("R_RISCV_COPY", Kind::Refused(LINKED), Field::signed(4)),
            elf::R_RISCV_JUMP_SLOT => {
                ("R_RISCV_JUMP_SLOT", Kind::Refused(LINKED), Field::signed(4))
            }
            _ => return None,
        })
    }
}

fn tls(name: &'static str) -> (&'static str, RelocationKind, Field) {
    (name, RelocationKind::Refused(NO_TLS), Field::signed(4))
}

impl Architecture for RiscV {
    fn arch(&self) -> Arch {
        self.0
    }

    fn elf_machine(&self) -> u16 {
        elf::EM_RISCV.0
    }

    fn known(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        self.relocation(number)
    }

    fn placement(&self, kind: &SectionKind, align: u64) -> Option<(Block, Group)> {
        match kind {
            SectionKind::ReadOnly | SectionKind::ReadOnlyAfterLoad
                if align > self.block_alignment(Block::Text) =>
            {
                Some((Block::Rodata, Group::Data))
            }
            _ => super::beside_code(kind),
        }
    }

    fn alignment(&self, kind: &SectionKind, align: u64) -> u64 {
        // For code, more than the instructions need is a wish for speed.
        match kind {
            SectionKind::Code => align.min(self.block_alignment(Block::Text)),
            _ => align,
        }
    }

    fn block_alignment(&self, block: Block) -> u64 {
        let word = self.word_size() as u64;
        match block {
            // On ESP32-C3 a list's node in memory from `heap_caps_malloc`, one word behind its start.
            Block::Text => word,
            // A block of MicroPython's heap: `MICROPY_BYTES_PER_GC_BLOCK`.
            Block::Rodata | Block::Bss => 4 * word,
        }
    }

    fn text_holds_statics(&self) -> bool {
        true
    }

    fn provided(&self, name: &str) -> Option<Provided> {
        let atomic = atomics::known(name, self.word_size());
        atomic.or_else(|| frames::known(name)).map(Provided::Made)
    }

    fn make<'a>(&self, pieces: &mut Pieces<'a>, name: &'static str, cause: Cause) -> Goal<'a> {
        let _ = cause;
        match atomics::make(name, self.0.word_size()) {
            Some(function) => Goal::Piece {
                piece: pieces.add(function),
                offset: 0,
            },
            None => frames::make(self.word_size(), pieces, name).unwrap_or(Goal::Absolute(0)),
        }
    }

    fn attributes_section(&self) -> Option<&'static str> {
        Some(".riscv.attributes")
    }

    fn check_object(
        &self,
        header: u32,
        attributes: Option<&[u8]>,
        arch_flags: u32,
    ) -> Result<Option<&'static str>, String> {
        attributes::check(self.0, header, attributes, self.arch_flags(), arch_flags)?;
        Ok(None)
    }

    fn arch_flags(&self) -> &'static [(&'static str, u32)] {
        match self.0 {
            Arch::Rv32imc => &[("zba", 1), ("zcmp", 2)],
            _ => &[],
        }
    }

    fn plan_code<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        piece: PieceId,
        code: &CodeSection<'_, 'a>,
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        code::plan(self.word_size(), pieces, piece, code)
    }

    fn plan_data<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        bytes: &[u8],
        references: &[Reference<'a>],
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        code::plan_data(pieces, bytes, references)
    }

    fn arrange(&self, pieces: &mut Pieces<'_>) {
        order::arrange(self.word_size(), pieces);
    }

    fn relax(&self, pieces: &mut Pieces<'_>, layout: &Layout) -> bool {
        relax::relax(self.word_size(), pieces, layout)
    }

    fn entry_code<'a>(&self, start: &Start<'_, 'a>) -> Result<Piece<'a>, PlanError> {
        Ok(code::entry(self.word_size(), start))
    }
}
