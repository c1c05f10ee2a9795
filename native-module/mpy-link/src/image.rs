//! Fills in every field: makes the bytes of text and rodata and the list of words that are left to
//! the loader.

use std::collections::BTreeSet;

use crate::arch::{Architecture, PlanError};
use crate::destination::Destination;
use crate::error::LinkError;
use crate::input::Program;
use crate::layout::{GOT_BLOCK, Layout};
use crate::piece::{Block, Fixup, Formula, Goal, Piece, PieceId, Pieces};
use crate::references::relocation_error;

/// A word to which the loader adds an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LoadRelocation {
    pub in_rodata: bool,
    /// Index of the word in its block.
    pub word: u64,
    pub destination: Destination,
}

#[derive(Debug)]
pub(crate) struct Image<'a> {
    pub text: Vec<u8>,
    pub rodata: Vec<u8>,
    pub bss_size: u64,
    /// Ascending by place.
    pub relocations: Vec<LoadRelocation>,
    /// The module's qstrs after the source file's name.
    pub qstrs: Vec<&'a str>,
}

const UNKNOWN_DISTANCE: &str = "the distance is only known after loading; compile with -C relocation-model=pic (rustc) or -fPIC (gcc) and the small code model";

/// What a goal and an addend come to.
enum Value {
    Number(i128),
    /// At this offset of something the loader knows the address of.
    Address(Destination, i128),
}

pub(crate) fn fill<'a>(
    program: &Program<'a>,
    pieces: &Pieces<'a>,
    layout: &Layout,
    arch: &dyn Architecture,
    first_qstrs: &[&'a str],
) -> Result<Image<'a>, LinkError> {
    let mut filler = Filler {
        pieces,
        layout,
        word: arch.word_size(),
        qstrs: used_qstrs(pieces, first_qstrs),
        slots_by_number: !first_qstrs.is_empty(),
        blocks: [
            vec![0; layout.text_size as usize],
            vec![0; layout.rodata_size as usize],
        ],
        relocations: Vec::new(),
    };
    for id in &layout.order {
        let piece = &pieces.pieces[id.0];
        if piece.block == Block::Bss {
            continue;
        }
        let at = layout.piece_offsets[id.0] as usize;
        copy_uncut(&mut filler.blocks[piece.block as usize][at..], piece);
        for fixup in &piece.fixups {
            filler.fill(*id, fixup).map_err(|problem| {
                relocation_error(
                    program,
                    PlanError {
                        cause: fixup.cause,
                        problem,
                    },
                )
            })?;
        }
    }
    for (index, slot) in pieces.slots.iter().enumerate() {
        filler
            .fill_slot(layout.slot_offsets[index], slot.goal, slot.addend)
            .map_err(|problem| {
                relocation_error(
                    program,
                    PlanError {
                        cause: slot.cause,
                        problem,
                    },
                )
            })?;
    }
    let Filler {
        blocks: [text, rodata],
        mut relocations,
        qstrs,
        ..
    } = filler;
    relocations.sort_unstable();
    Ok(Image {
        text,
        rodata,
        bss_size: layout.bss_size,
        relocations,
        qstrs,
    })
}

/// The piece's bytes without those that are cut out.
fn copy_uncut(to: &mut [u8], piece: &Piece<'_>) {
    let (mut from, mut at) = (0, 0);
    let ends = piece.cuts.iter().map(|cut| (cut.at, cut.size));
    for (end, skipped) in ends.chain([(piece.data.len() as u64, 0)]) {
        let part = &piece.data[from..end as usize];
        to[at..at + part.len()].copy_from_slice(part);
        at += part.len();
        from = (end + skipped) as usize;
    }
}

