//! Makes compiled code shorter: LLVM 22 writes nearly every instruction with three bytes, and calls each
//! function through a register that it has loaded from a literal.
//!
//! * Instructions for which there is a form of two bytes (the density option, which all boards have) get
//!   that form: a third of all.
//! * `l32r a8, f` … `callx8 a8` becomes `call8 f`, if nothing between them, nor anything that could come
//!   in between, knows the register: three bytes less, and often a literal less, which is a word of text
//!   and one for the loader.
//!
//! Only code of rustc and clang is changed: their functions hold instructions and nothing else, so that
//! all of them can be told. gcc uses the short forms itself, and assembly is left as it was written.
//! What was between two instructions and is left out moves what follows, so every branch becomes a
//! field to fill in; where something in a section is not understood, that section stays as it is.

use super::code::{CALL, Instruction, decode};
use super::{Abi, LITERAL};
use crate::arch::{CodeSection, Reference};
use crate::piece::{Block, Cause, Cut, Fixup, Formula, Goal, PieceId, Pieces};
use crate::relocation::Field;

/// What became of a section.
pub(super) struct Shortened<'a> {
    pub bytes: Vec<u8>,
    pub cuts: Vec<Cut>,
    /// The branches within the section, and the calls that were made direct.
    pub fixups: Vec<Fixup<'a>>,
    /// The `l32r`s that are gone, ascending.
    pub gone: Vec<u64>,
}

/// One instruction.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: usize,
    size: usize,
    /// Its bytes in the output; 0 if it is left out.
    kept: usize,
    bytes: [u8; 3],
    /// Where it goes, if it is a branch or jump within the section.
    target: Option<usize>,
}

/// Shortens a section, if all of it is understood.
pub(super) fn shorten<'a>(
    abi: Abi,
    pieces: &Pieces<'a>,
    piece: PieceId,
    code: &CodeSection<'_, 'a>,
) -> Option<Shortened<'a>> {
    // A function of its own, so that nobody calls into its middle.
    let entries = code.entries?;
    if code.starts.iter().any(|start| *start != 0) {
        return None;
    }
    let mut steps = steps(code)?;
    let targets = targets(&steps, entries)?;
    let mut gone = Vec::new();
    let mut fixups = Vec::new();
    for index in 0..steps.len() {
        let Some(call) = direct_call(abi, pieces, &steps, &targets, index, code) else {
            continue;
        };
        let (load, reference) = (steps[index].at, call.1);
        gone.push(load as u64);
        steps[index].kept = 0;
        let call = &mut steps[call.0];
        let window = call.bytes[0] >> 4 & 3;
        call.bytes = [window << 4 | 5, 0, 0];
        fixups.push(field(
            call.at,
            CALL,
            reference.goal,
            reference.addend,
            reference.cause,
        ));
    }
    for step in &mut steps {
        if step.kept == 3
            && step.target.is_none()
            && !has_reference(code, step.at)
            && let Some(narrow) = narrow(step.bytes)
        {
            step.bytes = [narrow[0], narrow[1], 0];
            step.kept = 2;
        }
    }
    while narrow_branches(&mut steps) {}

    let cause = Cause {
        relocation: "a branch",
        section: pieces.pieces[piece.0].section?,
        offset: 0,
        symbol: 0,
    };
    let mut bytes = code.bytes.to_vec();
    let mut cuts: Vec<Cut> = Vec::new();
    for step in &steps {
        bytes[step.at..step.at + step.kept].copy_from_slice(&step.bytes[..step.kept]);
        if let Some(target) = step.target
            && !has_reference(code, step.at)
        {
            let goal = Goal::Piece {
                piece,
                offset: target as i64,
            };
            let branch = decode(&step.bytes[..step.kept])?.field();
            let cause = Cause {
                offset: step.at as u64,
                ..cause
            };
            fixups.push(field(step.at, branch, goal, 0, cause));
        }
        if step.kept < step.size {
            let at = (step.at + step.kept) as u64;
            let size = (step.size - step.kept) as u64;
            match cuts.last_mut() {
                Some(last) if last.at + last.size == at => last.size += size,
                _ => cuts.push(Cut { at, size }),
            }
        }
    }
    Some(Shortened {
        bytes,
        cuts,
        fixups,
        gone,
    })
}

