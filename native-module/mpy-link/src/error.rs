//! The errors of a link. Each says where (object, section, symbol, offset), what is wrong and what to change.

use std::fmt;

use thiserror::Error;

use crate::input::FileKind;

/// A point in an input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `file.o`, or `library.a(member.o)`.
    pub object: String,
    pub section: String,
    /// Offset in the section, in bytes.
    pub offset: u64,
    /// The function or object that contains the offset, where the symbol table knows one.
    pub inside: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}+{:#x}", self.object, self.section, self.offset)?;
        match &self.inside {
            Some(symbol) => write!(f, " (in {symbol})"),
            None => Ok(()),
        }
    }
}

/// An undefined symbol and its first use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undefined {
    pub symbol: String,
    /// `None` if an option asked for it.
    pub used_at: Option<Box<Location>>,
    /// A hint that belongs to this name, or empty.
    pub hint: &'static str,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LinkError {
    #[error("{flags}: not an architecture flag of {arch}; it has: {known}")]
    ArchFlags {
        flags: String,
        arch: &'static str,
        known: String,
    },
    #[error("nothing to link: name at least one object or archive")]
    NoInput,
    #[error("{object}: malformed: {problem}; compile it again")]
    Malformed { object: String, problem: String },
    #[error(
        "{archive}: malformed archive: {problem}; it may be cut off: make it again with ar, or copy it again"
    )]
    MalformedArchive { archive: String, problem: String },
    #[error("{object}: {found}; give ELF objects (.o) or archives (.a, .rlib)")]
    NotAnObject { object: String, found: &'static str },
    #[error(
        "{object}: a thin archive, which holds only the names of its members; make one with the members inside (ar without T)"
    )]
    ThinArchive { object: String },
    #[error(
        "{object}: holds {compiler} link-time bytecode, not machine code; compile without -flto or with -ffat-lto-objects (gcc), without -Clinker-plugin-lto (rustc)"
    )]
    LtoBytecode {
        object: String,
        compiler: &'static str,
    },
    #[error(
        "{object}: already linked; give the object that the compiler made (gcc -c, rustc --emit=obj)"
    )]
    NotRelocatable { object: String },
    #[error(
        "{object}: made for ELF machine {machine} with {bits} bits, {order}-endian, but the module is for {wanted}; compile it for {wanted} or choose another --arch"
    )]
    WrongMachine {
        object: String,
        machine: u16,
        bits: usize,
        /// `little` or `big`.
        order: &'static str,
        wanted: &'static str,
    },
    #[error("{object}: {problem}")]
    OtherBoard { object: String, problem: String },
    #[error(
        "{object}: compiled for the {found}-float ABI, but {first} for the {known}-float ABI; compile both with the same -mfloat-abi"
    )]
    FloatAbi {
        object: String,
        found: &'static str,
        first: String,
        known: &'static str,
    },
    #[error("{object}: section {section}: {problem}")]
    UnknownSection {
        object: String,
        section: String,
        problem: String,
    },
    #[error(
        "{object}: symbol {symbol} is defined twice, first in {first}; remove or rename one, or make it static or weak"
    )]
    Duplicate {
        symbol: String,
        first: String,
        object: String,
    },
    #[error("{}", undefined_list(.shown, *.more))]
    UndefinedSymbols {
        /// The first ones by name, at most [`UNDEFINED_SHOWN`].
        shown: Vec<Undefined>,
        /// How many there are beside those.
        more: usize,
    },
    #[error(
        "the entry {symbol} is not a function in the inputs' code ({found}); define it with C linkage (Rust: #[unsafe(no_mangle)] extern \"C\")"
    )]
    BadEntry { symbol: String, found: &'static str },
    #[error("{location}: {relocation} for {symbol}: {problem}")]
    Relocation {
        location: Box<Location>,
        relocation: &'static str,
        symbol: String,
        problem: String,
    },
    #[error(
        "{location}: refers to {symbol} in section {section} of {owner}, which is left out: {why}"
    )]
    LeftOut {
        location: Box<Location>,
        symbol: String,
        owner: String,
        section: String,
        why: &'static str,
    },
    #[error(
        "{object}: section {section}: alignment {align}, but {place} is only aligned to {limit} bytes; lower the alignment, or compile with -malign-data=abi if it was the compiler's own choice"
    )]
    Alignment {
        object: String,
        section: String,
        align: u64,
        place: &'static str,
        limit: u64,
    },
    #[error("the module's {what} would be {size} bytes; the limit is {limit}")]
    TooLarge {
        what: &'static str,
        size: u64,
        limit: u64,
    },
}

impl LinkError {
    pub(crate) fn not_an_object(object: String, kind: FileKind) -> LinkError {
        match kind {
            FileKind::ThinArchive => LinkError::ThinArchive { object },
            FileKind::LlvmBitcode => LinkError::LtoBytecode {
                object,
                compiler: "LLVM",
            },
            FileKind::Archive => LinkError::NotAnObject {
                object,
                found: "an archive in an archive",
            },
            _ => LinkError::NotAnObject {
                object,
                found: "neither an ELF object nor an archive",
            },
        }
    }
}

/// A missing library can leave hundreds of symbols open; the first ones say which library.
pub const UNDEFINED_SHOWN: usize = 20;

fn undefined_list(symbols: &[Undefined], more: usize) -> String {
    let mut text = String::new();
    for (index, undefined) in symbols.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        match &undefined.used_at {
            Some(location) => text.push_str(&format!(
                "{location}: undefined symbol {}",
                undefined.symbol
            )),
            None => text.push_str(&format!("undefined symbol {}", undefined.symbol)),
        }
        if undefined.hint.is_empty() {
            text.push_str("; add the object or archive that defines it");
        } else {
            text.push_str("; ");
            text.push_str(undefined.hint);
        }
    }
    if more > 0 {
        text.push_str(&format!("\nand {more} more undefined symbols"));
    }
    text
}
