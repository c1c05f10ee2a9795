//! ARM: the meaning of its relocation numbers ("ELF for the Arm Architecture", AAELF32), and where its
//! sections go.
//!
//! The ports for ARM boards put text on MicroPython's heap, writable and scanned by the collector;
//! nRF52 runs it at a second address of the same memory. What holds on x64 holds here too: code,
//! read-only data and the table of addresses are in text, everything writable in the memory of bss
//! and rodata.
//!
//! Code gets at statics in one of three ways:
//! * Through a word behind the function that holds the address (`R_ARM_ABS32`), which the loader
//!   fills in. It is the smallest and fastest; `rustc -C relocation-model=static` with the feature
//!   `no-movt` and gcc without -fpic write all code so.
//! * Through the table of addresses, as position-independent code does for global names.
//! * Through a word with the distance from the code (`R_ARM_REL32`), as position-independent code
//!   does for local statics. The loader cannot know the distance; such words are finished before the
//!   entry runs, by code in front of it (`glue`).
//!
//! Calls that leave the module go through a stub with the address behind it.

mod attributes;
mod encoding;
mod glue;

use std::borrow::Cow;

use micropython_sys::arch::Arch;
use object::elf;

use super::{Architecture, CodeSection, PlanError, Provided, Reference, Start};
use crate::piece::{Block, Cause, Fixup, Formula, Goal, Piece, PieceId, Pieces};
use crate::references::plan_plain;
use crate::relocation::{Field, RelocationKind};
use crate::section::is_or_under;
use encoding::*;

/// One of the ARM values of the header.
pub(super) struct Arm(pub Arch);

pub(super) static ARMV6: Arm = Arm(Arch::Armv6);
pub(super) static ARMV6M: Arm = Arm(Arch::Armv6m);
pub(super) static ARMV7M: Arm = Arm(Arch::Armv7m);
pub(super) static ARMV7EM: Arm = Arm(Arch::Armv7em);
pub(super) static ARMV7EMSP: Arm = Arm(Arch::Armv7emsp);
pub(super) static ARMV7EMDP: Arm = Arm(Arch::Armv7emdp);

/// What the board's core executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    Arm,
    /// ARMv6-M: 16-bit instructions and `bl`.
    Thumb1,
    Thumb2,
}

const ARM_CODE: &str = "ARM instructions, which this board does not execute; compile with -mthumb";
const THUMB_CODE: &str =
    "Thumb instructions in a module of ARM instructions; compile all of it with -marm";
const NO_TLS: &str =
    "thread-local data, which MicroPython does not give a module; use a plain static";
const NO_SB: &str = "data relative to a register (-fropi, -frwpi, -msingle-pic-base); use -C relocation-model=static (rustc) or plain -fpic (gcc)";
const LINKED: &str = "a copy relocation or a slot of a shared library; do not link first";

impl Arm {
    fn instructions(&self) -> Instructions {
        match self.0 {
            Arch::Armv6 => Instructions::Arm,
            Arch::Armv6m => Instructions::Thumb1,
            _ => Instructions::Thumb2,
        }
    }

    /// Name, kind and field of a relocation that Thumb code has.
    fn thumb_meaning(number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        Some(match elf::RelocationType(number) {
            // Calls and jumps of 24 bits.
            elf::R_ARM_THM_PC22 => ("R_ARM_THM_CALL", Kind::Branch, THUMB_CALL),
            elf::R_ARM_THM_JUMP24 => ("R_ARM_THM_JUMP24", Kind::Branch, THUMB_CALL),
            elf::R_ARM_THM_JUMP19 => ("R_ARM_THM_JUMP19", Kind::Branch, THUMB_JUMP_19),
            elf::R_ARM_THM_PC11 => ("R_ARM_THM_JUMP11", Kind::Branch, THUMB_JUMP_11),
            elf::R_ARM_THM_PC9 => ("R_ARM_THM_JUMP8", Kind::Branch, THUMB_JUMP_8),
            elf::R_ARM_THM_JUMP6 => ("R_ARM_THM_JUMP6", Kind::Branch, THUMB_JUMP_6),
            elf::R_ARM_THM_PC8 => ("R_ARM_THM_PC8", FROM_WORD, THUMB_LOAD_8),
            elf::R_ARM_THM_PC12 => ("R_ARM_THM_PC12", FROM_WORD, THUMB_LOAD_12),
            elf::R_ARM_THM_ALU_PREL_11_0 => ("R_ARM_THM_ALU_PREL_11_0", FROM_WORD, THUMB_ADR_12),
            elf::R_ARM_THM_MOVW_ABS_NC => ("R_ARM_THM_MOVW_ABS_NC", Kind::Absolute, THUMB_MOVW),
            elf::R_ARM_THM_MOVT_ABS => ("R_ARM_THM_MOVT_ABS", Kind::Absolute, THUMB_MOVT),
            elf::R_ARM_THM_MOVW_PREL_NC => ("R_ARM_THM_MOVW_PREL_NC", Kind::Relative, THUMB_MOVW),
            elf::R_ARM_THM_MOVT_PREL => ("R_ARM_THM_MOVT_PREL", Kind::Relative, THUMB_MOVT),
            _ => return None,
        })
    }

