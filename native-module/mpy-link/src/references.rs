//! Decides how each reference of a live section is made: filled in now, left to the loader, through
//! the table of addresses, or through a stub.

use std::borrow::Cow;

use crate::arch::{Architecture, CodeSection, PlanError, Reference};
use crate::error::LinkError;
use crate::input::{Place, Program, SectionId, Symbol, shown_symbol};
use crate::layout::GOT_BLOCK;
use crate::piece::{Block, Cause, Fixup, Formula, Goal, Piece, PieceId, Pieces};
use crate::relocation::RelocationKind;
use crate::resolution::{Resolution, Target, location};
use crate::section::SectionKind;

/// Makes a piece of every live section and plans all that must be filled in.
pub(crate) fn plan<'a>(
    program: &Program<'a>,
    resolution: &Resolution<'a>,
    live: &[bool],
    arch: &dyn Architecture,
) -> Result<(Pieces<'a>, Vec<Option<PieceId>>), LinkError> {
    let mut pieces = Pieces::default();
    let mut piece_of: Vec<Option<PieceId>> = vec![None; program.sections.len()];
    for (index, section) in program.sections.iter().enumerate() {
        if !live[index] {
            continue;
        }
        if let SectionKind::Refused(why) = section.kind {
            return Err(LinkError::UnknownSection {
                object: program.objects[section.object].name.clone(),
                section: section.name.to_string(),
                problem: why.to_owned(),
            });
        }
        let Some((block, group)) = arch.placement(&section.kind, section.align) else {
            continue;
        };
        piece_of[index] = Some(pieces.add(Piece {
            name: format!("{}:{}", program.objects[section.object].name, section.name),
            block,
            rank: 0,
            group,
            data: Cow::Borrowed(section.data),
            // An address must belong to one thing, even of something without a size.
            size: section.size.max(u64::from(block != Block::Text)),
            align: arch.alignment(&section.kind, section.align),
            fixups: Vec::new(),
            section: Some(SectionId(index)),
            cuts: Vec::new(),
            slack: Vec::new(),
        }));
    }

    let planner = Planner {
        program,
        resolution,
        arch,
        piece_of: &piece_of,
    };
    let starts = starts_by_section(program, arch);
    for (index, piece) in piece_of.iter().enumerate() {
        let Some(piece) = *piece else { continue };
        let id = SectionId(index);
        let references = planner.references(&mut pieces, id, piece)?;
        let section = &program.sections[index];
        let fixups = if section.kind == SectionKind::Code {
            let code = CodeSection {
                bytes: section.data,
                starts: &starts[index],
                references: &references,
                entries: section.entries.as_deref(),
            };
            arch.plan_code(&mut pieces, piece, &code)
        } else {
            arch.plan_data(&mut pieces, section.data, &references)
        };
        pieces.pieces[piece.0].fixups = fixups.map_err(|error| planner.error(error))?;
    }
    Ok((pieces, piece_of))
}

/// Where named things start in each section, ascending.
fn starts_by_section(program: &Program<'_>, arch: &dyn Architecture) -> Vec<Vec<u64>> {
    let mut starts: Vec<Vec<u64>> = vec![Vec::new(); program.sections.len()];
    for symbol in program.objects.iter().flat_map(|object| &object.symbols) {
        if let Place::Section { section, offset } = symbol.place {
            starts[section.0].push(arch.code_offset(offset));
        }
    }
    for list in &mut starts {
        list.sort_unstable();
        list.dedup();
    }
    starts
}

struct Planner<'p, 'a> {
    program: &'p Program<'a>,
    resolution: &'p Resolution<'a>,
    arch: &'p dyn Architecture,
    piece_of: &'p [Option<PieceId>],
}

