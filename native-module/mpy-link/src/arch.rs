//! What the rest of the linker asks a CPU: one trait, one file per CPU, one table of them.
//!
//! A new CPU is a file beside this one and a line in [`for_arch`]. Nothing outside `arch/` names one
//! (a test below holds that).

mod arm;
mod attributes;
mod riscv;
mod x64;
mod x86;
mod xtensa;

use micropython_sys::arch::Arch;

use crate::error::LinkError;
use crate::input::Parts;
use crate::layout::Layout;
use crate::piece::{Block, Cause, Fixup, Goal, Group, Late, Piece, PieceId, Pieces};
use crate::references::plan_data;
use crate::relocation::{Field, Meaning, RelocationKind};
use crate::section::SectionKind;

/// What a CPU's file decides.
pub(crate) trait Architecture {
    fn arch(&self) -> Arch;

    /// `e_machine` of its objects.
    fn elf_machine(&self) -> u16;

    /// The name in the CPU's ABI document, meaning and field of a relocation number; `None` if it
    /// is not listed.
    fn known(&self, number: u32) -> Option<(&'static str, RelocationKind, Field)>;

    /// The meaning of a relocation number.
    fn meaning(&self, number: u32) -> Meaning {
        let unknown = (
            "an unknown relocation",
            RelocationKind::Unknown,
            Field::signed(1),
        );
        let (name, kind, field) = self.known(number).unwrap_or(unknown);
        Meaning {
            number,
            name,
            kind,
            field,
        }
    }

    /// Puts what is peculiar to this CPU's objects into the words of the rest of the linker, as soon as
    /// an object has been read.
    fn prepare<'a>(&self, _: &mut Parts<'_, 'a>) -> Result<(), LinkError> {
        Ok(())
    }

    /// Where sections of a kind go, and in which order; `None` for kinds that are not placed.
    /// `align` is what the section asks for, in bytes.
    fn placement(&self, kind: &SectionKind, align: u64) -> Option<(Block, Group)> {
        let _ = align;
        beside_code(kind)
    }

    /// The alignment in bytes that a section of a kind gets if it asks for `align`.
    fn alignment(&self, kind: &SectionKind, align: u64) -> u64 {
        let _ = kind;
        align
    }

    /// Whether the table of addresses stands ahead of all else in its block but the entry's jump, for
    /// code that reaches it backwards only.
    fn got_leads(&self) -> bool {
        false
    }

    /// The alignment in bytes that the loader's memory has at the start of a block.
    fn block_alignment(&self, block: Block) -> u64;

    /// The offset at which code really starts whose symbol has this value: a CPU may tell
    /// instruction sets apart by a low bit, which stays on in addresses.
    fn code_offset(&self, value: u64) -> u64 {
        value
    }

    /// Whether some ports keep the memory of bss and rodata only because text holds its address.
    /// They do where text is on MicroPython's heap (`MICROPY_PERSISTENT_CODE_TRACK_BSS_RODATA`), and
    /// only the exact start of the memory counts as such an address for the garbage collector.
    fn text_holds_statics(&self) -> bool;

    /// Turns the references of one piece of data into fields to fill.
    fn plan_data<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        bytes: &[u8],
        references: &[Reference<'a>],
    ) -> Result<Vec<Fixup<'a>>, PlanError> {
        let _ = bytes;
        references
            .iter()
            .map(|reference| plan_data(pieces, reference))
            .collect()
    }

    /// Turns the references of one piece of code into fields to fill, adding slots, stubs and
    /// changing instructions as needed.
    fn plan_code<'a>(
        &self,
        pieces: &mut Pieces<'a>,
        piece: PieceId,
        code: &CodeSection<'_, 'a>,
    ) -> Result<Vec<Fixup<'a>>, PlanError>;

    /// Code to stand at the text's first byte.
    fn entry_code<'a>(&self, start: &Start<'_, 'a>) -> Result<Piece<'a>, PlanError>;

    /// Names and bits of what a core of this architecture may have beyond it
    /// (`--arch-flags` of `tools/mpy_ld.py` in 1.28).
    fn arch_flags(&self) -> &'static [(&'static str, u32)] {
        &[]
    }

    /// What to take for a function that this CPU's compilers call for copying and clearing memory.
    fn provided(&self, name: &str) -> Option<Provided> {
        let _ = name;
        None
    }

    /// Makes a function that [`Architecture::provided`] offers. Returns where it starts.
    fn make<'a>(&self, pieces: &mut Pieces<'a>, name: &'static str, cause: Cause) -> Goal<'a> {
        let _ = (pieces, name, cause);
        Goal::Absolute(0)
    }

    /// The name of the section in which an object says what it was compiled for.
    fn attributes_section(&self) -> Option<&'static str> {
        None
    }

    /// Checks an object by what it says about itself: the header's flags and its attributes, beside the
    /// flags that the module will carry. The name of its float ABI is returned if it has one; all
    /// objects of a module must agree. What is wrong, and the way out, if it is for other boards.
    fn check_object(
        &self,
        header: u32,
        attributes: Option<&[u8]>,
        arch_flags: u32,
    ) -> Result<Option<&'static str>, String> {
        let _ = (header, attributes, arch_flags);
        Ok(None)
    }

    /// Gives pieces ranks that make code shorter, before anything has an address.
    fn arrange(&self, pieces: &mut Pieces<'_>) {
        let _ = pieces;
    }

    /// Makes code shorter now that the layout says how far things are. True if anything changed, so
    /// that a new layout is needed.
    fn relax(&self, pieces: &mut Pieces<'_>, layout: &Layout) -> bool {
        let _ = (pieces, layout);
        false
    }

    /// Sections that this CPU's compilers add and a module does not need, with the reason.
    fn ignored_section(&self, name: &str, kind: object::elf::SectionType) -> Option<&'static str> {
        let _ = (name, kind);
        None
    }

    fn name(&self) -> &'static str {
        self.arch().name()
    }

    /// In bytes.
    fn word_size(&self) -> usize {
        self.arch().word_size()
    }
}

