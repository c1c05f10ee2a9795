//! Decides what each symbol name stands for: which definition wins, which archive members join, and
//! which names MicroPython itself provides.
//!
//! The order of the inputs does not matter. A strong definition beats a common one, a common one a
//! weak one; two strong ones are an error. What the function table provides (mem* and a few of
//! MicroPython's objects) beats weak definitions from archives, so that a module does not carry the
//! second copy of memcpy that compiler_builtins offers, but not a definition in an object that was
//! named itself.

use std::collections::HashMap;

use micropython_sys::fun_table;

use crate::arch::{Architecture, Provided};
use crate::archive::{self, Member};
use crate::error::{LinkError, Location, Undefined};
use crate::input::{self, Binding, FileKind, Place, Program, SectionId};
use crate::section::SectionKind;

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target<'a> {
    Section {
        section: SectionId,
        offset: u64,
    },
    /// A plain number; 0 for undefined weak symbols.
    Absolute(u64),
    /// The function table itself.
    FunctionTable,
    /// What entry `n` of the function table points to.
    TableEntry(u8),
    /// The slot of this string in the module's 16-bit qstr table.
    Qstr(&'a str),
    QstrTable,
    /// The start of the table of addresses.
    GotBase,
    /// A function that the CPU's file makes when it is needed.
    Made(&'static str),
}

/// Prefix of the symbols that stand for interned strings.
pub(crate) const QSTR_PREFIX: &str = "MP_QSTR_";

/// Where a global name's winning definition is.
#[derive(Clone, Copy, Debug)]
struct Definition {
    object: usize,
    symbol: usize,
    rank: Rank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Weak,
    Common,
    Strong,
}

/// The answer to every question about names.
pub(crate) struct Resolution<'a> {
    arch: &'static dyn Architecture,
    definitions: HashMap<&'a str, Definition>,
    /// Space made for common symbols.
    commons: HashMap<&'a str, SectionId>,
    /// C names that compiler_builtins offers under a Rust name.
    aliases: HashMap<&'static str, &'a str>,
    /// What is at a fixed address on the board.
    externs: HashMap<&'a str, u64>,
    /// Members and inputs that were passed over, and why; shown by `--verbose`.
    pub skipped: Vec<String>,
}

/// Loads the inputs and as many archive members as the names in use ask for.
pub(crate) fn resolve<'a>(
    program: &mut Program<'a>,
    arch: &'static dyn Architecture,
    inputs: impl Iterator<Item = (&'a str, &'a [u8])>,
    wanted: &[&'a str],
    externs: &'a [(String, u64)],
) -> Result<Resolution<'a>, LinkError> {
    let mut resolution = Resolution {
        arch,
        definitions: HashMap::new(),
        commons: HashMap::new(),
        aliases: HashMap::new(),
        externs: externs
            .iter()
            .map(|(name, address)| (name.as_str(), *address))
            .collect(),
        skipped: Vec::new(),
    };
    let mut members: Vec<Member<'a>> = Vec::new();
    let mut offers: HashMap<&'a str, usize> = HashMap::new();
    let mut queue: Vec<&'a str> = wanted.to_vec();

    for (name, bytes) in inputs {
        if input::file_kind(bytes) == FileKind::Archive {
            let mut note = |defined, member| {
                offers.entry(defined).or_insert(member);
                if let Some(alias) = c_name_of_builtin(defined) {
                    resolution.aliases.entry(alias).or_insert(defined);
                }
            };
            archive::open(
                name,
                bytes,
                &mut members,
                &mut resolution.skipped,
                &mut note,
            )?;
        } else {
            let object = program.add_object(arch, name.to_owned(), bytes, false)?;
            resolution.take_names(program, object, &mut queue)?;
        }
    }
    while let Some(name) = queue.pop() {
        if resolution.definitions.contains_key(name) || resolution.provided(name).is_some() {
            continue;
        }
        let member = offers
            .get(name)
            .or_else(|| offers.get(resolution.aliases.get(name)?));
        let Some(member) = member.map(|index| &mut members[*index]) else {
            continue;
        };
        if std::mem::replace(&mut member.loaded, true) {
            continue;
        }
        let object = program.add_object(arch, member.name(), member.bytes, true)?;
        resolution.take_names(program, object, &mut queue)?;
    }
    resolution.make_commons(program);
    Ok(resolution)
}

