//! Decides how tests write ELF objects by hand, every field at will: 64-bit, little-endian, for x64 unless told otherwise.

/// `SHT_…`, `SHF_…` (System V ABI, sections).
pub const PROGBITS: u32 = 1;
pub const SYMTAB: u32 = 2;
pub const STRTAB: u32 = 3;
pub const RELA: u32 = 4;
pub const NOBITS: u32 = 8;
pub const GROUP: u32 = 17;
pub const WRITE: u64 = 1;
pub const ALLOC: u64 = 2;
pub const EXEC: u64 = 4;

const EM_X86_64: u16 = 62;
const HEADER: usize = 64;

/// A section header and the section's bytes.
#[derive(Clone, Debug)]
pub struct Section {
    pub name: Vec<u8>,
    pub kind: u32,
    pub flags: u64,
    pub bytes: Vec<u8>,
    pub link: u32,
    pub info: u32,
    pub align: u64,
    pub entry: u64,
    /// What the header says instead of what is so: offset and size.
    pub claimed: (Option<u64>, Option<u64>),
    /// Where the name is said to be in the table of names.
    pub name_at: Option<u32>,
}

impl Section {
    pub fn new(name: &str, kind: u32, flags: u64, bytes: &[u8]) -> Section {
        Section {
            name: name.as_bytes().to_vec(),
            kind,
            flags,
            bytes: bytes.to_vec(),
            link: 0,
            info: 0,
            align: 1,
            entry: 0,
            claimed: (None, None),
            name_at: None,
        }
    }
}

/// A symbol: name, binding and type, section, value, size.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub name: Vec<u8>,
    pub info: u8,
    pub section: u16,
    pub value: u64,
    pub size: u64,
    pub name_at: Option<u32>,
}

/// `STB_GLOBAL`, of no type.
pub const GLOBAL: u8 = 1 << 4;

/// A relocation: offset, symbol, number, addend.
pub type Relocation = (u64, u32, u32, i64);

/// An object. Sections count from 1 in the order of `sections`; behind them come those for the symbols,
/// the relocations of the first section, and the names.
#[derive(Clone, Debug)]
pub struct Elf {
    pub machine: u16,
    pub sections: Vec<Section>,
    /// From symbol 1 on.
    pub symbols: Vec<Symbol>,
    pub relocations: Vec<Relocation>,
}

impl Elf {
    /// A module whose entry is `ret`.
    pub fn new() -> Elf {
        Elf {
            machine: EM_X86_64,
            sections: vec![Section::new(".text", PROGBITS, ALLOC | EXEC, &[0xc3; 16])],
            symbols: vec![symbol("mpy_init", 1)],
            relocations: Vec::new(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let count = self.sections.len() as u32;
        let mut strings = vec![0];
        let mut symbols = vec![0; 24];
        for symbol in &self.symbols {
            let at = symbol.name_at.unwrap_or(strings.len() as u32);
            if symbol.name_at.is_none() {
                strings.extend(&symbol.name);
                strings.push(0);
            }
            symbols.extend(at.to_le_bytes());
            symbols.extend([symbol.info, 0]);
            symbols.extend(symbol.section.to_le_bytes());
            symbols.extend(symbol.value.to_le_bytes());
            symbols.extend(symbol.size.to_le_bytes());
        }
        let mut relocations = Vec::new();
        for (offset, symbol, number, addend) in &self.relocations {
            relocations.extend(offset.to_le_bytes());
            relocations.extend((u64::from(*symbol) << 32 | u64::from(*number)).to_le_bytes());
            relocations.extend(addend.to_le_bytes());
        }
        let mut sections = self.sections.clone();
        let mut table = Section::new(".symtab", SYMTAB, 0, &symbols);
        (table.link, table.info, table.entry) = (count + 3, 1, 24);
        sections.push(table);
        let mut table = Section::new(".rela.text", RELA, 0, &relocations);
        (table.link, table.info, table.entry) = (count + 1, 1, 24);
        sections.push(table);
        sections.push(Section::new(".strtab", STRTAB, 0, &strings));
        let mut names = vec![0];
        let mut name_offsets = Vec::new();
        for section in &sections {
            name_offsets.push(section.name_at.unwrap_or(names.len() as u32));
            if section.name_at.is_none() {
                names.extend(&section.name);
                names.push(0);
            }
        }
        name_offsets.push(names.len() as u32);
        names.extend(b".shstrtab\0");
        sections.push(Section::new(".shstrtab", STRTAB, 0, &names));

        let mut body = Vec::new();
        let mut headers = vec![0; 64];
        for (section, name) in sections.iter().zip(name_offsets) {
            while !(HEADER + body.len()).is_multiple_of(8) {
                body.push(0);
            }
            let offset = section.claimed.0.unwrap_or((HEADER + body.len()) as u64);
            let size = section.claimed.1.unwrap_or(section.bytes.len() as u64);
            if section.kind != NOBITS {
                body.extend(&section.bytes);
            }
            headers.extend(name.to_le_bytes());
            headers.extend(section.kind.to_le_bytes());
            for value in [section.flags, 0, offset, size] {
                headers.extend(value.to_le_bytes());
            }
            headers.extend(section.link.to_le_bytes());
            headers.extend(section.info.to_le_bytes());
            headers.extend(section.align.to_le_bytes());
            headers.extend(section.entry.to_le_bytes());
        }
        while !(HEADER + body.len()).is_multiple_of(8) {
            body.push(0);
        }
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend(1u16.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend([0; 16]);
        file.extend(((HEADER + body.len()) as u64).to_le_bytes());
        file.extend([0; 4]);
        for value in [HEADER, 0, 0, 64, sections.len() + 1, sections.len()] {
            file.extend((value as u16).to_le_bytes());
        }
        file.extend(body);
        file.extend(headers);
        file
    }
}

/// A global symbol at the start of a section; of section 0 it is undefined.
pub fn symbol(name: &str, section: u16) -> Symbol {
    Symbol {
        name: name.as_bytes().to_vec(),
        info: GLOBAL,
        section,
        value: 0,
        size: 0,
        name_at: None,
    }
}

/// An archive of these members, as `ar` writes one with the option S; names of up to 15 bytes, and longer ones in
/// the table of names.
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    indexed_archive(&[], members)
}

/// One with an index: names, and offsets of members in the file.
pub fn indexed_archive(index: &[(&[u8], u32)], members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = String::new();
    let mut file = b"!<arch>\n".to_vec();
    if !index.is_empty() {
        let mut bytes = (index.len() as u32).to_be_bytes().to_vec();
        bytes.extend(index.iter().flat_map(|(_, offset)| offset.to_be_bytes()));
        for (name, _) in index {
            bytes.extend(*name);
            bytes.push(0);
        }
        member(&mut file, "/", &bytes);
    }
    let mut body = Vec::new();
    for (name, bytes) in members {
        let field = if name.len() < 16 {
            format!("{name}/")
        } else {
            let at = names.len();
            names += &format!("{name}/\n");
            format!("/{at}")
        };
        member(&mut body, &field, bytes);
    }
    if !names.is_empty() {
        member(&mut file, "//", names.as_bytes());
    }
    file.extend(body);
    file
}

fn member(file: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let size = bytes.len();
    file.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644).bytes());
    file.extend(bytes);
    if !size.is_multiple_of(2) {
        file.push(b'\n');
    }
}