/// A function that need not come from a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provided {
    /// Another name for one that every module can call.
    As(&'static str),
    /// The CPU's file makes it, once.
    Made(&'static str),
}

/// What happens before the entry runs.
#[derive(Debug)]
pub(crate) struct Start<'s, 'a> {
    /// Fields to finish, by base; empty unless this CPU's file plans such fields.
    pub late: &'s [Late<'a>],
    /// Functions to call, in order.
    pub functions: &'s [Goal<'a>],
    /// Where to go on, with the entry's arguments untouched.
    pub entry: Goal<'a>,
    pub cause: Cause,
}

/// A piece of code as [`Architecture::plan_code`] sees it.
pub(crate) struct CodeSection<'s, 'a> {
    pub bytes: &'a [u8],
    /// Where named things start, ascending.
    pub starts: &'s [u64],
    /// Ascending by offset.
    pub references: &'s [Reference<'a>],
    /// As [`crate::input::Section::entries`].
    pub entries: Option<&'s [u64]>,
}

/// A relocation whose symbol has been found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference<'a> {
    /// Offset in the section, in bytes.
    pub offset: u64,
    pub kind: RelocationKind,
    pub field: Field,
    pub goal: Goal<'a>,
    pub addend: i64,
    /// The goal moves together with the code: its distance is known.
    pub near: bool,
    pub cause: Cause,
}

/// Why a reference cannot be made; the caller adds where.
#[derive(Debug)]
pub(crate) struct PlanError {
    pub cause: Cause,
    pub problem: String,
}

/// The placement for CPUs whose code may read any byte of text: whatever is not written stands beside
/// the code, and the memory of bss and rodata holds what is.
fn beside_code(kind: &SectionKind) -> Option<(Block, Group)> {
    match kind {
        SectionKind::Code => Some((Block::Text, Group::Code)),
        SectionKind::ReadOnly => Some((Block::Text, Group::ReadOnly)),
        SectionKind::ReadOnlyAfterLoad => Some((Block::Text, Group::ReadOnlyAfterLoad)),
        SectionKind::Data => Some((Block::Rodata, Group::Data)),
        SectionKind::Bss => Some((Block::Bss, Group::Bss)),
        SectionKind::InitArray(_)
        | SectionKind::Ignored(_)
        | SectionKind::DuplicateGroup
        | SectionKind::QstrList
        | SectionKind::Refused(_) => None,
    }
}

/// The CPU's part of the linker for an architecture.
pub(crate) fn for_arch(arch: Arch) -> &'static dyn Architecture {
    match arch {
        Arch::X86 => &x86::X86,
        Arch::X64 => &x64::X64,
        Arch::Armv6 => &arm::ARMV6,
        Arch::Armv6m => &arm::ARMV6M,
        Arch::Armv7m => &arm::ARMV7M,
        Arch::Armv7em => &arm::ARMV7EM,
        Arch::Armv7emsp => &arm::ARMV7EMSP,
        Arch::Armv7emdp => &arm::ARMV7EMDP,
        Arch::Xtensa => &xtensa::CALL0,
        Arch::Xtensawin => &xtensa::WINDOWED,
        Arch::Rv32imc => &riscv::RV32,
        Arch::Rv64imc => &riscv::RV64,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                sources(&path, found);
            } else {
                found.push(path);
            }
        }
    }

    /// Whoever adds a CPU touches `arch/`, [`for_arch`](super::for_arch), and nothing else.
    #[test]
    fn generic_files_name_no_cpu() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let mut found = Vec::new();
        let mut checked = 0;
        for file in files {
            let name = file.strip_prefix(&root).expect("below src").to_owned();
            // The command's default and this table are where a CPU may be named.
            if name.starts_with("arch")
                || name == Path::new("arch.rs")
                || name == Path::new("main.rs")
            {
                continue;
            }
            checked += 1;
            let text = fs::read_to_string(&file).expect("UTF-8").to_lowercase();
            for (number, line) in text.lines().enumerate() {
                // Documentation may speak of CPUs; code may not.
                if line.trim_start().starts_with("//") {
                    continue;
                }
                for cpu in [
                    "x64", "x86", "amd64", "arm", "thumb", "xtensa", "riscv", "rv32", "rv64",
                    "aarch",
                ] {
                    if line.contains(cpu) {
                        found.push(format!("{}:{}: {cpu}", name.display(), number + 1));
                    }
                }
            }
        }
        assert!(checked > 10, "only {checked} files were checked");
        assert!(
            found.is_empty(),
            "CPU names in generic files:\n{}",
            found.join("\n")
        );
    }

    #[test]
    fn every_file_says_what_it_decides_and_stays_short() {
        let mut files = Vec::new();
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut files,
        );
        for file in files {
            let text = fs::read_to_string(&file).expect("UTF-8");
            assert!(
                text.starts_with("//! "),
                "{} does not open with //!",
                file.display()
            );
            assert!(text.lines().count() < 800, "{} is too long", file.display());
        }
    }
}
