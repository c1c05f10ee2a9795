//! Where Xtensa instructions hold distances, and how a reference in one is made.
//!
//! Formats are those of the Xtensa ISA reference manual, chapter 7, for little-endian cores: the
//! instruction's first byte holds the major opcode in its low half.

use super::{Abi, IN_INSTRUCTION, LITERAL, made};
use crate::arch::{PlanError, Reference};
use crate::piece::{Block, Fixup, Formula, Goal, Pieces};
use crate::references::plan_plain;
use crate::relocation::{Encoding, Field};

/// An instruction that holds a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Loads a word that lies up to 256 KiB back.
    L32r,
    /// Calls a word-aligned function; the number of registers that the window moves by.
    Call(u8),
    Jump,
    /// Compares with zero: 12 bits.
    BranchZero,
    /// All other comparisons: 8 bits.
    Branch,
    /// A loop's end: 8 bits, forward only.
    Loop,
    /// `beqz.n`, `bnez.n`: 6 bits, forward only.
    BranchNarrow,
}

/// The instruction at the start of `bytes`, if it is one that holds a distance.
pub(super) fn decode(bytes: &[u8]) -> Option<Instruction> {
    let first = *bytes.first()?;
    let (low, high) = (first & 0xf, first >> 4);
    let found = match low {
        1 => Instruction::L32r,
        5 => Instruction::Call(high & 3),
        6 => match high & 3 {
            0 => Instruction::Jump,
            1 => Instruction::BranchZero,
            2 => Instruction::Branch,
            _ => match (high >> 2, bytes.get(1)? >> 4) {
                (1, 0 | 1) | (2 | 3, _) => Instruction::Branch,
                (1, 8..=10) => Instruction::Loop,
                _ => return None,
            },
        },
        7 => Instruction::Branch,
        12 if high & 8 != 0 => Instruction::BranchNarrow,
        _ => return None,
    };
    (bytes.len() >= found.field().width.into()).then_some(found)
}

impl Instruction {
    pub fn field(self) -> Field {
        match self {
            Instruction::L32r => L32R,
            Instruction::Call(_) => CALL,
            Instruction::Jump => JUMP,
            Instruction::BranchZero => Field::code(3, &BRANCH_12),
            Instruction::Branch => Field::code(3, &BRANCH_8),
            Instruction::Loop => Field::code(3, &LOOP),
            Instruction::BranchNarrow => Field::code(2, &BRANCH_NARROW),
        }
    }
}

/// All of them hold the distance from the instruction itself to the goal.
pub(super) const L32R: Field = Field::code(3, &LITERAL_LOAD);
pub(super) const CALL: Field = Field::code(3, &CALL_18);
pub(super) const JUMP: Field = Field::code(3, &JUMP_18);

/// The processor rounds the instruction's address up to a word; the literal is one, so that rounding
/// the distance down comes to the same. The sign is not stored: it is always negative.
static LITERAL_LOAD: Encoding = Encoding {
    holds_what: "l32r, which reaches from 4 bytes to 256 KiB back",
    holds: |distance| (-(1 << 18)..0).contains(&(distance & !3)),
    store: |bytes, distance| set(bytes, 8, 16, distance >> 2),
    load: |bytes| get(bytes, 8, 16) * 4 - (1 << 18),
};

/// The processor rounds its own address down to a word and counts from the next one; the function
/// is at a word too.
static CALL_18: Encoding = Encoding {
    holds_what: "a call, which reaches 512 KiB; compile with -mlongcalls",
    holds: |distance| fits((distance + 3) >> 2, 1, 18),
    store: |bytes, distance| set(bytes, 6, 18, ((distance + 3) >> 2) - 1),
    load: |bytes| sign_extend(get(bytes, 6, 18), 18) * 4 + 4,
};

static JUMP_18: Encoding = Encoding {
    holds_what: "a jump, which reaches 128 KiB",
    holds: |distance| fits(distance, 4, 18),
    store: |bytes, distance| set(bytes, 6, 18, distance - 4),
    load: |bytes| sign_extend(get(bytes, 6, 18), 18) + 4,
};

static BRANCH_12: Encoding = Encoding {
    holds_what: "a branch on zero, which reaches 2 KiB; branch around a jump",
    holds: |distance| fits(distance, 4, 12),
    store: |bytes, distance| set(bytes, 12, 12, distance - 4),
    load: |bytes| sign_extend(get(bytes, 12, 12), 12) + 4,
};

