//! How ARM and Thumb instructions hold a distance or a number ("Arm Architecture Reference Manual",
//! encodings of B, BL, CBZ, LDR (literal), ADR and MOVW).
//!
//! Thumb instructions of four bytes are two little-endian halfwords, the first one first.

use crate::relocation::{Encoding, Field};

pub(super) const ARM_BRANCH: Field = Field::code(4, &ARM_BRANCH_BITS);
pub(super) const ARM_MOVW: Field = Field::code(4, &ARM_MOVW_BITS);
pub(super) const ARM_MOVT: Field = Field::code(4, &ARM_MOVT_BITS);
pub(super) const THUMB_CALL: Field = Field::code(4, &THUMB_BRANCH_24);
pub(super) const THUMB_JUMP_19: Field = Field::code(4, &THUMB_BRANCH_19);
pub(super) const THUMB_JUMP_11: Field = Field::code(2, &THUMB_BRANCH_11);
pub(super) const THUMB_JUMP_8: Field = Field::code(2, &THUMB_BRANCH_8);
pub(super) const THUMB_JUMP_6: Field = Field::code(2, &THUMB_BRANCH_6);
pub(super) const THUMB_LOAD_8: Field = Field::code(2, &THUMB_LITERAL_8);
pub(super) const THUMB_LOAD_12: Field = Field::code(4, &THUMB_LITERAL_12);
pub(super) const THUMB_ADR_12: Field = Field::code(4, &THUMB_ADR);
pub(super) const THUMB_MOVW: Field = Field::code(4, &THUMB_MOVW_BITS);
pub(super) const THUMB_MOVT: Field = Field::code(4, &THUMB_MOVT_BITS);
pub(super) const SIGNED_31: Field = Field::code(4, &PREL31);

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn half(bytes: &[u8], index: usize) -> u32 {
    u32::from(u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]))
}

/// Replaces the bits of `mask` in the halfword at `index`.
fn set_half(bytes: &mut [u8], index: usize, mask: u32, bits: u32) {
    let changed = half(bytes, index) & !mask | bits & mask;
    bytes[2 * index..2 * index + 2].copy_from_slice(&(changed as u16).to_le_bytes());
}

/// Replaces the bits of `mask` in the word.
fn set_word(bytes: &mut [u8], mask: u32, bits: u32) {
    let changed = word(bytes) & !mask | bits & mask;
    bytes[..4].copy_from_slice(&changed.to_le_bytes());
}

fn sign_extend(value: u32, bits: u32) -> i64 {
    let shift = 64 - bits;
    (i64::from(value) << shift) >> shift
}

/// Whether a distance fits a signed field of so many bits and is a multiple of `step`.
fn reaches(value: i128, bits: u32, step: i128) -> bool {
    (-(1i128 << (bits - 1))..1i128 << (bits - 1)).contains(&value) && value % step == 0
}

/// A branch's target carries the mark of Thumb code in bit 0, which the distance does not.
fn unmarked(value: i128) -> i128 {
    value & !1
}

static ARM_BRANCH_BITS: Encoding = Encoding {
    holds_what: "a branch of 32 MiB between ARM instructions",
    holds: |value| reaches(value, 26, 4),
    store: |bytes, value| set_word(bytes, 0x00ff_ffff, (value >> 2) as u32),
    load: |bytes| sign_extend((word(bytes) & 0x00ff_ffff) << 2, 26),
};

