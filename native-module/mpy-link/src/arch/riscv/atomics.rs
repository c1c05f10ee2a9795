//! Decides what an atomic operation is on cores without instructions for it.
//!
//! LLVM calls `__sync_…` functions there (feature `forced-atomics`), and expects a library to have
//! them. Here they are plain loads and stores: native code runs while MicroPython's lock is held, and
//! these cores are alone on their chip.

use super::encoding::{NOP, T1, ZERO, addi, jalr};
use crate::piece::{Group, Piece};

#[derive(Clone, Copy)]
enum Operation {
    Add,
    Subtract,
    And,
    Or,
    Xor,
    Nand,
    Swap,
    /// Stores if the old value is the expected one.
    CompareAndSwap,
}

/// Name, operation and size in bytes.
type Function = (&'static str, Operation, u32);

const FUNCTIONS: [Function; 32] = {
    use Operation::*;
    [
        ("__sync_fetch_and_add_1", Add, 1),
        ("__sync_fetch_and_add_2", Add, 2),
        ("__sync_fetch_and_add_4", Add, 4),
        ("__sync_fetch_and_add_8", Add, 8),
        ("__sync_fetch_and_sub_1", Subtract, 1),
        ("__sync_fetch_and_sub_2", Subtract, 2),
        ("__sync_fetch_and_sub_4", Subtract, 4),
        ("__sync_fetch_and_sub_8", Subtract, 8),
        ("__sync_fetch_and_and_1", And, 1),
        ("__sync_fetch_and_and_2", And, 2),
        ("__sync_fetch_and_and_4", And, 4),
        ("__sync_fetch_and_and_8", And, 8),
        ("__sync_fetch_and_or_1", Or, 1),
        ("__sync_fetch_and_or_2", Or, 2),
        ("__sync_fetch_and_or_4", Or, 4),
        ("__sync_fetch_and_or_8", Or, 8),
        ("__sync_fetch_and_xor_1", Xor, 1),
        ("__sync_fetch_and_xor_2", Xor, 2),
        ("__sync_fetch_and_xor_4", Xor, 4),
        ("__sync_fetch_and_xor_8", Xor, 8),
        ("__sync_fetch_and_nand_1", Nand, 1),
        ("__sync_fetch_and_nand_2", Nand, 2),
        ("__sync_fetch_and_nand_4", Nand, 4),
        ("__sync_fetch_and_nand_8", Nand, 8),
        ("__sync_lock_test_and_set_1", Swap, 1),
        ("__sync_lock_test_and_set_2", Swap, 2),
        ("__sync_lock_test_and_set_4", Swap, 4),
        ("__sync_lock_test_and_set_8", Swap, 8),
        ("__sync_val_compare_and_swap_1", CompareAndSwap, 1),
        ("__sync_val_compare_and_swap_2", CompareAndSwap, 2),
        ("__sync_val_compare_and_swap_4", CompareAndSwap, 4),
        ("__sync_val_compare_and_swap_8", CompareAndSwap, 8),
    ]
};

/// The name, if it is one of these functions for words of that many bytes.
pub(super) fn known(name: &str, word: usize) -> Option<&'static str> {
    FUNCTIONS
        .iter()
        .find(|(known, _, size)| *known == name && *size as usize <= word)
        .map(|(known, _, _)| *known)
}

