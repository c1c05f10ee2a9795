//! Code of the linker's own making on ARM: calls out of the module, and what runs before the entry.
//!
//! All of it is written for the smallest core of its kind: ARMv6-M for Thumb, ARMv4T for ARM. It uses
//! no register but those that it saves, apart from r12 in ARM code, which calls may overwrite.

use micropython_sys::fun_table::FUN_TABLE_MEMSET;

use super::Instructions;
use crate::arch::{PlanError, Start};
use crate::piece::{Cause, Fixup, Formula, Goal, Group, Piece};
use crate::relocation::Field;

/// Jumps to `goal`, whose address the loader puts behind the code.
pub(super) fn stub<'a>(instructions: Instructions, goal: Goal<'a>, cause: Cause) -> Piece<'a> {
    let mut glue = Glue::new(format!("(stub for {})", cause.relocation), cause);
    glue.put_jump(instructions, goal);
    glue.into_piece(Group::Code)
}

/// `__aeabi_memset(to, size, value)`.
pub(super) const SET: &str = "__aeabi_memset";
/// `__aeabi_memclr(to, size)`.
pub(super) const CLEAR: &str = "__aeabi_memclr";

/// One of the two, in terms of `memset(to, value, size)`.
pub(super) fn set_memory<'a>(instructions: Instructions, name: &str, cause: Cause) -> Piece<'a> {
    let mut glue = Glue::new(format!("({name})"), cause);
    match (instructions, name == SET) {
        (Instructions::Arm, true) => {
            glue.put_word(0xe1a0_3001); // mov r3, r1
            glue.put_word(0xe1a0_1002); // mov r1, r2
            glue.put_word(0xe1a0_2003); // mov r2, r3
        }
        (Instructions::Arm, false) => {
            glue.put_word(0xe1a0_2001); // mov r2, r1
            glue.put_word(0xe3a0_1000); // mov r1, #0
        }
        // The jump starts at a multiple of four.
        (_, true) => glue.put(&[0x460b, 0x4611, 0x461a, 0x46c0]), // the same; nop
        (_, false) => glue.put(&[0x460a, 0x2100]),
    }
    let memset = Goal::TableEntry(FUN_TABLE_MEMSET as u8);
    glue.put_jump(instructions, memset);
    glue.into_piece(Group::Code)
}

/// Finishes the late fields, calls the functions, then the entry, and returns what it returns.
pub(super) fn entry<'a>(
    instructions: Instructions,
    start: &Start<'_, 'a>,
) -> Result<Piece<'a>, PlanError> {
    // Literals are loaded from at most 1020 bytes ahead, with ten bytes of code for each function.
    const MOST_FUNCTIONS: usize = 60;
    if start.functions.len() > MOST_FUNCTIONS {
        return Err(PlanError {
            cause: start.cause,
            problem: format!(
                "{} functions are to run before the entry; {MOST_FUNCTIONS} are possible, so call them from one",
                start.functions.len()
            ),
        });
    }
    let groups: Vec<_> = start
        .late
        .chunk_by(|one, other| one.base == other.base)
        .collect();
    if groups.len() > 255 {
        return Err(PlanError {
            cause: start.cause,
            problem: "too many names outside of the module are reached by their distance; compile with -fpic and without hidden visibility".to_owned(),
        });
    }
    let mut glue = Glue::new("(entry)".to_owned(), start.cause);
    match instructions {
        Instructions::Arm => arm_entry(&mut glue, start, groups.len()),
        Instructions::Thumb1 | Instructions::Thumb2 => thumb_entry(&mut glue, start, groups.len()),
    }
    for group in groups {
        glue.put_address(Formula::Absolute, group[0].base, 0);
        glue.put_word(group.len() as u32);
        for late in group {
            // Where the field stands in text, whose first byte is this piece's.
            let from_start = glue.bytes.len() as i64;
            glue.put_address(Formula::Relative, late.field, from_start);
        }
    }
    Ok(glue.into_piece(Group::Entry))
}

