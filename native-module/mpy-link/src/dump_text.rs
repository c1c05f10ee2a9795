//! How a dump looks to people.

use std::fmt;

use micropython_sys::mpy;

use crate::destination::Destination;
use crate::dump::{Dump, Kind, Object, Qstr, RawCode, Relocation};

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "version {}.{}  architecture {}  small int {} bits",
            self.version,
            self.sub_version,
            self.arch.unwrap_or("any (bytecode)"),
            self.small_int_bits
        )?;
        if let Some(flags) = self.arch_flags {
            writeln!(f, "architecture flags {flags:#x}")?;
        }
        writeln!(f, "qstrs: {}", self.qstrs.len())?;
        for (index, qstr) in self.qstrs.iter().enumerate() {
            writeln!(f, "  {index:4}  {qstr}")?;
        }
        writeln!(f, "objects: {}", self.objects.len())?;
        for (index, object) in self.objects.iter().enumerate() {
            writeln!(f, "  {index:4}  {object}")?;
        }
        write_code(f, &self.raw_code, &self.qstrs, &mut vec![0])?;
        if self.trailing_bytes > 0 {
            writeln!(
                f,
                "{} bytes behind the end, not read by MicroPython",
                self.trailing_bytes
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Qstr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)?;
        match self.static_index {
            Some(index) => write!(f, "  static {index}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::FunTable => f.write_str("mp_fun_table"),
            Object::None => f.write_str("None"),
            Object::False => f.write_str("False"),
            Object::True => f.write_str("True"),
            Object::Ellipsis => f.write_str("..."),
            Object::Str(text) => write!(f, "{text:?}"),
            Object::Bytes(bytes) => write!(f, "b\"{}\"", bytes.escape_ascii()),
            Object::Int(digits) | Object::Float(digits) | Object::Complex(digits) => {
                f.write_str(digits)
            }
            Object::Tuple(items) => {
                f.write_str("(")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index > 0 { ", " } else { "" };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str(if items.len() == 1 { "," } else { "" })?;
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Bytecode => "bytecode",
            Kind::Native => "native",
            Kind::Viper => "viper",
            Kind::Asm => "asm",
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Text => f.write_str("text"),
            Destination::Rodata => f.write_str("rodata"),
            Destination::Bss => f.write_str("bss"),
            Destination::QstrTable => f.write_str("qstr_table"),
            Destination::ObjectTable => f.write_str("obj_table"),
            Destination::FunctionTable => f.write_str("mp_fun_table"),
            Destination::TableEntry(entry) => match self.entry_name() {
                Some(name) => write!(f, "mp_fun_table.{name}"),
                None => write!(f, "mp_fun_table[{entry}]"),
            },
        }
    }
}

/// `path` holds the position of each raw code in its parent: 0, 0.1, 0.1.0, …
fn write_code(
    f: &mut fmt::Formatter<'_>,
    code: &RawCode,
    qstrs: &[Qstr],
    path: &mut Vec<usize>,
) -> fmt::Result {
    let name: Vec<String> = path.iter().map(usize::to_string).collect();
    write!(f, "raw code {}: {}", name.join("."), code.kind)?;
    if let Some(prelude) = &code.prelude {
        match &prelude.name {
            Some(name) => write!(f, " {name:?}")?,
            None => write!(f, " (name out of range)")?,
        }
    }
    writeln!(f, "  at {:#x}", code.offset)?;
    writeln!(
        f,
        "  text {}  rodata {}  bss {}",
        code.text_size, code.rodata_size, code.bss_size
    )?;
    writeln!(
        f,
        "  scope flags {:#x}{}",
        code.scope_flags,
        flag_names(code)
    )?;
    if let Some(prelude) = &code.prelude {
        writeln!(
            f,
            "  arguments: {} positional, {} keyword-only, {} with defaults; state {} words, {} exception handlers",
            prelude.positional_arguments,
            prelude.keyword_only_arguments,
            prelude.default_arguments,
            prelude.state_words,
            prelude.exception_handlers
        )?;
    }
    if let Some((arguments, signature)) = code.asm {
        writeln!(f, "  arguments: {arguments}; type signature {signature:#x}")?;
    }
    let words: usize = code
        .relocations
        .iter()
        .map(|relocation| relocation.count)
        .sum();
    if !code.relocations.is_empty() {
        writeln!(
            f,
            "  relocations: {words} words in {} entries",
            code.relocations.len()
        )?;
    }
    for relocation in &code.relocations {
        write_relocation(f, relocation, qstrs)?;
    }
    if !code.children.is_empty() {
        writeln!(f, "  children: {}", code.children.len())?;
    }
    for (index, child) in code.children.iter().enumerate() {
        path.push(index);
        write_code(f, child, qstrs, path)?;
        path.pop();
    }
    Ok(())
}

fn flag_names(code: &RawCode) -> String {
    // The same bits mean other things in Python functions (`py/runtime0.h`).
    let names: &[(usize, &str)] = match code.kind {
        Kind::Bytecode | Kind::Native => &[
            (0x01, "generator"),
            (0x02, "**kwargs"),
            (0x04, "*args"),
            (0x08, "keyword defaults"),
        ],
        Kind::Viper | Kind::Asm => &[
            (mpy::MP_SCOPE_FLAG_VIPERRELOC, "relocations"),
            (mpy::MP_SCOPE_FLAG_VIPERRODATA, "rodata"),
            (mpy::MP_SCOPE_FLAG_VIPERBSS, "bss"),
        ],
    };
    let set: Vec<&str> = names
        .iter()
        .filter(|(flag, _)| code.scope_flags & *flag as u64 != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        String::new()
    } else {
        format!(" ({})", set.join(", "))
    }
}

fn write_relocation(
    f: &mut fmt::Formatter<'_>,
    relocation: &Relocation,
    qstrs: &[Qstr],
) -> fmt::Result {
    let block = if relocation.in_rodata {
        "rodata"
    } else {
        "text"
    };
    write!(f, "    {block}+{:#06x}", relocation.offset)?;
    if relocation.count != 1 {
        write!(f, " x{}", relocation.count)?;
    }
    write!(f, "  {}", relocation.destination)?;
    for (index, addend) in relocation.addends.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let qstr = match relocation.destination {
            // Each slot has 16 bits.
            Destination::QstrTable if addend % 2 == 0 => usize::try_from(addend / 2)
                .ok()
                .and_then(|slot| qstrs.get(slot)),
            _ => None,
        };
        match qstr {
            Some(qstr) => write!(f, "{comma} {:?}", qstr.text)?,
            None if *addend != 0 || relocation.count != 1 => write!(f, "{comma} +{addend:#x}")?,
            None => {}
        }
    }
    let hidden = relocation.count - relocation.addends.len();
    if hidden > 0 {
        write!(f, ", and {hidden} more")?;
    }
    writeln!(f)
}