    /// Name, kind and field of a relocation that ARM code has.
    fn arm_meaning(number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        Some(match elf::RelocationType(number) {
            elf::R_ARM_PC24 => ("R_ARM_PC24", Kind::Branch, ARM_BRANCH),
            elf::R_ARM_CALL => ("R_ARM_CALL", Kind::Branch, ARM_BRANCH),
            elf::R_ARM_JUMP24 => ("R_ARM_JUMP24", Kind::Branch, ARM_BRANCH),
            elf::R_ARM_PLT32 => ("R_ARM_PLT32", Kind::Branch, ARM_BRANCH),
            // It marks a `bx` for cores that lack it; all of ours have it.
            elf::R_ARM_V4BX => ("R_ARM_V4BX", Kind::None, Field::either(4)),
            elf::R_ARM_MOVW_ABS_NC => ("R_ARM_MOVW_ABS_NC", Kind::Absolute, ARM_MOVW),
            elf::R_ARM_MOVT_ABS => ("R_ARM_MOVT_ABS", Kind::Absolute, ARM_MOVT),
            elf::R_ARM_MOVW_PREL_NC => ("R_ARM_MOVW_PREL_NC", Kind::Relative, ARM_MOVW),
            elf::R_ARM_MOVT_PREL => ("R_ARM_MOVT_PREL", Kind::Relative, ARM_MOVT),
            _ => return None,
        })
    }

    /// Name, kind and field of a relocation that data and both kinds of code have.
    fn common_meaning(number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        Some(match elf::RelocationType(number) {
            elf::R_ARM_NONE => ("R_ARM_NONE", Kind::None, Field::signed(1)),
            elf::R_ARM_ABS32 => ("R_ARM_ABS32", Kind::Absolute, Field::either(4)),
            elf::R_ARM_ABS32_NOI => ("R_ARM_ABS32_NOI", Kind::Absolute, Field::either(4)),
            // For lists of functions that run at start.
            elf::R_ARM_TARGET1 => ("R_ARM_TARGET1", Kind::Absolute, Field::either(4)),
            elf::R_ARM_ABS16 => ("R_ARM_ABS16", Kind::Absolute, Field::either(2)),
            elf::R_ARM_ABS8 => ("R_ARM_ABS8", Kind::Absolute, Field::either(1)),
            elf::R_ARM_REL32 => ("R_ARM_REL32", Kind::Relative, Field::either(4)),
            elf::R_ARM_REL32_NOI => ("R_ARM_REL32_NOI", Kind::Relative, Field::either(4)),
            elf::R_ARM_PREL31 => ("R_ARM_PREL31", Kind::Relative, SIGNED_31),
            elf::R_ARM_GOTOFF => ("R_ARM_GOTOFF32", Kind::GotBaseOffset, Field::either(4)),
            elf::R_ARM_GOTPC => ("R_ARM_BASE_PREL", Kind::GotBaseRelative, Field::either(4)),
            elf::R_ARM_GOT32 => ("R_ARM_GOT_BREL", Kind::GotSlotOffset, Field::either(4)),
            elf::R_ARM_GOT_PREL => ("R_ARM_GOT_PREL", Kind::GotSlotRelative, Field::either(4)),
            elf::R_ARM_TARGET2 => (
                "R_ARM_TARGET2",
                Kind::Refused(
                    "a type for exceptions, which a module cannot catch; compile with -fno-exceptions -fno-rtti",
                ),
                Field::either(4),
            ),
            elf::R_ARM_SBREL32 => ("R_ARM_SBREL32", Kind::Refused(NO_SB), Field::either(4)),
            elf::R_ARM_TLS_GD32 => ("R_ARM_TLS_GD32", Kind::Refused(NO_TLS), Field::either(4)),
            elf::R_ARM_TLS_LDM32 => ("R_ARM_TLS_LDM32", Kind::Refused(NO_TLS), Field::either(4)),
            elf::R_ARM_TLS_LDO32 => ("R_ARM_TLS_LDO32", Kind::Refused(NO_TLS), Field::either(4)),
            elf::R_ARM_TLS_IE32 => ("R_ARM_TLS_IE32", Kind::Refused(NO_TLS), Field::either(4)),
            elf::R_ARM_TLS_LE32 => ("R_ARM_TLS_LE32", Kind::Refused(NO_TLS), Field::either(4)),
            elf::R_ARM_COPY => ("R_ARM_COPY", Kind::Refused(LINKED), Field::either(4)),
            elf::R_ARM_GLOB_DAT => ("R_ARM_GLOB_DAT", Kind::Refused(LINKED), Field::either(4)),
            elf::R_ARM_JUMP_SLOT => ("R_ARM_JUMP_SLOT", Kind::Refused(LINKED), Field::either(4)),
            elf::R_ARM_RELATIVE => ("R_ARM_RELATIVE", Kind::Refused(LINKED), Field::either(4)),
            _ => return None,
        })
    }
}