static BRANCH_8: Encoding = Encoding {
    holds_what: "a conditional branch, which reaches 128 bytes; branch around a jump",
    holds: |distance| fits(distance, 4, 8),
    store: |bytes, distance| set(bytes, 16, 8, distance - 4),
    load: |bytes| sign_extend(get(bytes, 16, 8), 8) + 4,
};

static LOOP: Encoding = Encoding {
    holds_what: "a loop, whose end lies up to 259 bytes ahead",
    holds: |distance| (4..260).contains(&distance),
    store: |bytes, distance| set(bytes, 16, 8, distance - 4),
    load: |bytes| get(bytes, 16, 8) + 4,
};

static BRANCH_NARROW: Encoding = Encoding {
    holds_what: "a narrow branch, which reaches from 4 to 67 bytes ahead",
    holds: |distance| (4..68).contains(&distance),
    store: |bytes, distance| {
        set(bytes, 4, 2, (distance - 4) >> 4);
        set(bytes, 12, 4, distance - 4);
    },
    load: |bytes| get(bytes, 4, 2) * 16 + get(bytes, 12, 4) + 4,
};

/// Whether `value - bias` is a signed number of so many bits.
fn fits(value: i128, bias: i128, bits: u32) -> bool {
    let half = 1i128 << (bits - 1);
    (-half..half).contains(&(value - bias))
}

/// Puts the low `count` bits of `value` at bit `at` of the little-endian number in `bytes`.
fn set(bytes: &mut [u8], at: u32, count: u32, value: i128) {
    let mask = ((1u32 << count) - 1) << at;
    let bits = ((value as u32) << at) & mask;
    for (index, byte) in bytes.iter_mut().enumerate() {
        let shift = 8 * index;
        *byte = *byte & !((mask >> shift) as u8) | (bits >> shift) as u8;
    }
}

fn get(bytes: &[u8], at: u32, count: u32) -> i64 {
    let mut number = 0u32;
    for (index, byte) in bytes.iter().take(3).enumerate() {
        number |= u32::from(*byte) << (8 * index);
    }
    i64::from(number >> at & ((1 << count) - 1))
}

fn sign_extend(value: i64, bits: u32) -> i64 {
    value << (64 - bits) >> (64 - bits)
}

/// The reference with its addend in its offset, if it is to code: an addend counts the bytes of the
/// object, of which some may be left out.
pub(super) fn in_code<'a>(pieces: &Pieces<'a>, mut reference: Reference<'a>) -> Reference<'a> {
    if let Goal::Piece { piece, offset } = reference.goal
        && pieces.pieces[piece.0].block == Block::Text
    {
        let offset = offset.wrapping_add(reference.addend);
        reference.goal = Goal::Piece { piece, offset };
        reference.addend = 0;
    }
    reference
}

/// Decides how one reference in code is made.
pub(super) fn plan<'a>(
    abi: Abi,
    pieces: &mut Pieces<'a>,
    bytes: &[u8],
    reference: &Reference<'a>,
) -> Result<Fixup<'a>, PlanError> {
    let refuse = |problem: &str| PlanError {
        cause: reference.cause,
        problem: problem.to_owned(),
    };
    let fixup = |field, goal, addend| Fixup {
        offset: reference.offset,
        field,
        formula: Formula::Relative,
        goal,
        addend,
        cause: reference.cause,
    };
    let reference = &in_code(pieces, *reference);
    let Reference { goal, addend, .. } = *reference;
    if reference.kind == LITERAL {
        // Numbers are equal if their words are, however they came about.
        let (goal, addend) = match goal {
            Goal::Absolute(number) => {
                let word = (number as u32).wrapping_add(addend as u32);
                (Goal::Absolute(word.into()), 0)
            }
            _ => (goal, addend),
        };
        let slot = pieces.slot(goal, addend, reference.cause);
        return Ok(fixup(L32R, Goal::Slot(slot), 0));
    }
    if reference.kind != IN_INSTRUCTION {
        return plan_plain(pieces, reference);
    }
    let at = usize::try_from(reference.offset).unwrap_or(usize::MAX);
    let instruction = bytes.get(at..).and_then(decode).ok_or_else(|| {
        refuse("not in an instruction that holds a distance (l32r, call, j, branch, loop)")
    })?;
    let field = instruction.field();
    let near = reference.near && pieces.block_of(goal, Block::Text) == Some(Block::Text);
    match instruction {
        Instruction::L32r => Err(refuse(
            "an l32r whose literal is not in code or read-only data of its own object; let the assembler make it (.literal, or movi with an address)",
        )),
        Instruction::Call(_) if near => {
            if !word_aligned(pieces, goal, addend) {
                return Err(refuse(
                    "calls what is not at a multiple of 4 bytes; put .align 4 before it",
                ));
            }
            Ok(fixup(field, goal, addend))
        }
        _ if near => Ok(fixup(field, goal, addend)),
        Instruction::Call(_) | Instruction::Jump if addend == 0 => {
            let register = made::scratch(abi, instruction).ok_or_else(|| {
                refuse("goes to what is only known after loading, in a way that leaves no register free; use -mlongcalls, or l32r and callx8")
            })?;
            let cause = reference.cause;
            let stub = pieces.stub(goal, |pieces| {
                let slot = pieces.slot(goal, 0, cause);
                made::stub(register, slot, cause)
            });
            let goal = Goal::Piece {
                piece: stub,
                offset: 0,
            };
            Ok(fixup(field, goal, 0))
        }
        _ => Err(refuse(
            "goes to what is only known after loading; call it, or take its address with l32r",
        )),
    }
}