/// The function of that name: pointer in a0, operand in a1 (the expected value, and the new one in
/// a2, to compare and swap); the old value is returned. Values of four bytes stand in a word of eight with their sign
/// (RISC-V calling convention, integer), and `lw` loads them so.
pub(super) fn make<'a>(name: &str, word: usize) -> Option<Piece<'a>> {
    let (name, operation, size) = FUNCTIONS.iter().find(|(known, _, _)| *known == name)?;
    const A1: u32 = A0 + 1;
    const A2: u32 = A0 + 2;
    let mut code = vec![load(*size, OLD)];
    let operate = |bits: u32| 0x33 | T1 << 7 | OLD << 15 | A1 << 20 | bits;
    let new = match operation {
        Operation::Add => operate(0),
        Operation::Subtract => operate(0x4000_0000),
        Operation::And | Operation::Nand => operate(7 << 12),
        Operation::Or => operate(6 << 12),
        Operation::Xor => operate(4 << 12),
        Operation::Swap | Operation::CompareAndSwap => NOP,
    };
    match operation {
        Operation::Swap => code.push(store(*size, A1)),
        Operation::CompareAndSwap => {
            // An old value of one or two bytes has no sign, so the expected one loses its own: up to the register's
            // end and back.
            let empty = 8 * (word as u32 - size);
            if *size < 4 {
                code.push(shift(A1, empty, 1));
                code.push(shift(A1, empty, 5));
            }
            code.push(0x63 | 1 << 12 | OLD << 15 | A1 << 20 | 8 << 7); // bne old, a1, behind the store
            code.push(store(*size, A2));
        }
        _ => {
            code.push(new);
            if matches!(operation, Operation::Nand) {
                code.push(addi(T1, T1, -1) | 4 << 12); // xori t1, t1, -1
            }
            code.push(store(*size, T1));
        }
    }
    code.push(addi(A0, OLD, 0));
    code.push(jalr(ZERO, super::encoding::RA));
    let bytes = code.iter().flat_map(|word| word.to_le_bytes()).collect();
    Some(Piece::made(
        format!("({name})"),
        Group::Code,
        bytes,
        Vec::new(),
    ))
}

const A0: u32 = super::encoding::A0;
/// t0
const OLD: u32 = 5;

/// Loads from where a0 points: `lbu`, `lhu`, `lw`, `ld`.
fn load(size: u32, register: u32) -> u32 {
    let width = match size {
        1 => 4,
        2 => 5,
        4 => 2,
        _ => 3,
    };
    0x03 | register << 7 | width << 12 | A0 << 15
}

/// Stores where a0 points.
fn store(size: u32, register: u32) -> u32 {
    0x23 | size.ilog2() << 12 | A0 << 15 | register << 20
}

/// `slli` (1) or `srli` (5).
fn shift(register: u32, by: u32, operation: u32) -> u32 {
    0x13 | register << 7 | operation << 12 | register << 15 | by << 20
}

#[cfg(test)]
mod tests {
    use super::make;

    /// The bytes are those that GNU as makes of the instructions.
    #[test]
    fn instructions_are_those_of_assemblers() {
        let words = |name, word| -> Vec<u32> {
            let piece = make(name, word).expect("it is known");
            let words = piece.data.chunks_exact(4);
            words
                .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
                .collect()
        };
        assert_eq!(
            words("__sync_fetch_and_nand_2", 4),
            // lhu t0, (a0); and t1, t0, a1; not t1, t1; sh t1, (a0); mv a0, t0; ret
            [
                0x0005_5283,
                0x00b2_f333,
                0xfff3_4313,
                0x0065_1023,
                0x0002_8513,
                0x0000_8067
            ]
        );
        assert_eq!(
            words("__sync_val_compare_and_swap_1", 4),
            // lbu; slli a1, a1, 24; srli a1, a1, 24; bne t0, a1, .+8; sb a2, (a0); mv; ret
            [
                0x0005_4283,
                0x0185_9593,
                0x0185_d593,
                0x00b2_9463,
                0x00c5_0023,
                0x0002_8513,
                0x0000_8067
            ]
        );
        assert_eq!(
            words("__sync_val_compare_and_swap_2", 8),
            // lhu; slli a1, a1, 48; srli a1, a1, 48; bne t0, a1, .+8; sh a2, (a0); mv; ret
            [
                0x0005_5283,
                0x0305_9593,
                0x0305_d593,
                0x00b2_9463,
                0x00c5_1023,
                0x0002_8513,
                0x0000_8067
            ]
        );
        assert_eq!(
            words("__sync_fetch_and_add_8", 8),
            // ld t0, (a0); add t1, t0, a1; sd t1, (a0); mv a0, t0; ret
            [
                0x0005_3283,
                0x00b2_8333,
                0x0065_3023,
                0x0002_8513,
                0x0000_8067
            ]
        );
        assert!(super::known("__sync_fetch_and_add_8", 4).is_none());
    }
}