/// S + A - P with P rounded down to a multiple of 4, as Thumb instructions read the program counter.
const FROM_WORD: RelocationKind = RelocationKind::Own(0);

impl Architecture for Arm {
    fn arch(&self) -> Arch {
        self.0
    }

    fn elf_machine(&self) -> u16 {
        elf::EM_ARM.0
    }

    fn known(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        let refuse = |found: (&'static str, RelocationKind, Field), why| {
            (found.0, RelocationKind::Refused(why), found.2)
        };
        let arm = self.instructions() == Instructions::Arm;
        let thumb_code = Arm::thumb_meaning(number).map(|found| {
            if arm {
                refuse(found, THUMB_CODE)
            } else {
                found
            }
        });
        let arm_code =
            Arm::arm_meaning(number).map(|found| if arm { found } else { refuse(found, ARM_CODE) });
        Arm::common_meaning(number).or(thumb_code).or(arm_code)
    }

    fn block_alignment(&self, _: Block) -> u64 {
        // A block of the heap: `MICROPY_BYTES_PER_GC_BLOCK`, four words.
        16
    }

    fn code_offset(&self, value: u64) -> u64 {
        value & !1
    }

    fn text_holds_statics(&self) -> bool {
        true
    }

    fn provided(&self, name: &str) -> Option<Provided> {
        // "Run-time ABI for the Arm Architecture", memory copying, clearing, and setting. The number
        // behind the name promises an alignment.
        match name
            .strip_prefix("__aeabi_mem")?
            .trim_end_matches(['4', '8'])
        {
            "cpy" | "move" => Some(Provided::As("memmove")),
            "set" => Some(Provided::Made(glue::SET)),
            "clr" => Some(Provided::Made(glue::CLEAR)),
            _ => None,
        }
    }

    fn make<'a>(&self, pieces: &mut Pieces<'a>, name: &'static str, cause: Cause) -> Goal<'a> {
        let instructions = self.instructions();
        let piece = pieces.add(glue::set_memory(instructions, name, cause));
        Goal::Piece {
            piece,
            offset: i64::from(instructions != Instructions::Arm),
        }
    }

    fn attributes_section(&self) -> Option<&'static str> {
        Some(".ARM.attributes")
    }

    fn check_object(
        &self,
        header: u32,
        attributes: Option<&[u8]>,
        _: u32,
    ) -> Result<Option<&'static str>, String> {
        let version = header & elf::EF_ARM_EABIMASK;
        if version != elf::EF_ARM_EABI_VER5.0 {
            return Err(format!(
                "made for version {} of the EABI instead of 5; compile it with a current compiler for arm-none-eabi",
                version >> 24
            ));
        }
        attributes.map_or(Ok(None), |section| attributes::check(self.0, section))
    }

    fn ignored_section(&self, name: &str, _: elf::SectionType) -> Option<&'static str> {
        (is_or_under(name, ".ARM.exidx") || is_or_under(name, ".ARM.extab"))
            .then_some("unwind tables are not used: a module does not unwind")
    }

    fn plan_code<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        piece: PieceId,
        code: &CodeSection<'_, 'a>,
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        let mut bytes = Cow::Borrowed(code.bytes);
        let mut fixups = Vec::with_capacity(code.references.len());
        for reference in code.references {
            if let Some(fixup) = self.plan(pieces, reference, &mut bytes)? {
                fixups.push(fixup);
            }
        }
        if let Cow::Owned(bytes) = bytes {
            pieces.pieces[piece.0].data = Cow::Owned(bytes);
        }
        Ok(fixups)
    }

    fn entry_code<'a>(&self, start: &Start<'_, 'a>) -> Result<Piece<'a>, PlanError> {
        glue::entry(self.instructions(), start)
    }
}

