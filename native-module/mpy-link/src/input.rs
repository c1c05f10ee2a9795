//! Reads ELF objects: their sections, symbols and relocations, whose numbers become meanings here.
//!
//! Nothing here knows other objects; names are matched in [`crate::resolution`].

use std::borrow::Cow;

use object::elf;
use object::read::elf::{FileHeader, Rel, Rela, SectionHeader, Sym};
use object::{Endianness, SectionIndex, SymbolIndex};

use crate::arch::Architecture;
use crate::bounds::{Names, sections_lie_apart};
use crate::error::LinkError;
use crate::relocation::{Meaning, RelocationKind};
use crate::section::{SectionKind, section_kind};

/// No section, common symbol or total may be larger than this, so that every distance fits a 32-bit field.
pub(crate) const SIZE_LIMIT: u64 = 1 << 30;

/// Position of a section in [`Program::sections`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SectionId(pub usize);

#[derive(Debug)]
pub(crate) struct Section<'a> {
    /// Index into [`Program::objects`].
    pub object: usize,
    pub name: Cow<'a, str>,
    pub kind: SectionKind,
    /// Empty for [`SectionKind::Bss`].
    pub data: &'a [u8],
    pub size: u64,
    /// A power of two.
    pub align: u64,
    pub relocations: Vec<Relocation>,
    /// Kept although nothing refers to it (`SHF_GNU_RETAIN`).
    pub retain: bool,
    /// Noted by a CPU's file for code that is known to hold instructions and nothing else: every offset
    /// in it that relocations of its object refer to.
    pub entries: Option<Vec<u64>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Relocation {
    /// Offset in the section, in bytes.
    pub offset: u64,
    /// Index into the object's symbols.
    pub symbol: usize,
    /// `None` if the addend stands in the section's bytes (REL form).
    pub addend: Option<i64>,
    pub meaning: Meaning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding {
    Local,
    Weak,
    Strong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Undefined,
    Absolute(u64),
    /// Tentative definition: space to be made in .bss.
    Common {
        align: u64,
    },
    Section {
        section: SectionId,
        offset: u64,
    },
    /// In a section that exists only for other tools (symbol table, group, …).
    NoSection,
}

#[derive(Clone, Debug)]
pub(crate) struct Symbol<'a> {
    pub name: &'a str,
    pub binding: Binding,
    pub place: Place,
    pub size: u64,
    /// `STT_GNU_IFUNC`: the address is found by calling a function.
    pub indirect: bool,
}

#[derive(Debug)]
pub(crate) struct Object<'a> {
    /// `name.o`, or `library.a(member.o)`.
    pub name: String,
    pub from_archive: bool,
    pub symbols: Vec<Symbol<'a>>,
}

/// All objects that take part in the link so far.
#[derive(Debug, Default)]
pub(crate) struct Program<'a> {
    pub objects: Vec<Object<'a>>,
    pub sections: Vec<Section<'a>>,
    /// What the module's header will say that the board has.
    pub arch_flags: u32,
    /// The bits of a function's value that are no part of its offset.
    pub code_mark: u64,
    /// The float ABI of the first object that has one, and its name.
    float_abi: Option<(&'static str, String)>,
    /// COMDAT signatures that are taken.
    groups: std::collections::HashSet<&'a [u8]>,
}

/// One object while it is being read, before it meets any other.
pub(crate) struct Parts<'p, 'a> {
    pub name: &'p str,
    /// The object's own sections.
    pub sections: &'p mut [Section<'a>],
    pub symbols: &'p [Symbol<'a>],
    /// Position of the first of them in [`Program::sections`].
    first: usize,
}

impl Parts<'_, '_> {
    /// The position of a section in `sections`.
    pub fn index_of(&self, section: SectionId) -> Option<usize> {
        section.0.checked_sub(self.first)
    }

    /// The error that the object is not one for this module.
    pub fn unsuitable(&self, problem: String) -> LinkError {
        LinkError::OtherBoard {
            object: self.name.to_owned(),
            problem,
        }
    }
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Elf32,
    Elf64,
    Archive,
    ThinArchive,
    LlvmBitcode,
    Unknown,
}

pub(crate) fn file_kind(bytes: &[u8]) -> FileKind {
    match bytes {
        [0x7f, b'E', b'L', b'F', 1, ..] => FileKind::Elf32,
        [0x7f, b'E', b'L', b'F', 2, ..] => FileKind::Elf64,
        _ if bytes.starts_with(b"!<arch>\n") => FileKind::Archive,
        _ if bytes.starts_with(b"!<thin>\n") => FileKind::ThinArchive,
        // Raw bitcode, and the wrapper that some targets put around it.
        [b'B', b'C', 0xc0, 0xde, ..] | [0xde, 0xc0, 0x17, 0x0b, ..] => FileKind::LlvmBitcode,
        _ => FileKind::Unknown,
    }
}

