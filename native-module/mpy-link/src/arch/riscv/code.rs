//! How RISC-V code reaches what does not move together with it.
//!
//! An `auipc` makes the upper part of an address from a distance, and one or more instructions that
//! name it, not the target, add the lower part: an `addi`, a load, a store. If the distance is known
//! only after loading:
//!
//! * `addi` becomes a load from the table of addresses, and the `auipc` leads there, at no cost.
//! * If a load or store has the lower part, the `auipc` becomes a jump to a *detour*, which loads the
//!   address from the table into the same register and jumps back; the lower parts are 0 then. The
//!   jump needs no register and reaches 1 MiB.
//! * A call or jump goes to a stub, which takes t3, free at any call (psABI, "Integer Register
//!   Convention").
//!
//! Conversely, a slot is not used where the distance turns out to be known.

use std::borrow::Cow;
use std::collections::HashMap;

use super::encoding::*;
use super::{ADD, ALIGN, LOW, RELAX, SET, SUBTRACT};
use crate::arch::{CodeSection, PlanError, Reference, Start};
use crate::piece::{Cause, Fixup, Formula, Goal, Group, Piece, PieceId, Pieces, Slack, SlotId};
use crate::references::{plan_data as plan_one_in_data, plan_plain};
use crate::relocation::RelocationKind;

pub(super) fn plan<'a>(
    word_size: usize,
    pieces: &mut Pieces<'a>,
    piece: PieceId,
    code: &CodeSection<'_, 'a>,
) -> Result<Vec<Fixup<'a>>, PlanError> {
    let mut planner = Planner {
        word_size,
        pieces,
        piece,
        bytes: Cow::Borrowed(code.bytes),
        fixups: Vec::with_capacity(code.references.len()),
        slack: Vec::new(),
        claimed: 0,
        pairs: HashMap::new(),
    };
    planner.find_pairs(code.references)?;
    let mut rest = code.references;
    while let Some(first) = rest.first() {
        let here = rest
            .iter()
            .take_while(|reference| reference.offset == first.offset)
            .count();
        planner.plan(&rest[..here])?;
        rest = &rest[here..];
    }
    let Planner {
        bytes,
        fixups,
        slack,
        ..
    } = planner;
    let piece = &mut pieces.pieces[piece.0];
    for padding in &slack {
        if let Slack::Padding { align, .. } = padding {
            // What is aligned inside has to be aligned as a whole.
            piece.align = piece.align.max(*align);
        }
    }
    if !slack.is_empty() {
        piece.data = Cow::Owned(bytes.into_owned());
        piece.slack = slack;
    } else if let Cow::Owned(bytes) = bytes {
        piece.data = Cow::Owned(bytes);
    }
    Ok(fixups)
}

/// How the instructions that name one `auipc` get at its target.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By its distance.
    Direct,
    /// Through a slot, which they load from.
    Slot(SlotId),
    /// A detour has put the whole address into the register.
    Whole,
}

/// An `auipc` and what it leads to.
#[derive(Clone, Copy)]
struct Pair<'a> {
    reference: Reference<'a>,
    way: Way,
}

struct Planner<'p, 'a> {
    word_size: usize,
    pieces: &'p mut Pieces<'a>,
    piece: PieceId,
    bytes: Cow<'a, [u8]>,
    fixups: Vec<Fixup<'a>>,
    slack: Vec<Slack>,
    /// Up to here, bytes belong to `slack`.
    claimed: u64,
    /// By offset of the `auipc`.
    pairs: HashMap<u64, Pair<'a>>,
}

fn problem(reference: &Reference<'_>, text: &str) -> PlanError {
    PlanError {
        cause: reference.cause,
        problem: text.to_owned(),
    }
}

