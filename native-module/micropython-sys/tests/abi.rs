//! Decides whether this crate's data is what MicroPython's own headers say, for 1.25 and 1.26 and for both word
//! sizes.
//!
//! The headers are those of Debian's source packages, measured by bindgen.

#[path = "abi/headers.rs"]
mod headers;

use headers::{Config, Measured};
use micropython_sys::layout;

/// Measures the headers, or says by name why this test was skipped (which is a failure under `UMQTT_REQUIRE_ALL`).
fn measured(test: &str, version: &str, config: Config) -> Option<(std::path::PathBuf, Measured)> {
    let source = headers::source(version).and_then(|source| {
        std::panic::catch_unwind(bindgen::clang_version)
            .map(|_| source)
            .map_err(|_| "libclang is missing; on Debian: apt-get install libclang-dev".to_string())
    });
    match source {
        Ok(source) => {
            let measured = headers::measure(&source, config);
            Some((source, measured))
        }
        Err(reason) if std::env::var_os("UMQTT_REQUIRE_ALL").is_some() => {
            panic!("cannot run: {reason}")
        }
        Err(reason) => {
            println!("skipped: {test}: {reason}");
            None
        }
    }
}

/// Everything that is compared, for one version and one configuration.
fn check(test: &str, version: &str, config: Config) {
    let Some((source, measured)) = measured(test, version, config) else {
        return;
    };
    let mut wrong = layouts(&measured, config.word_size());
    wrong.extend(constants(&measured));
    wrong.extend(function_table(&measured, config.word_size()));
    wrong.extend(static_qstrs(&source));
    assert!(
        wrong.is_empty(),
        "MicroPython {version} for {config:?} says otherwise:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn headers_of_1_25_with_8_byte_words() {
    check("headers_of_1_25_with_8_byte_words", "1.25", Config::UnixX64);
}

#[test]
fn headers_of_1_26_with_8_byte_words() {
    check("headers_of_1_26_with_8_byte_words", "1.26", Config::UnixX64);
}

#[test]
fn headers_of_1_25_with_4_byte_words() {
    check("headers_of_1_25_with_4_byte_words", "1.25", Config::BareArm);
}

#[test]
fn headers_of_1_26_with_4_byte_words() {
    check("headers_of_1_26_with_4_byte_words", "1.26", Config::BareArm);
}

/// Sizes, offsets and bit-fields; and that no field of C's is left out.
fn layouts(measured: &Measured, word_size: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for layout in layout::ALL {
        let name = layout.c_name;
        let mut differ = |what: String, ours: Option<usize>, theirs: Option<usize>| {
            if ours != theirs {
                wrong.push(format!(
                    "{name} ({}): {what}: here {ours:?}, there {theirs:?}",
                    layout.header
                ));
            }
        };
        differ(
            "size".into(),
            Some(layout.size.at(word_size)),
            measured.sizes.get(name).copied(),
        );
        for field in layout.fields {
            // A bit-field unit has no offset of its own in bindgen's tests; its bits are compared below and the
            // fields around it fix its place.
            if field.c_name == "_bitfield_1" {
                continue;
            }
            let theirs = measured
                .offsets
                .get(&(name.to_string(), field.c_name.to_string()))
                .copied();
            differ(
                field.c_name.into(),
                Some(field.offset.at(word_size)),
                theirs,
            );
        }
        for bits in layout.bits {
            let ours = bits.shift.0 * word_size * 8 / 2 + bits.shift.1;
            let theirs = measured
                .bits
                .get(&(name.to_string(), bits.c_name.to_string()))
                .map(|bits| bits.0);
            differ(format!("first bit of {}", bits.c_name), Some(ours), theirs);
        }
        for (_, field) in measured.offsets.keys().filter(|(owner, _)| owner == name) {
            if !layout.fields.iter().any(|ours| ours.c_name == field) {
                wrong.push(format!(
                    "{name} ({}): field {field} is missing here",
                    layout.header
                ));
            }
        }
    }
    wrong
}

/// Every listed constant that the headers define; at least the number of them that both versions have.
fn constants(measured: &Measured) -> Vec<String> {
    use micropython_sys::{arch, arg, buffer, map, mpy, native_type, op, raw_code, stream, types};
    let lists: [&[(&str, i64)]; 13] = [
        arch::ARCH_NUMBERS,
        arg::ARG_FLAGS,
        buffer::BUFFER_FLAGS,
        map::LOOKUP_KINDS,
        mpy::VERSIONS,
        mpy::SCOPE_FLAGS,
        mpy::PERSISTENT_OBJS,
        native_type::NATIVE_TYPES,
        op::UNARY_OPS,
        op::BINARY_OPS,
        raw_code::RAW_CODE_CONSTANTS,
        stream::STREAM_CONSTANTS,
        types::TYPE_FLAGS,
    ];
    let mut wrong = Vec::new();
    for (name, ours) in lists.into_iter().flatten() {
        let theirs = measured.constants.get(*name).copied();
        if theirs != Some(*ours) {
            wrong.push(format!("{name}: here {ours}, there {theirs:?}"));
        }
    }
    wrong
}

/// Names, order and signatures of the function table.
fn function_table(measured: &Measured, word_size: usize) -> Vec<String> {
    let ours = our_table();
    let mut wrong = Vec::new();
    if measured.table.len() != ours.len()
        || measured.table.len() != micropython_sys::FUN_TABLE_NAMES.len()
    {
        wrong.push(format!(
            "function table: here {} entries, there {}",
            ours.len(),
            measured.table.len()
        ));
    }
    for (index, ((name, theirs), ours)) in measured.table.iter().zip(&ours).enumerate() {
        if *name != micropython_sys::FUN_TABLE_NAMES[index] {
            wrong.push(format!(
                "entry {index}: here {}, there {name}",
                micropython_sys::FUN_TABLE_NAMES[index]
            ));
        }
        let offset = measured
            .offsets
            .get(&("_mp_fun_table_t".to_string(), name.clone()))
            .copied();
        if offset != Some(index * word_size) {
            wrong.push(format!(
                "entry {index} ({name}): here at {}, there at {offset:?}",
                index * word_size
            ));
        }
        // `va_list` is a structure, an array or a pointer, as the architecture likes; the entry is untyped here.
        if name != "vprintf_" && ours != theirs {
            wrong.push(format!(
                "entry {index} ({name}): here {ours}, there {theirs}"
            ));
        }
    }
    wrong
}

/// The signatures as this crate's source states them.
fn our_table() -> Vec<String> {
    let file = syn::parse_file(include_str!("../src/fun_table.rs")).expect("our own source");
    let rows = file
        .items
        .into_iter()
        .find_map(|item| match item {
            syn::Item::Macro(item) if item.mac.path.is_ident("fun_table") => Some(item.mac.tokens),
            _ => None,
        })
        .expect("the list of entries");
    let row = |input: syn::parse::ParseStream| -> syn::Result<String> {
        input.call(syn::Attribute::parse_outer)?;
        let index;
        syn::bracketed!(index in input);
        index.parse::<syn::LitInt>()?;
        input.parse::<syn::Ident>()?;
        input.parse::<syn::Token![=]>()?;
        input.parse::<syn::LitStr>()?;
        input.parse::<syn::Token![:]>()?;
        Ok(headers::signature(&input.parse::<syn::Type>()?))
    };
    let list = |input: syn::parse::ParseStream| {
        Ok(input
            .parse_terminated(row, syn::Token![,])?
            .into_iter()
            .collect::<Vec<_>>())
    };
    syn::parse::Parser::parse2(list, rows).expect("rows of entries")
}

/// The list in `py/makeqstrdata.py`, read line by line.
fn static_qstrs(source: &std::path::Path) -> Vec<String> {
    let text =
        std::fs::read_to_string(source.join("py/makeqstrdata.py")).expect("py/makeqstrdata.py");
    let theirs: Vec<String> = text
        .lines()
        .skip_while(|line| !line.starts_with("static_qstr_list = ["))
        .skip(1)
        .take_while(|line| !line.starts_with(']'))
        .map(|line| {
            let quoted = line
                .trim()
                .strip_prefix('"')
                .and_then(|rest| rest.split('"').next());
            quoted
                .expect("a quoted string per line")
                .replace("\\n", "\n")
        })
        .collect();
    let ours = &micropython_sys::qstr::STATIC_QSTRS[1..];
    let mut wrong = Vec::new();
    if theirs.len() != ours.len() {
        wrong.push(format!(
            "static qstrs: here {}, there {}",
            ours.len(),
            theirs.len()
        ));
    }
    for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        if ours != theirs {
            wrong.push(format!(
                "static qstr {}: here {ours:?}, there {theirs:?}",
                index + 1
            ));
        }
    }
    wrong
}