impl<'a> Program<'a> {
    /// Adds one object. Returns its index.
    pub fn add_object(
        &mut self,
        arch: &dyn Architecture,
        name: String,
        bytes: &'a [u8],
        from_archive: bool,
    ) -> Result<usize, LinkError> {
        match file_kind(bytes) {
            FileKind::Elf32 => {
                self.add_elf::<elf::FileHeader32<Endianness>>(arch, name, bytes, from_archive)
            }
            FileKind::Elf64 => {
                self.add_elf::<elf::FileHeader64<Endianness>>(arch, name, bytes, from_archive)
            }
            kind => Err(LinkError::not_an_object(name, kind)),
        }
    }

    fn add_elf<Elf: FileHeader<Endian = Endianness>>(
        &mut self,
        arch: &dyn Architecture,
        name: String,
        bytes: &'a [u8],
        from_archive: bool,
    ) -> Result<usize, LinkError> {
        let wrong = |problem: String| LinkError::Malformed {
            object: name.clone(),
            problem,
        };
        let malformed = |error: object::read::Error| wrong(error.to_string());
        let header = Elf::parse(bytes).map_err(malformed)?;
        let endian = header.endian().map_err(malformed)?;
        check_header(header, endian, arch, &name)?;

        self.code_mark = !arch.code_offset(u64::MAX);

        let table = header.sections(endian, bytes).map_err(malformed)?;
        sections_lie_apart(table.iter(), endian, bytes).map_err(wrong)?;
        let mut names = Names::of(bytes);
        let attributes = arch
            .attributes_section()
            .and_then(|wanted| table.section_by_name(endian, wanted.as_bytes()))
            .map(|(_, section)| section.data(endian, bytes))
            .transpose()
            .map_err(malformed)?;
        let float_abi = arch
            .check_object(header.e_flags(endian).0, attributes, self.arch_flags)
            .map_err(|problem| LinkError::OtherBoard {
                object: name.clone(),
                problem,
            })?;
        match (&self.float_abi, float_abi) {
            (Some((known, first)), Some(found)) if *known != found => {
                return Err(LinkError::FloatAbi {
                    object: name,
                    found,
                    first: first.clone(),
                    known,
                });
            }
            (None, Some(found)) => self.float_abi = Some((found, name.clone())),
            _ => {}
        }
        let symbol_table = table
            .symbols(endian, bytes, elf::SHT_SYMTAB)
            .map_err(malformed)?;
        let object = self.objects.len();
        let first_section = self.sections.len();
        let mut discarded = vec![false; table.len()];
        // Of errors in a section that has no name yet, or whose own bytes are no part of the module.
        let in_section = |index: SectionIndex, error: object::read::Error| {
            let header = table.section(index);
            let known = header.and_then(|header| table.section_name(endian, header));
            let known = String::from_utf8_lossy(known.unwrap_or_default()).into_owned();
            wrong(format!("section {known} (number {}): {error}", index.0))
        };
        for (index, header) in table.enumerate() {
            let Some((flags, members)) = header
                .group(endian, bytes)
                .map_err(|error| in_section(index, error))?
            else {
                continue;
            };
            if !flags.contains(elf::GRP_COMDAT) {
                continue;
            }
            let signature = SymbolIndex(header.sh_info(endian) as usize);
            let in_group = |error| in_section(index, error);
            let symbol = symbol_table.symbol(signature).map_err(in_group)?;
            let mut key = symbol_table.symbol_name(endian, symbol).map_err(in_group)?;
            if key.is_empty() {
                // Some assemblers name the group by a section symbol.
                let section = table.section(SectionIndex(symbol.st_shndx(endian).0.into()));
                key = table
                    .section_name(endian, section.map_err(in_group)?)
                    .map_err(in_group)?;
            }
            if !self.groups.insert(key) {
                for member in members {
                    let member = member.get(endian) as usize;
                    *discarded.get_mut(member).ok_or_else(|| {
                        wrong(format!(
                            "COMDAT group names section {member}, which does not exist"
                        ))
                    })? = true;
                }
            }
        }

        let mut ids: Vec<Option<SectionId>> = vec![None; table.len()];
        for (index, header) in table.enumerate() {
            let section_name = table
                .section_name(endian, header)
                .map_err(|error| in_section(index, error))?;
            let section_name = names
                .text(section_name, || format!("section {}", index.0))
                .map_err(wrong)?;
            let Some(mut kind) =
                section_kind(header, endian, section_name, arch).map_err(|problem| {
                    LinkError::UnknownSection {
                        object: name.clone(),
                        section: section_name.to_owned(),
                        problem,
                    }
                })?
            else {
                continue;
            };
            if discarded[index.0] {
                kind = SectionKind::DuplicateGroup;
            }
            let size: u64 = header.sh_size(endian).into();
            let align: u64 = Into::<u64>::into(header.sh_addralign(endian)).max(1);
            if !align.is_power_of_two() {
                return Err(wrong(format!(
                    "section {section_name}: alignment {align} is not a power of two"
                )));
            }
            if size > SIZE_LIMIT || align > SIZE_LIMIT {
                return Err(wrong(format!("section {section_name}: larger than 1 GiB")));
            }
            let data = header.data(endian, bytes).map_err(|_| {
                wrong(format!(
                    "section {section_name}: its bytes lie outside the file"
                ))
            })?;
            ids[index.0] = Some(SectionId(self.sections.len()));
            self.sections.push(Section {
                object,
                name: Cow::Borrowed(section_name),
                kind,
                data,
                size,
                align,
                relocations: Vec::new(),
                retain: header.sh_flags(endian).contains(elf::SHF_GNU_RETAIN),
                entries: None,
            });
        }

        let mut symbols = Vec::with_capacity(symbol_table.len());
        for (index, symbol) in symbol_table.enumerate() {
            let in_symbol =
                |error: object::read::Error| wrong(format!("symbol {}: {error}", index.0));
            let symbol_name = symbol_table
                .symbol_name(endian, symbol)
                .map_err(in_symbol)?;
            let symbol_name = names
                .text(symbol_name, || format!("symbol {}", index.0))
                .map_err(wrong)?;
            let value: u64 = symbol.st_value(endian).into();
            let size: u64 = symbol.st_size(endian).into();
            let place = match symbol.st_shndx(endian) {
                elf::SHN_UNDEF => Place::Undefined,
                elf::SHN_ABS => Place::Absolute(value),
                elf::SHN_COMMON => {
                    let align = value.max(1);
                    if !align.is_power_of_two() || align > SIZE_LIMIT || size > SIZE_LIMIT {
                        return Err(wrong(format!(
                            "common symbol {symbol_name}: size {size}, alignment {align}"
                        )));
                    }
                    Place::Common { align }
                }
                _ => {
                    let section = symbol_table
                        .symbol_section(endian, symbol, index)
                        .map_err(in_symbol)?;
                    let section = section.ok_or_else(|| {
                        wrong(format!(
                            "symbol {symbol_name}: reserved section number {:#x}",
                            symbol.st_shndx(endian).0
                        ))
                    })?;
                    match ids.get(section.0) {
                        None => {
                            return Err(wrong(format!(
                                "symbol {symbol_name}: no section {}",
                                section.0
                            )));
                        }
                        Some(None) => Place::NoSection,
                        Some(Some(section)) => Place::Section {
                            section: *section,
                            offset: value,
                        },
                    }
                }
            };
            symbols.push(Symbol {
                name: symbol_name,
                binding: match symbol.st_bind() {
                    elf::STB_LOCAL => Binding::Local,
                    // Unique symbols are C++'s way to say: any one of them.
                    elf::STB_WEAK | elf::STB_GNU_UNIQUE => Binding::Weak,
                    elf::STB_GLOBAL => Binding::Strong,
                    other => {
                        return Err(wrong(format!(
                            "symbol {symbol_name}: unknown binding {}",
                            other.0
                        )));
                    }
                },
                place,
                size,
                indirect: symbol.st_type() == elf::STT_GNU_IFUNC,
            });
            if symbol_name == "__gnu_lto_slim" {
                return Err(LinkError::LtoBytecode {
                    object: name,
                    compiler: "GCC",
                });
            }
        }

        for (index, header) in table.enumerate() {
            let mut found = Vec::new();
            let in_table = |error| in_section(index, error);
            if let Some((relocations, _)) = header.rela(endian, bytes).map_err(in_table)? {
                for relocation in relocations {
                    found.push((
                        relocation.r_offset(endian).into(),
                        relocation.r_sym(endian, false),
                        relocation.r_type(endian, false).0,
                        Some(relocation.r_addend(endian).into()),
                    ));
                }
            } else if let Some((relocations, _)) = header.rel(endian, bytes).map_err(in_table)? {
                for relocation in relocations {
                    found.push((
                        relocation.r_offset(endian).into(),
                        relocation.r_sym(endian),
                        relocation.r_type(endian).0,
                        None,
                    ));
                }
            } else {
                continue;
            }
            let target = header.info_link(endian).0;
            let Some(section) = ids.get(target).copied().flatten() else {
                continue;
            };
            let section = &mut self.sections[section.0];
            if matches!(
                section.kind,
                SectionKind::Ignored(_) | SectionKind::DuplicateGroup
            ) {
                continue;
            }
            for (offset, symbol, number, addend) in found {
                let meaning = arch.meaning(number);
                if meaning.kind == RelocationKind::None {
                    continue;
                }
                if symbol as usize >= symbols.len().max(1) {
                    return Err(wrong(format!(
                        "section {}+{offset:#x}: relocation for symbol {symbol}, which does not exist",
                        section.name
                    )));
                }
                let end = u64::checked_add(offset, u64::from(meaning.field.width));
                if end.is_none_or(|end| end > section.data.len() as u64) {
                    return Err(wrong(format!(
                        "section {}+{offset:#x}: relocation outside the section",
                        section.name
                    )));
                }
                section.relocations.push(Relocation {
                    offset,
                    symbol: symbol as usize,
                    addend,
                    meaning,
                });
            }
            section
                .relocations
                .sort_by_key(|relocation| relocation.offset);
        }
        arch.prepare(&mut Parts {
            name: &name,
            sections: &mut self.sections[first_section..],
            symbols: &symbols,
            first: first_section,
        })?;
        self.objects.push(Object {
            name,
            from_archive,
            symbols,
        });
        Ok(object)
    }
}

