//! Reads any .mpy file back: header, qstrs, objects, raw codes and relocations.
//!
//! Written apart from the writer, from MicroPython's loader (`py/persistentcode.c`), so that it can
//! check what the linker made. Every length is held against what is left of the file before
//! anything is allocated.

use micropython_sys::arch::Arch;
use micropython_sys::mpy;
use micropython_sys::qstr::STATIC_QSTRS;
use serde::Serialize;
use thiserror::Error;

use crate::destination::Destination;

/// Functions in functions, and tuples in tuples: far more than a compiler makes.
const DEPTH_LIMIT: usize = 64;

/// Why a file cannot be shown. Offsets are in bytes from the file's start.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DumpError {
    #[error("not a .mpy file: it does not begin with 'M'")]
    NotMpy,
    #[error(".mpy version {found}; only version {} can be shown", mpy::MPY_VERSION)]
    Version { found: u8 },
    #[error("architecture {number} is not known, so the size of its words is not either")]
    UnknownArchitecture { number: u8 },
    #[error("offset {offset:#x}: the file ends inside {what}; it is cut off or malformed")]
    Truncated { offset: usize, what: &'static str },
    #[error("offset {offset:#x}: malformed: {problem}")]
    Malformed { offset: usize, problem: String },
}

/// A .mpy file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dump {
    pub version: u8,
    pub sub_version: u8,
    /// `None` for bytecode that runs anywhere.
    pub arch: Option<&'static str>,
    /// Bits whose meaning depends on the architecture; 1.28 and later.
    pub arch_flags: Option<u64>,
    /// The bits that a small int must have on the board.
    pub small_int_bits: u8,
    /// The first is the source file's name.
    pub qstrs: Vec<Qstr>,
    pub objects: Vec<Object>,
    pub raw_code: RawCode,
    /// Bytes behind the end, which the loader does not read.
    pub trailing_bytes: usize,
}

/// An interned string.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Qstr {
    /// What is not UTF-8 is replaced.
    pub text: String,
    /// Its number, if it is one that every MicroPython has.
    pub static_index: Option<usize>,
}

/// A constant object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Object {
    FunTable,
    None,
    False,
    True,
    Ellipsis,
    Str(String),
    Bytes(Vec<u8>),
    Int(String),
    Float(String),
    Complex(String),
    Tuple(Vec<Object>),
}

/// What a raw code holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Bytecode,
    Native,
    Viper,
    Asm,
}

/// One function's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RawCode {
    pub kind: Kind,
    /// Offset of the code in the file, in bytes.
    pub offset: usize,
    /// Size of the code in bytes: the text of native code.
    pub text_size: usize,
    /// In bytes.
    pub rodata_size: usize,
    /// In bytes.
    pub bss_size: usize,
    pub scope_flags: u64,
    /// The function's Python signature, which bytecode and native Python functions carry.
    pub prelude: Option<Prelude>,
    /// Number of arguments and type signature of inline assembly.
    pub asm: Option<(u64, u64)>,
    pub relocations: Vec<Relocation>,
    pub children: Vec<RawCode>,
}

/// What stands ahead of bytecode (`py/bc.h`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prelude {
    /// The function's name, if its qstr exists.
    pub name: Option<String>,
    pub positional_arguments: u64,
    pub keyword_only_arguments: u64,
    pub default_arguments: u64,
    pub state_words: u64,
    pub exception_handlers: u64,
}

/// Words in a row to which the loader adds the same address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Relocation {
    pub in_rodata: bool,
    /// Offset of the first word in its block, in bytes.
    pub offset: usize,
    /// Number of words.
    pub count: usize,
    #[serde(serialize_with = "name_destination")]
    pub destination: Destination,
    /// What stands in the words: the offset from the destination. At most 16 are shown.
    pub addends: Vec<u64>,
}

fn name_destination<S: serde::Serializer>(
    destination: &Destination,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(destination)
}

const ADDENDS_SHOWN: usize = 16;