impl<'a> Planner<'_, 'a> {
    fn instruction(&self, reference: &Reference<'_>) -> Result<u32, PlanError> {
        let at = usize::try_from(reference.offset).unwrap_or(usize::MAX);
        word(&self.bytes, at).ok_or_else(|| problem(reference, "outside the section's content"))
    }

    /// The offset of the `auipc` that a lower part belongs to.
    fn upper(&self, low: &Reference<'a>) -> Result<u64, PlanError> {
        match low.goal {
            Goal::Piece { piece, offset } if piece == self.piece && offset >= 0 => {
                Ok(offset as u64)
            }
            _ => Err(problem(
                low,
                "its auipc is not in the same section; keep both instructions together",
            )),
        }
    }

    /// Decides the way of each `auipc` by the instructions that have its lower part.
    fn find_pairs(&mut self, references: &[Reference<'a>]) -> Result<(), PlanError> {
        let mut lows: HashMap<u64, Vec<u32>> = HashMap::new();
        for low in references.iter().filter(|reference| reference.kind == LOW) {
            let upper = self.upper(low)?;
            lows.entry(upper).or_default().push(self.instruction(low)?);
        }
        for reference in references {
            let through_slot = match reference.kind {
                RelocationKind::Relative if reference.field == HIGH => false,
                RelocationKind::GotSlotRelative if reference.field == HIGH => true,
                _ => continue,
            };
            let instruction = self.instruction(reference)?;
            if !is_auipc(instruction) {
                return Err(problem(reference, "the instruction is not auipc"));
            }
            let lows = lows.get(&reference.offset).map_or(&[][..], Vec::as_slice);
            let loads = lows.iter().all(|low| is_load_word(*low, self.word_size));
            let adds = lows.iter().all(|low| is_addi(*low));
            let way = match (through_slot, reference.near) {
                (true, true) if loads => Way::Direct,
                (true, _) => Way::Slot(self.pieces.slot(reference.goal, 0, reference.cause)),
                (false, true) => Way::Direct,
                (false, false) => {
                    let slot = self
                        .pieces
                        .slot(reference.goal, reference.addend, reference.cause);
                    if adds {
                        Way::Slot(slot)
                    } else {
                        self.make_detour(reference, destination(instruction), slot);
                        Way::Whole
                    }
                }
            };
            let pair = Pair {
                reference: *reference,
                way,
            };
            self.pairs.insert(reference.offset, pair);
        }
        Ok(())
    }

    /// Replaces an `auipc` by a jump to code that loads the whole address.
    fn make_detour(&mut self, reference: &Reference<'a>, register: u32, slot: SlotId) {
        let cause = reference.cause;
        let mut detour = Made::new(self.pieces, cause);
        detour.load_slot(self.word_size, register, slot);
        let back = Goal::Piece {
            piece: self.piece,
            offset: reference.offset as i64 + 4,
        };
        detour.put_to(jal(ZERO), JAL, back);
        let detour = detour.into_piece(format!("(detour for {})", cause.relocation), Group::Code);
        let goal = Goal::Piece {
            piece: self.pieces.add(detour),
            offset: 0,
        };
        put_word(self.bytes.to_mut(), reference.offset as usize, jal(ZERO));
        self.fixups.push(Fixup {
            offset: reference.offset,
            field: JAL,
            formula: Formula::Relative,
            goal,
            addend: 0,
            cause,
        });
    }

    /// Plans all references at one offset.
    fn plan(&mut self, here: &[Reference<'a>]) -> Result<(), PlanError> {
        let relax = here.iter().any(|reference| reference.kind == RELAX);
        let mut sum = None;
        for reference in here {
            match reference.kind {
                RELAX => {}
                ADD | SET | SUBTRACT => {
                    if let Some(fixup) = difference(&mut sum, &self.bytes, reference)? {
                        self.fixups.push(fixup);
                    }
                }
                ALIGN => self.plan_padding(reference)?,
                LOW => self.plan_low(reference)?,
                _ if self.pairs.contains_key(&reference.offset) => self.plan_high(reference)?,
                RelocationKind::Branch => self.plan_branch(reference, relax)?,
                RelocationKind::Relative if !reference.near => {
                    return Err(problem(
                        reference,
                        "the distance is only known after loading; store the address instead",
                    ));
                }
                _ => {
                    let fixup = plan_plain(self.pieces, reference)?;
                    self.fixups.push(fixup);
                }
            }
        }
        no_sum_left(&sum)
    }

    fn plan_padding(&mut self, reference: &Reference<'a>) -> Result<(), PlanError> {
        let room = u64::try_from(reference.addend).unwrap_or(u64::MAX);
        let end = reference.offset.checked_add(room);
        if end.is_none_or(|end| end > self.bytes.len() as u64) || room % 2 != 0 {
            return Err(problem(reference, "the padding lies outside the section"));
        }
        self.claim(reference, room)?;
        // The room is the boundary less the smallest instruction (psABI, "Alignment Relaxation").
        let align = (room + 1).next_power_of_two();
        self.slack.push(Slack::Padding {
            at: reference.offset,
            room,
            // More than text is aligned to is a wish for speed.
            align: align.min(self.word_size as u64),
        });
        Ok(())
    }

    /// What may change its length must not overlap.
    fn claim(&mut self, reference: &Reference<'a>, size: u64) -> Result<(), PlanError> {
        if reference.offset < self.claimed {
            return Err(problem(
                reference,
                "overlaps with an instruction that may become shorter; assemble it again",
            ));
        }
        self.claimed = reference.offset + size;
        Ok(())
    }

    fn plan_high(&mut self, reference: &Reference<'a>) -> Result<(), PlanError> {
        let pair = self.pairs[&reference.offset];
        let (goal, addend) = match pair.way {
            Way::Direct => (reference.goal, reference.addend),
            Way::Slot(slot) => (Goal::Slot(slot), 0),
            Way::Whole => return Ok(()),
        };
        self.fixups.push(Fixup {
            offset: reference.offset,
            field: HIGH,
            formula: Formula::Relative,
            goal,
            addend,
            cause: reference.cause,
        });
        Ok(())
    }

    fn plan_low(&mut self, low: &Reference<'a>) -> Result<(), PlanError> {
        let upper = self.upper(low)?;
        let Some(Pair { reference, way }) = self.pairs.get(&upper).copied() else {
            return Err(problem(
                low,
                "there is no auipc with a relocation where its symbol points",
            ));
        };
        let instruction = self.instruction(low)?;
        let at = low.offset as usize;
        let through_slot = reference.kind == RelocationKind::GotSlotRelative;
        let (goal, addend) = match way {
            Way::Direct => {
                if through_slot {
                    let add = swap_addi_and_load(instruction, self.word_size);
                    put_word(self.bytes.to_mut(), at, add);
                }
                (reference.goal, reference.addend)
            }
            Way::Slot(slot) => {
                if !through_slot {
                    let load = swap_addi_and_load(instruction, self.word_size);
                    put_word(self.bytes.to_mut(), at, load);
                }
                (Goal::Slot(slot), 0)
            }
            Way::Whole => {
                low.field.store(&mut self.bytes.to_mut()[at..], 0);
                return Ok(());
            }
        };
        self.fixups.push(Fixup {
            offset: low.offset,
            field: low.field,
            formula: Formula::Minus(Goal::Piece {
                piece: self.piece,
                offset: upper as i64,
            }),
            goal,
            addend,
            cause: low.cause,
        });
        Ok(())
    }

    fn plan_branch(&mut self, reference: &Reference<'a>, relax: bool) -> Result<(), PlanError> {
        let mut reference = *reference;
        if !reference.near {
            if reference.field != CALL && reference.field != JAL {
                return Err(problem(
                    &reference,
                    "a short branch to what is only known after loading; use call or tail",
                ));
            }
            let (goal, cause, word_size) = (reference.goal, reference.cause, self.word_size);
            let stub = self.pieces.stub(goal, |pieces| {
                let slot = pieces.slot(goal, 0, cause);
                let mut stub = Made::new(pieces, cause);
                stub.load_slot(word_size, T3, slot);
                stub.put(jalr(ZERO, T3));
                stub.into_piece(format!("(stub for {})", cause.relocation), Group::Code)
            });
            reference.goal = Goal::Piece {
                piece: stub,
                offset: 0,
            };
        }
        let at = reference.offset as usize;
        let original = self
            .bytes
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok());
        if let (true, true, Some(original)) = (relax, reference.field == CALL, original) {
            self.claim(&reference, 8)?;
            self.slack.push(Slack::Branch {
                fixup: self.fixups.len(),
                original,
                size: 8,
                keep: false,
            });
        }
        let fixup = plan_plain(self.pieces, &reference)?;
        self.fixups.push(fixup);
        Ok(())
    }
}

