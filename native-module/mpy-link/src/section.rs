//! Decides what each section of an object is for, by its type and flags, and which are left out on purpose.

use object::Endianness;
use object::elf;
use object::read::elf::SectionHeader;

use crate::arch::Architecture;

/// What a section's content is for, and so where it may be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// Machine code.
    Code,
    /// Bytes that are never written.
    ReadOnly,
    /// Bytes that only the loader writes, to add addresses (`.data.rel.ro`).
    ReadOnlyAfterLoad,
    /// Initialised, writable bytes.
    Data,
    /// Zeroed, writable bytes.
    Bss,
    /// Pointers to functions that run before the entry; the number orders them.
    InitArray(u32),
    /// A crate's list of the strings that it names by number; becomes part of the qstr table (`qstrs`).
    QstrList,
    /// Never part of the output, for the reason given.
    Ignored(&'static str),
    /// The same COMDAT group was already taken from another object.
    DuplicateGroup,
    /// Understood, but a .mpy cannot hold it: an error as soon as something live needs it.
    Refused(&'static str),
}

/// `Ok(None)` for sections that describe the file itself and so are no part of the program.
pub(crate) fn section_kind<Section: SectionHeader<Endian = Endianness>>(
    header: &Section,
    endian: Endianness,
    name: &str,
    arch: &dyn Architecture,
) -> Result<Option<SectionKind>, String> {
    let flags = header.sh_flags(endian);
    let has = |flag| flags.contains(flag);
    let kind = header.sh_type(endian);
    if !has(elf::SHF_ALLOC) {
        // Not in memory at run time: debug information, comments, notes, tables for linkers. A
        // reference from code into one of them is still an error, so they are remembered.
        return Ok(match kind {
            elf::SHT_PROGBITS | elf::SHT_NOBITS | elf::SHT_NOTE => {
                Some(SectionKind::Ignored("it is not in memory at run time"))
            }
            _ => None,
        });
    }
    if let Some(why) = ignored_by_name(name).or_else(|| arch.ignored_section(name, kind)) {
        return Ok(Some(SectionKind::Ignored(why)));
    }
    if is_or_under(name, ".mpy_qstrs") {
        return Ok(Some(SectionKind::QstrList));
    }
    if has(elf::SHF_TLS) {
        return Ok(Some(SectionKind::Refused(
            "thread-local data; MicroPython has no thread-local storage for modules: use a plain static",
        )));
    }
    if has(elf::SHF_COMPRESSED) {
        return Err(
            "a compressed section cannot be in memory; compile without compressing it".to_owned(),
        );
    }
    // Everything else that a flag could ask for is unknown here and so refused. Section merging may
    // be left undone; the rest says nothing about the content.
    let known = elf::SHF_ALLOC
        | elf::SHF_WRITE
        | elf::SHF_EXECINSTR
        | elf::SHF_MERGE
        | elf::SHF_STRINGS
        | elf::SHF_INFO_LINK
        | elf::SHF_LINK_ORDER
        | elf::SHF_GROUP
        | elf::SHF_GNU_RETAIN;
    let unknown = flags.0 & !known.0;
    if unknown != 0 {
        return Err(format!(
            "unknown section flags {unknown:#x}; compile with the small code model and no special section attributes"
        ));
    }
    match kind {
        elf::SHT_PROGBITS | elf::SHT_NOBITS => {}
        elf::SHT_NOTE => return Ok(Some(SectionKind::Ignored("notes are for other tools"))),
        elf::SHT_INIT_ARRAY => return init_array(name).map(Some),
        elf::SHT_FINI_ARRAY => {
            return Err(
                "functions to run at exit; a module never exits: remove the destructor".to_owned(),
            );
        }
        elf::SHT_PREINIT_ARRAY => {
            return Err("use .init_array instead of .preinit_array".to_owned());
        }
        other => {
            return Err(format!(
                "unknown section type {:#x}; compile without special section attributes",
                other.0
            ));
        }
    }
    match name {
        ".ctors" | ".init" => {
            return Err("use .init_array for functions that run at start".to_owned());
        }
        ".dtors" | ".fini" => {
            return Err(
                "functions to run at exit; a module never exits: remove the destructor".to_owned(),
            );
        }
        _ => {}
    }
    Ok(Some(match (has(elf::SHF_EXECINSTR), has(elf::SHF_WRITE)) {
        (true, true) => {
            return Err("code that is also writable; keep data in sections of its own".to_owned());
        }
        (true, false) if kind == elf::SHT_NOBITS => {
            return Err("code without content; compile it again".to_owned());
        }
        (true, false) => SectionKind::Code,
        (false, _) if kind == elf::SHT_NOBITS => SectionKind::Bss,
        (false, true) if is_or_under(name, ".data.rel.ro") => SectionKind::ReadOnlyAfterLoad,
        (false, true) if is_or_under(name, ".init_array") => return init_array(name).map(Some),
        (false, true) => SectionKind::Data,
        (false, false) => SectionKind::ReadOnly,
    }))
}

/// Allocatable sections that are left out on purpose. Unwind tables have no use without an
/// unwinder, and a panic in a module aborts or raises; the others speak to an operating system's
/// loader or to a debugger.
fn ignored_by_name(name: &str) -> Option<&'static str> {
    const UNWIND: &str = "unwind tables are not used: a module does not unwind";
    match name {
        ".eh_frame" | ".eh_frame_hdr" | ".gcc_except_table" => Some(UNWIND),
        ".debug_gdb_scripts" => Some("it is for the debugger"),
        _ if is_or_under(name, ".gcc_except_table") => Some(UNWIND),
        _ if is_or_under(name, ".note") => Some("notes are for other tools"),
        _ => None,
    }
}

pub(crate) fn is_or_under(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `.init_array.N` runs before `.init_array`, lower numbers first.
fn init_array(name: &str) -> Result<SectionKind, String> {
    match name.strip_prefix(".init_array") {
        Some("") => Ok(SectionKind::InitArray(u32::MAX)),
        Some(rest) => rest
            .strip_prefix('.')
            .and_then(|number| number.parse::<u32>().ok())
            .map(SectionKind::InitArray)
            .ok_or_else(|| {
                "the priority after .init_array. is not a number; rename the section".to_owned()
            }),
        None => Ok(SectionKind::InitArray(u32::MAX)),
    }
}
