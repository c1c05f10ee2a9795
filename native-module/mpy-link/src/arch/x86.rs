//! x86: the meaning of its relocation numbers (System V ABI, Intel386 supplement), and how code reaches
//! what does not move together with it.
//!
//! Sections go where they go on x64, for the same reasons. But here a field of 32 bits reaches all of
//! memory, and it may stand anywhere. So whatever code or data in text names by a distance that is
//! known only after loading, statics, MicroPython's own functions, is finished before the entry runs,
//! by code in front of it, and no instruction is changed.

use micropython_sys::arch::Arch;
use object::elf;

use super::{Architecture, CodeSection, PlanError, Reference, Start};
use crate::piece::{Block, Cause, Fixup, Formula, Goal, Group, Piece, PieceId, Pieces};
use crate::references::plan_plain;
use crate::relocation::{Field, RelocationKind};
use crate::section::SectionKind;

pub(super) struct X86;

const NO_TLS: &str =
    "thread-local data, which MicroPython does not give a module; use a plain static";
const LINKED: &str = "a copy relocation or a slot of a shared library; do not link first";
const WORD: Field = Field::either(4);

impl Architecture for X86 {
    fn arch(&self) -> Arch {
        Arch::X86
    }

    fn elf_machine(&self) -> u16 {
        elf::EM_386.0
    }

    fn known(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)> {
        use RelocationKind as Kind;
        let known = match elf::RelocationType(number) {
            elf::R_386_NONE => ("R_386_NONE", Kind::None, Field::signed(1)),
            elf::R_386_32 => ("R_386_32", Kind::Absolute, WORD),
            elf::R_386_16 => ("R_386_16", Kind::Absolute, Field::either(2)),
            elf::R_386_8 => ("R_386_8", Kind::Absolute, Field::either(1)),
            elf::R_386_PC32 => ("R_386_PC32", Kind::Relative, WORD),
            elf::R_386_PC16 => ("R_386_PC16", Kind::Relative, Field::signed(2)),
            elf::R_386_PC8 => ("R_386_PC8", Kind::Relative, Field::signed(1)),
            elf::R_386_PLT32 => ("R_386_PLT32", Kind::Branch, WORD),
            elf::R_386_GOT32 => ("R_386_GOT32", Kind::GotSlotOffset, WORD),
            elf::R_386_GOT32X => ("R_386_GOT32X", Kind::GotSlotOffset, WORD),
            elf::R_386_GOTOFF => ("R_386_GOTOFF", Kind::GotBaseOffset, WORD),
            elf::R_386_GOTPC => ("R_386_GOTPC", Kind::GotBaseRelative, WORD),
            elf::R_386_SIZE32 => ("R_386_SIZE32", Kind::Size, Field::unsigned(4)),
            elf::R_386_TLS_TPOFF => ("R_386_TLS_TPOFF", Kind::Refused(NO_TLS), WORD),
            elf::R_386_TLS_IE => ("R_386_TLS_IE", Kind::Refused(NO_TLS), WORD),
            elf::R_386_TLS_GOTIE => ("R_386_TLS_GOTIE", Kind::Refused(NO_TLS), WORD),
            elf::R_386_TLS_LE => ("R_386_TLS_LE", Kind::Refused(NO_TLS), WORD),
            elf::R_386_TLS_GD => ("R_386_TLS_GD", Kind::Refused(NO_TLS), WORD),
            elf::R_386_TLS_LDM => ("R_386_TLS_LDM", Kind::Refused(NO_TLS), WORD),
            elf::R_386_TLS_LDO_32 => ("R_386_TLS_LDO_32", Kind::Refused(NO_TLS), WORD),
            elf::R_386_COPY => ("R_386_COPY", Kind::Refused(LINKED), WORD),
            elf::R_386_GLOB_DAT => ("R_386_GLOB_DAT", Kind::Refused(LINKED), WORD),
            elf::R_386_JMP_SLOT => ("R_386_JMP_SLOT", Kind::Refused(LINKED), WORD),
            elf::R_386_RELATIVE => ("R_386_RELATIVE", Kind::Refused(LINKED), WORD),
            _ => return None,
        };
        Some(known)
    }

    fn alignment(&self, kind: &SectionKind, align: u64) -> u64 {
        // gcc asks for 32 for every array from 32 bytes on (`-malign-data=compat`), for speed; no
        // instruction before AVX needs more than 16, which is what MicroPython's heap has.
        match kind {
            SectionKind::Data | SectionKind::Bss if align == 32 => 16,
            _ => align,
        }
    }

    fn block_alignment(&self, block: Block) -> u64 {
        match block {
            // A mapping of its own (`mp_unix_alloc_exec`): page by page.
            Block::Text => 4096,
            // A block of the heap: `MICROPY_BYTES_PER_GC_BLOCK`, four words.
            Block::Rodata | Block::Bss => 16,
        }
    }

    fn text_holds_statics(&self) -> bool {
        // The unix port tracks the block.
        false
    }

    fn plan_code<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        _: PieceId,
        code: &CodeSection<'_, 'a>,
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        code.references
            .iter()
            .map(|reference| {
                if reference.kind == RelocationKind::GotSlotOffset {
                    check_base(code.bytes, reference)?;
                }
                plan(pieces, reference)
            })
            .collect()
    }

    fn entry_code<'a>(&self, start: &Start<'_, 'a>) -> Result<Piece<'a>, PlanError> {
        Ok(entry(start))
    }
}

