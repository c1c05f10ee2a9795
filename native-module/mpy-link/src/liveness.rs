//! Decides which sections stay: those that the roots reach through relocations.
//!
//! Roots are the entry, the symbols that options name, functions that run before the entry, and
//! sections marked to be retained. Only what stays is checked for undefined symbols, so an unused
//! function may call what does not exist.

use std::collections::HashSet;

use crate::error::{LinkError, UNDEFINED_SHOWN};
use crate::input::{Program, SectionId, shown_symbol};
use crate::resolution::{Resolution, Target, location, undefined};
use crate::section::SectionKind;

/// Returns, by section, whether it stays.
pub(crate) fn live_sections<'a>(
    program: &Program<'a>,
    resolution: &Resolution<'a>,
    roots: &[&'a str],
) -> Result<Vec<bool>, LinkError> {
    let mut live = vec![false; program.sections.len()];
    let mut queue = Vec::new();
    // Where each is used first; `None` for roots.
    let mut missing: Vec<(&str, Option<(SectionId, u64)>)> = Vec::new();
    let mut reported: HashSet<&str> = HashSet::new();

    for name in roots {
        match resolution.global(program, name) {
            Some(Target::Section { section, .. }) => queue.push(section),
            Some(_) => {}
            None => {
                reported.insert(name);
                missing.push((name, None));
            }
        }
    }
    for (index, section) in program.sections.iter().enumerate() {
        let root = matches!(section.kind, SectionKind::InitArray(_)) || section.retain;
        let left_out = matches!(
            section.kind,
            SectionKind::DuplicateGroup | SectionKind::QstrList
        );
        if root && !left_out {
            queue.push(SectionId(index));
        }
    }
    while let Some(id) = queue.pop() {
        if std::mem::replace(&mut live[id.0], true) {
            continue;
        }
        let section = &program.sections[id.0];
        for relocation in &section.relocations {
            let Some(target) = resolution.target(program, section.object, relocation.symbol) else {
                let symbol = &program.objects[section.object].symbols[relocation.symbol];
                if reported.insert(symbol.name) {
                    missing.push((symbol.name, Some((id, relocation.offset))));
                }
                continue;
            };
            let Target::Section { section: next, .. } = target else {
                continue;
            };
            let why = match program.sections[next.0].kind {
                SectionKind::Ignored(why) | SectionKind::Refused(why) => why,
                SectionKind::QstrList => "its strings stand in the qstr table instead",
                SectionKind::DuplicateGroup => {
                    "another object's copy of the same COMDAT group was taken; compile both with the same compiler and options"
                }
                _ => {
                    queue.push(next);
                    continue;
                }
            };
            return Err(LinkError::LeftOut {
                location: location(program, id, relocation.offset),
                symbol: shown_symbol(program, section.object, relocation.symbol).into_owned(),
                owner: program.objects[program.sections[next.0].object]
                    .name
                    .clone(),
                section: program.sections[next.0].name.to_string(),
                why,
            });
        }
    }
    if missing.is_empty() {
        Ok(live)
    } else {
        missing.sort_unstable();
        // A place takes a search through the symbols and copies names, so only those that are shown
        // get one.
        let shown = missing.iter().take(UNDEFINED_SHOWN).map(|(symbol, at)| {
            let at = at.map(|(section, offset)| location(program, section, offset));
            undefined(symbol, at)
        });
        Err(LinkError::UndefinedSymbols {
            shown: shown.collect(),
            more: missing.len().saturating_sub(UNDEFINED_SHOWN),
        })
    }
}
