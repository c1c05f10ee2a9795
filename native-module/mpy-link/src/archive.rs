//! Opens archives: which members there are, and which names each offers, without loading any.
//!
//! The names stand in the archive's index, as for every linker: reading each member's own symbols
//! instead takes longer than all the rest of a link that asks libgcc for two functions.

use object::read::archive::{ArchiveFile, ArchiveOffset};

use crate::bounds::Names;
use crate::error::LinkError;
use crate::input::{self, FileKind};

/// The longest name of a member in bytes; every section of the member is shown with it.
const MEMBER_NAME_LIMIT: usize = 1024;

/// A member that has not been asked for yet.
pub(crate) struct Member<'a> {
    archive: &'a str,
    short: &'a [u8],
    pub bytes: &'a [u8],
    pub loaded: bool,
}

impl Member<'_> {
    /// `library.a(member.o)`
    pub fn name(&self) -> String {
        format!("{}({})", self.archive, String::from_utf8_lossy(self.short))
    }
}

/// Appends the archive's members, tells `offer` the names that each defines (with its position in
/// `members`), the first that defines a name first, and notes in `skipped` which members hold no
/// machine code.
pub(crate) fn open<'a>(
    name: &'a str,
    bytes: &'a [u8],
    members: &mut Vec<Member<'a>>,
    skipped: &mut Vec<String>,
    offer: &mut impl FnMut(&'a str, usize),
) -> Result<(), LinkError> {
    let malformed = |problem: String| LinkError::MalformedArchive {
        archive: name.to_owned(),
        problem,
    };
    let archive = ArchiveFile::parse(bytes).map_err(|error| malformed(error.to_string()))?;
    let first = members.len();
    // The offset of each member's bytes in the file, ascending, and its position, if it holds machine code.
    let mut positions: Vec<(u64, Option<usize>)> = Vec::new();
    let mut last: &[u8] = b"";
    for member in archive.members() {
        let member = member.map_err(|error| {
            malformed(match last {
                [] => error.to_string(),
                last => format!("behind {}: {error}", String::from_utf8_lossy(last)),
            })
        })?;
        last = member.name();
        if last.len() > MEMBER_NAME_LIMIT {
            return Err(malformed(format!(
                "a member's name has {} bytes; the limit is {MEMBER_NAME_LIMIT}",
                last.len()
            )));
        }
        let data = member
            .data(bytes)
            .map_err(|error| malformed(format!("{}: {error}", String::from_utf8_lossy(last))))?;
        let position = members.len();
        let member_of = || format!("{name}({})", String::from_utf8_lossy(last));
        // rustc's metadata travels in the archive, bare or wrapped in an object without code.
        let useful = if last.ends_with(b".rmeta") {
            skipped.push(format!("{}: metadata of rustc", member_of()));
            false
        } else {
            match input::file_kind(data) {
                FileKind::Elf32 | FileKind::Elf64 => true,
                FileKind::LlvmBitcode => {
                    skipped.push(format!("{}: LLVM bitcode, no machine code", member_of()));
                    false
                }
                kind => return Err(LinkError::not_an_object(member_of(), kind)),
            }
        };
        positions.push((member.file_range().0, useful.then_some(position)));
        if useful {
            members.push(Member {
                archive: name,
                short: last,
                bytes: data,
                loaded: false,
            });
        }
    }

    let mut indexed = false;
    let mut names = Names::of(bytes);
    let symbols = archive.symbols();
    for symbol in symbols
        .map_err(|error| malformed(error.to_string()))?
        .into_iter()
        .flatten()
    {
        let symbol = symbol.map_err(|error| malformed(format!("its index: {error}")))?;
        let text = names
            .text(symbol.name(), || "a symbol in its index".to_owned())
            .map_err(malformed)?;
        let ArchiveOffset(at) = symbol.offset();
        let position = archive
            .member(symbol.offset())
            .ok()
            .and_then(|member| {
                let offset = member.file_range().0;
                let index = positions.binary_search_by_key(&offset, |(offset, _)| *offset);
                index.ok().map(|index| positions[index].1)
            })
            .ok_or_else(|| {
                malformed(format!(
                    "its index says that {text} is at offset {at:#x}, where no member is"
                ))
            })?;
        if let Some(position) = position {
            indexed = true;
            offer(text, position);
        }
    }
    // Without an index (`ar` with S, or an `ar` that does not know this kind of object) the members say it.
    if indexed {
        return Ok(());
    }
    for (position, member) in members.iter().enumerate().skip(first) {
        let defined =
            input::defined_names(member.bytes).map_err(|problem| LinkError::Malformed {
                object: member.name(),
                problem,
            })?;
        for text in defined {
            offer(text, position);
        }
    }
    Ok(())
}