fn plan<'a>(pieces: &mut Pieces<'a>, reference: &Reference<'a>) -> Result<Fixup<'a>, PlanError> {
    let late = match reference.kind {
        _ if reference.near => None,
        RelocationKind::Relative | RelocationKind::Branch => Some(Formula::LateRelative),
        RelocationKind::GotBaseOffset => Some(Formula::LateFromGotBase),
        _ => None,
    };
    let Some(formula) = late else {
        return plan_plain(pieces, reference);
    };
    if reference.field != WORD {
        return Err(PlanError {
            cause: reference.cause,
            problem: "a short distance to what is only known after loading; use one with 32 bits"
                .to_owned(),
        });
    }
    Ok(Fixup {
        offset: reference.offset,
        field: reference.field,
        formula,
        goal: reference.goal,
        addend: reference.addend,
        cause: reference.cause,
    })
}

/// Without a base register, such a relocation asks for the slot's address instead of its offset.
fn check_base(bytes: &[u8], reference: &Reference<'_>) -> Result<(), PlanError> {
    let before = (reference.offset as usize).checked_sub(1);
    let modrm = before.and_then(|at| bytes.get(at)).copied();
    if modrm.is_some_and(|modrm| modrm & 0xc7 == 0x05) {
        return Err(PlanError {
            cause: reference.cause,
            problem: "reads the table of addresses at a fixed address; compile with -fpic"
                .to_owned(),
        });
    }
    Ok(())
}

/// Finishes the late fields, calls the functions, then jumps to the entry, whose arguments are on the
/// stack.
fn entry<'a>(start: &Start<'_, 'a>) -> Piece<'a> {
    let mut code = Made {
        bytes: Vec::new(),
        fixups: Vec::new(),
        cause: start.cause,
    };
    let groups: Vec<_> = start
        .late
        .chunk_by(|one, other| one.base == other.base)
        .collect();
    let mut table_at = None;
    if !groups.is_empty() {
        code.put(&[0x53, 0x56, 0x57]); // push %ebx, %esi, %edi
        code.put(&[0xe8, 0, 0, 0, 0, 0x58]); // call the next instruction; pop %eax
        code.put(&[0x83, 0xe8, 0x08]); // sub $8, %eax: the start of text
        code.put(&[0x8d, 0xb0]); // lea table(%eax), %esi
        table_at = Some(code.bytes.len());
        code.put(&[0; 4]);
        code.put(&[0xbb]); // mov $groups, %ebx
        code.put(&(groups.len() as u32).to_le_bytes());
        code.put(&[
            0x8b, 0x3e, // next group: mov (%esi), %edi
            0x29, 0xc7, // sub %eax, %edi
            0x8b, 0x4e, 0x04, // mov 4(%esi), %ecx
            0x83, 0xc6, 0x08, // add $8, %esi
            0x8b, 0x16, // next field: mov (%esi), %edx
            0x01, 0x3c, 0x10, // add %edi, (%eax,%edx)
            0x83, 0xc6, 0x04, // add $4, %esi
            0x49, // dec %ecx
            0x75, 0xf5, // jne, next field
            0x4b, // dec %ebx
            0x75, 0xe8, // jne, next group
            0x5f, 0x5e, 0x5b, // pop %edi, %esi, %ebx
        ]);
    }
    for function in start.functions {
        // No arguments, no environment; the stack is aligned to 16 bytes at the call.
        code.put(&[0x6a, 0, 0x6a, 0, 0x6a, 0, 0xe8]); // push $0 three times; call
        code.put_field(Formula::Relative, *function, -4);
        code.put(&[0x83, 0xc4, 0x0c]); // add $12, %esp
    }
    code.put(&[0xe9]); // jmp
    code.put_field(Formula::Relative, start.entry, -4);
    while !code.bytes.len().is_multiple_of(4) {
        code.put(&[0x90]);
    }
    if let Some(at) = table_at {
        let table = code.bytes.len() as u32;
        code.bytes[at..at + 4].copy_from_slice(&table.to_le_bytes());
    }
    for group in groups {
        code.put_field(Formula::Absolute, group[0].base, 0);
        code.put(&(group.len() as u32).to_le_bytes());
        for late in group {
            // Where the field stands in text, whose first byte is this piece's.
            let from_start = code.bytes.len() as i64;
            code.put_field(Formula::Relative, late.field, from_start);
        }
    }
    Piece::made("(entry)".to_owned(), Group::Entry, code.bytes, code.fixups)
}

/// Code of the linker's own making.
struct Made<'a> {
    bytes: Vec<u8>,
    fixups: Vec<Fixup<'a>>,
    cause: Cause,
}

impl<'a> Made<'a> {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    fn put_field(&mut self, formula: Formula<'a>, goal: Goal<'a>, addend: i64) {
        self.fixups.push(Fixup {
            offset: self.bytes.len() as u64,
            field: WORD,
            formula,
            goal,
            addend,
            cause: self.cause,
        });
        self.put(&[0; 4]);
    }
}
