//! Reads the section in which compilers say for which core and calling convention they made an object
//! ("Addenda to, and Errata in, the ABI for the Arm Architecture"; RISC-V psABI, "Attributes").

use object::elf::FileHeader32;
use object::read::elf::AttributesSection;
use object::{Endianness, elf};

/// A value as its tag has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Text(String),
}

/// The attributes of the whole file under this vendor's name. `is_text` says which tags have texts.
pub(super) fn of_file(
    section: &[u8],
    vendor: &str,
    is_text: impl Fn(u64) -> bool,
) -> Result<Vec<(u64, Value)>, String> {
    let wrong = |error: object::read::Error| format!("its attributes are malformed: {error}");
    // The bytes are the same in files of both word sizes.
    let section = AttributesSection::<FileHeader32<Endianness>>::new(Endianness::Little, section)
        .map_err(wrong)?;
    let mut found = Vec::new();
    let mut subsections = section.subsections().map_err(wrong)?;
    while let Some(subsection) = subsections.next().map_err(wrong)? {
        if subsection.vendor() != vendor.as_bytes() {
            continue;
        }
        let mut parts = subsection.subsubsections();
        while let Some(part) = parts.next().map_err(wrong)? {
            if part.tag() != elf::Tag_File {
                continue;
            }
            let mut reader = part.attributes();
            while let Some(tag) = reader.read_tag().map_err(wrong)? {
                let value = if is_text(tag) {
                    let text = reader.read_string().map_err(wrong)?;
                    Value::Text(String::from_utf8_lossy(text).into_owned())
                } else {
                    Value::Number(reader.read_integer().map_err(wrong)?)
                };
                found.push((tag, value));
            }
        }
    }
    Ok(found)
}