/// Reads a .mpy file.
///
/// # Errors
/// The first thing in the file that MicroPython's loader could not take, or would take outside of
/// the memory it made.
pub fn dump(file: &[u8]) -> Result<Dump, DumpError> {
    let mut reader = Reader { file, at: 0 };
    if file.first() != Some(&mpy::MPY_MAGIC) {
        return Err(DumpError::NotMpy);
    }
    let header = reader.take(mpy::HEADER_SIZE, "the header")?;
    if header[1] != mpy::MPY_VERSION {
        return Err(DumpError::Version { found: header[1] });
    }
    let feature = header[2];
    let number = feature >> mpy::ARCH_SHIFT & mpy::ARCH_MASK;
    let arch = match number {
        0 => None,
        _ => Some(Arch::from_number(number).ok_or(DumpError::UnknownArchitecture { number })?),
    };
    let arch_flags = if feature & mpy::ARCH_FLAGS != 0 {
        Some(reader.uint("the architecture flags")? as u64)
    } else {
        None
    };
    let qstr_count = reader.count("the number of qstrs")?;
    let object_count = reader.count("the number of objects")?;
    let qstrs = (0..qstr_count)
        .map(|_| reader.qstr())
        .collect::<Result<Vec<_>, _>>()?;
    let objects = (0..object_count)
        .map(|_| reader.object(0))
        .collect::<Result<Vec<_>, _>>()?;
    let raw_code = reader.raw_code(arch, &qstrs, 0)?;
    Ok(Dump {
        version: header[1],
        sub_version: feature & mpy::SUB_VERSION_MASK,
        arch: arch.map(Arch::name),
        arch_flags,
        small_int_bits: header[3],
        qstrs,
        objects,
        raw_code,
        trailing_bytes: file.len() - reader.at,
    })
}

struct Reader<'f> {
    file: &'f [u8],
    at: usize,
}

