//! Lifts literals: takes the words that `l32r` loads out of the code they stand in, so that each
//! becomes a slot in the one table ahead of all code.
//!
//! Assemblers put literals where they like. GNU's makes sections of them (`.literal.f`), or puts them
//! between functions (`-mtext-section-literals`). LLVM 22 puts a function's literals into whatever
//! section it wrote last, mostly behind the function before or behind that function's jump table, and
//! at any address, so that neither could be left out without the other, the processor would load other
//! bytes, and many words would stand twice. Here each `l32r` gets the symbol and the number of its literal instead, and from then on it
//! does not matter where that stood. What remains of literals at the end of a section is cut off.

use std::collections::{HashMap, HashSet};

use super::code::{Instruction, L32R, decode};
use super::{Abi, IN_INSTRUCTION, LITERAL};
use crate::input::{Parts, Place, Relocation};
use crate::relocation::{Meaning, RelocationKind};
use crate::section::SectionKind;

/// A section, by its place in [`Parts::sections`], and an offset in it.
type Spot = (usize, u64);

/// Gives every `l32r` its literal's symbol and addend, and removes what is then of no use.
pub(super) fn lift(parts: &mut Parts<'_, '_>) -> Result<(), String> {
    take_stored_addends(parts);
    let mut words: HashMap<Spot, Relocation> = HashMap::new();
    for (index, section) in parts.sections.iter().enumerate() {
        if may_hold_literals(&section.kind) {
            for relocation in &section.relocations {
                if relocation.meaning.kind != IN_INSTRUCTION {
                    words.insert((index, relocation.offset), relocation.clone());
                }
            }
        }
    }
    let mut lifted: HashSet<Spot> = HashSet::new();
    for index in 0..parts.sections.len() {
        if parts.sections[index].kind != SectionKind::Code {
            continue;
        }
        for position in 0..parts.sections[index].relocations.len() {
            let relocation = &parts.sections[index].relocations[position];
            let Some(spot) = literal_of(parts, index, relocation) else {
                continue;
            };
            let changed = literal(parts, spot, words.get(&spot), relocation)?;
            parts.sections[index].relocations[position] = changed;
            lifted.insert(spot);
        }
    }
    for (index, section) in parts.sections.iter_mut().enumerate() {
        section
            .relocations
            .retain(|relocation| !lifted.contains(&(index, relocation.offset)));
    }
    cut_ends(parts, &lifted);
    Ok(())
}

/// GNU's tools add what stands in the word to the relocation's own addend.
fn take_stored_addends(parts: &mut Parts<'_, '_>) {
    for section in parts.sections.iter_mut() {
        let data = section.data;
        for relocation in &mut section.relocations {
            let at = usize::try_from(relocation.offset).unwrap_or(usize::MAX);
            if relocation.meaning.kind == RelocationKind::Absolute
                && let Some(bytes) = data.get(at..)
            {
                let stored = relocation.meaning.field.load(bytes);
                relocation.addend = Some(relocation.addend.unwrap_or(0).wrapping_add(stored));
            }
        }
    }
}

/// Where the literal stands that the instruction loads, if it is an `l32r` with one.
fn literal_of(parts: &Parts<'_, '_>, index: usize, relocation: &Relocation) -> Option<Spot> {
    let at = usize::try_from(relocation.offset).ok()?;
    let bytes = parts.sections[index].data.get(at..)?;
    if relocation.meaning.kind != IN_INSTRUCTION || decode(bytes) != Some(Instruction::L32r) {
        return None;
    }
    let Place::Section { section, offset } = parts.symbols.get(relocation.symbol)?.place else {
        return None;
    };
    let index = parts.index_of(section)?;
    let constant = may_hold_literals(&parts.sections[index].kind);
    let offset = offset.checked_add_signed(relocation.addend.unwrap_or(0))?;
    constant.then_some((index, offset))
}

/// Sections whose words do not change at run time.
fn may_hold_literals(kind: &SectionKind) -> bool {
    matches!(
        kind,
        SectionKind::Code | SectionKind::ReadOnly | SectionKind::ReadOnlyAfterLoad
    )
}

/// The relocation of an `l32r` with its literal's content.
fn literal(
    parts: &Parts<'_, '_>,
    (index, offset): Spot,
    word: Option<&Relocation>,
    load: &Relocation,
) -> Result<Relocation, String> {
    let section = &parts.sections[index];
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    let bytes: [u8; 4] = section
        .data
        .get(at..)
        .and_then(|rest| rest.first_chunk().copied())
        .ok_or_else(|| {
            format!(
                "an l32r loads its literal from {}+{offset:#x}, outside the section; compile it again",
                section.name
            )
        })?;
    let (symbol, addend) = match word {
        // The symbol with number 0 stands for the number 0.
        None => (0, i64::from(u32::from_le_bytes(bytes))),
        Some(word) if word.meaning.kind == RelocationKind::Absolute => {
            (word.symbol, word.addend.unwrap_or(0))
        }
        // What this one may not be, the literal may not be either.
        Some(word) => {
            return Ok(Relocation {
                offset: load.offset,
                ..word.clone()
            });
        }
    };
    Ok(Relocation {
        offset: load.offset,
        symbol,
        addend: Some(addend),
        meaning: Meaning {
            kind: LITERAL,
            field: L32R,
            ..load.meaning
        },
    })
}

