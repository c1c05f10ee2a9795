//! Code of the linker's own making on Xtensa: the entry and the stubs.

use super::Abi;
use super::code::{CALL, Instruction, JUMP, L32R};
use crate::arch::Start;
use crate::piece::{Cause, Fixup, Formula, Goal, Group, Piece, SlotId};
use crate::relocation::Field;

/// The register that a stub may use between the instruction and the function that it goes to.
///
/// With a moving window, `call8` leaves a9: `entry` overwrites it with the callee's stack pointer.
/// Without, a9 holds neither an argument (a2 to a7) nor the static chain (a8).
pub(super) fn scratch(abi: Abi, instruction: Instruction) -> Option<u8> {
    match (abi, instruction) {
        (Abi::Windowed, Instruction::Call(2)) => Some(9),
        (Abi::Call0, Instruction::Call(0) | Instruction::Jump) => Some(9),
        _ => None,
    }
}

/// Code under construction.
struct Made<'a> {
    name: String,
    bytes: Vec<u8>,
    fixups: Vec<Fixup<'a>>,
    cause: Cause,
}

impl<'a> Made<'a> {
    fn new(name: String, cause: Cause) -> Made<'a> {
        Made {
            name,
            bytes: Vec::new(),
            fixups: Vec::new(),
            cause,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// An instruction of three bytes that holds the distance to `goal`.
    fn put_to(&mut self, first: u8, field: Field, goal: Goal<'a>) {
        self.fixups.push(Fixup {
            offset: self.bytes.len() as u64,
            field,
            formula: Formula::Relative,
            goal,
            addend: 0,
            cause: self.cause,
        });
        self.put(&[first, 0, 0]);
    }

    fn into_piece(self, group: Group) -> Piece<'a> {
        Piece::made(self.name, group, self.bytes, self.fixups)
    }
}

/// Goes to what `slot` holds.
pub(super) fn stub<'a>(register: u8, slot: SlotId, cause: Cause) -> Piece<'a> {
    let mut stub = Made::new(format!("(stub for {})", cause.relocation), cause);
    stub.put_to(register << 4 | 1, L32R, Goal::Slot(slot)); // l32r register, slot
    stub.put(&[0xa0, register, 0]); // jx register
    stub.into_piece(Group::Code)
}

/// The text's first bytes: calls the functions that come before the entry, then goes to that with its
/// four arguments, which are in a2 to a5.
pub(super) fn entry<'a>(abi: Abi, start: &Start<'_, 'a>) -> Piece<'a> {
    let (first, entry) = (start.functions, start.entry);
    let mut code = Made::new("(entry)".to_owned(), start.cause);
    match abi {
        _ if first.is_empty() => code.put_to(0x06, JUMP, entry), // j entry
        Abi::Windowed => {
            code.put(&[0x36, 0x41, 0x00]); // entry a1, 32
            for function in first {
                code.put_to(0x25, CALL, *function); // call8 function
            }
            for argument in 2..6 {
                // mov a10 to a13, argument
                code.put(&[argument << 4, (argument + 8) << 4 | argument, 0x20]);
            }
            code.put_to(0x25, CALL, entry); // call8 entry
            code.put(&[0xa0, 0x2a, 0x20]); // mov a2, a10
            code.put(&[0x90, 0x00, 0x00]); // retw
        }
        Abi::Call0 => {
            // a0, the return address, and the arguments.
            const KEPT: [u8; 5] = [0, 2, 3, 4, 5];
            code.put(&[0x12, 0xc1, 0xe0]); // addi a1, a1, -32
            for (position, register) in KEPT.into_iter().enumerate() {
                code.put(&[register << 4 | 2, 0x61, position as u8]); // s32i register, a1, 4 * position
            }
            for function in first {
                code.put_to(0x05, CALL, *function); // call0 function
            }
            for (position, register) in KEPT.into_iter().enumerate() {
                code.put(&[register << 4 | 2, 0x21, position as u8]); // l32i register, a1, 4 * position
            }
            code.put(&[0x12, 0xc1, 0x20]); // addi a1, a1, 32
            code.put_to(0x06, JUMP, entry);
        }
    }
    code.into_piece(Group::Entry)
}
