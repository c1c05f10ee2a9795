//! How RISC-V instructions hold a distance or a number ("The RISC-V Instruction Set Manual", volume I,
//! immediate encoding variants), and the few instructions that the linker makes itself.

use crate::relocation::{Encoding, Field};

/// `auipc` or `lui`: the upper 20 bits, rounded so that the lower 12 are signed.
pub(super) const HIGH: Field = Field::code(4, &HIGH_20);
/// `addi` and loads.
pub(super) const LOW_I: Field = Field::code(4, &LOW_12_I);
/// Stores.
pub(super) const LOW_S: Field = Field::code(4, &LOW_12_S);
/// `auipc` and `jalr` behind each other.
pub(super) const CALL: Field = Field::code(8, &CALL_32);
pub(super) const JAL: Field = Field::code(4, &JUMP_20);
pub(super) const BRANCH: Field = Field::code(4, &BRANCH_12);
pub(super) const SHORT_JUMP: Field = Field::code(2, &JUMP_11);
pub(super) const SHORT_BRANCH: Field = Field::code(2, &BRANCH_8);
/// The lower six bits of a byte.
pub(super) const SIX_BITS: Field = Field::code(1, &LOW_6);

/// A number of variable length (ULEB128); [`uleb128`] says how long a certain one is.
pub(super) const ULEB128: Field = Field::code(1, &ULEB128_OF[0]);

pub(super) const ZERO: u32 = 0;
pub(super) const RA: u32 = 1;
pub(super) const SP: u32 = 2;
pub(super) const T1: u32 = 6;
pub(super) const A0: u32 = 10;
pub(super) const T3: u32 = 28;

const LOAD: u32 = 0x03;
const OP_IMM: u32 = 0x13;

pub(super) fn auipc(rd: u32) -> u32 {
    0x17 | rd << 7
}

pub(super) fn addi(rd: u32, rs: u32, value: i32) -> u32 {
    OP_IMM | rd << 7 | rs << 15 | (value as u32) << 20
}

pub(super) fn jal(rd: u32) -> u32 {
    0x6f | rd << 7
}

pub(super) fn jalr(rd: u32, rs: u32) -> u32 {
    0x67 | rd << 7 | rs << 15
}

/// Loads a machine word of `size` bytes.
pub(super) fn load_word(size: usize, rd: u32, rs: u32, offset: u32) -> u32 {
    LOAD | rd << 7 | width_bits(size) | rs << 15 | offset << 20
}

/// Stores a machine word of `size` bytes.
pub(super) fn store_word(size: usize, value: u32, base: u32, offset: u32) -> u32 {
    0x23 | (offset & 0x1f) << 7 | width_bits(size) | base << 15 | value << 20 | offset >> 5 << 25
}

fn width_bits(size: usize) -> u32 {
    if size == 8 { 3 << 12 } else { 2 << 12 }
}

/// `c.jal` (32-bit only) or `c.j`.
pub(super) fn short_jump(link: bool) -> u16 {
    if link { 0x2001 } else { 0xa001 }
}

pub(super) const SHORT_NOP: u16 = 0x0001;
pub(super) const NOP: u32 = OP_IMM;

pub(super) fn is_auipc(instruction: u32) -> bool {
    instruction & 0x7f == 0x17
}

pub(super) fn is_addi(instruction: u32) -> bool {
    instruction & 0x707f == OP_IMM
}

pub(super) fn is_load_word(instruction: u32, size: usize) -> bool {
    instruction & 0x707f == LOAD | width_bits(size)
}

/// The register that an instruction writes.
pub(super) fn destination(instruction: u32) -> u32 {
    instruction >> 7 & 0x1f
}

