//! Decides how much memory a file can make the linker take: a small multiple of the file's size.
//!
//! ELF names bytes and strings by their offsets, so a malformed file can name the same megabyte
//! ten thousand times. No compiler does that: sections lie apart, and names share only their ends.

use object::Endianness;
use object::elf;
use object::read::elf::SectionHeader;

/// All names of a file together may be this many times the file's size. Where every section and
/// symbol has a name of its own they cannot exceed it at all; local symbols that share one name
/// (`.L0`, `$d`) take more bytes in the symbol table than their names have.
const NAMES_TO_FILE: usize = 16;

/// How many bytes of names are left to one file.
pub(crate) struct Names {
    left: usize,
}

impl Names {
    pub fn of(file: &[u8]) -> Names {
        Names {
            left: file.len().saturating_mul(NAMES_TO_FILE),
        }
    }

    /// Counts a name and makes text of it. The problem in words, if that cannot be; `what` names
    /// its owner.
    pub fn text<'a>(
        &mut self,
        name: &'a [u8],
        what: impl FnOnce() -> String,
    ) -> Result<&'a str, String> {
        self.left = self.left.checked_sub(name.len()).ok_or_else(|| {
            format!(
                "the names of sections and symbols overlap: together they are more than {NAMES_TO_FILE} times as long as the file"
            )
        })?;
        std::str::from_utf8(name).map_err(|_| format!("the name of {} is not UTF-8", what()))
    }
}

/// The problem in words, if sections share bytes of the file.
pub(crate) fn sections_lie_apart<'a, Section: SectionHeader<Endian = Endianness> + 'a>(
    sections: impl Iterator<Item = &'a Section>,
    endian: Endianness,
    file: &[u8],
) -> Result<(), String> {
    let size = sections
        .filter(|section| section.sh_type(endian) != elf::SHT_NULL)
        .filter_map(|section| section.file_range(endian))
        // Those that lie outside are reported by name when they are read.
        .filter(|(offset, size)| {
            let end = offset.checked_add(*size);
            end.is_some_and(|end| end <= file.len() as u64)
        })
        .fold(0, |sum: u64, (_, size)| sum.saturating_add(size));
    if size > file.len() as u64 {
        return Err(format!(
            "its sections overlap: together they have {size} bytes, and the file has {}",
            file.len()
        ));
    }
    Ok(())
}