fn thumb_entry<'a>(glue: &mut Glue<'a>, start: &Start<'_, 'a>, groups: usize) {
    glue.put(&[0xb57f]); // push {r0-r6, lr}
    let mut literals: Vec<(usize, Goal<'a>)> = Vec::new();
    let mut table_at = None;
    if groups > 0 {
        glue.put(&[
            0x467d, // mov r5, pc
            0x3d06, // subs r5, #6: the start of text
        ]);
        table_at = Some(glue.bytes.len());
        glue.put(&[
            0xa400,                 // adr r4, table
            0x2600 | groups as u16, // movs r6, #groups
            // A group: an address, how many fields it is for, and where in text they are.
            0xcc03, // ldmia r4!, {r0, r1}
            0x1b40, // subs r0, r0, r5
            0xcc04, // ldmia r4!, {r2}
            0x58ab, // ldr r3, [r5, r2]
            0x181b, // adds r3, r3, r0
            0x50ab, // str r3, [r5, r2]
            0x3901, // subs r1, #1
            0xd1f9, // bne, next field
            0x3e01, // subs r6, #1
            0xd1f5, // bne, next group
        ]);
    }
    for function in start.functions {
        literals.push((glue.bytes.len(), *function));
        glue.put(&[
            0x4b00, // ldr r3, its address
            0x2000, // movs r0, #0: no arguments, no environment
            0x2100, // movs r1, #0
            0x2200, // movs r2, #0
            0x4798, // blx r3
        ]);
    }
    glue.put(&[0x466c, 0xcc0f]); // mov r4, sp; ldmia r4!, {r0-r3}
    literals.push((glue.bytes.len(), start.entry));
    glue.put(&[
        0x4c00, // ldr r4, the entry's address
        0x47a0, // blx r4
        0xb004, // add sp, #16
        0xbd70, // pop {r4-r6, pc}
    ]);
    if !glue.bytes.len().is_multiple_of(4) {
        glue.put(&[0x46c0]); // nop
    }
    for (at, goal) in literals {
        glue.point_at_end(at);
        glue.put_address(Formula::Absolute, goal, 0);
    }
    if let Some(at) = table_at {
        glue.point_at_end(at);
    }
}

fn arm_entry<'a>(glue: &mut Glue<'a>, start: &Start<'_, 'a>, groups: usize) {
    glue.put_word(0xe92d_407f); // push {r0-r6, lr}
    let mut literals: Vec<(usize, Goal<'a>)> = Vec::new();
    let mut table_at = None;
    if groups > 0 {
        glue.put_word(0xe24f_500c); // sub r5, pc, #12: the start of text
        table_at = Some(glue.bytes.len());
        glue.put_word(0xe28f_4000); // add r4, pc, #table
        glue.put_word(0xe3a0_6000 | groups as u32); // mov r6, #groups
        for instruction in [
            0xe8b4_0003, // ldmia r4!, {r0, r1}
            0xe040_0005, // sub r0, r0, r5
            0xe494_2004, // ldr r2, [r4], #4
            0xe795_3002, // ldr r3, [r5, r2]
            0xe083_3000, // add r3, r3, r0
            0xe785_3002, // str r3, [r5, r2]
            0xe251_1001, // subs r1, r1, #1
            0x1aff_fff9, // bne, next field
            0xe256_6001, // subs r6, r6, #1
            0x1aff_fff5, // bne, next group
        ] {
            glue.put_word(instruction);
        }
    }
    for function in start.functions {
        glue.put_word(0xe3a0_0000); // mov r0, #0: no arguments, no environment
        glue.put_word(0xe3a0_1000); // mov r1, #0
        glue.put_word(0xe3a0_2000); // mov r2, #0
        glue.put_word(0xe1a0_e00f); // mov lr, pc
        literals.push((glue.bytes.len(), *function));
        glue.put_word(0xe59f_f000); // ldr pc, its address
    }
    glue.put_word(0xe89d_000f); // ldmia sp, {r0-r3}
    glue.put_word(0xe1a0_e00f); // mov lr, pc
    literals.push((glue.bytes.len(), start.entry));
    glue.put_word(0xe59f_f000); // ldr pc, the entry's address
    glue.put_word(0xe28d_d010); // add sp, sp, #16
    glue.put_word(0xe8bd_8070); // pop {r4-r6, pc}
    for (at, goal) in literals {
        let distance = glue.bytes.len() - (at + 8);
        glue.bytes[at] = distance as u8;
        glue.bytes[at + 1] |= (distance >> 8) as u8;
        glue.put_address(Formula::Absolute, goal, 0);
    }
    if let Some(at) = table_at {
        // An immediate of eight bits, turned right by 30: a multiple of four up to 1020.
        let distance = glue.bytes.len() - (at + 8);
        glue.bytes[at] = (distance / 4) as u8;
        glue.bytes[at + 1] |= 0x0f;
    }
}

/// Code of the linker's own making.
struct Glue<'a> {
    name: String,
    bytes: Vec<u8>,
    fixups: Vec<Fixup<'a>>,
    cause: Cause,
}

impl<'a> Glue<'a> {
    fn new(name: String, cause: Cause) -> Glue<'a> {
        Glue {
            name,
            bytes: Vec::new(),
            fixups: Vec::new(),
            cause,
        }
    }

    fn put(&mut self, halves: &[u16]) {
        for half in halves {
            self.bytes.extend(half.to_le_bytes());
        }
    }

    fn put_word(&mut self, word: u32) {
        self.bytes.extend(word.to_le_bytes());
    }

    /// Goes to `goal` with all registers as they are; at a multiple of four.
    fn put_jump(&mut self, instructions: Instructions, goal: Goal<'a>) {
        match instructions {
            Instructions::Arm => self.put_word(0xe51f_f004), // ldr pc, [pc, #-4]
            Instructions::Thumb2 => self.put(&[0xf8df, 0xf000]), // ldr.w pc, [pc, #0]
            Instructions::Thumb1 => self.put(&[
                0xb403, // push {r0, r1}: room for the target, and r0 itself
                0x4801, // ldr r0, [pc, #4]
                0x9001, // str r0, [sp, #4]
                0xbd01, // pop {r0, pc}
            ]),
        }
        self.put_address(Formula::Absolute, goal, 0);
    }

    fn put_address(&mut self, formula: Formula<'a>, goal: Goal<'a>, addend: i64) {
        self.fixups.push(Fixup {
            offset: self.bytes.len() as u64,
            field: Field::either(4),
            formula,
            goal,
            addend,
            cause: self.cause,
        });
        self.put_word(0);
    }

    /// Lets the Thumb `ldr` or `adr` at `at` name the next byte to come, a multiple of four.
    fn point_at_end(&mut self, at: usize) {
        let from = (at + 4) & !3;
        self.bytes[at] = ((self.bytes.len() - from) / 4) as u8;
    }

    fn into_piece(self, group: Group) -> Piece<'a> {
        Piece::made(self.name, group, self.bytes, self.fixups)
    }
}