fn check_header<Elf: FileHeader<Endian = Endianness>>(
    header: &Elf,
    endian: Endianness,
    arch: &dyn Architecture,
    name: &str,
) -> Result<(), LinkError> {
    if header.e_type(endian) != elf::ET_REL {
        return Err(LinkError::NotRelocatable {
            object: name.to_owned(),
        });
    }
    let machine = header.e_machine(endian).0;
    let word = if header.is_type_64() { 8 } else { 4 };
    if machine != arch.elf_machine() || word != arch.word_size() || header.is_big_endian() {
        return Err(LinkError::WrongMachine {
            object: name.to_owned(),
            machine,
            bits: word * 8,
            order: if header.is_big_endian() {
                "big"
            } else {
                "little"
            },
            wanted: arch.name(),
        });
    }
    Ok(())
}

/// The names that an object would define, common ones included as in an archive's index.
/// What is wrong with it in words, if it cannot be read.
pub(crate) fn defined_names(bytes: &[u8]) -> Result<Vec<&str>, String> {
    match file_kind(bytes) {
        FileKind::Elf32 => defined_names_in::<elf::FileHeader32<Endianness>>(bytes),
        FileKind::Elf64 => defined_names_in::<elf::FileHeader64<Endianness>>(bytes),
        _ => Ok(Vec::new()),
    }
}