/// What MicroPython provides under this name. The names of types and stream functions are those
/// that `tools/mpy_ld.py` knows.
fn provided(name: &str) -> Option<Target<'_>> {
    const FROM_TYPE_TYPE: [&str; 14] = [
        "mp_type_type",
        "mp_type_str",
        "mp_type_list",
        "mp_type_dict",
        "mp_type_fun_builtin_0",
        "mp_type_fun_builtin_1",
        "mp_type_fun_builtin_2",
        "mp_type_fun_builtin_3",
        "mp_type_fun_builtin_var",
        "mp_type_Exception",
        "mp_stream_read_obj",
        "mp_stream_readinto_obj",
        "mp_stream_unbuffered_readline_obj",
        "mp_stream_write_obj",
    ];
    let entry = |index: usize| u8::try_from(index).ok().map(Target::TableEntry);
    match name {
        "mp_fun_table" => Some(Target::FunctionTable),
        "mp_native_qstr_table" => Some(Target::QstrTable),
        "_GLOBAL_OFFSET_TABLE_" => Some(Target::GotBase),
        // memmove does everything that memcpy promises.
        "memcpy" | "memmove" => entry(fun_table::FUN_TABLE_MEMMOVE),
        "memset" => entry(fun_table::FUN_TABLE_MEMSET),
        _ => {
            if let Some(text) = name.strip_prefix(QSTR_PREFIX) {
                return Some(Target::Qstr(text));
            }
            let index = FROM_TYPE_TYPE.iter().position(|known| *known == name)?;
            entry(fun_table::FUN_TABLE_TYPE_TYPE + index)
        }
    }
}

/// On targets with a C library, compiler_builtins carries these functions under their Rust names
/// only (they are `extern "C"` all the same), because the library is expected to have them. A
/// module has no C library.
fn c_name_of_builtin(name: &str) -> Option<&'static str> {
    const BUILTINS: [(&str, &str); 3] = [
        ("6memcmp", "memcmp"),
        ("4bcmp", "bcmp"),
        ("6strlen", "strlen"),
    ];
    let (_, rest) = name.split_once("17compiler_builtins3mem")?;
    BUILTINS.iter().find_map(|(mangled, plain)| {
        let rest = rest.strip_prefix(mangled)?;
        // Nothing follows in the current mangling, a hash in the older one.
        (rest.is_empty() || rest.starts_with("17h")).then_some(*plain)
    })
}

impl<'a> Resolution<'a> {
    /// Enters an object's definitions, and puts on the queue what it needs.
    fn take_names(
        &mut self,
        program: &Program<'a>,
        object: usize,
        queue: &mut Vec<&'a str>,
    ) -> Result<(), LinkError> {
        let from_archive = program.objects[object].from_archive;
        for (index, symbol) in program.objects[object].symbols.iter().enumerate() {
            if symbol.binding == Binding::Local {
                continue;
            }
            let rank = match (symbol.place, symbol.binding) {
                (Place::Undefined, Binding::Weak) => continue,
                (Place::Undefined, _) => {
                    queue.push(symbol.name);
                    continue;
                }
                (Place::Section { section, .. }, _)
                    if program.sections[section.0].kind == SectionKind::DuplicateGroup =>
                {
                    // The group that was taken first defines it.
                    queue.push(symbol.name);
                    continue;
                }
                (_, Binding::Weak) if from_archive && self.provided(symbol.name).is_some() => {
                    continue;
                }
                (_, Binding::Weak) => Rank::Weak,
                (Place::Common { .. }, _) => Rank::Common,
                _ => Rank::Strong,
            };
            let new = Definition {
                object,
                symbol: index,
                rank,
            };
            let Some(old) = self.definitions.get_mut(symbol.name) else {
                self.definitions.insert(symbol.name, new);
                continue;
            };
            if old.rank == Rank::Strong && rank == Rank::Strong {
                return Err(LinkError::Duplicate {
                    symbol: symbol.name.to_owned(),
                    first: program.objects[old.object].name.clone(),
                    object: program.objects[object].name.clone(),
                });
            }
            let larger_common = old.rank == Rank::Common
                && rank == Rank::Common
                && symbol.size > program.objects[old.object].symbols[old.symbol].size;
            if rank > old.rank || larger_common {
                *old = new;
            }
        }
        Ok(())
    }

    /// Gives every common symbol that won a section of its own: the largest size and alignment asked for.
    fn make_commons(&mut self, program: &mut Program<'a>) {
        let mut aligns: HashMap<&str, u64> = HashMap::new();
        for object in &program.objects {
            for symbol in &object.symbols {
                if let Place::Common { align } = symbol.place {
                    let largest = aligns.entry(symbol.name).or_insert(align);
                    *largest = align.max(*largest);
                }
            }
        }
        let mut names: Vec<&'a str> = self
            .definitions
            .iter()
            .filter(|(_, definition)| definition.rank == Rank::Common)
            .map(|(name, _)| *name)
            .collect();
        names.sort_unstable();
        for name in names {
            let Definition { object, symbol, .. } = self.definitions[name];
            self.commons.insert(name, SectionId(program.sections.len()));
            program.sections.push(input::Section {
                object,
                name: format!("COMMON.{name}").into(),
                kind: SectionKind::Bss,
                data: &[],
                size: program.objects[object].symbols[symbol].size,
                align: aligns.get(name).copied().unwrap_or(1),
                relocations: Vec::new(),
                retain: false,
                entries: None,
            });
        }
    }

