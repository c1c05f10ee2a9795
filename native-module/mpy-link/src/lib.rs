//! Links ELF objects and archives into a native MicroPython `.mpy` file, and shows what such files hold.
//!
//! # Phases
//! 1. `input` reads an object: what each section is for (`section`), what each relocation means.
//!    Relocation numbers end here; from now on there are kinds (`relocation`).
//! 2. `resolution` decides what each name stands for and which archive members join.
//! 3. `liveness` keeps what the roots reach.
//! 4. `references` plans every reference of what is left: filled in by the linker, left to
//!    MicroPython's loader, through the table of addresses, through a stub. The CPU's file (`arch`)
//!    plans those in code. The material is `piece`s and slots of the table.
//! 5. `layout` gives each piece and slot its address; a CPU may then make code shorter (`relax`), and
//!    the layout is made anew, until nothing changes.
//! 6. `qstrs` numbers the strings; `image` fills in every field and lists the words that are left to the loader.
//! 7. `writer` writes the file. `dump` reads any such file back, independently of the writer.
//!
//! # Invariants
//! * What is not understood is an error. Sections are sorted by type and flags, not by known names;
//!   the few that are left out on purpose stand in one list (`section`).
//! * Every word of the output that depends on where the module is loaded is in the list for the
//!   loader, or is a distance within one block. There is no third kind.
//! * No file outside `arch` names a CPU (a test), and none but the CPU's file knows an instruction.
//! * The same inputs make the same bytes: nothing depends on addresses, hashes or time.
//!
//! # Where things go on x64, and why
//! The loader makes two stretches of memory whose distance is unknown: *text*, and one block with
//! *bss* and *rodata* behind each other. It can add the address of any of them, or of what the
//! function table holds, to an aligned 64-bit word in text or rodata; it cannot fill in a distance.
//!
//! On the unix port, the only one for x64, text is a mapping of its own, readable, writable and
//! executable (`mp_unix_alloc_exec`), and the block is on MicroPython's heap. The garbage collector
//! scans the heap, the block included (it is held by `persistent_code_root_pointers`), but not the
//! mapping: its list of regions points outside of the heap, and nothing else marks it (checked in
//! 1.25.0 and 1.26.1).
//!
//! Therefore:
//! * Code, read-only data, read-only data with addresses in it (vtables, slices of strings: words
//!   for the loader) and the table of addresses are in text. Code names them by their distance, as
//!   compilers do.
//! * Everything writable is in the block: `.data` in rodata, `.bss` and common symbols in bss. A
//!   heap object that only a static points to is kept. Statics in text, where they could be reached
//!   just as easily, would lose it: a crash after the next collection.
//! * Compilers name a local static by its distance even in position-independent code
//!   (`mov counter(%rip), %eax`), most of all after link-time optimisation. That distance does not
//!   exist, so the instruction is changed (`arch/x64/code.rs` says how): `lea` takes the address
//!   from the table of addresses at no cost, a plain load takes two jumps and one load more, anything
//!   else also saves a register (measured in a loop: 3 cycles for a load, 6 for an increment, 1 for
//!   one on the stack). Distances could instead be patched when the module starts, but
//!   32 bits do not reach a heap that lies elsewhere, as a small one does.

//!
//! # On other boards
//! The same blocks, the same reasons; each CPU's file says what it does with them.
//! * Ports for ARM and for RISC-V without memory of its own for code keep text on the heap. Some of
//!   them keep the block of bss and rodata for no other reason than that text holds its first address
//!   (`MICROPY_PERSISTENT_CODE_TRACK_BSS_RODATA` is 0), and a pointer to anywhere else in it does not
//!   count for the collector. The table of addresses gets a word with it (`references::hold_statics`).
//! * Where a word reaches all of memory, a distance to the block can be finished when the module
//!   starts: ARM and x86 have such *late* fields (`Formula::LateRelative`), and code in front
//!   of the entry completes them. Instructions stay as they are.
//! * ESP32-C3 and its like copy text to memory that has only word alignment; read-only data that asks
//!   for more goes to rodata there.

mod arch;
mod archive;
mod bounds;
mod destination;
pub mod dump;
mod dump_text;
mod error;
mod image;
mod input;
mod layout;
mod liveness;
mod map;
mod piece;
mod qstrs;
mod references;
mod relocation;
mod resolution;
mod section;
mod writer;

pub use destination::Destination;
pub use dump::{Dump, DumpError, dump};
pub use error::{LinkError, Location, UNDEFINED_SHOWN, Undefined};
pub use map::{MapEntry, MapSymbol};
pub use micropython_sys::arch::Arch;

use input::Program;
use micropython_sys::mpy;
use piece::Goal;
use resolution::Target;
use section::SectionKind;

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
    /// name slots by number (`mp_native_qstr_table[1]`, as upstream's headers do) and do not bring
    /// the list themselves, in sections `.mpy_qstrs.N`.
    pub qstrs: Vec<String>,
    /// Symbols to keep although nothing refers to them.
    pub keep: Vec<String>,
    /// Names of what is at fixed addresses on the board, such as functions in its ROM. Definitions
    /// in the inputs go before.
    pub externs: Vec<(String, u64)>,
    /// Bits for the header that say what the board's core must have ([`parse_arch_flags`]); with any,
    /// the file needs MicroPython 1.28.
    pub arch_flags: u32,
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
            externs: Vec::new(),
            arch_flags: 0,
        }
    }
}

