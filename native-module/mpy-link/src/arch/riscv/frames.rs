//! The functions that keep and give back a caller's registers, which compilers call at a function's ends where size
//! counts (`-msave-restore`; feature `save-restore`).
//!
//! `__riscv_save_N` keeps ra and s0 up to s(N-1) on the stack and returns to t0; a jump to `__riscv_restore_N` takes them
//! back and returns to ra. A frame's size is a multiple of 16, ra stands at its top, s0 below it, and so on (as in GCC's
//! libgcc and LLVM's compiler-rt, whose `save` may use t1 besides). Names that differ in registers of the same 16 bytes
//! only may mean the same code: what is kept too is the caller's own.

use super::encoding::{RA, SHORT_JUMP, SP, T1, short_jump};
use crate::piece::{Goal, Group, Piece, PieceId, Pieces};

const SAVE: &str = "__riscv_save_";
const RESTORE: &str = "__riscv_restore_";
/// What the piece with all of them is called in maps.
const NAME: &str = "(keeping registers)";
/// The return address of `save`.
const T0: u32 = 5;
/// What is kept, from the frame's top: ra, s0 to s11.
const KEPT: [u32; 13] = [RA, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27];
/// Frames grow by this many bytes.
const STEP: usize = 16;

/// The name, if it is one of these functions.
pub(super) fn known(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

const NAMES: [&str; 26] = [
    "__riscv_save_0",
    "__riscv_save_1",
    "__riscv_save_2",
    "__riscv_save_3",
    "__riscv_save_4",
    "__riscv_save_5",
    "__riscv_save_6",
    "__riscv_save_7",
    "__riscv_save_8",
    "__riscv_save_9",
    "__riscv_save_10",
    "__riscv_save_11",
    "__riscv_save_12",
    "__riscv_restore_0",
    "__riscv_restore_1",
    "__riscv_restore_2",
    "__riscv_restore_3",
    "__riscv_restore_4",
    "__riscv_restore_5",
    "__riscv_restore_6",
    "__riscv_restore_7",
    "__riscv_restore_8",
    "__riscv_restore_9",
    "__riscv_restore_10",
    "__riscv_restore_11",
    "__riscv_restore_12",
];

/// The function of that name; the first one brings all of them.
pub(super) fn make<'a>(word_size: usize, pieces: &mut Pieces<'a>, name: &str) -> Option<Goal<'a>> {
    let number = |prefix: &str| name.strip_prefix(prefix)?.parse::<usize>().ok();
    let code = code(word_size);
    let offset = match (number(SAVE), number(RESTORE)) {
        (Some(n), _) => code.save.get(n),
        (_, Some(n)) => code.restore.get(n),
        _ => None,
    }?;
    let offset = *offset as i64;
    let made = pieces.pieces.iter().position(|piece| piece.name == NAME);
    let piece = made.map_or_else(
        || {
            let piece = Piece::made(NAME.to_owned(), Group::Code, code.bytes, Vec::new());
            pieces.add(piece)
        },
        PieceId,
    );
    Some(Goal::Piece { piece, offset })
}

/// All of them, and where each begins, by how many registers it keeps besides ra.
#[derive(Default)]
struct Code {
    bytes: Vec<u8>,
    save: [usize; KEPT.len()],
    restore: [usize; KEPT.len()],
}

/// Most functions keep few registers, and those are called most: so one for ra alone, one for a step of the frame and one
/// for two steps store just that. The rest share what they can.
fn code(word_size: usize) -> Code {
    let per_step = STEP / word_size;
    let steps: Vec<&[u32]> = KEPT.chunks(per_step).collect();
    let whole = steps.len() * STEP;
    let mut code = Code::default();
    // Each of these makes room for all registers, lest an interrupt take it, and keeps its own and those of fewer steps;
    // then what was too much goes back.
    let mut jump: Option<usize> = None;
    for (i, registers) in steps.iter().enumerate().skip(2).rev() {
        let first = i * per_step;
        code.save[first..first + registers.len()].fill(code.bytes.len());
        code.put(add_to_sp(-(whole as i32)));
        code.put_number(whole - (i + 1) * STEP);
        if let Some(at) = jump.take() {
            let distance = code.bytes.len() - at;
            SHORT_JUMP.store(&mut code.bytes[at..at + 2], distance as i128);
        }
        code.store(word_size, whole, first..first + registers.len());
        if i > 2 {
            jump = Some(code.bytes.len());
            code.put(short_jump(false));
        }
    }
    code.store(word_size, whole, 0..2 * per_step);
    code.put(0x9002 | (SP as u16) << 7 | (T1 as u16) << 2); // c.add sp, t1
    code.put(RETURN_FROM_SAVE);
    code.save[per_step..2 * per_step].fill(code.bytes.len());
    code.put(add_to_sp(-2 * STEP as i32));
    code.store(word_size, 2 * STEP, 0..2 * per_step);
    code.put(RETURN_FROM_SAVE);
    for (names, kept) in [(1..per_step, 0..per_step), (0..1, 0..1)] {
        code.save[names].fill(code.bytes.len());
        code.put(add_to_sp(-(STEP as i32)));
        code.store(word_size, STEP, kept);
        code.put(RETURN_FROM_SAVE);
    }
    // The other way: from the last register to the first, each begins with its own.
    for n in (0..KEPT.len()).rev() {
        code.restore[n] = code.bytes.len();
        let offset = STEP - (n % per_step + 1) * word_size;
        code.put(load_from_stack(word_size, KEPT[n], offset as u32));
        if n % per_step == 0 {
            code.put(add_to_sp(STEP as i32));
        }
    }
    code.put(0x8002 | (RA as u16) << 7); // c.jr ra
    code
}

