//! How x64 code reaches what does not move together with it.
//!
//! An instruction names data by its distance. The distance to another block is unknown until the
//! module is loaded, and the loader can only fill in whole addresses. So an instruction that names
//! data in another block directly (a local static, as compilers do under -fPIC too) is changed:
//!
//! * `lea x(%rip), %r` becomes `mov slot(%rip), %r`, where the slot holds x's address.
//! * A call or jump goes to a stub, `jmp *slot(%rip)`.
//! * Everything else is moved out of line: its place takes a jump to a *detour*, which loads the
//!   address from the slot into a register that the instruction does not use (saving it, and
//!   stepping over the red zone; no flag changes), executes the instruction with that register as
//!   its base, and jumps back. Such instructions have at least six bytes, a jump five.
//!
//! Conversely, a slot is not used where the distance turns out to be known: `mov slot(%rip), %r`
//! becomes `lea`, a call or jump through a slot a direct one.
//!
//! A change needs the instruction's exact boundaries. Code is decoded from the last named start
//! before it, and believed only if every relocation on the way stands where the decoded instruction
//! has a field.

use std::borrow::Cow;
use std::collections::HashMap;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

use super::detour::{detour, stub};

use crate::arch::{CodeSection, PlanError, Reference};
use crate::piece::{Cause, Fixup, Formula, Goal, PieceId, Pieces};
use crate::references::plan_plain;
use crate::relocation::{Field, RelocationKind};

pub(super) const DISTANCE: Field = Field::signed(4);

/// An instruction in a section.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    pub instruction: Instruction,
    /// It has no second relocation (in an immediate).
    pub alone: bool,
}

pub(super) fn plan<'a>(
    pieces: &mut Pieces<'a>,
    piece: PieceId,
    code: &CodeSection<'_, 'a>,
) -> Result<Vec<Fixup<'a>>, PlanError> {
    let wanted = code.references.iter().any(changes_code);
    let fields = if wanted { decode(code) } else { HashMap::new() };
    let mut editor = Editor {
        pieces,
        piece,
        bytes: Cow::Borrowed(code.bytes),
        fixups: Vec::new(),
    };
    for reference in code.references {
        let at = fields.get(&reference.offset).copied();
        editor.plan(reference, at)?;
    }
    let Editor { bytes, fixups, .. } = editor;
    if let Cow::Owned(bytes) = bytes {
        pieces.pieces[piece.0].data = Cow::Owned(bytes);
    }
    Ok(fixups)
}

fn changes_code(reference: &Reference<'_>) -> bool {
    match reference.kind {
        RelocationKind::GotSlotRelative => reference.near,
        RelocationKind::Relative | RelocationKind::Branch => !reference.near,
        _ => false,
    }
}

/// By offset of a relocation, the instruction that has its distance field there.
fn decode(code: &CodeSection<'_, '_>) -> HashMap<u64, At> {
    let mut found = HashMap::new();
    let mut bounds: Vec<usize> = vec![0];
    let inside = code
        .starts
        .iter()
        .filter_map(|start| usize::try_from(*start).ok());
    bounds.extend(inside.filter(|start| (1..code.bytes.len()).contains(start)));
    bounds.push(code.bytes.len());
    for bound in bounds.windows(2) {
        let (start, end) = (bound[0], bound[1]);
        let before = |offset: usize| {
            code.references
                .partition_point(|reference| reference.offset < offset as u64)
        };
        let references = &code.references[before(start)..before(end)];
        if references.iter().any(changes_code) {
            decode_run(&code.bytes[..end], start, references, &mut found);
        }
    }
    found
}

/// Decodes from `start` to the end of `bytes`; enters nothing unless all relocations fit.
fn decode_run(
    bytes: &[u8],
    start: usize,
    references: &[Reference<'_>],
    found: &mut HashMap<u64, At>,
) {
    let mut decoder = Decoder::with_ip(64, &bytes[start..], start as u64, DecoderOptions::NONE);
    let mut waiting = references.iter().peekable();
    let mut run = Vec::new();
    while decoder.can_decode() && waiting.peek().is_some() {
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return;
        }
        let offsets = decoder.get_constant_offsets(&instruction);
        let from = instruction.ip();
        let mut fields = Vec::new();
        while let Some(reference) =
            waiting.next_if(|reference| reference.offset < instruction.next_ip())
        {
            let inside = reference.offset.wrapping_sub(from);
            let displacement =
                offsets.has_displacement() && inside == offsets.displacement_offset() as u64;
            let immediate = offsets.has_immediate() && inside == offsets.immediate_offset() as u64;
            if !displacement && !immediate {
                return;
            }
            let distance = displacement && instruction.is_ip_rel_memory_operand()
                || immediate && is_branch(&instruction);
            fields.push((reference.offset, distance));
        }
        let at = At {
            start: from as usize,
            end: instruction.next_ip() as usize,
            instruction,
            alone: fields.len() == 1,
        };
        let distances = fields.into_iter().filter(|(_, distance)| *distance);
        run.extend(distances.map(|(offset, _)| (offset, at)));
    }
    if waiting.peek().is_none() {
        found.extend(run);
    }
}

