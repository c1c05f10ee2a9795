//! Decides which strings stand in the module's qstr table ahead of those that symbols ask for.
//!
//! Code may name a string by its slot in the table (`mp_native_qstr_table[3]`). Which string that is, the objects
//! say themselves in sections named `.mpy_qstrs.N`: each string with a NUL behind it. Sections follow one another
//! by their names, and the first string of all is in slot 1. Upstream's way is a C header, which the options bring.

use crate::error::LinkError;
use crate::input::Program;
use crate::section::SectionKind;

/// The strings of the first slots, from slot 1 on.
pub(crate) fn numbered<'a>(
    program: &Program<'a>,
    from_options: &'a [String],
) -> Result<Vec<&'a str>, LinkError> {
    let mut lists: Vec<_> = program
        .sections
        .iter()
        .filter(|section| section.kind == SectionKind::QstrList)
        .collect();
    lists.sort_by(|a, b| a.name.cmp(&b.name));
    let error = |list: &crate::input::Section<'_>, problem: String| LinkError::UnknownSection {
        object: program.objects[list.object].name.clone(),
        section: list.name.to_string(),
        problem,
    };
    for pair in lists.windows(2) {
        if pair[0].name == pair[1].name {
            let other = &program.objects[pair[0].object].name;
            return Err(error(
                pair[1],
                format!(
                    "{other} has a list of the same name, so that the strings' numbers are not certain; compile the module as one crate with lto = \"fat\""
                ),
            ));
        }
    }
    if let (Some(list), false) = (lists.first(), from_options.is_empty()) {
        return Err(error(
            list,
            "the strings' numbers are given by --qstrs too; use one of them".to_owned(),
        ));
    }
    let mut strings: Vec<&str> = from_options.iter().map(String::as_str).collect();
    for list in lists {
        let text = std::str::from_utf8(list.data)
            .map_err(|_| error(list, "the list of strings is not UTF-8".to_owned()))?;
        let Some(text) = text.strip_suffix('\0') else {
            if text.is_empty() {
                continue;
            }
            return Err(error(
                list,
                "the last string has no NUL behind it".to_owned(),
            ));
        };
        strings.extend(text.split('\0'));
    }
    Ok(strings)
}
