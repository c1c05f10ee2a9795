//! Decides how a C layout is written down so that one statement serves 4- and 8-byte words.
//!
//! An offset in MicroPython's structures is always a number of words plus a number of bytes, because every field
//! that is wider than 4 bytes is exactly one word wide. [`Extent`] is that pair.

/// A distance inside a structure: `words * word size + bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Number of machine words (4 or 8 bytes each).
    pub words: usize,
    /// Number of bytes on top.
    pub bytes: usize,
}

impl Extent {
    /// The distance in bytes for a word of `word_size` bytes.
    pub const fn at(self, word_size: usize) -> usize {
        self.words * word_size + self.bytes
    }
}

/// One field as C declares it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field's name in C; `_bitfield_1` stands for the unit that holds a structure's bit-fields.
    pub c_name: &'static str,
    /// Where it begins.
    pub offset: Extent,
}

/// One bit-field inside the unit `_bitfield_1`.
#[derive(Clone, Copy, Debug)]
pub struct Bits {
    /// The bit-field's name in C.
    pub c_name: &'static str,
    /// Its lowest bit, counted from the unit's least significant bit, as (halves of a word, bits on top).
    pub shift: (usize, usize),
}

/// What a structure's name, size and offsets are in C.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The structure's tag in C.
    pub c_name: &'static str,
    /// The header that declares it, relative to MicroPython's source.
    pub header: &'static str,
    /// Its size, a flexible array member at the end not counted.
    pub size: Extent,
    /// Its fields in order.
    pub fields: &'static [Field],
    /// Its bit-fields, if it has any.
    pub bits: &'static [Bits],
}

/// Declares a `#[repr(C)]` structure and, from the same lines, its [`Layout`]; refuses to compile where the two
/// disagree on the width being compiled for. `[n]` and `[n + b]` before a field is its offset in words and bytes,
/// and a string after it the field's name in C where that is another one.
macro_rules! abi_struct {
    (
        $(#[$meta:meta])*
        [$c_name:literal in $header:literal, size $words:literal $(+ $bytes:literal)?]
        pub struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                [$offset_words:literal $(+ $offset_bytes:literal)? $(, $field_c:literal)?]
                pub $field:ident: $ty:ty,
            )*
        }
        $(bits { $($bit:ident: $halves:literal + $bit_offset:literal,)* })?
    ) => {
        $(#[$meta])*
        #[repr(C)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $name {
            #[doc = concat!("`struct ", $c_name, "` of `", $header, "`.")]
            pub const LAYOUT: $crate::layout::Layout = $crate::layout::Layout {
                c_name: $c_name,
                header: $header,
                size: $crate::layout::Extent { words: $words, bytes: 0 $(+ $bytes)? },
                fields: &[$($crate::layout::Field {
                    c_name: $crate::layout::first_name(&[$($field_c,)? stringify!($field)]),
                    offset: $crate::layout::Extent { words: $offset_words, bytes: 0 $(+ $offset_bytes)? },
                },)*],
                bits: &[$($($crate::layout::Bits {
                    c_name: stringify!($bit),
                    shift: ($halves, $bit_offset),
                },)*)?],
            };
        }

        const _: () = {
            const WORD: usize = size_of::<usize>();
            assert!(size_of::<$name>() == $words * WORD $(+ $bytes)?);
            $(assert!(core::mem::offset_of!($name, $field) == $offset_words * WORD $(+ $offset_bytes)?);)*
        };
    };
}
pub(crate) use abi_struct;

/// Declares integer constants under their C names and lists them by name, so that a test can compare each with
/// the header it comes from.
macro_rules! abi_consts {
    (
        $(#[$list_meta:meta])*
        $list:ident: $ty:ty {
            $($(#[$meta:meta])* $name:ident = $value:expr,)*
        }
    ) => {
        $($(#[$meta])* pub const $name: $ty = $value;)*

        $(#[$list_meta])*
        pub const $list: &[(&str, i64)] = &[$((stringify!($name), $name as i64),)*];
    };
}
pub(crate) use abi_consts;

/// The first of one or two names; a macro's way to say "this one unless the other is given".
pub(crate) const fn first_name(names: &[&'static str]) -> &'static str {
    names[0]
}

/// Every structure this crate declares.
pub const ALL: &[Layout] = &[
    crate::obj::ObjBase::LAYOUT,
    crate::obj::ObjIterBuf::LAYOUT,
    crate::types::ObjType::LAYOUT,
    crate::types::ObjFullType::LAYOUT,
    crate::types::GetiterIternextCustom::LAYOUT,
    crate::map::MpMapElem::LAYOUT,
    crate::map::MpMap::LAYOUT,
    crate::containers::ObjDict::LAYOUT,
    crate::containers::ObjTuple::LAYOUT,
    crate::containers::ObjList::LAYOUT,
    crate::containers::ObjStr::LAYOUT,
    crate::containers::ObjException::LAYOUT,
    crate::fun::ObjFunBc::LAYOUT,
    crate::fun::ObjFunBuiltinFixed::LAYOUT,
    crate::fun::ObjFunBuiltinVar::LAYOUT,
    crate::module::ObjModule::LAYOUT,
    crate::module::ModuleConstants::LAYOUT,
    crate::module::ModuleContext::LAYOUT,
    crate::raw_code::RawCodeTruncated::LAYOUT,
    crate::stream::StreamP::LAYOUT,
    crate::buffer::BufferInfo::LAYOUT,
    crate::arg::MpArg::LAYOUT,
    crate::print::MpPrint::LAYOUT,
];