fn defined_names_in<Elf: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
) -> Result<Vec<&str>, String> {
    let problem = |error: object::read::Error| error.to_string();
    let header = Elf::parse(bytes).map_err(problem)?;
    let endian = header.endian().map_err(problem)?;
    let symbols = header
        .sections(endian, bytes)
        .and_then(|table| table.symbols(endian, bytes, elf::SHT_SYMTAB))
        .map_err(problem)?;
    let mut names = Names::of(bytes);
    let mut defined = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        let shndx = symbol.st_shndx(endian);
        if symbol.st_bind() == elf::STB_LOCAL || shndx == elf::SHN_UNDEF {
            continue;
        }
        let owner = || format!("symbol {}", index.0);
        let name = symbols
            .symbol_name(endian, symbol)
            .map_err(|error| format!("{}: {error}", owner()))?;
        defined.push(names.text(name, owner)?);
    }
    Ok(defined)
}

/// The object's or section's name as error messages show it.
pub(crate) fn shown_symbol<'a>(
    program: &'a Program<'_>,
    object: usize,
    symbol: usize,
) -> Cow<'a, str> {
    let symbol = &program.objects[object].symbols[symbol];
    match symbol.place {
        Place::Section { section, .. } if symbol.name.is_empty() => {
            Cow::Owned(format!("(section {})", program.sections[section.0].name))
        }
        _ => Cow::Borrowed(symbol.name),
    }
}
