//! Decides which objects a RISC-V board can execute, by what they say about themselves.

use micropython_sys::arch::Arch;
use object::elf;

use crate::arch::attributes::{Value, of_file};

/// Tag_RISCV_arch of the "riscv" attributes.
const ARCH_TEXT: u64 = 5;

/// Extensions that every board of the architecture has, or that name parts of those. `a` stands here
/// because upstream's own makefile asks for it; the code it compiles has no atomic instructions.
const ALWAYS: [&str; 11] = [
    "i",
    "m",
    "a",
    "c",
    "zicsr",
    "zifencei",
    "zmmul",
    "zaamo",
    "zalrsc",
    "zca",
    "zihintpause",
];

/// `known` are names and bits of what `flags` may say that the board has.
pub(super) fn check(
    arch: Arch,
    header: u32,
    section: Option<&[u8]>,
    known: &[(&str, u32)],
    flags: u32,
) -> Result<(), String> {
    if header & elf::EF_RISCV_FLOAT_ABI != elf::EF_RISCV_FLOAT_ABI_SOFT.0 {
        return Err(format!(
            "compiled for a hard-float ABI, but {} boards pass floats in integer registers; compile with -mabi={} (gcc) or a target without f and d (rustc)",
            arch.name(),
            if arch.word_size() == 8 {
                "lp64"
            } else {
                "ilp32"
            }
        ));
    }
    if header & elf::EF_RISCV_RVE.0 != 0 {
        return Err(format!(
            "compiled for 16 registers (RV32E), but {} has 32; compile with -march={0}",
            arch.name()
        ));
    }
    let Some(section) = section else {
        return Ok(());
    };
    for (tag, value) in of_file(section, "riscv", |tag| tag % 2 == 1)? {
        let (ARCH_TEXT, Value::Text(text)) = (tag, value) else {
            continue;
        };
        let text = text.to_lowercase();
        let extensions = text
            .trim_start_matches("rv32")
            .trim_start_matches("rv64")
            .split('_');
        for extension in extensions {
            let name = name_of(extension);
            let flag = known.iter().find(|(known, _)| *known == name);
            let on_board = ALWAYS.contains(&name) || flag.is_some_and(|(_, bit)| flags & bit != 0);
            if !on_board {
                let way_out = match flag {
                    Some(_) => format!("say --arch-flags {name} if the boards have it, or compile"),
                    None => "compile".to_owned(),
                };
                return Err(format!(
                    "compiled for the extension {name}, which not every {} board has; {way_out} with -march={}",
                    arch.name(),
                    arch.name()
                ));
            }
        }
    }
    Ok(())
}

/// An extension without its version: `m` of `m2p0`, `zba` of `zba1p0`.
fn name_of(extension: &str) -> &str {
    let version = extension.rfind('p').filter(|at| {
        extension[at + 1..]
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    });
    let Some(at) = version.filter(|at| at + 1 < extension.len()) else {
        return extension;
    };
    extension[..at].trim_end_matches(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn versions_are_cut_off() {
        for (extension, name) in [
            ("i2p1", "i"),
            ("zba1p0", "zba"),
            ("p0p2", "p"),
            ("zcmp1p0", "zcmp"),
            ("zcmp", "zcmp"),
            ("m", "m"),
        ] {
            assert_eq!(name_of(extension), name);
        }
    }
}