/// S, imm10, J1, J2 and imm11, where J1 = !(I1 ^ S) and J2 = !(I2 ^ S).
static THUMB_BRANCH_24: Encoding = Encoding {
    holds_what: "a branch of 16 MiB",
    holds: |value| reaches(unmarked(value), 25, 2),
    store: |bytes, value| {
        let value = unmarked(value) as u32;
        let sign = value >> 24 & 1;
        let j1 = !(value >> 23 ^ sign) & 1;
        let j2 = !(value >> 22 ^ sign) & 1;
        set_half(bytes, 0, 0x07ff, sign << 10 | value >> 12 & 0x3ff);
        set_half(bytes, 1, 0x2fff, j1 << 13 | j2 << 11 | value >> 1 & 0x7ff);
    },
    load: |bytes| {
        let (first, second) = (half(bytes, 0), half(bytes, 1));
        let sign = first >> 10 & 1;
        let i1 = !(second >> 13 ^ sign) & 1;
        let i2 = !(second >> 11 ^ sign) & 1;
        let value =
            sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3ff) << 12 | (second & 0x7ff) << 1;
        sign_extend(value, 25)
    },
};

/// S, imm6, J1, J2 and imm11; here J1 and J2 are plain bits.
static THUMB_BRANCH_19: Encoding = Encoding {
    holds_what: "a conditional branch of 1 MiB",
    holds: |value| reaches(unmarked(value), 21, 2),
    store: |bytes, value| {
        let value = unmarked(value) as u32;
        set_half(bytes, 0, 0x043f, value >> 20 << 10 | value >> 12 & 0x3f);
        let (j1, j2) = (value >> 18 & 1, value >> 19 & 1);
        set_half(bytes, 1, 0x2fff, j1 << 13 | j2 << 11 | value >> 1 & 0x7ff);
    },
    load: |bytes| {
        let (first, second) = (half(bytes, 0), half(bytes, 1));
        let (j1, j2) = (second >> 13 & 1, second >> 11 & 1);
        let high = (first >> 10 & 1) << 20 | j2 << 19 | j1 << 18;
        sign_extend(high | (first & 0x3f) << 12 | (second & 0x7ff) << 1, 21)
    },
};

static THUMB_BRANCH_11: Encoding = Encoding {
    holds_what: "a short branch of 2 KiB",
    holds: |value| reaches(unmarked(value), 12, 2),
    store: |bytes, value| set_half(bytes, 0, 0x07ff, (value >> 1) as u32),
    load: |bytes| sign_extend((half(bytes, 0) & 0x7ff) << 1, 12),
};

static THUMB_BRANCH_8: Encoding = Encoding {
    holds_what: "a short conditional branch of 256 bytes",
    holds: |value| reaches(unmarked(value), 9, 2),
    store: |bytes, value| set_half(bytes, 0, 0x00ff, (value >> 1) as u32),
    load: |bytes| sign_extend((half(bytes, 0) & 0xff) << 1, 9),
};

/// CBZ: i and imm5, forward only.
static THUMB_BRANCH_6: Encoding = Encoding {
    holds_what: "a branch of 126 bytes forward",
    holds: |value| (0..=126).contains(&unmarked(value)),
    store: |bytes, value| {
        let value = value as u32;
        set_half(bytes, 0, 0x02f8, value >> 6 << 9 | (value >> 1 & 0x1f) << 3);
    },
    load: |bytes| {
        let bits = half(bytes, 0);
        i64::from((bits >> 9 & 1) << 6 | (bits >> 3 & 0x1f) << 1)
    },
};

/// The initial content counts from four bytes further on (AAELF32, table "Thumb relocations").
static THUMB_LITERAL_8: Encoding = Encoding {
    holds_what: "a load of a word up to 1020 bytes ahead",
    holds: |value| (0..=1020).contains(&value) && value % 4 == 0,
    store: |bytes, value| set_half(bytes, 0, 0x00ff, (value >> 2) as u32),
    load: |bytes| i64::from((((half(bytes, 0) & 0xff) << 2) + 4) & 0x3ff) - 4,
};

static THUMB_LITERAL_12: Encoding = Encoding {
    holds_what: "a load of up to 4095 bytes away",
    holds: |value| (-4095..=4095).contains(&value),
    store: |bytes, value| {
        set_half(bytes, 0, 0x0080, u32::from(value >= 0) << 7);
        set_half(bytes, 1, 0x0fff, value.unsigned_abs() as u32);
    },
    load: |bytes| {
        let distance = i64::from(half(bytes, 1) & 0xfff);
        let up = half(bytes, 0) & 0x80 != 0;
        if up { distance } else { -distance }
    },
};