fn field<'a>(at: usize, field: Field, goal: Goal<'a>, addend: i64, cause: Cause) -> Fixup<'a> {
    Fixup {
        offset: at as u64,
        field,
        formula: Formula::Relative,
        goal,
        addend,
        cause,
    }
}

fn reference_at<'s, 'a>(code: &CodeSection<'s, 'a>, at: usize) -> Option<&'s Reference<'a>> {
    let position = code
        .references
        .binary_search_by_key(&(at as u64), |reference| reference.offset);
    position.ok().map(|position| &code.references[position])
}

fn has_reference(code: &CodeSection<'_, '_>, at: usize) -> bool {
    reference_at(code, at).is_some()
}

/// All instructions, if the section consists of such.
fn steps(code: &CodeSection<'_, '_>) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut at = 0;
    while at < code.bytes.len() {
        let size = match code.bytes[at] & 0xf {
            0..=7 => 3,
            8..=13 => 2,
            // Bundles; no board has them.
            _ => return None,
        };
        let found = code.bytes.get(at..at + size)?;
        let mut bytes = [0; 3];
        bytes[..size].copy_from_slice(found);
        let target = match decode(found) {
            // It goes where its relocation says.
            _ if has_reference(code, at) => None,
            // A loop's end counts in the instructions before it; no compiler here makes one.
            Some(Instruction::Loop | Instruction::L32r | Instruction::Call(_)) => return None,
            Some(branch) => {
                let distance = branch.field().load(found);
                Some(at.checked_add_signed(distance as isize)?)
            }
            None => None,
        };
        steps.push(Step {
            at,
            size,
            kept: size,
            bytes,
            target,
        });
        at += size;
    }
    // Every relocation must be in an instruction.
    let known = code.references.iter().all(|reference| {
        steps
            .binary_search_by_key(&reference.offset, |step| step.at as u64)
            .is_ok()
    });
    (known && !steps.is_empty()).then_some(steps)
}

/// Where control may come in from elsewhere, ascending: branches' targets and whatever has its address
/// taken. `None` if one of them is in the middle of an instruction.
fn targets(steps: &[Step], entries: &[u64]) -> Option<Vec<usize>> {
    let branches = steps.iter().filter_map(|step| step.target);
    let entries = entries.iter().map(|offset| *offset as usize);
    let mut targets: Vec<usize> = branches.chain(entries).collect();
    targets.sort_unstable();
    targets.dedup();
    let inside = |target: &usize| steps.binary_search_by_key(target, |step| step.at).is_ok();
    targets.iter().all(inside).then_some(targets)
}

/// The call that uses what the `l32r` at `index` loads, if it can name the function itself.
fn direct_call<'s, 'a>(
    abi: Abi,
    pieces: &Pieces<'a>,
    steps: &[Step],
    targets: &[usize],
    index: usize,
    code: &CodeSection<'s, 'a>,
) -> Option<(usize, &'s Reference<'a>)> {
    let load = &steps[index];
    let reference = reference_at(code, load.at)?;
    let Goal::Piece { piece, offset } = reference.goal else {
        return None;
    };
    let function = &pieces.pieces[piece.0];
    let callable = reference.kind == LITERAL
        && function.block == Block::Text
        && function.align >= 4
        && offset.checked_add(reference.addend) == Some(0);
    let register = load.bytes[0] >> 4;
    // Registers that no caller expects back.
    let dead = match abi {
        Abi::Windowed => register >= 8,
        Abi::Call0 => register == 0 || (2..12).contains(&register),
    };
    if !callable || !dead {
        return None;
    }
    for (position, step) in steps.iter().enumerate().skip(index + 1) {
        if targets.binary_search(&step.at).is_ok() {
            return None;
        }
        if let Some((window, called)) = called_register(step) {
            let same = match abi {
                Abi::Windowed => window == 2,
                Abi::Call0 => window == 0,
            };
            return (same && called == register).then_some((position, reference));
        }
        if changes_flow(step) || mentions(step, register) {
            return None;
        }
    }
    None
}