/// `c.jr t0`.
const RETURN_FROM_SAVE: u16 = 0x8002 | (T0 as u16) << 7;

impl Code {
    fn put(&mut self, instruction: u16) {
        self.bytes.extend(instruction.to_le_bytes());
    }

    /// Stores these of the registers, in a frame of so many bytes.
    fn store(&mut self, word_size: usize, frame: usize, which: std::ops::Range<usize>) {
        for n in which {
            let offset = (frame - (n + 1) * word_size) as u32;
            self.put(store_to_stack(word_size, KEPT[n], offset));
        }
    }

    /// To t1; what `c.li` does not reach takes `addi`.
    fn put_number(&mut self, number: usize) {
        match number {
            0..32 => self.put(0x4001 | (T1 as u16) << 7 | (number as u16) << 2),
            _ => self
                .bytes
                .extend(super::encoding::addi(T1, 0, number as i32).to_le_bytes()),
        }
    }
}

/// Some bits of an offset, moved.
fn bits(offset: u32, from: u32, count: u32, to: u32) -> u16 {
    ((offset >> from & ((1 << count) - 1)) << to) as u16
}

/// `c.addi16sp`.
fn add_to_sp(value: i32) -> u16 {
    let value = value as u32;
    let low = bits(value, 4, 1, 6) | bits(value, 6, 1, 5) | bits(value, 7, 2, 3);
    0x6101 | bits(value, 9, 1, 12) | low | bits(value, 5, 1, 2)
}

/// `c.swsp` or `c.sdsp`.
fn store_to_stack(word_size: usize, register: u32, offset: u32) -> u16 {
    let register = (register << 2) as u16;
    match word_size {
        8 => 0xe002 | bits(offset, 3, 3, 10) | bits(offset, 6, 3, 7) | register,
        _ => 0xc002 | bits(offset, 2, 4, 9) | bits(offset, 6, 2, 7) | register,
    }
}

/// `c.lwsp` or `c.ldsp`.
fn load_from_stack(word_size: usize, register: u32, offset: u32) -> u16 {
    let rest = bits(offset, 5, 1, 12) | (register << 7) as u16;
    match word_size {
        8 => 0x6002 | bits(offset, 3, 2, 5) | bits(offset, 6, 3, 2) | rest,
        _ => 0x4002 | bits(offset, 2, 3, 4) | bits(offset, 6, 2, 2) | rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The halves are those that GNU as makes of the instructions.
    #[test]
    fn instructions_are_those_of_assemblers() {
        let code = code(4);
        let halves: Vec<u16> = code
            .bytes
            .chunks_exact(2)
            .map(|half| u16::from_le_bytes([half[0], half[1]]))
            .collect();
        #[rustfmt::skip]
        let expected = [
            // addi sp, sp, -64; li t1, 0; sw s11, 12(sp); j
            0x7139, 0x4301, 0xc66e, 0xa019,
            // addi; li t1, 16; sw s7, 28(sp) to sw s10, 16(sp)
            0x7139, 0x4341, 0xce5e, 0xcc62, 0xca66, 0xc86a,
            // sw ra, 60(sp) to sw s6, 32(sp); add sp, sp, t1; jr t0
            0xde06, 0xdc22, 0xda26, 0xd84a, 0xd64e, 0xd452, 0xd256, 0xd05a, 0x911a, 0x8282,
            // addi sp, sp, -32, which GNU as makes 0x1101; sw ra, 28(sp) to sw s6, 0(sp); jr t0
            0x713d, 0xce06, 0xcc22, 0xca26, 0xc84a, 0xc64e, 0xc452, 0xc256, 0xc05a, 0x8282,
            // addi sp, sp, -16, which GNU as makes 0x1141; sw ra, 12(sp) to sw s2, 0(sp); jr t0
            0x717d, 0xc606, 0xc422, 0xc226, 0xc04a, 0x8282,
            // The same for ra alone.
            0x717d, 0xc606, 0x8282,
            // lw s11, 12(sp); addi sp, sp, 16, which GNU as makes 0x0141, another form of it
            0x4db2, 0x6141,
            // lw s10, 0(sp) to lw s7, 12(sp); addi
            0x4d02, 0x4c92, 0x4c22, 0x4bb2, 0x6141,
            // lw s6 to s3; addi
            0x4b02, 0x4a92, 0x4a22, 0x49b2, 0x6141,
            // lw s2 to s0, ra; addi; ret
            0x4902, 0x4492, 0x4422, 0x40b2, 0x6141, 0x8082,
        ];
        assert_eq!(halves, expected);
    }

    #[test]
    fn every_name_has_its_code() {
        for word_size in [4, 8] {
            let mut pieces = Pieces::default();
            for name in NAMES {
                assert_eq!(known(name), Some(name));
                assert!(make(word_size, &mut pieces, name).is_some(), "{name}");
            }
            assert_eq!(pieces.pieces.len(), 1, "all names share one piece");
        }
        assert_eq!(known("__riscv_save_13"), None);
    }
}