impl<'a> Planner<'_, 'a> {
    /// The section's relocations with their symbols found.
    fn references(
        &self,
        pieces: &mut Pieces<'a>,
        id: SectionId,
        piece: PieceId,
    ) -> Result<Vec<Reference<'a>>, LinkError> {
        let section = &self.program.sections[id.0];
        let block = pieces.pieces[piece.0].block;
        let mut references = Vec::with_capacity(section.relocations.len());
        for relocation in &section.relocations {
            let meaning = relocation.meaning;
            let cause = Cause {
                relocation: meaning.name,
                section: id,
                offset: relocation.offset,
                symbol: relocation.symbol,
            };
            let refuse = |problem: String| self.error(PlanError { cause, problem });
            match meaning.kind {
                RelocationKind::Refused(why) => return Err(refuse(why.to_owned())),
                RelocationKind::Unknown => {
                    return Err(refuse(format!(
                        "relocation number {} is not known for {}; compile with relocation-model=pic (rustc) or -fPIC (gcc) and no special code model",
                        meaning.number,
                        self.arch.name()
                    )));
                }
                _ => {}
            }
            let symbol =
                self.resolution
                    .defining_symbol(self.program, section.object, relocation.symbol);
            if symbol.indirect {
                return Err(refuse(
                    "an indirect function (ifunc), which nothing would resolve; remove __attribute__((ifunc)) or target_clones".to_owned(),
                ));
            }
            // Liveness has seen to it that every live reference has a target.
            let target = self
                .resolution
                .target(self.program, section.object, relocation.symbol)
                .ok_or_else(|| refuse("the symbol is not defined".to_owned()))?;
            let goal = match target {
                Target::Made(name) => {
                    pieces.made(name, |pieces| self.arch.make(pieces, name, cause))
                }
                _ => self
                    .goal(target)
                    .ok_or_else(|| refuse("its section was left out".to_owned()))?,
            };
            let field_at = usize::try_from(relocation.offset).unwrap_or(usize::MAX);
            let addend = match relocation.addend {
                Some(addend) => addend,
                None => section
                    .data
                    .get(field_at..)
                    .map_or(0, |bytes| meaning.field.load(bytes)),
            };
            references.push(Reference {
                offset: relocation.offset,
                kind: meaning.kind,
                field: meaning.field,
                goal: size_or(goal, meaning.kind, symbol),
                addend,
                near: pieces.block_of(goal, GOT_BLOCK) == Some(block),
                cause,
            });
        }
        Ok(references)
    }

    fn goal(&self, target: Target<'a>) -> Option<Goal<'a>> {
        Some(match target {
            Target::Section { section, offset } => Goal::Piece {
                piece: self.piece_of[section.0]?,
                offset: i64::try_from(offset).ok()?,
            },
            Target::Absolute(value) => Goal::Absolute(value),
            Target::FunctionTable => Goal::FunctionTable,
            Target::TableEntry(entry) => Goal::TableEntry(entry),
            Target::Qstr(text) => Goal::Qstr(text),
            Target::QstrTable => Goal::QstrTable,
            Target::GotBase => Goal::GotBase,
            Target::Made(_) => return None,
        })
    }

    fn error(&self, error: PlanError) -> LinkError {
        relocation_error(self.program, error)
    }
}

/// A size relocation is about a number, not an address.
fn size_or<'a>(goal: Goal<'a>, kind: RelocationKind, symbol: &Symbol<'_>) -> Goal<'a> {
    if kind == RelocationKind::Size {
        Goal::Absolute(symbol.size)
    } else {
        goal
    }
}

/// A planning error with its place.
pub(crate) fn relocation_error(program: &Program<'_>, error: PlanError) -> LinkError {
    let PlanError { cause, problem } = error;
    let object = program.sections[cause.section.0].object;
    LinkError::Relocation {
        location: location(program, cause.section, cause.offset),
        relocation: cause.relocation,
        symbol: shown_symbol(program, object, cause.symbol).into_owned(),
        problem,
    }
}

/// A reference in data, where no instruction can be changed.
pub(crate) fn plan_data<'a>(
    pieces: &mut Pieces<'a>,
    reference: &Reference<'a>,
) -> Result<Fixup<'a>, PlanError> {
    if reference.kind == RelocationKind::Relative && !reference.near {
        return Err(PlanError {
            cause: reference.cause,
            problem:
                "the distance is only known after loading; store the address in a pointer instead"
                    .to_owned(),
        });
    }
    plan_plain(pieces, reference)
}