/// `addi` as a load of a machine word from the same base, or the other way round.
pub(super) fn swap_addi_and_load(instruction: u32, size: usize) -> u32 {
    instruction ^ OP_IMM ^ LOAD ^ width_bits(size)
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

pub(super) fn put_word(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

fn set(bytes: &mut [u8], mask: u32, bits: u32) {
    let mut raw = [0; 4];
    raw[..bytes.len()].copy_from_slice(bytes);
    let changed = (u32::from_le_bytes(raw) & !mask | bits & mask).to_le_bytes();
    let width = bytes.len();
    bytes.copy_from_slice(&changed[..width]);
}

/// Relocations bring their addends along; nothing is read out of instructions.
fn no_addend(_: &[u8]) -> i64 {
    0
}

fn fits(value: i128, bits: u32) -> bool {
    (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&value)
}

fn fits_even(value: i128, bits: u32) -> bool {
    fits(value, bits) && value % 2 == 0
}

/// What `auipc` adds, so that a signed lower part completes it.
fn high(value: i128) -> u32 {
    (value + 0x800) as u32 & 0xffff_f000
}

/// All that the upper part can reach.
fn fits_pair(value: i128) -> bool {
    fits(value + 0x800, 32)
}

/// The ULEB128 number that `bytes` begin with: it keeps the length that the assembler gave it, seven bits a byte.
/// `None` where it has no end or more than 63 bits.
pub(super) fn uleb128(bytes: &[u8]) -> Option<Field> {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let encoding = ULEB128_OF.get(last)?;
    Some(Field::code(last as u8 + 1, encoding))
}

const fn uleb128_of<const LENGTH: usize>() -> Encoding {
    Encoding {
        holds_what: "a number that is not negative and no longer than what the assembler left room for",
        holds: |value| (0..1i128 << (7 * LENGTH)).contains(&value),
        store: |bytes, value| {
            for (place, byte) in bytes.iter_mut().enumerate() {
                let more = if place + 1 < LENGTH { 0x80 } else { 0 };
                *byte = (value >> (7 * place)) as u8 & 0x7f | more;
            }
        },
        load: no_addend,
    }
}

/// By length, from one byte on.
static ULEB128_OF: [Encoding; 9] = [
    uleb128_of::<1>(),
    uleb128_of::<2>(),
    uleb128_of::<3>(),
    uleb128_of::<4>(),
    uleb128_of::<5>(),
    uleb128_of::<6>(),
    uleb128_of::<7>(),
    uleb128_of::<8>(),
    uleb128_of::<9>(),
];

static HIGH_20: Encoding = Encoding {
    holds_what: "a pair of instructions with 32 bits",
    holds: fits_pair,
    store: |bytes, value| set(bytes, 0xffff_f000, high(value)),
    load: no_addend,
};

static LOW_12_I: Encoding = Encoding {
    holds_what: "a pair of instructions with 32 bits",
    holds: fits_pair,
    store: |bytes, value| set(bytes, 0xfff0_0000, (value as u32) << 20),
    load: no_addend,
};

static LOW_12_S: Encoding = Encoding {
    holds_what: "a pair of instructions with 32 bits",
    holds: fits_pair,
    store: |bytes, value| {
        let value = value as u32;
        set(bytes, 0xfe00_0f80, (value >> 5) << 25 | (value & 0x1f) << 7);
    },
    load: no_addend,
};

static CALL_32: Encoding = Encoding {
    holds_what: "a call with 32 bits",
    holds: |value| fits_pair(value) && value % 2 == 0,
    store: |bytes, value| {
        set(&mut bytes[..4], 0xffff_f000, high(value));
        set(&mut bytes[4..8], 0xfff0_0000, (value as u32) << 20);
    },
    load: no_addend,
};

static JUMP_20: Encoding = Encoding {
    holds_what: "a jump of 1 MiB",
    holds: |value| fits_even(value, 21),
    store: |bytes, value| {
        let value = value as u32;
        let bits = (value >> 20) << 31
            | (value >> 1 & 0x3ff) << 21
            | (value >> 11 & 1) << 20
            | (value >> 12 & 0xff) << 12;
        set(bytes, 0xffff_f000, bits);
    },
    load: no_addend,
};

static BRANCH_12: Encoding = Encoding {
    holds_what: "a conditional branch of 4 KiB",
    holds: |value| fits_even(value, 13),
    store: |bytes, value| {
        let value = value as u32;
        let bits = (value >> 12) << 31
            | (value >> 5 & 0x3f) << 25
            | (value >> 1 & 0xf) << 8
            | (value >> 11 & 1) << 7;
        set(bytes, 0xfe00_0f80, bits);
    },
    load: no_addend,
};

static JUMP_11: Encoding = Encoding {
    holds_what: "a short jump of 2 KiB",
    holds: |value| fits_even(value, 12),
    store: |bytes, value| {
        let bit = |from: u32, to: u32| ((value as u32) >> from & 1) << to;
        let bits = bit(11, 12)
            | bit(4, 11)
            | bit(9, 10)
            | bit(8, 9)
            | bit(10, 8)
            | bit(6, 7)
            | bit(7, 6)
            | bit(3, 5)
            | bit(2, 4)
            | bit(1, 3)
            | bit(5, 2);
        set(bytes, 0x1ffc, bits);
    },
    load: no_addend,
};

static BRANCH_8: Encoding = Encoding {
    holds_what: "a short conditional branch of 256 bytes",
    holds: |value| fits_even(value, 9),
    store: |bytes, value| {
        let bit = |from: u32, to: u32| ((value as u32) >> from & 1) << to;
        let bits = bit(8, 12)
            | bit(4, 11)
            | bit(3, 10)
            | bit(7, 6)
            | bit(6, 5)
            | bit(2, 4)
            | bit(1, 3)
            | bit(5, 2);
        set(bytes, 0x1c7c, bits);
    },
    load: no_addend,
};

static LOW_6: Encoding = Encoding {
    holds_what: "6 bits",
    holds: |value| (0..64).contains(&value),
    store: |bytes, value| set(bytes, 0x3f, value as u32),
    load: |bytes| i64::from(bytes[0] & 0x3f),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: Field, value: i128, instruction: u64, expected: u64) {
        assert!(field.holds(value), "{value:#x}");
        let width = usize::from(field.width);
        let mut bytes = instruction.to_le_bytes();
        field.store(&mut bytes[..width], value);
        let found = u64::from_le_bytes(bytes);
        assert_eq!(found, expected, "{found:#x} instead of {expected:#x}");
    }

    /// The expected words are what GNU as makes of the instruction in the comment.
    #[test]
    fn instructions_are_those_of_assemblers() {
        check(JAL, 0x800, 0x0000_00ef, 0x0010_00ef); // jal ra, .+0x800
        check(JAL, -2, 0x0000_006f, 0xffff_f06f); // j .-2
        check(JAL, 0xa_5a5a, 0x0000_00ef, 0x25ba_50ef);
        check(BRANCH, -4, 0x00b5_0063, 0xfeb5_0ee3); // beq a0, a1, .-4
        check(BRANCH, 0xabc, 0x00b5_0063, 0x2ab5_0ee3);
        check(SHORT_JUMP, -2, 0xa001, 0xbffd); // c.j .-2
        check(SHORT_JUMP, 0x5a4, 0xa001, 0xa355);
        check(SHORT_BRANCH, 0x3e, 0xc101, 0xcd1d); // c.beqz a0, .+0x3e
        check(SHORT_BRANCH, -2, 0xc101, 0xdd7d);
        check(HIGH, 0x1800, 0x0000_0517, 0x0000_2517); // auipc a0, 2
        check(LOW_I, 0x1800, 0x0005_0513, 0x8005_0513); // addi a0, a0, -0x800
        check(LOW_S, 0x7ff, 0x00b5_2023, 0x7eb5_2fa3); // sw a1, 0x7ff(a0)
        check(CALL, 0x1ffe, 0x0000_80e7_0000_0097, 0xffe0_80e7_0000_2097);
    }

    #[test]
    fn what_is_too_far_is_refused() {
        for (field, last) in [
            (JAL, 0xf_fffe),
            (BRANCH, 0xffe),
            (SHORT_JUMP, 0x7fe),
            (SHORT_BRANCH, 0xfe),
            (HIGH, 0x7fff_f7ff),
            (CALL, 0x7fff_f7fe),
        ] {
            assert!(field.holds(last), "{last:#x}");
            assert!(!field.holds(last + 2), "{last:#x} and more");
        }
    }

    #[test]
    fn numbers_of_variable_length_keep_their_length() {
        let short = uleb128(&[0x05, 0xff]).expect("one byte");
        assert!(short.width == 1 && short.holds(127) && !short.holds(128) && !short.holds(-1));
        let padded = uleb128(&[0x80, 0x80, 0x00]).expect("three bytes");
        let mut bytes = [0x80, 0x80, 0x00, 0xaa];
        padded.store(&mut bytes, 5);
        assert_eq!(bytes, [0x85, 0x80, 0x00, 0xaa]);
        padded.store(&mut bytes, 0x1f_ffff);
        assert_eq!(bytes, [0xff, 0xff, 0x7f, 0xaa]);
        assert!(!padded.holds(0x20_0000));
        let longest = uleb128(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
        assert!(longest.is_some_and(|field| field.holds(i128::from(i64::MAX))));
        assert!(uleb128(&[0x80; 20]).is_none(), "it has no end");
        assert!(uleb128(&[]).is_none());
    }
}
