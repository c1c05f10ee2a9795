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
    /// Known to this CPU's file alone, which plans it under a number of its own choice.
    Own(u8),
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

/// How a value is spread over the bits of an instruction; the CPU's file makes these.
#[derive(Debug)]
pub(crate) struct Encoding {
    /// For messages: which values it holds, such as "an even distance below 1 MiB".
    pub holds_what: &'static str,
    /// Whether the value can be stored without loss.
    pub holds: fn(i128) -> bool,
    /// Puts the value in and leaves the instruction's other bits as they are.
    pub store: fn(&mut [u8], i128),
    /// Takes the value out again (the addend of REL relocations).
    pub load: fn(&[u8]) -> i64,
}

/// What the bytes of a field hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// A number, little-endian.
    Number(Range),
    /// Some bits of an instruction.
    Code(&'static Encoding),
}

/// The bytes that a relocation fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// In bytes: 1, 2, 4 or 8 for a number.
    pub width: u8,
    pub content: Content,
}

impl PartialEq for Field {
    fn eq(&self, other: &Field) -> bool {
        let same = match (self.content, other.content) {
            (Content::Number(one), Content::Number(other)) => one == other,
            (Content::Code(one), Content::Code(other)) => std::ptr::eq(one, other),
            _ => false,
        };
        same && self.width == other.width
    }
}

impl Eq for Field {}

impl Field {
    const fn number(width: u8, range: Range) -> Field {
        Field {
            width,
            content: Content::Number(range),
        }
    }

    pub const fn signed(width: u8) -> Field {
        Field::number(width, Range::Signed)
    }

    pub const fn unsigned(width: u8) -> Field {
        Field::number(width, Range::Unsigned)
    }

    pub const fn either(width: u8) -> Field {
        Field::number(width, Range::Either)
    }

    /// Bits of an instruction of `width` bytes.
    pub const fn code(width: u8, encoding: &'static Encoding) -> Field {
        Field {
            width,
            content: Content::Code(encoding),
        }
    }

    /// Whether it is a number of this many bytes.
    pub fn is_number(self, width: usize) -> bool {
        usize::from(self.width) == width && matches!(self.content, Content::Number(_))
    }

    /// Whether `value` can be stored without loss.
    pub fn holds(self, value: i128) -> bool {
        let bits = u32::from(self.width) * 8;
        let signed = -(1i128 << (bits - 1))..(1i128 << (bits - 1));
        let unsigned = 0..(1i128 << bits);
        match self.content {
            Content::Number(Range::Signed) => signed.contains(&value),
            Content::Number(Range::Unsigned) => unsigned.contains(&value),
            Content::Number(Range::Either) => signed.contains(&value) || unsigned.contains(&value),
            Content::Code(encoding) => (encoding.holds)(value),
        }
    }

    /// For messages: what a value must be to fit.
    pub fn holds_what(self) -> String {
        match self.content {
            Content::Number(_) => format!("{} bits", u32::from(self.width) * 8),
            Content::Code(encoding) => encoding.holds_what.to_owned(),
        }
    }

    /// Stores `value`; the caller has asked [`Field::holds`].
    pub fn store(self, bytes: &mut [u8], value: i128) {
        let width = usize::from(self.width);
        match self.content {
            Content::Number(_) => {
                bytes[..width].copy_from_slice(&value.to_le_bytes()[..width]);
            }
            Content::Code(encoding) => (encoding.store)(&mut bytes[..width], value),
        }
    }

    /// Reads the sign-extended content (the addend of REL relocations). The caller has made sure
    /// that the field's bytes are there.
    pub fn load(self, bytes: &[u8]) -> i64 {
        let width = usize::from(self.width);
        if let Content::Code(encoding) = self.content {
            return (encoding.load)(&bytes[..width]);
        }
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