/// An object or archive.
#[derive(Clone, Debug)]
pub struct Input<Bytes = Vec<u8>> {
    /// As error messages show it.
    pub name: String,
    pub bytes: Bytes,
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

/// The bits for [`LinkOptions::arch_flags`] from names with commas between, or from a number.
///
/// # Errors
/// A name or bit that the architecture does not have.
pub fn parse_arch_flags(arch: Arch, text: &str) -> Result<u32, LinkError> {
    let names = arch::for_arch(arch).arch_flags();
    let known = names.iter().fold(0, |bits, (_, bit)| bits | bit);
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let named = || {
        text.split(',').try_fold(0, |bits, name| {
            let (_, bit) = names.iter().find(|(known, _)| *known == name)?;
            Some(bits | bit)
        })
    };
    number
        .filter(|bits| bits & !known == 0)
        .or_else(named)
        .ok_or_else(|| LinkError::ArchFlags {
            flags: text.to_owned(),
            arch: arch.name(),
            known: if names.is_empty() {
                "none".to_owned()
            } else {
                let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
                names.join(", ")
            },
        })
}

/// Rounds of making code shorter. A few are enough; the rest is for those that never settle.
const MOST_ROUNDS: usize = 50;

/// Links `inputs` into a module.
///
/// Objects are all taken; archive members are taken as far as undefined symbols ask for them. What
/// the entry and the kept symbols do not reach is left out.
///
/// # Errors
/// Everything that the output could not hold faithfully, each with its place and what to change.
pub fn link<Bytes: AsRef<[u8]>>(
    options: &LinkOptions,
    inputs: &[Input<Bytes>],
) -> Result<Linked, LinkError> {
    let files: Vec<(&str, &[u8])> = inputs
        .iter()
        .map(|input| (input.name.as_str(), input.bytes.as_ref()))
        .collect();
    link_files(options, &files)
}

fn link_files(options: &LinkOptions, files: &[(&str, &[u8])]) -> Result<Linked, LinkError> {
    let arch = arch::for_arch(options.arch);
    if files.is_empty() {
        return Err(LinkError::NoInput);
    }
    let mut roots: Vec<&str> = vec![&options.entry];
    roots.extend(options.keep.iter().map(String::as_str));

    let mut program = Program::default();
    program.arch_flags = options.arch_flags;
    let files = files.iter().copied();
    let resolution = resolution::resolve(&mut program, arch, files, &roots, &options.externs)?;
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
    // Near the text's start, wherever its object stands among the inputs.
    pieces.pieces[entry.0].group = piece::Group::Entry;
    let init = references::init_functions(&program, &resolution, arch, &piece_of)?;
    let late = pieces.late();
    let leads = arch.code_offset(offset as u64) == 0 && !arch.got_leads();
    let first = if leads && init.is_empty() && late.is_empty() {
        entry
    } else {
        let functions: Vec<Goal<'_>> = init.iter().map(|(goal, _)| *goal).collect();
        let start = arch::Start {
            late: &late,
            functions: &functions,
            entry: Goal::Piece {
                piece: entry,
                offset,
            },
            cause: piece::Cause {
                relocation: "entry",
                section,
                offset: 0,
                symbol: 0,
            },
        };
        let code = arch.entry_code(&start);
        pieces.add(code.map_err(|error| references::relocation_error(&program, error))?)
    };
    if arch.text_holds_statics() {
        references::hold_statics(&mut pieces, entry);
    }
    arch.arrange(&mut pieces);
    let first_qstrs = qstrs::numbered(&program, &options.qstrs)?;
    let mut layout = layout::lay_out(&program, &pieces, arch, first)?;
    // What becomes shorter brings other things nearer, until nothing changes any more. Every state on
    // the way is a right one.
    for _ in 0..MOST_ROUNDS {
        if !arch.relax(&mut pieces, &layout) {
            break;
        }
        layout = layout::lay_out(&program, &pieces, arch, first)?;
    }
    let image = image::fill(&program, &pieces, &layout, arch, &first_qstrs)?;
    check_qstrs(&options.source_name, &image)?;
    Ok(Linked {
        mpy: writer::write(options, &image),
        sizes: Sizes {
            text: layout.size(piece::Block::Text),
            rodata: layout.size(piece::Block::Rodata),
            bss: layout.size(piece::Block::Bss),
            relocations: image.relocations.len(),
            qstrs: image.qstrs.len() + 1,
        },
        map: map::map(&program, &pieces, &layout, arch),
        skipped: resolution.skipped,
    })
}

/// A longer string could not be interned.
fn check_qstrs(source_name: &str, image: &image::Image<'_>) -> Result<(), LinkError> {
    match image
        .qstrs
        .iter()
        .chain([&source_name])
        .find(|text| text.len() > mpy::QSTR_LENGTH_LIMIT)
    {
        Some(text) => Err(LinkError::TooLarge {
            what: "longest qstr",
            size: text.len() as u64,
            limit: mpy::QSTR_LENGTH_LIMIT as u64,
        }),
        None => Ok(()),
    }
}