    /// What `symbol` of `object` stands for; `None` if nothing defines it.
    pub fn target(
        &self,
        program: &Program<'a>,
        object: usize,
        symbol: usize,
    ) -> Option<Target<'a>> {
        let symbol = &program.objects[object].symbols[symbol];
        if symbol.binding == Binding::Local {
            return match symbol.place {
                Place::Section { section, offset } => Some(Target::Section { section, offset }),
                Place::Absolute(value) => Some(Target::Absolute(value)),
                // Relocations without a symbol name symbol 0.
                Place::Undefined if symbol.name.is_empty() => Some(Target::Absolute(0)),
                Place::Undefined | Place::Common { .. } | Place::NoSection => None,
            };
        }
        self.global(program, symbol.name).or_else(|| {
            let weak = symbol.binding == Binding::Weak && symbol.place == Place::Undefined;
            weak.then_some(Target::Absolute(0))
        })
    }

    /// What the board or MicroPython has under this name.
    fn provided<'n>(&self, name: &'n str) -> Option<Target<'n>> {
        match self.externs.get(name) {
            Some(address) => Some(Target::Absolute(*address)),
            None => provided(name).or_else(|| match self.arch.provided(name)? {
                Provided::As(other) => provided(other),
                Provided::Made(name) => Some(Target::Made(name)),
            }),
        }
    }

    /// What a global name stands for.
    pub fn global(&self, program: &Program<'a>, name: &'a str) -> Option<Target<'a>> {
        let Some(definition) = self.definitions.get(name) else {
            let alias = self
                .aliases
                .get(name)
                .filter(|alias| self.definitions.contains_key(*alias));
            return self.provided(name).or_else(|| self.global(program, alias?));
        };
        match program.objects[definition.object].symbols[definition.symbol].place {
            Place::Section { section, offset } => Some(Target::Section { section, offset }),
            Place::Absolute(value) => Some(Target::Absolute(value)),
            Place::Common { .. } => {
                let section = *self.commons.get(name)?;
                Some(Target::Section { section, offset: 0 })
            }
            Place::Undefined | Place::NoSection => None,
        }
    }

    /// The symbol whose definition `symbol` of `object` leads to, for its type and size.
    pub fn defining_symbol<'p>(
        &self,
        program: &'p Program<'a>,
        object: usize,
        symbol: usize,
    ) -> &'p input::Symbol<'a> {
        let own = &program.objects[object].symbols[symbol];
        match self.definitions.get(own.name) {
            Some(definition) if own.binding != Binding::Local => {
                &program.objects[definition.object].symbols[definition.symbol]
            }
            _ => own,
        }
    }
}

/// Where a relocation stands, in the words of an error.
pub(crate) fn location(program: &Program<'_>, section: SectionId, offset: u64) -> Box<Location> {
    let owner = &program.sections[section.0];
    let object = &program.objects[owner.object];
    // The nearest named symbol at or before the offset.
    let inside = object
        .symbols
        .iter()
        .filter_map(|symbol| match symbol.place {
            Place::Section {
                section: at,
                offset: start,
            } if at == section && is_for_people(symbol.name) => {
                (start & !program.code_mark <= offset).then_some((start, symbol.name))
            }
            _ => None,
        })
        .max_by_key(|(start, _)| *start)
        .map(|(_, name)| name.to_owned());
    Box::new(Location {
        object: object.name.clone(),
        section: owner.name.to_string(),
        offset,
        inside,
    })
}

/// Some names only mark where code and data change or where a jump leads.
fn is_for_people(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['$', '.'])
}

/// The error entry for a name that nothing defines.
pub(crate) fn undefined(symbol: &str, used_at: Option<Box<Location>>) -> Undefined {
    let hint = match symbol {
        "memcmp" | "bcmp" | "strlen" => {
            "add an archive with it: link Rust as --crate-type staticlib, which brings compiler_builtins"
        }
        "rust_eh_personality" | "_Unwind_Resume" => "compile with -C panic=abort",
        "mp_native_obj_table" => {
            "a linked module has no table of constant objects; make the object at import"
        }
        "__tls_get_addr" => "thread-local data is not possible in a module: use a plain static",
        "__stack_chk_fail" => "compile with -fno-stack-protector",
        _ if symbol.starts_with("__start_") || symbol.starts_with("__stop_") => {
            "the bounds of sections are not provided; name the entries in an array"
        }
        _ if symbol.starts_with("__udiv")
            || symbol.starts_with("__div")
            || symbol.starts_with("__mul") =>
        {
            "add the compiler's own library: compiler_builtins (Rust staticlib) or libgcc.a"
        }
        _ => "",
    };
    Undefined {
        symbol: symbol.to_owned(),
        used_at,
        hint,
    }
}