impl<'f> Reader<'f> {
    fn malformed(&self, problem: impl Into<String>) -> DumpError {
        DumpError::Malformed {
            offset: self.at,
            problem: problem.into(),
        }
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'f [u8], DumpError> {
        let bytes = self.file.get(self.at..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or(DumpError::Truncated {
            offset: self.at,
            what,
        })?;
        self.at += length;
        Ok(bytes)
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, DumpError> {
        Ok(self.take(1, what)?[0])
    }

    /// Big-endian base 128.
    fn uint(&mut self, what: &'static str) -> Result<usize, DumpError> {
        let mut value: usize = 0;
        loop {
            let byte = self.byte(what)?;
            if value > usize::MAX >> 7 {
                return Err(self.malformed(format!("{what} does not fit a word")));
            }
            value = value << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    }

    /// A number of things that take at least one byte each.
    fn count(&mut self, what: &'static str) -> Result<usize, DumpError> {
        let count = self.uint(what)?;
        if count > self.file.len() - self.at {
            return Err(self.malformed(format!(
                "{what} is {count}, more than the rest of the file can hold"
            )));
        }
        Ok(count)
    }

    fn qstr(&mut self) -> Result<Qstr, DumpError> {
        let length = self.uint("a qstr's length")?;
        if length & 1 != 0 {
            let index = length >> 1;
            let text = match index {
                0 => None,
                _ => STATIC_QSTRS.get(index),
            };
            let text = text
                .ok_or_else(|| self.malformed(format!("no static qstr has the number {index}")))?;
            return Ok(Qstr {
                text: (*text).to_owned(),
                static_index: Some(index),
            });
        }
        let text = self.take(length >> 1, "a qstr")?;
        if text.len() > mpy::QSTR_LENGTH_LIMIT {
            return Err(self.malformed(format!(
                "a qstr of {} bytes; MicroPython takes up to {}",
                text.len(),
                mpy::QSTR_LENGTH_LIMIT
            )));
        }
        self.nul("a qstr's end")?;
        Ok(Qstr {
            text: String::from_utf8_lossy(text).into_owned(),
            static_index: None,
        })
    }

    fn nul(&mut self, what: &'static str) -> Result<(), DumpError> {
        match self.byte(what)? {
            0 => Ok(()),
            other => {
                self.at -= 1;
                Err(self.malformed(format!("{other:#04x} at {what} instead of 0")))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Object, DumpError> {
        if depth > DEPTH_LIMIT {
            return Err(self.malformed(format!("tuples nested more than {DEPTH_LIMIT} deep")));
        }
        let kind = self.byte("an object")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(match kind {
            mpy::MP_PERSISTENT_OBJ_FUN_TABLE => Object::FunTable,
            mpy::MP_PERSISTENT_OBJ_NONE => Object::None,
            mpy::MP_PERSISTENT_OBJ_FALSE => Object::False,
            mpy::MP_PERSISTENT_OBJ_TRUE => Object::True,
            mpy::MP_PERSISTENT_OBJ_ELLIPSIS => Object::Ellipsis,
            mpy::MP_PERSISTENT_OBJ_TUPLE => {
                let count = self.count("a tuple's length")?;
                Object::Tuple(
                    (0..count)
                        .map(|_| self.object(depth + 1))
                        .collect::<Result<_, _>>()?,
                )
            }
            mpy::MP_PERSISTENT_OBJ_STR | mpy::MP_PERSISTENT_OBJ_BYTES => {
                let length = self.uint("a string's length")?;
                let bytes = self.take(length, "a string")?;
                self.nul("a string's end")?;
                if kind == mpy::MP_PERSISTENT_OBJ_STR {
                    Object::Str(text(bytes))
                } else {
                    Object::Bytes(bytes.to_vec())
                }
            }
            mpy::MP_PERSISTENT_OBJ_INT
            | mpy::MP_PERSISTENT_OBJ_FLOAT
            | mpy::MP_PERSISTENT_OBJ_COMPLEX => {
                let length = self.uint("a number's length")?;
                let digits = text(self.take(length, "a number")?);
                match kind {
                    mpy::MP_PERSISTENT_OBJ_INT => Object::Int(digits),
                    mpy::MP_PERSISTENT_OBJ_FLOAT => Object::Float(digits),
                    _ => Object::Complex(digits),
                }
            }
            other => {
                self.at -= 1;
                return Err(self.malformed(format!("no object has the type {other}")));
            }
        })
    }

    fn raw_code(
        &mut self,
        arch: Option<Arch>,
        qstrs: &[Qstr],
        depth: usize,
    ) -> Result<RawCode, DumpError> {
        if depth > DEPTH_LIMIT {
            return Err(self.malformed(format!("functions nested more than {DEPTH_LIMIT} deep")));
        }
        let first = self.uint("a raw code's kind and length")?;
        let kind = match first & mpy::RAW_CODE_KIND_MASK {
            0 => Kind::Bytecode,
            1 => Kind::Native,
            mpy::RAW_CODE_KIND_VIPER => Kind::Viper,
            _ => Kind::Asm,
        };
        let offset = self.at;
        let text = self.take(first >> mpy::RAW_CODE_LEN_SHIFT, "a raw code")?;
        let mut code = RawCode {
            kind,
            offset,
            text_size: text.len(),
            rodata_size: 0,
            bss_size: 0,
            scope_flags: 0,
            prelude: None,
            asm: None,
            relocations: Vec::new(),
            children: Vec::new(),
        };
        let mut rodata: &[u8] = &[];
        match kind {
            Kind::Bytecode | Kind::Native => {
                let start = if kind == Kind::Native {
                    self.uint("a prelude's offset")?
                } else {
                    0
                };
                let (prelude, flags) = text
                    .get(start..)
                    .and_then(|bytes| prelude(bytes, qstrs))
                    .ok_or_else(|| DumpError::Malformed {
                        offset,
                        problem: "the function's prelude is cut off or out of range".to_owned(),
                    })?;
                code.prelude = Some(prelude);
                code.scope_flags = flags;
            }
            Kind::Viper => {
                code.scope_flags = self.uint("the scope flags")? as u64;
                if code.has(mpy::MP_SCOPE_FLAG_VIPERRODATA) {
                    code.rodata_size = self.uint("the size of rodata")?;
                }
                if code.has(mpy::MP_SCOPE_FLAG_VIPERBSS) {
                    code.bss_size = self.uint("the size of bss")?;
                }
                rodata = self.take(code.rodata_size, "rodata")?;
            }
            Kind::Asm => {
                code.scope_flags = self.uint("the scope flags")? as u64;
                let arguments = self.uint("the number of arguments")? as u64;
                code.asm = Some((arguments, self.uint("the type signature")? as u64));
            }
        }
        if first & mpy::RAW_CODE_HAS_CHILDREN != 0 {
            let count = self.count("the number of children")?;
            for _ in 0..count {
                code.children.push(self.raw_code(arch, qstrs, depth + 1)?);
            }
        }
        if kind != Kind::Bytecode && code.has(mpy::MP_SCOPE_FLAG_VIPERRELOC) {
            let arch = arch.ok_or_else(|| {
                self.malformed("native code in a file that names no architecture")
            })?;
            code.relocations = self.relocations(arch.word_size(), text, rodata)?;
        }
        Ok(code)
    }

    fn relocations(
        &mut self,
        word: usize,
        text: &[u8],
        rodata: &[u8],
    ) -> Result<Vec<Relocation>, DumpError> {
        let mut relocations = Vec::new();
        // The word that an op without an address is for.
        let mut next: Option<(bool, usize)> = None;
        loop {
            let op = self.byte("the relocations")?;
            if op == mpy::reloc::END {
                return Ok(relocations);
            }
            if op & mpy::reloc::HAS_ADDRESS != 0 {
                let address = self.uint("a relocation's address")?;
                next = Some((address & mpy::reloc::ADDRESS_IN_RODATA != 0, address >> 1));
            }
            let (in_rodata, index) =
                next.ok_or_else(|| self.malformed("the first relocation has no address"))?;
            let (destination, repeated) = Destination::from_op(op >> 1);
            let count = if repeated {
                self.uint("a relocation's repeat count")?
            } else {
                1
            };
            if matches!(destination, Destination::TableEntry(_))
                && destination.entry_name().is_none()
            {
                return Err(self.malformed(format!(
                    "the function table has no entry for relocation {}",
                    op >> 1
                )));
            }
            let block = if in_rodata { rodata } else { text };
            let words = index
                .checked_mul(word)
                .zip(count.checked_mul(word))
                .and_then(|(start, length)| block.get(start..)?.get(..length))
                .ok_or_else(|| {
                    self.malformed(format!(
                        "a relocation of {count} words at word {index} of {} lies outside of it",
                        if in_rodata { "rodata" } else { "text" }
                    ))
                })?;
            relocations.push(Relocation {
                in_rodata,
                offset: index * word,
                count,
                destination,
                addends: words
                    .chunks_exact(word)
                    .take(ADDENDS_SHOWN)
                    .map(little_endian)
                    .collect(),
            });
            next = Some((in_rodata, index + count));
        }
    }
}

impl RawCode {
    fn has(&self, flag: usize) -> bool {
        self.scope_flags & flag as u64 != 0
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Decodes `MP_BC_PRELUDE_SIG_DECODE` and the name behind it. Returns the scope flags too.
fn prelude(bytes: &[u8], qstrs: &[Qstr]) -> Option<(Prelude, u64)> {
    /// More continuation bytes than any count needs.
    const LIMIT: u32 = 16;
    let mut bytes = bytes.iter().copied();
    let mut z = u64::from(bytes.next()?);
    let mut state = z >> 3 & 0xf;
    let mut exceptions = z >> 2 & 1;
    let mut positional = z & 3;
    let (mut flags, mut keyword_only, mut defaults) = (0, 0, 0);
    let mut n = 0;
    while z & 0x80 != 0 {
        if n == LIMIT {
            return None;
        }
        z = u64::from(bytes.next()?);
        state |= (z & 0x30) << (2 * n);
        exceptions |= (z & 0x02) << n;
        flags |= (z >> 6 & 1) << n;
        positional |= (z & 0x04) << n;
        keyword_only |= (z >> 3 & 1) << n;
        defaults |= (z & 1) << n;
        n += 1;
    }
    // The sizes of the source info and of the closure's cells, interleaved.
    let mut size_bytes = 0;
    while bytes.next()? & 0x80 != 0 {
        size_bytes += 1;
        if size_bytes == LIMIT {
            return None;
        }
    }
    let mut name: usize = 0;
    loop {
        let byte = bytes.next()?;
        if name > usize::MAX >> 7 {
            return None;
        }
        name = name << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let prelude = Prelude {
        name: qstrs.get(name).map(|qstr| qstr.text.clone()),
        positional_arguments: positional,
        keyword_only_arguments: keyword_only,
        default_arguments: defaults,
        state_words: state + 1,
        exception_handlers: exceptions,
    };
    Some((prelude, flags))
}