/// The first half of a difference: what is added, before what is taken off is known.
type Sum<'a> = Option<(Reference<'a>, i64)>;

/// Takes one of the relocations that make a difference together; the last one gives the field to fill.
fn difference<'a>(
    sum: &mut Sum<'a>,
    bytes: &[u8],
    reference: &Reference<'a>,
) -> Result<Option<Fixup<'a>>, PlanError> {
    if reference.kind != SUBTRACT {
        let at = usize::try_from(reference.offset).unwrap_or(usize::MAX);
        let held = match reference.kind {
            ADD => bytes
                .get(at..)
                .map_or(0, |bytes| reference.field.load(bytes)),
            _ => 0,
        };
        if sum.replace((*reference, held)).is_some() {
            return Err(problem(reference, "added to what is already a sum"));
        }
        return Ok(None);
    }
    let Some((added, held)) = sum
        .take()
        .filter(|(added, _)| added.field == reference.field)
    else {
        return Err(problem(
            reference,
            "taken off without anything of the same size that it is taken off from",
        ));
    };
    let field = if added.field == ULEB128 {
        let at = usize::try_from(added.offset).unwrap_or(usize::MAX);
        bytes
            .get(at..)
            .and_then(uleb128)
            .ok_or_else(|| problem(&added, "no ULEB128 number of at most 63 bits stands there"))?
    } else {
        added.field
    };
    Ok(Some(Fixup {
        offset: added.offset,
        field,
        formula: Formula::Minus(reference.goal),
        goal: added.goal,
        addend: held
            .wrapping_add(added.addend)
            .wrapping_sub(reference.addend),
        cause: added.cause,
    }))
}

