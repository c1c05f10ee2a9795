//! Decides which objects an ARM board can execute, by what they say about themselves.

use micropython_sys::arch::Arch;

use crate::arch::attributes::{Value, of_file};

// Tags of "aeabi" attributes.
const CPU_ARCH: u64 = 6;
const CPU_ARCH_PROFILE: u64 = 7;
const COMPATIBILITY: u64 = 32;
const FP_NUMBER_MODEL: u64 = 23;
const VFP_ARGS: u64 = 28;

/// CPU_raw_name, CPU_name, compatibility (a number is in front of the text) and what is odd above.
fn is_text(tag: u64) -> bool {
    matches!(tag, 4 | 5) || tag > COMPATIBILITY && tag % 2 == 1
}

/// The name of the float ABI, if the object passes floats at all; what is wrong, if it is for another
/// core.
pub(super) fn check(arch: Arch, section: &[u8]) -> Result<Option<&'static str>, String> {
    let attributes = of_file(section, "aeabi", is_text)?;
    let number = |wanted: u64| {
        attributes
            .iter()
            .rev()
            .find_map(|(tag, value)| match value {
                Value::Number(number) if *tag == wanted => Some(*number),
                _ => None,
            })
    };
    check_core(arch, number(CPU_ARCH), number(CPU_ARCH_PROFILE))?;
    let hard_boards = matches!(arch, Arch::Armv7emsp | Arch::Armv7emdp);
    match number(VFP_ARGS) {
        // What has no model of numbers passes none: the assembly of libgcc, whose functions take floats in integer
        // registers on every board (Run-time ABI for the Arm Architecture, 5.1.2).
        None | Some(0) if number(FP_NUMBER_MODEL).is_none_or(|model| model == 0) => Ok(None),
        None | Some(0) => Ok(Some("soft")),
        Some(1) if hard_boards => Ok(Some("hard")),
        Some(1) => Err(format!(
            "compiled for the hard-float ABI, but {} boards pass floats in integer registers; compile with -mfloat-abi=soft (gcc) or a target that ends in eabi (rustc)",
            arch.name()
        )),
        // It says that it fits both.
        Some(3) => Ok(None),
        Some(other) => Err(format!(
            "compiled for a float ABI that no board has (Tag_ABI_VFP_args {other}); compile with -mfloat-abi=soft"
        )),
    }
}

/// Values of Tag_CPU_arch: 10 is v7, 11 v6-M, 12 v6S-M, 13 v7E-M, below 10 what came before.
fn check_core(arch: Arch, core: Option<u64>, profile: Option<u64>) -> Result<(), String> {
    let Some(core) = core else { return Ok(()) };
    let micro = profile.is_none_or(|profile| profile == u64::from(b'M') || profile == 0);
    let (fits, wanted) = match arch {
        Arch::Armv6 => (core <= 9, "-marm -march=armv6"),
        Arch::Armv6m => (matches!(core, 11 | 12), "-mthumb -mcpu=cortex-m0"),
        Arch::Armv7m => (
            matches!(core, 11 | 12) || core == 10 && micro,
            "-mthumb -mcpu=cortex-m3",
        ),
        _ => (
            matches!(core, 11..=13) || core == 10 && micro,
            "-mthumb -mcpu=cortex-m4",
        ),
    };
    if fits {
        return Ok(());
    }
    const NAMES: [&str; 18] = [
        "a core before v4",
        "v4",
        "v4T",
        "v5T",
        "v5TE",
        "v5TEJ",
        "v6",
        "v6KZ",
        "v6T2",
        "v6K",
        "v7",
        "v6-M",
        "v6S-M",
        "v7E-M",
        "v8-A",
        "v8-R",
        "v8-M.base",
        "v8-M.main",
    ];
    let name = NAMES.get(core as usize).copied().unwrap_or("a later core");
    Err(format!(
        "compiled for {name}, which not every {} board executes; compile with {wanted}, or choose another --arch",
        arch.name()
    ))
}