/// i, imm3 and imm8; ADD and SUB differ in bits 5 and 7 of the first halfword.
static THUMB_ADR: Encoding = Encoding {
    holds_what: "an address up to 4095 bytes away",
    holds: |value| (-4095..=4095).contains(&value),
    store: |bytes, value| {
        let operation = if value < 0 { 0x00a0 } else { 0 };
        let distance = value.unsigned_abs() as u32;
        set_half(bytes, 0, 0x04a0, operation | distance >> 11 << 10);
        set_half(
            bytes,
            1,
            0x70ff,
            (distance >> 8 & 7) << 12 | distance & 0xff,
        );
    },
    load: |bytes| {
        let (first, second) = (half(bytes, 0), half(bytes, 1));
        let distance = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xff;
        let distance = i64::from(distance);
        if first & 0x00a0 == 0x00a0 {
            -distance
        } else {
            distance
        }
    },
};

fn store_thumb_16(bytes: &mut [u8], value: u32) {
    set_half(
        bytes,
        0,
        0x040f,
        value >> 12 & 0xf | (value >> 11 & 1) << 10,
    );
    set_half(bytes, 1, 0x70ff, (value >> 8 & 7) << 12 | value & 0xff);
}

fn load_thumb_16(bytes: &[u8]) -> i64 {
    let (first, second) = (half(bytes, 0), half(bytes, 1));
    let value = (first & 0xf) << 12 | (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8;
    sign_extend(value | second & 0xff, 16)
}

fn store_arm_16(bytes: &mut [u8], value: u32) {
    set_word(
        bytes,
        0x000f_0fff,
        (value >> 12 & 0xf) << 16 | value & 0xfff,
    );
}

fn load_arm_16(bytes: &[u8]) -> i64 {
    sign_extend(word(bytes) >> 4 & 0xf000 | word(bytes) & 0xfff, 16)
}

const NUMBER_32: &str = "32 bits";

fn holds_32(value: i128) -> bool {
    (-(1i128 << 31)..1i128 << 32).contains(&value)
}

static THUMB_MOVW_BITS: Encoding = Encoding {
    holds_what: NUMBER_32,
    holds: holds_32,
    store: |bytes, value| store_thumb_16(bytes, value as u32),
    load: load_thumb_16,
};

static THUMB_MOVT_BITS: Encoding = Encoding {
    holds_what: NUMBER_32,
    holds: holds_32,
    store: |bytes, value| store_thumb_16(bytes, (value >> 16) as u32),
    load: load_thumb_16,
};

static ARM_MOVW_BITS: Encoding = Encoding {
    holds_what: NUMBER_32,
    holds: holds_32,
    store: |bytes, value| store_arm_16(bytes, value as u32),
    load: load_arm_16,
};

static ARM_MOVT_BITS: Encoding = Encoding {
    holds_what: NUMBER_32,
    holds: holds_32,
    store: |bytes, value| store_arm_16(bytes, (value >> 16) as u32),
    load: load_arm_16,
};

static PREL31: Encoding = Encoding {
    holds_what: "31 bits",
    holds: |value| reaches(value, 31, 1),
    store: |bytes, value| set_word(bytes, 0x7fff_ffff, value as u32),
    load: |bytes| sign_extend(word(bytes) & 0x7fff_ffff, 31),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(field: Field, value: i64, instruction: &[u8]) {
        assert!(field.holds(value.into()), "{value:#x}");
        // Whatever the distance was before, the rest of the instruction stays.
        let mut bytes = instruction.to_vec();
        field.store(&mut bytes, if field == SIGNED_31 { -1 } else { 124 });
        field.store(&mut bytes, value.into());
        assert_eq!(bytes, instruction, "{value:#x}: {bytes:02x?}");
        assert_eq!(field.load(instruction), value);
    }

    /// The bytes are those of GNU as and LLVM for the instruction in the comment; distances count from
    /// the instruction, as addends do.
    #[test]
    fn instructions_are_those_of_assemblers() {
        check(THUMB_CALL, -4, &[0xff, 0xf7, 0xfe, 0xff]); // bl .
        check(THUMB_CALL, 0x0, &[0x00, 0xf0, 0x00, 0xf8]); // bl .+4
        check(THUMB_CALL, 0x12_3456, &[0x23, 0xf1, 0x2b, 0xfa]);
        check(THUMB_JUMP_19, -4, &[0x3f, 0xf4, 0xfe, 0xaf]); // beq.w .
        check(THUMB_JUMP_19, 0x1_2344, &[0x12, 0xf0, 0xa2, 0x81]);
        check(THUMB_JUMP_11, -4, &[0xfe, 0xe7]); // b.n .
        check(THUMB_JUMP_8, -4, &[0xfe, 0xd0]); // beq.n .
        check(THUMB_JUMP_6, 126, &[0xf8, 0xb3]); // cbz r0, .+130
        check(THUMB_LOAD_12, -4, &[0x5f, 0xf8, 0x04, 0x00]); // ldr.w r0, [pc, #-4]
        check(THUMB_LOAD_12, 0x123, &[0xdf, 0xf8, 0x23, 0x01]);
        check(THUMB_ADR_12, 0x834, &[0x0f, 0xf6, 0x34, 0x00]); // addw r0, pc, #0x834
        check(THUMB_ADR_12, -0x234, &[0xaf, 0xf2, 0x34, 0x20]); // subw r0, pc, #0x234
        check(THUMB_MOVW, 0x1234, &[0x41, 0xf2, 0x34, 0x20]); // movw r0, #0x1234
        check(THUMB_MOVW, -0x5444, &[0x4a, 0xf6, 0xbc, 0x30]); // movw r0, #0xabbc
        check(ARM_BRANCH, -8, &[0xfe, 0xff, 0xff, 0xeb]); // bl .
        check(ARM_MOVW, 0x1234, &[0x34, 0x02, 0x01, 0xe3]); // movw r0, #0x1234
        check(SIGNED_31, -16, &[0xf0, 0xff, 0xff, 0x7f]);
    }

    #[test]
    fn the_upper_half_goes_into_movt() {
        let mut bytes = [0xc0, 0xf2, 0x00, 0x00]; // movt r0, #0
        THUMB_MOVT.store(&mut bytes, 0x1234_5678);
        assert_eq!(bytes, [0xc1, 0xf2, 0x34, 0x20]);
        let mut bytes = [0x00, 0x00, 0x40, 0xe3]; // movt r0, #0
        ARM_MOVT.store(&mut bytes, 0x1234_5678);
        assert_eq!(bytes, [0x34, 0x02, 0x41, 0xe3]);
    }

    #[test]
    fn what_is_too_far_is_refused() {
        for (field, last) in [
            (THUMB_CALL, 0xff_fffe),
            (THUMB_JUMP_19, 0xf_fffe),
            (THUMB_JUMP_11, 2046),
            (THUMB_JUMP_8, 254),
            (THUMB_JUMP_6, 126),
            (THUMB_LOAD_8, 1020),
            (THUMB_LOAD_12, 4095),
            (ARM_BRANCH, 0x1ff_fffc),
        ] {
            assert!(field.holds(last), "{last:#x}");
            assert!(!field.holds(last + 4), "{last:#x} and more");
        }
        // The mark of Thumb code is no part of the distance.
        assert!(THUMB_CALL.holds(0x1001));
        assert!(!THUMB_LOAD_8.holds(2));
        assert!(!ARM_BRANCH.holds(0x1001));
    }
}
