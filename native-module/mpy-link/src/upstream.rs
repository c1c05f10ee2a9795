//! What makes the command a drop-in for MicroPython's `tools/mpy_ld.py`: the header that `--preprocess`
//! writes and `--qstrs` reads, and the linker scripts of `--externs`.

use std::collections::BTreeSet;
use std::path::Path;

use micropython_sys::qstr::STATIC_QSTRS;

/// The header for sources that use `MP_QSTR_` names: the numbers of strings that every MicroPython has,
/// and for all others a slot in the module's table.
pub fn header(sources: &[String]) -> String {
    let fixed: Vec<String> = STATIC_QSTRS
        .iter()
        .skip(1)
        .map(|text| escaped(text))
        .collect();
    let mut own: BTreeSet<&str> = sources.iter().flat_map(|text| qstr_names(text)).collect();
    for name in &fixed {
        own.remove(name.as_str());
    }
    let mut header = "#include <stdint.h>\n\
        typedef uintptr_t mp_uint_t;\n\
        typedef intptr_t mp_int_t;\n\
        typedef uintptr_t mp_off_t;\n"
        .to_owned();
    for (number, name) in fixed.iter().enumerate() {
        header += &format!("#define MP_QSTR_{name} ({})\n", number + 1);
    }
    for (slot, name) in own.iter().enumerate() {
        header += &format!(
            "#define MP_QSTR_{name} (mp_native_qstr_table[{}])\n",
            slot + 1
        );
    }
    header
        + "extern const uint16_t mp_native_qstr_table[];\n\
           extern const mp_uint_t mp_native_obj_table[];\n"
}

/// What follows `MP_QSTR_` in a source, wherever it stands.
fn qstr_names(source: &str) -> impl Iterator<Item = &str> {
    source.split("MP_QSTR_").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// A string as part of a C name (`qstr_escape` in `py/makeqstrdata.py`, for the characters of strings
/// that have fixed numbers).
fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '_' => c.to_string(),
            ' ' => "_space_".to_owned(),
            '*' => "_star_".to_owned(),
            '/' => "_slash_".to_owned(),
            '<' => "_lt_".to_owned(),
            '>' => "_gt_".to_owned(),
            '-' => "_hyphen_".to_owned(),
            _ => format!("_{:#04x}_", u32::from(c)),
        })
        .collect()
}

/// The strings of `#define MP_QSTR_x (mp_native_qstr_table[n])`, which must count from 1.
pub fn numbered_qstrs(path: &Path, header: &str) -> Result<Vec<String>, String> {
    let mut qstrs = Vec::new();
    for (index, line) in header.lines().enumerate() {
        let Some(definition) = line.strip_prefix("#define MP_QSTR_") else {
            continue;
        };
        let Some((name, rest)) = definition.split_once(" (mp_native_qstr_table[") else {
            continue;
        };
        let number = rest
            .strip_suffix("])")
            .and_then(|number| number.parse::<usize>().ok());
        if number != Some(qstrs.len() + 1) {
            return Err(format!(
                "{}:{}: the slot's number is not {}; make the file again with --preprocess",
                path.display(),
                index + 1,
                qstrs.len() + 1
            ));
        }
        qstrs.push(name.to_owned());
    }
    Ok(qstrs)
}

/// The files that a linker script in place of a library names (`GROUP ( libm-2.36.a libmvec.a )`), as C
/// libraries come; `None` for any other file.
pub fn group(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.trim_start().starts_with("/* GNU ld script") {
        return None;
    }
    let files = ["GROUP", "INPUT"].iter().find_map(|command| {
        let (_, rest) = text.split_once(command)?;
        Some(rest.trim_start().strip_prefix('(')?.split_once(')')?.0)
    })?;
    // What is only needed now and then stands in parentheses of its own.
    let words = files.split_whitespace();
    let names = words.filter(|word| *word != "AS_NEEDED" && *word != "(");
    Some(names.map(str::to_owned).collect())
}

/// The addresses of a linker script with lines `NAME = 0x…;` or `PROVIDE(NAME = 0x…);`, such as a chip
/// maker publishes for its ROM. Other lines say something about other things and are passed over.
pub fn externs(path: &Path, script: &str) -> Result<Vec<(String, u64)>, String> {
    let mut symbols: Vec<(String, u64)> = Vec::new();
    let mut comment = false;
    for (index, line) in script.lines().enumerate() {
        let line = line.trim();
        if comment || line.starts_with("/*") {
            comment = !line.ends_with("*/");
            continue;
        }
        let compact: String = line.split_whitespace().collect();
        let Some(statement) = compact.strip_suffix(';') else {
            continue;
        };
        let assignment = match statement.strip_prefix("PROVIDE(") {
            Some(rest) => rest.strip_suffix(')'),
            None => Some(statement),
        };
        let Some((name, value)) = assignment.and_then(|text| text.split_once("=0x")) else {
            continue;
        };
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let Ok(value) = u64::from_str_radix(value, 16) else {
            continue;
        };
        if !named {
            continue;
        }
        if symbols.iter().any(|(known, _)| known == name) {
            return Err(format!(
                "{}:{}: {name} has an address already; remove one of the lines",
                path.display(),
                index + 1
            ));
        }
        symbols.push((name.to_owned(), value));
    }
    Ok(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_strings_have_numbers_and_others_slots() {
        let header = header(&["x = MP_QSTR_zwei + MP_QSTR___init__;MP_QSTR_eins,".to_owned()]);
        // Numbers and escapes as `makeqstrdata.py` has them.
        for line in [
            "#define MP_QSTR_ (1)\n",
            "#define MP_QSTR___dir__ (2)\n",
            "#define MP_QSTR__0x0a_ (3)\n",
            "#define MP_QSTR__lt_module_gt_ (",
            "#define MP_QSTR_utf_hyphen_8 (",
            "#define MP_QSTR_eins (mp_native_qstr_table[1])\n",
            "#define MP_QSTR_zwei (mp_native_qstr_table[2])\n",
        ] {
            assert!(header.contains(line), "{line:?} is not in\n{header}");
        }
        assert_eq!(header.matches("MP_QSTR___init__").count(), 1);
        let qstrs = numbered_qstrs(Path::new("h"), &header);
        assert_eq!(qstrs, Ok(vec!["eins".to_owned(), "zwei".to_owned()]));
    }

    #[test]
    fn scripts_may_stand_for_libraries() {
        let script = b"/* GNU ld script\n*/\nOUTPUT_FORMAT(elf)\nGROUP ( /usr/lib/libm-2.36.a /usr/lib/libmvec.a )\n";
        let names = vec![
            "/usr/lib/libm-2.36.a".to_owned(),
            "/usr/lib/libmvec.a".to_owned(),
        ];
        assert_eq!(group(script), Some(names));
        assert_eq!(group(b"!<arch>\n"), None);
        assert_eq!(group(b"int main;"), None);
    }

    #[test]
    fn scripts_name_addresses() {
        let path = Path::new("rom.ld");
        let script = "/* one\n a = 0x1;\n*/\n// b = 0x2;\nPROVIDE ( c = 0x40001234 );\n d = 0x10 ;\nSECTIONS { }\ne = d;\n/* x */\nf=0xff;";
        let expected = [("c", 0x4000_1234), ("d", 0x10), ("f", 0xff)];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(externs(path, script), Ok(expected.to_vec()));
        let error = externs(path, "a = 0x1;\na = 0x2;").expect_err("twice");
        assert!(error.starts_with("rom.ld:2: a has an address already"));
    }
}