/// `callx0` to `callx12`: how far the window moves, in fours, and the register with the function.
fn called_register(step: &Step) -> Option<(u8, u8)> {
    let [first, second, third] = step.bytes;
    // CALLX: op0, op1, op2 and r are 0, m is 3.
    let callx = step.size == 3 && first & 0xcf == 0xc0 && second & 0xf0 == 0 && third == 0;
    callx.then_some((first >> 4 & 3, second & 0xf))
}

/// Calls, jumps, branches, returns and what the processor alone may know.
fn changes_flow(step: &Step) -> bool {
    let [first, second, third] = step.bytes;
    if step.size == 2 {
        // beqz.n, bnez.n; ret.n, retw.n, break.n and their like.
        return first & 0xf == 12 && first & 0x80 != 0 || first & 0xf == 13 && second >> 4 != 0;
    }
    match first & 0xf {
        // ST0 and SYNC: everything with op1, op2 and r all 0 or so, but for the plain barriers.
        0 => third == 0 && second >> 4 != 2,
        5..=7 => true,
        _ => false,
    }
}

/// Whether an instruction may read or write a register. Fields that hold something else count too.
fn mentions(step: &Step, register: u8) -> bool {
    let [first, second, _] = step.bytes;
    let (t, s, r) = (first >> 4, second & 0xf, second >> 4);
    match first & 0xf {
        // l32r
        1 => t == register,
        // Loads, stores and addi: r is part of the opcode.
        2 => t == register || s == register,
        // Some of these are registers; the rest may look like one.
        _ => t == register || s == register || r == register,
    }
}

/// The short form of an instruction, if it has one.
fn narrow([first, second, third]: [u8; 3]) -> Option<[u8; 2]> {
    let (t, s, r) = (first >> 4, second & 0xf, second >> 4);
    match (first & 0xf, r, third) {
        // or r, s, s: mov.n r, s
        (0, _, 0x20) if s == t && r != s => Some([r << 4 | 13, s]),
        // add r, s, t
        (0, _, 0x80) => Some([t << 4 | 10, r << 4 | s]),
        // retw, ret
        (0, 0, 0) if first == 0x90 && s == 0 => Some([0x1d, 0xf0]),
        (0, 0, 0) if first == 0x80 && s == 0 => Some([0x0d, 0xf0]),
        // l32i, s32i t, s, 0 to 60
        (2, 2, 0..=15) => Some([t << 4 | 8, third << 4 | s]),
        (2, 6, 0..=15) => Some([t << 4 | 9, third << 4 | s]),
        // addi t, s, -1 or 1 to 15; 0 is mov.n
        (2, 12, 0) => Some([t << 4 | 13, s]),
        (2, 12, 0xff) => Some([11, t << 4 | s]),
        (2, 12, 1..=15) => Some([third << 4 | 11, t << 4 | s]),
        // movi t, -32 to 95: s is the upper part of the number.
        (2, 10, _) => {
            let number = i32::from(s) << 8 | i32::from(third);
            let number = number << 20 >> 20;
            let low = (number & 0x7f) as u8;
            (-32..96)
                .contains(&number)
                .then_some([low & 0x70 | 12, low << 4 | t])
        }
        _ => None,
    }
}