fn no_sum_left(sum: &Sum<'_>) -> Result<(), PlanError> {
    match sum {
        Some((added, _)) => Err(problem(
            added,
            "added without anything that is taken off; a module has no fixed addresses",
        )),
        None => Ok(()),
    }
}

/// References in data: differences, and what every CPU has.
pub(super) fn plan_data<'a>(
    pieces: &mut Pieces<'a>,
    bytes: &[u8],
    references: &[Reference<'a>],
) -> Result<Vec<Fixup<'a>>, PlanError> {
    let mut fixups = Vec::with_capacity(references.len());
    let mut sum: Sum<'a> = None;
    for reference in references {
        if sum.is_some_and(|(added, _)| added.offset != reference.offset) {
            no_sum_left(&sum)?;
        }
        match reference.kind {
            RELAX => {}
            ADD | SET | SUBTRACT => fixups.extend(difference(&mut sum, bytes, reference)?),
            _ => fixups.push(plan_one_in_data(pieces, reference)?),
        }
    }
    no_sum_left(&sum)?;
    Ok(fixups)
}

/// Calls the functions, then goes on to the entry.
pub(super) fn entry<'a>(word_size: usize, start: &Start<'_, 'a>) -> Piece<'a> {
    let mut code = Made::of(PieceId(usize::MAX), start.cause);
    if !start.functions.is_empty() {
        // The return address and the entry's four arguments; the stack stays aligned to 16 bytes.
        let room = 6 * word_size.next_multiple_of(8);
        let kept = [RA, A0, A0 + 1, A0 + 2, A0 + 3];
        let places = || {
            kept.iter()
                .zip(0u32..)
                .map(|(r, n)| (*r, n * word_size as u32))
        };
        code.put(addi(SP, SP, -(room as i32)));
        for (register, offset) in places() {
            code.put(store_word(word_size, register, SP, offset));
        }
        for function in start.functions {
            for argument in 0..3 {
                code.put(addi(A0 + argument, ZERO, 0));
            }
            code.put_call(RA, RA, *function);
        }
        for (register, offset) in places() {
            code.put(load_word(word_size, register, SP, offset));
        }
        code.put(addi(SP, SP, room as i32));
    }
    code.put_call(ZERO, T1, start.entry);
    code.into_piece("(entry)".to_owned(), Group::Entry)
}

/// Code of the linker's own making.
struct Made<'a> {
    /// What it will be.
    piece: PieceId,
    bytes: Vec<u8>,
    fixups: Vec<Fixup<'a>>,
    cause: Cause,
}

impl<'a> Made<'a> {
    /// For the piece that is added next.
    fn new(pieces: &Pieces<'a>, cause: Cause) -> Made<'a> {
        Made::of(PieceId(pieces.pieces.len()), cause)
    }

    fn of(piece: PieceId, cause: Cause) -> Made<'a> {
        Made {
            piece,
            bytes: Vec::new(),
            fixups: Vec::new(),
            cause,
        }
    }

    fn put(&mut self, instruction: u32) {
        self.bytes.extend(instruction.to_le_bytes());
    }

    fn fixup(&mut self, field: crate::relocation::Field, formula: Formula<'a>, goal: Goal<'a>) {
        self.fixups.push(Fixup {
            offset: self.bytes.len() as u64,
            field,
            formula,
            goal,
            addend: 0,
            cause: self.cause,
        });
    }

    fn put_to(&mut self, instruction: u32, field: crate::relocation::Field, goal: Goal<'a>) {
        self.fixup(field, Formula::Relative, goal);
        self.put(instruction);
    }

    fn load_slot(&mut self, word_size: usize, register: u32, slot: SlotId) {
        let upper = Goal::Piece {
            piece: self.piece,
            offset: self.bytes.len() as i64,
        };
        self.put_to(auipc(register), HIGH, Goal::Slot(slot));
        self.fixup(LOW_I, Formula::Minus(upper), Goal::Slot(slot));
        self.put(load_word(word_size, register, register, 0));
    }

    fn put_call(&mut self, link: u32, through: u32, goal: Goal<'a>) {
        self.put_to(auipc(through), CALL, goal);
        self.put(jalr(link, through));
    }

    fn into_piece(self, name: String, group: Group) -> Piece<'a> {
        Piece::made(name, group, self.bytes, self.fixups)
    }
}