fn word_aligned(pieces: &Pieces<'_>, goal: Goal<'_>, addend: i64) -> bool {
    match goal {
        Goal::Piece { piece, offset } => {
            pieces.pieces[piece.0].align >= 4 && offset.wrapping_add(addend) % 4 == 0
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as GNU as assembles them, with the distance that its listing shows.
    #[test]
    fn fields_are_where_the_assembler_puts_them() {
        let cases: [(&[u8], Instruction, i64); 9] = [
            // 0xa: l32r a0, 0
            (&[0x01, 0xfd, 0xff], Instruction::L32r, -12),
            // 0x41: bgeui a3, 6, 0x71
            (&[0xf6, 0x63, 0x2c], Instruction::Branch, 0x30),
            // 0x51: j 0x71
            (&[0x06, 0x07, 0x00], Instruction::Jump, 0x20),
            // 0x6b: j 0x5b
            (&[0x06, 0xfb, 0xff], Instruction::Jump, -0x10),
            // 0x3: beqz a4, 0x24
            (&[0x16, 0xd4, 0x01], Instruction::BranchZero, 0x21),
            // 0x21: bnez a4, 0xf
            (&[0x56, 0xa4, 0xfe], Instruction::BranchZero, -0x12),
            // 0x27: bnei a13, 1, 0x12
            (&[0x66, 0x1d, 0xe7], Instruction::Branch, -0x15),
            // 0x0: call0 0x10
            (&[0xc5, 0x00, 0x00], Instruction::Call(0), 0x10),
            // 0x0: beqz.n a2, 0x16
            (&[0x9c, 0x22], Instruction::BranchNarrow, 0x16),
        ];
        for (bytes, instruction, distance) in cases {
            assert_eq!(decode(bytes), Some(instruction), "{bytes:x?}");
            let field = instruction.field();
            assert_eq!(field.load(bytes), distance, "{bytes:x?}");
            let mut again = bytes.to_vec();
            field.store(&mut again, 4);
            field.store(&mut again, distance.into());
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn distances_are_checked() {
        for (field, distance, fits) in [
            (L32R, -1, true),
            (L32R, -(1 << 18), true),
            (L32R, -(1 << 18) - 1, false),
            (L32R, 0, false),
            (CALL, 1 << 19, true),
            (CALL, (1 << 19) + 4, false),
            (JUMP, (1 << 17) + 3, true),
            (JUMP, (1 << 17) + 4, false),
            (JUMP, -(1 << 17) + 4, true),
            (JUMP, -(1 << 17) + 3, false),
        ] {
            assert_eq!(field.holds(distance), fits, "{field:?} {distance}");
        }
    }

    #[test]
    fn other_instructions_hold_no_distance() {
        // entry, or, l32i.n, movi.n, half an l32r
        for bytes in [
            &[0x36, 0x41, 0x00][..],
            &[0x20, 0xa2, 0x20],
            &[0x38, 0x05],
            &[0x0c, 0x52],
            &[0x01, 0xfd],
        ] {
            assert_eq!(decode(bytes), None, "{bytes:x?}");
        }
    }
}
