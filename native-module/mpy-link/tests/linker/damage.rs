//! Decides how objects, archives and other files are damaged: anywhere, or in the tables of an ELF
//! file, where damage gets past the first checks. Used by the tests and by the fuzz targets.

/// xorshift64*: small, repeatable, good enough to place damage.
pub struct Random(u64);

/// Words of an ELF file that are worth damaging: offset and width in bytes.
type Field = (usize, usize);

impl Random {
    pub fn new(seed: u64) -> Random {
        // The state must not be 0.
        Random(seed.wrapping_mul(2) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Changes one field of one ELF file in `bytes`, which may be an archive. False if there is none.
    pub fn damage_elf(&mut self, bytes: &mut [u8]) -> bool {
        let starts: Vec<usize> = bytes
            .windows(5)
            .enumerate()
            .filter(|(_, window)| window.starts_with(b"\x7fELF") && matches!(window[4], 1 | 2))
            .map(|(at, _)| at)
            .collect();
        if starts.is_empty() {
            return false;
        }
        let start = starts[self.below(starts.len())];
        let file = &mut bytes[start..];
        let Some((at, width)) = self.field(file) else {
            return false;
        };
        let Some(old) = load(file, at, width) else {
            return false;
        };
        let value = match self.below(10) {
            0 => 0,
            1 => old.wrapping_add(1),
            2 => old.wrapping_sub(1),
            3 => old ^ 1 << self.below(8 * width),
            4 => u64::MAX,
            5 => file.len() as u64,
            6 => 1 << self.below(8 * width),
            // Numbers of sections, symbols and relocations are small.
            7 => self.below(16) as u64,
            8 => self.below(256) as u64,
            _ => match self.field(file).and_then(|(at, _)| load(file, at, width)) {
                Some(other) => other,
                None => self.next(),
            },
        };
        file[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        true
    }

    /// A field of the header, of a section header, or of an entry of a table of symbols or relocations.
    fn field(&mut self, file: &[u8]) -> Option<Field> {
        let wide = file[4] == 2;
        let word = if wide { 8 } else { 4 };
        let header: &[Field] = &[
            (16, 2),
            (18, 2),
            (20, 4),
            (24 + 2 * word, word),
            (24 + 3 * word, 4),
        ];
        let counts = 24 + 3 * word + 4;
        if self.below(12) == 0 {
            return Some(match self.below(header.len() + 3) {
                0 => (counts, 2),
                1 => (counts + 6, 2),
                2 => (counts + 8, 2),
                other => header[other - 3],
            });
        }
        let table = load(file, 24 + 2 * word, word)? as usize;
        let count = load(file, counts + 8, 2)? as usize;
        let size = if wide { 64 } else { 40 };
        let section = table.checked_add(self.below(count).checked_mul(size)?)?;
        // Name, type, flags, address, offset, size, link, info, alignment, size of entries.
        let fields: [Field; 10] = if wide {
            [
                (0, 4),
                (4, 4),
                (8, 8),
                (16, 8),
                (24, 8),
                (32, 8),
                (40, 4),
                (44, 4),
                (48, 8),
                (56, 8),
            ]
        } else {
            [
                (0, 4),
                (4, 4),
                (8, 4),
                (12, 4),
                (16, 4),
                (20, 4),
                (24, 4),
                (28, 4),
                (32, 4),
                (36, 4),
            ]
        };
        let of_section = |index: usize| {
            let (at, width) = fields[index];
            Some((section.checked_add(at)?, width))
        };
        let get = |index: usize| of_section(index).and_then(|(at, width)| load(file, at, width));
        let (kind, offset, length) = (get(1)?, get(4)? as usize, get(5)? as usize);
        // Symbols, relocations with and without addend, groups; else the section's bytes.
        let entry: &[Field] = match (kind, wide) {
            (2, true) => &[(0, 4), (4, 1), (5, 1), (6, 2), (8, 8), (16, 8)],
            (2, false) => &[(0, 4), (4, 4), (8, 4), (12, 1), (13, 1), (14, 2)],
            (4, true) => &[(0, 8), (8, 4), (12, 4), (16, 8)],
            (4, false) => &[(0, 4), (4, 1), (5, 2), (8, 4)],
            (9, true) => &[(0, 8), (8, 4), (12, 4)],
            (9, false) => &[(0, 4), (4, 1), (5, 2)],
            (17, _) => &[(0, 4)],
            _ => &[(0, 1), (0, 2), (0, 4)],
        };
        let stride = match (kind, wide) {
            (2 | 4, true) => 24,
            (2, false) | (9, true) => 16,
            (4, false) => 12,
            (9, false) => 8,
            (17, _) => 4,
            _ => 1,
        };
        if self.below(3) == 0 || length < stride || kind == 8 {
            return of_section(self.below(fields.len()));
        }
        let (at, width) = entry[self.below(entry.len())];
        let at = offset
            .checked_add(self.below(length / stride) * stride)?
            .checked_add(at)?;
        (at.checked_add(width)? <= file.len()).then_some((at, width))
    }
}

fn load(file: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = file.get(at..at.checked_add(width)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)),
    )
}