/// Gives branches on zero their short form where that reaches. True if one got it.
fn narrow_branches(steps: &mut [Step]) -> bool {
    let mut changed = false;
    for index in 0..steps.len() {
        let step = steps[index];
        // beqz and bnez: BRI12 with m 0 or 1.
        let (Some(target), 3, 0x16 | 0x56) = (step.target, step.kept, step.bytes[0]) else {
            continue;
        };
        if target <= step.at {
            continue;
        }
        // With its own short form; what lies between can only become shorter, but never nothing: a
        // branch to the next instruction is not one of these.
        let between = steps[index + 1..]
            .iter()
            .take_while(|other| other.at < target);
        let distance = 2 + between.map(|other| other.kept).sum::<usize>();
        if !(4..68).contains(&distance) {
            continue;
        }
        let equal = step.bytes[0] == 0x16;
        let register = step.bytes[1] & 0xf;
        let first = if equal { 0x8c } else { 0xcc };
        steps[index].bytes = [first, register, 0];
        steps[index].kept = 2;
        changed = true;
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wide and narrow forms as GNU's assembler and disassembler have them.
    #[test]
    fn short_forms_mean_the_same() {
        for (wide, short) in [
            // mov.n a3, a2
            ([0x20, 0x32, 0x20], Some([0x3d, 0x02])),
            // add.n a2, a3, a2
            ([0x20, 0x23, 0x80], Some([0x2a, 0x23])),
            // l32i.n a0, a1, 12
            ([0x02, 0x21, 0x03], Some([0x08, 0x31])),
            // s32i.n a12, a1, 8
            ([0xc2, 0x61, 0x02], Some([0xc9, 0x21])),
            // addi.n a2, a2, 1; addi.n a2, a2, -1
            ([0x22, 0xc2, 0x01], Some([0x1b, 0x22])),
            ([0x22, 0xc2, 0xff], Some([0x0b, 0x22])),
            // movi.n a2, 5; movi.n a2, -1; movi.n a2, 77
            ([0x22, 0xa0, 0x05], Some([0x0c, 0x52])),
            ([0x22, 0xaf, 0xff], Some([0x7c, 0xf2])),
            ([0x22, 0xa0, 0x4d], Some([0x4c, 0xd2])),
            // movi a2, 99; movi a2, -33
            ([0x22, 0xa0, 0x63], None),
            ([0x22, 0xaf, 0xdf], None),
            // l32i a0, a1, 64; addi a1, a1, 16; l8ui a8, a3, 0
            ([0x02, 0x21, 0x10], None),
            ([0x12, 0xc1, 0x10], None),
            ([0x82, 0x03, 0x00], None),
            // retw; ret; and a9, a8, a9; or a2, a2, a2 (a barrier for somebody)
            ([0x90, 0x00, 0x00], Some([0x1d, 0xf0])),
            ([0x80, 0x00, 0x00], Some([0x0d, 0xf0])),
            ([0x90, 0x98, 0x10], None),
            ([0x20, 0x22, 0x20], None),
        ] {
            assert_eq!(narrow(wide), short, "{wide:x?}");
        }
    }

    #[test]
    fn calls_and_registers_are_told() {
        let step = |bytes: [u8; 3]| Step {
            at: 0,
            size: if bytes[0] & 0xf < 8 { 3 } else { 2 },
            kept: 3,
            bytes,
            target: None,
        };
        // callx8 a5; callx0 a0; jx a2
        assert_eq!(called_register(&step([0xe0, 0x05, 0x00])), Some((2, 5)));
        assert_eq!(called_register(&step([0xc0, 0x00, 0x00])), Some((0, 0)));
        assert_eq!(called_register(&step([0xa0, 0x02, 0x00])), None);
        // jx, j, beq, retw.n, retw, syscall change the flow; or, l32i.n, memw, mov.n do not.
        for bytes in [
            [0xa0, 0x02, 0x00],
            [0x06, 0x07, 0x00],
            [0xc7, 0x1b, 0x02],
            [0x1d, 0xf0, 0x00],
            [0x90, 0x00, 0x00],
            [0x00, 0x50, 0x00],
        ] {
            assert!(changes_flow(&step(bytes)), "{bytes:x?}");
        }
        for bytes in [
            [0x20, 0xa2, 0x20],
            [0x38, 0x05, 0x00],
            [0xc0, 0x20, 0x00],
            [0x3d, 0x02, 0x00],
        ] {
            assert!(!changes_flow(&step(bytes)), "{bytes:x?}");
        }
        // or a10, a2, a2; s32i a8, a1, 4; l8ui a8, a3, 0
        assert!(mentions(&step([0x20, 0xa2, 0x20]), 10));
        assert!(!mentions(&step([0x20, 0xa2, 0x20]), 8));
        assert!(mentions(&step([0x82, 0x61, 0x01]), 8));
        assert!(!mentions(&step([0x82, 0x61, 0x01]), 6));
    }
}