/// A reference that needs no help from a CPU: what the relocation says is what is filled in.
pub(crate) fn plan_plain<'a>(
    pieces: &mut Pieces<'a>,
    reference: &Reference<'a>,
) -> Result<Fixup<'a>, PlanError> {
    let Reference {
        offset,
        field,
        goal,
        addend,
        cause,
        ..
    } = *reference;
    let (formula, goal) = match reference.kind {
        RelocationKind::Absolute | RelocationKind::Size => (Formula::Absolute, goal),
        RelocationKind::Relative | RelocationKind::Branch => (Formula::Relative, goal),
        RelocationKind::GotSlotRelative => {
            (Formula::Relative, Goal::Slot(pieces.slot(goal, 0, cause)))
        }
        RelocationKind::GotSlotOffset => (
            Formula::FromGotBase,
            Goal::Slot(pieces.slot(goal, 0, cause)),
        ),
        RelocationKind::GotBaseRelative => (Formula::Relative, Goal::GotBase),
        RelocationKind::GotBaseOffset => (Formula::FromGotBase, goal),
        RelocationKind::None
        | RelocationKind::Own(_)
        | RelocationKind::Refused(_)
        | RelocationKind::Unknown => {
            return Err(PlanError {
                cause,
                problem: "this relocation has no value".to_owned(),
            });
        }
    };
    Ok(Fixup {
        offset,
        field,
        formula,
        goal,
        addend,
        cause,
    })
}

/// Puts the address of the statics' memory into text, if there are any: some ports keep that memory
/// for no other reason.
pub(crate) fn hold_statics(pieces: &mut Pieces<'_>, entry: PieceId) {
    let used = |block| pieces.pieces.iter().any(|piece| piece.block == block);
    // The loader puts bss first.
    let Some(first) = [Block::Bss, Block::Rodata]
        .into_iter()
        .find(|block| used(*block))
    else {
        return;
    };
    if let Some(section) = pieces.pieces[entry.0].section {
        let cause = Cause {
            relocation: "statics",
            section,
            offset: 0,
            symbol: 0,
        };
        pieces.slot(Goal::Start(first), 0, cause);
    }
}

/// The functions that run before the entry, in order, from the live `.init_array` sections.
pub(crate) fn init_functions<'a>(
    program: &Program<'a>,
    resolution: &Resolution<'a>,
    arch: &dyn Architecture,
    piece_of: &[Option<PieceId>],
) -> Result<Vec<(Goal<'a>, Cause)>, LinkError> {
    let planner = Planner {
        program,
        resolution,
        arch,
        piece_of,
    };
    let mut arrays: Vec<(u32, SectionId)> = program
        .sections
        .iter()
        .enumerate()
        .filter_map(|(index, section)| match section.kind {
            SectionKind::InitArray(priority) => Some((priority, SectionId(index))),
            _ => None,
        })
        .collect();
    // A stable sort: equal priorities keep the order of the inputs.
    arrays.sort_by_key(|(priority, _)| *priority);
    let word = arch.word_size();
    let mut functions = Vec::new();
    for (_, id) in arrays {
        let section = &program.sections[id.0];
        let wrong = |problem: &str| LinkError::UnknownSection {
            object: program.objects[section.object].name.clone(),
            section: section.name.to_string(),
            problem: problem.to_owned(),
        };
        if section.relocations.len() * word != section.data.len() {
            return Err(wrong("each word must be the address of one function"));
        }
        for relocation in &section.relocations {
            let target = resolution.target(program, section.object, relocation.symbol);
            let cause = Cause {
                relocation: relocation.meaning.name,
                section: id,
                offset: relocation.offset,
                symbol: relocation.symbol,
            };
            let plain = relocation.meaning.kind == RelocationKind::Absolute
                && relocation.meaning.field.is_number(word);
            match target.and_then(|target| planner.goal(target)) {
                Some(Goal::Piece { piece, offset }) if plain => {
                    let field = section.data.get(relocation.offset as usize..);
                    let stored = || field.map_or(0, |bytes| relocation.meaning.field.load(bytes));
                    let addend = relocation.addend.unwrap_or_else(stored);
                    let offset = offset.wrapping_add(addend);
                    functions.push((Goal::Piece { piece, offset }, cause));
                }
                _ => {
                    return Err(wrong(
                        "an entry is not the address of a function in the module",
                    ));
                }
            }
        }
    }
    Ok(functions)
}