fn is_branch(instruction: &Instruction) -> bool {
    matches!(
        instruction.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    )
}

struct Editor<'e, 'a> {
    pieces: &'e mut Pieces<'a>,
    piece: PieceId,
    bytes: Cow<'a, [u8]>,
    fixups: Vec<Fixup<'a>>,
}

impl<'a> Editor<'_, 'a> {
    fn plan(&mut self, reference: &Reference<'a>, at: Option<At>) -> Result<(), PlanError> {
        let direct = match reference.kind {
            RelocationKind::GotSlotRelative if reference.near => {
                at.is_some_and(|at| self.without_slot(reference, &at))
            }
            RelocationKind::Branch if !reference.near => {
                self.through_stub(reference);
                true
            }
            RelocationKind::Relative if !reference.near => {
                let at = at.ok_or_else(|| PlanError {
                    cause: reference.cause,
                    problem: "refers directly to data whose distance is only known after loading, from code whose instructions cannot be told; compile with -C relocation-model=pic (rustc) or -fPIC (gcc), or reach it through @GOTPCREL in assembly".to_owned(),
                })?;
                self.far(reference, &at)?;
                true
            }
            _ => false,
        };
        if !direct {
            let fixup = plan_plain(self.pieces, reference)?;
            self.fixups.push(fixup);
        }
        Ok(())
    }

    fn fixup(&mut self, offset: usize, goal: Goal<'a>, addend: i64, cause: Cause) {
        self.fixups.push(Fixup {
            offset: offset as u64,
            field: DISTANCE,
            formula: Formula::Relative,
            goal,
            addend,
            cause,
        });
    }

    /// Changes an instruction that reads a slot so that it needs none. False if it is not one of
    /// those for which that is possible.
    fn without_slot(&mut self, reference: &Reference<'a>, at: &At) -> bool {
        let field = reference.offset as usize;
        // Only the slot's own address read by an instruction that ends behind the field.
        if reference.addend != -4 || field + 4 != at.end || field < at.start + 2 {
            return false;
        }
        match at.instruction.code() {
            Code::Mov_r64_rm64 => {
                self.bytes.to_mut()[field - 2] = 0x8d;
                self.fixup(field, reference.goal, -4, reference.cause);
            }
            // With nothing in front, the call keeps its length by an address-size prefix, which has
            // no effect on it.
            Code::Call_rm64 if at.start + 2 == field => {
                self.bytes.to_mut()[field - 2..field].copy_from_slice(&[0x67, 0xe8]);
                self.fixup(field, reference.goal, -4, reference.cause);
            }
            Code::Jmp_rm64 if at.start + 2 == field => {
                let bytes = self.bytes.to_mut();
                bytes[field - 2] = 0xe9;
                bytes[field + 3] = 0x90;
                self.fixup(field - 1, reference.goal, -4, reference.cause);
            }
            _ => return false,
        }
        true
    }

    fn through_stub(&mut self, reference: &Reference<'a>) {
        let cause = reference.cause;
        let goal = reference.goal;
        let stub = self.pieces.stub(goal, |pieces| {
            let slot = pieces.slot(goal, 0, cause);
            stub(slot, cause)
        });
        let goal = Goal::Piece {
            piece: stub,
            offset: 0,
        };
        self.fixup(reference.offset as usize, goal, reference.addend, cause);
    }

    /// A direct reference to something in another block.
    fn far(&mut self, reference: &Reference<'a>, at: &At) -> Result<(), PlanError> {
        if reference.field != DISTANCE {
            return Err(PlanError {
                cause: reference.cause,
                problem: "a short jump to what is only known after loading; use one with 32 bits"
                    .to_owned(),
            });
        }
        if is_branch(&at.instruction) {
            self.through_stub(reference);
            return Ok(());
        }
        let field = reference.offset as usize;
        // What the instruction refers to: its distance counts from the instruction's end.
        let addend = reference.addend.wrapping_add((at.end - field) as i64);
        let slot = self.pieces.slot(reference.goal, addend, reference.cause);
        if at.instruction.code() == Code::Lea_r64_m {
            self.bytes.to_mut()[field - 2] = 0x8b;
            self.fixup(field, Goal::Slot(slot), -4, reference.cause);
            return Ok(());
        }
        let back = Goal::Piece {
            piece: self.piece,
            offset: at.end as i64,
        };
        let detour = detour(&self.bytes[at.start..at.end], at, reference, slot, back)?;
        let detour = Goal::Piece {
            piece: self.pieces.add(detour),
            offset: 0,
        };
        let call = at.instruction.mnemonic() == Mnemonic::Call;
        let bytes = &mut self.bytes.to_mut()[at.start..at.end];
        // What is left of the instruction is never reached by the jump's fall-through; a call
        // returns there.
        bytes.fill(0x90);
        bytes[0] = if call { 0xe8 } else { 0xe9 };
        self.fixup(at.start + 1, detour, -4, reference.cause);
        Ok(())
    }
}
