//! What stays known about the output for people: what stands where, and how large it is.

use crate::arch::Architecture;
use crate::input::{Place, Program, SectionId};
use crate::layout::{GOT_BLOCK, Layout};
use crate::piece::{Piece, Pieces};

/// A section of an input, or something that the linker made itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// `object:section`, or the name of what the linker made.
    pub name: String,
    /// `text`, `rodata` or `bss`.
    pub block: &'static str,
    /// In the block, in bytes.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
    /// The functions and objects in it, by offset.
    pub symbols: Vec<MapSymbol>,
}

/// A function or object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSymbol {
    /// As in the object, so possibly mangled.
    pub name: String,
    /// In the block, in bytes.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

pub(crate) fn map(
    program: &Program<'_>,
    pieces: &Pieces<'_>,
    layout: &Layout,
    arch: &dyn Architecture,
) -> Vec<MapEntry> {
    let mut named: Vec<Vec<(u64, u64, &str)>> = vec![Vec::new(); program.sections.len()];
    for symbol in program.objects.iter().flat_map(|object| &object.symbols) {
        if let (Place::Section { section, offset }, 1..) = (symbol.place, symbol.size) {
            named[section.0].push((arch.code_offset(offset), symbol.size, symbol.name));
        }
    }
    let mut map: Vec<MapEntry> = Vec::with_capacity(layout.order.len() + 1);
    for id in &layout.order {
        let piece = &pieces.pieces[id.0];
        let start = layout.piece_offsets[id.0];
        let names = piece
            .section
            .map(|SectionId(index)| std::mem::take(&mut named[index]));
        map.push(MapEntry {
            name: piece.name.clone(),
            block: piece.block.name(),
            offset: start,
            size: piece.final_size(),
            symbols: symbols(piece, start, names.unwrap_or_default()),
        });
    }
    if layout.got_size > 0 {
        map.push(MapEntry {
            name: "(table of addresses)".to_owned(),
            block: GOT_BLOCK.name(),
            offset: layout.got_offset,
            size: layout.got_size,
            symbols: Vec::new(),
        });
    }
    map
}

/// The named parts of a piece that starts at `start`. Of several names for the same bytes, the first stays.
fn symbols(piece: &Piece<'_>, start: u64, mut names: Vec<(u64, u64, &str)>) -> Vec<MapSymbol> {
    names.sort_unstable();
    let mut found = Vec::new();
    let mut free = 0;
    for (offset, size, name) in names {
        let Some(end) = offset.checked_add(size).filter(|end| *end <= piece.size) else {
            continue;
        };
        if offset < free {
            continue;
        }
        free = end;
        let from = piece.final_offset(offset as i64) as u64;
        let to = piece.final_offset(end as i64) as u64;
        found.push(MapSymbol {
            name: name.to_owned(),
            offset: start + from,
            size: to - from,
        });
    }
    found
}