/// The qstrs of the table's slots in order: those that have to come first, then every other one that
/// a live reference uses.
fn used_qstrs<'a>(pieces: &Pieces<'a>, first: &[&'a str]) -> Vec<&'a str> {
    let in_slots = pieces.slots.iter().map(|slot| slot.goal);
    let in_pieces = pieces
        .pieces
        .iter()
        .flat_map(|piece| &piece.fixups)
        .map(|fixup| fixup.goal);
    let used: BTreeSet<&str> = in_slots
        .chain(in_pieces)
        .filter_map(|goal| match goal {
            Goal::Qstr(text) => Some(text),
            _ => None,
        })
        .collect();
    let rest = used.into_iter().filter(|text| !first.contains(text));
    first.iter().copied().chain(rest).collect()
}

struct Filler<'p, 'a> {
    pieces: &'p Pieces<'a>,
    layout: &'p Layout,
    word: usize,
    qstrs: Vec<&'a str>,
    /// The options say which string is in which slot.
    slots_by_number: bool,
    /// Text and rodata.
    blocks: [Vec<u8>; 2],
    relocations: Vec<LoadRelocation>,
}

impl<'a> Filler<'_, 'a> {
    fn value(&self, goal: Goal<'a>, addend: i64) -> Result<Value, String> {
        let addend = i128::from(addend);
        Ok(match goal {
            Goal::Piece { piece, offset } => {
                let start = i128::from(self.layout.piece_offsets[piece.0]);
                let piece = &self.pieces.pieces[piece.0];
                let offset = i128::from(piece.final_offset(offset));
                Value::Address(piece.block.into(), start + offset + addend)
            }
            // Symbol values are 64-bit patterns; as a distance, high ones are negative.
            Goal::Absolute(number) => Value::Number(i128::from(number) + addend),
            Goal::FunctionTable => Value::Address(Destination::FunctionTable, addend),
            Goal::TableEntry(entry) => Value::Address(Destination::TableEntry(entry), addend),
            Goal::Qstr(text) => {
                // Slot 0 is the source file's name, and each slot has 16 bits.
                let position = self.qstrs.iter().position(|known| *known == text);
                let position = position.ok_or("unknown qstr")?;
                Value::Address(Destination::QstrTable, (position as i128 + 1) * 2 + addend)
            }
            Goal::QstrTable if !self.slots_by_number => {
                return Err(
                    "names strings by their numbers, but which string has which number is not said; give the header that mpy_ld.py --preprocess made (--qstrs), or use MP_QSTR_ symbols"
                        .to_owned(),
                );
            }
            Goal::QstrTable => Value::Address(Destination::QstrTable, addend),
            Goal::Slot(slot) => {
                let offset = i128::from(self.layout.slot_offsets[slot.0]);
                Value::Address(GOT_BLOCK.into(), offset + addend)
            }
            Goal::Start(block) => Value::Address(block.into(), addend),
            Goal::GotBase => Value::Address(
                GOT_BLOCK.into(),
                i128::from(self.layout.got_offset) + addend,
            ),
        })
    }

    fn fill(&mut self, piece: PieceId, fixup: &Fixup<'a>) -> Result<(), String> {
        let start = self.layout.piece_offsets[piece.0];
        let piece = &self.pieces.pieces[piece.0];
        let block = piece.block;
        let at = start + piece.final_offset(fixup.offset as i64) as u64;
        let value = self.value(fixup.goal, fixup.addend)?;
        let number = match (fixup.formula, value) {
            (Formula::Absolute, Value::Number(number)) => number,
            (Formula::Absolute, Value::Address(destination, offset)) => {
                if !fixup.field.is_number(self.word) {
                    return Err(format!(
                        "a {}-bit absolute address, which no loader can fill in; compile with -C relocation-model=pic (rustc) or -fPIC (gcc)",
                        u32::from(fixup.field.width) * 8
                    ));
                }
                return self.leave_to_loader(block, at, destination, offset);
            }
            (Formula::Relative, Value::Address(destination, offset))
                if destination == block.into() =>
            {
                offset - i128::from(at)
            }
            (Formula::RelativeToWord, Value::Address(destination, offset))
                if destination == block.into() =>
            {
                offset - i128::from(at & !3)
            }
            (Formula::LateRelative, Value::Address(_, offset) | Value::Number(offset)) => {
                offset - i128::from(at)
            }
            (Formula::LateFromGotBase, Value::Address(_, offset) | Value::Number(offset)) => {
                offset - i128::from(self.layout.got_offset)
            }
            (Formula::Minus(from), Value::Address(destination, offset)) => {
                match self.value(from, 0)? {
                    Value::Address(same, start) if same == destination => offset - start,
                    _ => return Err(UNKNOWN_DISTANCE.to_owned()),
                }
            }
            (Formula::FromGotBase, Value::Address(destination, offset))
                if destination == GOT_BLOCK.into() =>
            {
                offset - i128::from(self.layout.got_offset)
            }
            _ => return Err(UNKNOWN_DISTANCE.to_owned()),
        };
        if !fixup.field.holds(number) {
            return Err(format!(
                "the value {number:#x} does not fit {}",
                fixup.field.holds_what()
            ));
        }
        let bytes = self
            .blocks
            .get_mut(block as usize)
            .and_then(|bytes| bytes.get_mut(at as usize..))
            .filter(|bytes| bytes.len() >= usize::from(fixup.field.width))
            .ok_or("outside the section's content")?;
        fixup.field.store(bytes, number);
        Ok(())
    }

    fn fill_slot(&mut self, at: u64, goal: Goal<'a>, addend: i64) -> Result<(), String> {
        match self.value(goal, addend)? {
            Value::Number(number) => {
                let word = self.word;
                self.word_at(GOT_BLOCK, at)?
                    .copy_from_slice(&number.to_le_bytes()[..word]);
                Ok(())
            }
            Value::Address(destination, offset) => {
                self.leave_to_loader(GOT_BLOCK, at, destination, offset)
            }
        }
    }

    fn word_at(&mut self, block: Block, at: u64) -> Result<&mut [u8], String> {
        let word = self.word;
        let at = at as usize;
        self.blocks
            .get_mut(block as usize)
            .and_then(|bytes| bytes.get_mut(at..at + word))
            .ok_or_else(|| "outside the section's content".to_owned())
    }

    /// Writes the offset; the loader adds the destination's address.
    fn leave_to_loader(
        &mut self,
        block: Block,
        at: u64,
        destination: Destination,
        offset: i128,
    ) -> Result<(), String> {
        if !at.is_multiple_of(self.word as u64) {
            return Err(format!(
                "an address at an offset that is not a multiple of {}, which MicroPython's loader cannot fill in; do not pack the struct it stands in, and use the small code model",
                self.word
            ));
        }
        let bytes = offset.to_le_bytes();
        let word = self.word;
        self.word_at(block, at)?.copy_from_slice(&bytes[..word]);
        self.relocations.push(LoadRelocation {
            in_rodata: block == Block::Rodata,
            word: at / word as u64,
            destination,
        });
        Ok(())
    }
}
