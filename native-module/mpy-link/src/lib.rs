//! Links ELF objects and archives into a native MicroPython `.mpy` file.

mod arch;
mod destination;
pub mod dump;
mod dump_text;
mod error;
mod image;
mod input;
mod layout;
mod liveness;
mod piece;
mod references;
mod relocation;
mod resolution;
mod writer;

pub use destination::Destination;
pub use dump::{Dump, DumpError, dump};
pub use error::{LinkError, Location, Undefined};
pub use image::MapEntry;
pub use micropython_sys::arch::Arch;

use input::{Program, SectionKind};
use piece::Goal;
use resolution::Target;

/// What to make.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// The architecture of the module.
    pub arch: Arch,
    /// The source file's name, which tracebacks would show; the file's first qstr.
    pub source_name: String,
    /// The function that runs when the module is imported; `mpy_init` by custom.
    pub entry: String,
    /// The strings of the first slots of the module's qstr table, from slot 1 on, for objects that
    /// name slots by number (`mp_native_qstr_table[1]`, as upstream's headers do).
    pub qstrs: Vec<String>,
    /// Symbols to keep although nothing refers to them.
    pub keep: Vec<String>,
}

impl LinkOptions {
    /// The usual options: entry `mpy_init`, nothing else kept.
    pub fn new(arch: Arch, source_name: impl Into<String>) -> LinkOptions {
        LinkOptions {
            arch,
            source_name: source_name.into(),
            entry: "mpy_init".to_owned(),
            qstrs: Vec::new(),
            keep: Vec::new(),
        }
    }
}

/// An object or archive.
#[derive(Clone, Debug)]
pub struct Input {
    /// As error messages show it.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A linked module.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The file.
    pub mpy: Vec<u8>,
    pub sizes: Sizes,
    /// What stands where, in order.
    pub map: Vec<MapEntry>,
    /// Archive members that were passed over because they hold no machine code, with the reason.
    pub skipped: Vec<String>,
}

/// Sizes in bytes, except for counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub text: u64,
    pub rodata: u64,
    pub bss: u64,
    /// Words that the loader has to fill in (a count).
    pub relocations: usize,
    /// Strings that the module interns (a count).
    pub qstrs: usize,
}

/// Links `inputs` into a module.
///
/// Objects are all taken; archive members are taken as far as undefined symbols ask for them. What
/// the entry and the kept symbols do not reach is left out.
///
/// # Errors
/// Everything that the output could not hold faithfully, each with its place and what to change.
pub fn link(options: &LinkOptions, inputs: &[Input]) -> Result<Linked, LinkError> {
    let arch = arch::for_arch(options.arch)?;
    if inputs.is_empty() {
        return Err(LinkError::NoInput);
    }
    let mut roots: Vec<&str> = vec![&options.entry];
    roots.extend(options.keep.iter().map(String::as_str));

    let mut program = Program::default();
    let files = inputs
        .iter()
        .map(|input| (input.name.as_str(), input.bytes.as_slice()));
    let resolution = resolution::resolve(&mut program, arch, files, &roots)?;
    let live = liveness::live_sections(&program, &resolution, &roots)?;
    let (mut pieces, piece_of) = references::plan(&program, &resolution, &live, arch)?;

    let bad_entry = |found| LinkError::BadEntry {
        symbol: options.entry.clone(),
        found,
    };
    let Some(Target::Section { section, offset }) = resolution.global(&program, &options.entry)
    else {
        return Err(bad_entry("a number or a name of MicroPython's"));
    };
    if program.sections[section.0].kind != SectionKind::Code {
        return Err(bad_entry("data"));
    }
    let (Some(entry), Ok(offset)) = (piece_of[section.0], i64::try_from(offset)) else {
        return Err(bad_entry("left out"));
    };
    let init = references::init_functions(&program, &resolution, arch, &piece_of)?;
    let first = if offset == 0 && init.is_empty() {
        entry
    } else {
        let cause = piece::Cause {
            relocation: "entry",
            section,
            offset: 0,
            symbol: 0,
        };
        let functions: Vec<Goal<'_>> = init.iter().map(|(goal, _)| *goal).collect();
        pieces.add(arch.entry_code(
            &functions,
            Goal::Piece {
                piece: entry,
                offset,
            },
            cause,
        ))
    };
    let first_qstrs: Vec<&str> = options.qstrs.iter().map(String::as_str).collect();
    let layout = layout::lay_out(&program, &pieces, arch, first)?;
    let image = image::fill(&program, &pieces, &layout, arch, &first_qstrs)?;
    Ok(Linked {
        mpy: writer::write(options.arch, &options.source_name, &image),
        sizes: Sizes {
            text: layout.size(piece::Block::Text),
            rodata: layout.size(piece::Block::Rodata),
            bss: layout.size(piece::Block::Bss),
            relocations: image.relocations.len(),
            qstrs: image.qstrs.len() + 1,
        },
        map: image::map(&pieces, &layout),
        skipped: resolution.skipped,
    })
}