/// Cuts literals off the ends of sections, as far as nothing else refers to them.
fn cut_ends(parts: &mut Parts<'_, '_>, lifted: &HashSet<Spot>) {
    let mut used_to = vec![0; parts.sections.len()];
    let mut use_up_to = |section, offset: u64| {
        if let Some(index) = parts.index_of(section) {
            let end: &mut u64 = &mut used_to[index];
            *end = (*end).max(offset.saturating_add(1));
        }
    };
    for relocation in parts
        .sections
        .iter()
        .flat_map(|section| &section.relocations)
    {
        if let Some(symbol) = parts.symbols.get(relocation.symbol)
            && let Place::Section { section, offset } = symbol.place
        {
            let target = offset.saturating_add_signed(relocation.addend.unwrap_or(0));
            use_up_to(section, target);
        }
    }
    for symbol in parts
        .symbols
        .iter()
        .filter(|symbol| !symbol.name.is_empty())
    {
        if let Place::Section { section, offset } = symbol.place {
            use_up_to(section, offset);
        }
    }
    for (index, section) in parts.sections.iter_mut().enumerate() {
        let mut end = section.data.len() as u64;
        while end >= 4 && end - 4 >= used_to[index] && lifted.contains(&(index, end - 4)) {
            end -= 4;
        }
        if may_hold_literals(&section.kind) {
            section.data = &section.data[..end as usize];
            section.size = end;
        }
    }
}

/// Notes the entries of code that a compiler made which puts nothing but instructions into it, as far as
/// literals have been lifted. rustc and clang say in a comment that they made it; gcc and assemblers
/// may put tables between instructions.
pub(super) fn note_entries(parts: &mut Parts<'_, '_>) {
    let made_by = |compiler: &[u8]| {
        parts.sections.iter().any(|section| {
            section.name == ".comment"
                && section
                    .data
                    .windows(compiler.len())
                    .any(|part| part == compiler)
        })
    };
    if !made_by(b"rustc version") && !made_by(b"clang version") || made_by(b"GCC:") {
        return;
    }
    let mut entries: Vec<Vec<u64>> = vec![Vec::new(); parts.sections.len()];
    for relocation in parts
        .sections
        .iter()
        .flat_map(|section| &section.relocations)
    {
        if let Some(symbol) = parts.symbols.get(relocation.symbol)
            && let Place::Section { section, offset } = symbol.place
            && let Some(index) = parts.index_of(section)
        {
            entries[index].push(offset.wrapping_add_signed(relocation.addend.unwrap_or(0)));
        }
    }
    for (section, entries) in parts.sections.iter_mut().zip(entries) {
        // Data in code, or a literal that is still there.
        let words = section
            .relocations
            .iter()
            .any(|relocation| !matches!(relocation.meaning.kind, LITERAL | IN_INSTRUCTION));
        if section.kind == SectionKind::Code && !words {
            section.entries = Some(entries);
        }
    }
}

/// Refuses an object whose functions call each other in the other way. The header does not say which
/// way it is; GNU's tools say it in a note, and functions that are to be called by a moving
/// window begin with `entry`.
pub(super) fn check_abi(abi: Abi, parts: &Parts<'_, '_>) -> Result<(), String> {
    let other = match abi {
        Abi::Windowed => {
            "made for calls without register windows (call0, the ESP8266's), but the module is for the ESP32's; compile it for the ESP32, or choose --arch xtensa"
        }
        Abi::Call0 => {
            "made for calls with register windows (the ESP32's), but the module is for the ESP8266; compile it for that, or choose --arch xtensawin"
        }
    };
    for section in parts.sections.iter() {
        if section.name == ".xtensa.info" {
            // Lines of text behind the note's header; 0 is windowed (`XTHAL_ABI_WINDOWED`).
            let stated = |text: &[u8]| section.data.windows(text.len()).any(|part| part == text);
            let windowed = stated(b"ABI=0");
            let call0 = stated(b"ABI=1");
            return match (abi, windowed, call0) {
                (Abi::Windowed, _, true) | (Abi::Call0, true, _) => Err(other.to_owned()),
                _ => Ok(()),
            };
        }
    }
    let mut functions = 0;
    let mut windowed = 0;
    for symbol in parts.symbols.iter() {
        if let Place::Section { section, offset } = symbol.place
            && symbol.size > 0
            && let Some(index) = parts.index_of(section)
            && parts.sections[index].kind == SectionKind::Code
            && let Some(bytes) = usize::try_from(offset)
                .ok()
                .and_then(|at| parts.sections[index].data.get(at..))
        {
            functions += 1;
            // entry: major opcode 6, n = 3, m = 0.
            windowed += usize::from(bytes.first() == Some(&0x36));
        }
    }
    let clash = match abi {
        Abi::Windowed => functions > 0 && windowed == 0,
        Abi::Call0 => windowed > 0,
    };
    if clash { Err(other.to_owned()) } else { Ok(()) }
}