impl Arm {
    /// The field to fill for one reference in code; `None` if nothing is left to fill.
    fn plan<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        reference: &Reference<'a>,
        bytes: &mut Cow<'a, [u8]>,
    ) -> Result<Option<Fixup<'a>>, PlanError> {
        let mut reference = *reference;
        let fixup = |formula| Fixup {
            offset: reference.offset,
            field: reference.field,
            formula,
            goal: reference.goal,
            addend: reference.addend,
            cause: reference.cause,
        };
        let problem = |problem: &str| PlanError {
            cause: reference.cause,
            problem: problem.to_owned(),
        };
        match (reference.kind, reference.near) {
            (RelocationKind::Branch, true) => {
                self.check_mark(&reference).map_err(problem)?;
            }
            (RelocationKind::Branch, false) if reference.goal == Goal::Absolute(0) => {
                // A call of a weak function that nobody defines: nothing happens (AAELF32).
                self.leave_out(
                    &mut bytes.to_mut()[reference.offset as usize..],
                    reference.field,
                );
                return Ok(None);
            }
            (RelocationKind::Branch, false) => {
                if reference.field != THUMB_CALL && reference.field != ARM_BRANCH {
                    return Err(problem(
                        "a short branch to what is only known after loading; use bl or b.w",
                    ));
                }
                let (goal, cause) = (reference.goal, reference.cause);
                let instructions = self.instructions();
                let stub = pieces.stub(goal, |_| glue::stub(instructions, goal, cause));
                let marked = i64::from(instructions != Instructions::Arm);
                reference.goal = Goal::Piece {
                    piece: stub,
                    offset: marked,
                };
            }
            (RelocationKind::Relative, false) | (RelocationKind::GotBaseOffset, false) => {
                let late = if reference.kind == RelocationKind::Relative {
                    Formula::LateRelative
                } else {
                    Formula::LateFromGotBase
                };
                if !reference.field.is_number(4) || !reference.offset.is_multiple_of(4) {
                    return Err(problem(
                        "the distance is only known after loading and does not stand in an aligned word; compile with -C relocation-model=static -C target-feature=+no-movt (rustc) or with gcc",
                    ));
                }

                return Ok(Some(fixup(late)));
            }
            (FROM_WORD, true) => return Ok(Some(fixup(Formula::RelativeToWord))),
            (FROM_WORD, false) => {
                return Err(problem(
                    "loads directly from what is only known after loading; load its address from a word first (ldr r0, =name)",
                ));
            }
            (RelocationKind::Absolute, _)
                if !reference.field.is_number(4)
                    && !matches!(reference.goal, Goal::Absolute(_)) =>
            {
                return Err(problem(
                    "an address in two halves (movw, movt), which no loader can fill in; compile with -C target-feature=+no-movt (rustc), -mslow-flash-data or -fpic (gcc)",
                ));
            }
            _ => {}
        }
        plan_plain(pieces, &reference).map(Some)
    }

    /// Calls between ARM and Thumb code would need another instruction.
    fn check_mark(&self, reference: &Reference<'_>) -> Result<(), &'static str> {
        match reference.goal {
            Goal::Piece { offset, .. }
                if self.instructions() == Instructions::Arm && offset & 1 == 1 =>
            {
                Err("the target is Thumb code; compile all of the module with -marm")
            }
            _ => Ok(()),
        }
    }

    /// Puts an instruction without effect in place of a call or jump.
    fn leave_out(&self, bytes: &mut [u8], field: Field) {
        const THUMB_NOP: [u8; 2] = [0xc0, 0x46]; // mov r8, r8
        const ARM_NOP: [u8; 4] = [0x00, 0x00, 0xa0, 0xe1]; // mov r0, r0
        let bytes = &mut bytes[..usize::from(field.width)];
        if self.instructions() == Instructions::Arm {
            bytes.copy_from_slice(&ARM_NOP);
        } else {
            for half in bytes.chunks_exact_mut(2) {
                half.copy_from_slice(&THUMB_NOP);
            }
        }
    }
}
