//! What a relocation means, without any CPU's numbers: the vocabulary between the door (one file per
//! CPU) and the rest of the linker.

/// S is the symbol's address, A the addend, P the place, G the address of the symbol's slot in the
/// table of addresses (GOT), B that table's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelocationKind {
    /// Nothing to do.
    None,
    /// S + A. Word-sized ones can be left to MicroPython's loader.
    Absolute,
    /// S + A - P.
    Relative,
    /// S + A - P for a call or jump, which may go through a stub.
    Branch,
    /// G + A - P, where the instruction may be changed to do without the slot.
    GotSlotRelative,
    /// G - B + A.
    GotSlotOffset,
    /// B + A - P.
    GotBaseRelative,
    /// S + A - B.
    GotBaseOffset,
    /// The symbol's size + A.
    Size,
    /// Understood, but impossible in a .mpy; says what to change.
    Refused(&'static str),
    /// A number this CPU's file does not list.
    Unknown,
}

/// Which values a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Signed,
    Unsigned,
    /// Any value that fits when seen as signed or as unsigned.
    Either,
}

/// The bytes that a relocation fills, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    /// 1, 2, 4 or 8 bytes.
    pub width: u8,
    pub range: Range,
}

impl Field {
    pub const fn signed(width: u8) -> Field {
        Field {
            width,
            range: Range::Signed,
        }
    }

    pub const fn unsigned(width: u8) -> Field {
        Field {
            width,
            range: Range::Unsigned,
        }
    }

    pub const fn either(width: u8) -> Field {
        Field {
            width,
            range: Range::Either,
        }
    }

    /// Whether `value` can be stored without loss.
    pub fn holds(self, value: i128) -> bool {
        let bits = u32::from(self.width) * 8;
        let signed = -(1i128 << (bits - 1))..(1i128 << (bits - 1));
        let unsigned = 0..(1i128 << bits);
        match self.range {
            Range::Signed => signed.contains(&value),
            Range::Unsigned => unsigned.contains(&value),
            Range::Either => signed.contains(&value) || unsigned.contains(&value),
        }
    }

    /// Stores the low bytes of `value`; the caller has asked [`Field::holds`].
    pub fn store(self, bytes: &mut [u8], value: i128) {
        let width = usize::from(self.width);
        bytes[..width].copy_from_slice(&value.to_le_bytes()[..width]);
    }

    /// Reads the sign-extended content (the addend of REL relocations).
    pub fn load(self, bytes: &[u8]) -> i64 {
        let width = usize::from(self.width);
        let mut raw = [0; 8];
        raw[..width].copy_from_slice(&bytes[..width]);
        let shift = 64 - 8 * u32::from(self.width);
        (i64::from_le_bytes(raw) << shift) >> shift
    }
}

/// A relocation number, translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// The number in the object, for messages only.
    pub number: u32,
    /// The name in the CPU's ABI document, for messages only.
    pub name: &'static str,
    pub kind: RelocationKind,
    pub field: Field,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_hold_what_fits() {
        let cases = [
            (Field::signed(4), 0x7fff_ffff, true),
            (Field::signed(4), 0x8000_0000, false),
            (Field::signed(4), -0x8000_0000, true),
            (Field::signed(4), -0x8000_0001, false),
            (Field::unsigned(4), 0xffff_ffff, true),
            (Field::unsigned(4), -1, false),
            (Field::either(1), 255, true),
            (Field::either(1), -128, true),
            (Field::either(1), 256, false),
            (Field::either(8), u64::MAX as i128, true),
            (Field::either(8), i64::MIN as i128, true),
            (Field::either(8), u64::MAX as i128 + 1, false),
        ];
        for (field, value, fits) in cases {
            assert_eq!(field.holds(value), fits, "{field:?} {value:#x}");
        }
    }

    #[test]
    fn fields_read_back_what_they_store() {
        for (field, value) in [
            (Field::signed(4), -5),
            (Field::either(2), -1),
            (Field::either(8), i64::MIN),
        ] {
            let mut bytes = [0xaa; 9];
            field.store(&mut bytes, value.into());
            assert_eq!(field.load(&bytes), value);
            assert!(
                bytes[usize::from(field.width)..]
                    .iter()
                    .all(|byte| *byte == 0xaa),
                "only its own bytes"
            );
        }
    }
}
