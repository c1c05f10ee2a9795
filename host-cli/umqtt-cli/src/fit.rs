//! Decides whether a board can load a .mpy file: version, architecture, its flags, the way floats travel, memory.
//!
//! What the board's loader looks at stands in `mp_raw_code_load` of MicroPython's `py/persistentcode.c`. It does not
//! look at floats and memory: there a file that does not fit gives wrong numbers, or a MemoryError in the lesson.

use board_link::{Board, BoardInfo, Lang, LinkError, MpyVersion};
use mpy_link::{Arch, Destination, Dump, DumpError};
use serde_json::{Value, json};

/// A .mpy file as far as a board cares.
#[derive(Debug, Clone)]
pub struct File {
    pub version: (u8, u8),
    /// `None` for bytecode.
    pub arch: Option<Arch>,
    /// What the board's core must have, by architecture; 0 for nothing.
    pub flags: u64,
    pub small_int_bits: u8,
    /// In bytes.
    pub text: usize,
    /// In bytes.
    pub rodata: usize,
    /// In bytes.
    pub bss: usize,
    /// Whether the code seems to pass floats by value to or from MicroPython.
    passes_floats: bool,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    Version,
    Architecture,
    Flags,
    Floats,
    Memory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Fits,
    /// Nobody can tell from the file and the board.
    Doubtful,
    Unfit,
}

/// What was found out about one aspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub aspect: Aspect,
    pub verdict: Verdict,
    /// What was compared, or what failed and why.
    pub message: String,
    /// What to try where it does not fit.
    pub help: Option<String>,
}

/// A board's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// On MicroPython's heap.
    pub free: u64,
    /// Whether the heap gave two blocks as large as the module's.
    pub gave: bool,
    /// The largest free block of memory for code, where the board has such memory apart from the heap.
    pub code: Option<u64>,
}

impl File {
    /// Takes a file apart.
    ///
    /// # Errors
    /// Where it is no .mpy file, or malformed.
    pub fn read(bytes: &[u8]) -> Result<Self, DumpError> {
        let dump = mpy_link::dump(bytes)?;
        let arch = dump
            .arch
            .and_then(|name| Arch::ALL.into_iter().find(|arch| arch.name() == name));
        let code = &dump.raw_code;
        Ok(Self {
            version: (dump.version, dump.sub_version),
            arch,
            flags: dump.arch_flags.unwrap_or(0),
            small_int_bits: dump.small_int_bits,
            text: code.text_size,
            rodata: code.rodata_size,
            bss: code.bss_size,
            passes_floats: arch
                .is_some_and(|arch| is_arm(arch) && passes_floats(bytes, &dump, arch)),
        })
    }

    /// What the first bytes of a file say: version, architecture, small ints. Its sizes and floats stay unknown.
    /// `None` where it is no .mpy file. Source: `mp_raw_code_load` of `py/persistentcode.c`.
    pub fn of_head(head: &[u8]) -> Option<Self> {
        let [b'M', version, features, small_int_bits, ..] = *head else {
            return None;
        };
        let arch = features >> 2 & 0x2f;
        Some(Self {
            version: (version, features & 3),
            arch: Arch::from_number(arch),
            flags: 0,
            small_int_bits,
            text: 0,
            rodata: 0,
            bss: 0,
            passes_floats: false,
        })
    }

    pub fn arch_name(&self) -> &'static str {
        self.arch.map_or("bytecode", Arch::name)
    }
}

/// Whether a board of the one architecture loads code of the other (`MPY_FEATURE_ARCH_TEST`): an ARM board takes all
/// from armv6m up to its own.
pub fn takes(board: Arch, file: Arch) -> bool {
    board == file || is_arm(board) && is_arm(file) && file <= board
}

/// Of these architectures, the one that suits a board best; `None` where none does.
pub fn best(board: Arch, files: impl Iterator<Item = Arch>) -> Option<Arch> {
    files.filter(|file| takes(board, *file)).max()
}

/// Those whose boards have the Thumb instruction set.
fn is_arm(arch: Arch) -> bool {
    (Arch::Armv6m..=Arch::Armv7emdp).contains(&arch)
}

/// Looks at all that needs no more of the board than what it says about itself.
pub fn compare(file: &File, info: &BoardInfo, lang: Lang) -> Vec<Finding> {
    let mut findings = vec![version(file, info, lang)];
    if let (Some(arch), Some(mpy)) = (file.arch, info.mpy) {
        findings.push(architecture(arch, mpy, lang));
        findings.push(flags(file, info, mpy, lang));
        findings.extend(floats(file, arch, info, mpy, lang));
    }
    findings
}

/// The name of a board for people.
pub fn board_name(info: &BoardInfo) -> &str {
    if info.machine.is_empty() {
        &info.platform
    } else {
        &info.machine
    }
}

fn finding(aspect: Aspect, unfit: bool, message: String, help: &str) -> Finding {
    Finding {
        aspect,
        verdict: if unfit { Verdict::Unfit } else { Verdict::Fits },
        message,
        help: unfit.then(|| help.to_owned()),
    }
}

fn version(file: &File, info: &BoardInfo, lang: Lang) -> Finding {
    let (major, minor) = file.version;
    let board = board_name(info);
    let Some(mpy) = info.mpy else {
        let message = match lang {
            Lang::En => format!("this board ({board}) takes no .mpy files"),
            Lang::Es => format!("esta placa ({board}) no admite ficheros .mpy"),
        };
        return finding(Aspect::Version, true, message, flash(lang));
    };
    // The sub-version is that of native code's interface; bytecode does without.
    let unfit = mpy.version != major || file.arch.is_some() && mpy.sub != minor;
    let message = match lang {
        Lang::En => format!(
            "this board ({board}) takes .mpy {}.{}, the file is .mpy {major}.{minor}",
            mpy.version, mpy.sub
        ),
        Lang::Es => {
            format!(
                "esta placa ({board}) admite .mpy {}.{}, y el fichero es .mpy {major}.{minor}",
                mpy.version, mpy.sub
            )
        }
    };
    if unfit || i32::from(file.small_int_bits) <= small_int_bits(mpy) {
        return finding(Aspect::Version, unfit, message, flash(lang));
    }
    let message = match lang {
        Lang::En => format!(
            "the file wants small ints of {} bits, this board ({board}) has fewer",
            file.small_int_bits
        ),
        Lang::Es => {
            format!(
                "el fichero pide enteros pequeños de {} bits, y esta placa ({board}) tiene menos",
                file.small_int_bits
            )
        }
    };
    let help = lang.pick(
        "compile it with mpy-cross -msmall-int-bits=31",
        "compílalo con mpy-cross -msmall-int-bits=31",
    );
    finding(Aspect::Version, true, message, help)
}

fn flash(lang: Lang) -> &'static str {
    lang.pick(
        "flash MicroPython 1.23 or newer",
        "graba MicroPython 1.23 o posterior",
    )
}

/// `MP_SMALL_INT_BITS`: a word less the bit that marks it. A board without native code does not say its word size.
fn small_int_bits(mpy: MpyVersion) -> i32 {
    match Arch::from_number(mpy.arch) {
        Some(arch) => arch.word_size() as i32 * 8 - 1,
        None => 63,
    }
}

fn architecture(arch: Arch, mpy: MpyVersion, lang: Lang) -> Finding {
    let unfit = !Arch::from_number(mpy.arch).is_some_and(|board| takes(board, arch));
    let file = arch.name();
    let message = match (mpy.arch, lang) {
        (0, Lang::En) => {
            format!("this board's MicroPython loads no native code, the file is for {file}")
        }
        (0, Lang::Es) => format!(
            "el MicroPython de esta placa no carga código nativo, y el fichero es para {file}"
        ),
        (_, Lang::En) => format!("the board is {}, the file is for {file}", arch_name(mpy)),
        (_, Lang::Es) => format!(
            "la placa es {}, y el fichero es para {file}",
            arch_name(mpy)
        ),
    };
    let help = match lang {
        Lang::En => format!(
            "build it for this board: umqtt build --arch {}",
            arch_name(mpy)
        ),
        Lang::Es => format!(
            "compílalo para esta placa: umqtt build --arch {}",
            arch_name(mpy)
        ),
    };
    finding(Aspect::Architecture, unfit, message, &help)
}

fn arch_name(mpy: MpyVersion) -> String {
    mpy.arch_name()
        .map_or_else(|| format!("arch{}", mpy.arch), str::to_owned)
}

fn flags(file: &File, info: &BoardInfo, mpy: MpyVersion, lang: Lang) -> Finding {
    let missing = file.flags & !u64::from(mpy.flags);
    // Before, the header had no such field, and its bit read as another architecture.
    let too_old = file.flags != 0 && (info.version.0, info.version.1) < (1, 28);
    let (wants, has) = (file.flags, mpy.flags);
    let message = match (wants, lang) {
        (0, Lang::En) => "the file wants nothing special of the processor".to_owned(),
        (0, Lang::Es) => "el fichero no pide nada especial al procesador".to_owned(),
        (_, Lang::En) => {
            format!("the file wants the architecture flags {wants:#x}, the board has {has:#x}")
        }
        (_, Lang::Es) => format!(
            "el fichero pide las opciones de arquitectura {wants:#x}, y la placa tiene {has:#x}"
        ),
    };
    let help = if too_old {
        lang.pick(
            "flash MicroPython 1.28 or newer",
            "graba MicroPython 1.28 o posterior",
        )
    } else {
        lang.pick(
            "build it without --arch-flags",
            "compílalo sin --arch-flags",
        )
    };
    finding(Aspect::Flags, missing != 0 || too_old, message, help)
}

/// On ARM only, floats may travel in two ways: in the registers of the floating-point unit or in ordinary ones. A file
/// does not say which, but its architecture does as MicroPython's `py/dynruntime.mk` compiles it: hard where there is a
/// unit. Boards follow the same rule, except that the rp2 port is built softfp.
fn floats(
    file: &File,
    arch: Arch,
    info: &BoardInfo,
    mpy: MpyVersion,
    lang: Lang,
) -> Option<Finding> {
    let board = Arch::from_number(mpy.arch).filter(|board| is_arm(*board) && is_arm(arch))?;
    let hard = |arch: Arch| arch >= Arch::Armv7emsp;
    let same = hard(arch) == (hard(board) && info.platform != "rp2");
    let (verdict, texts) = match (same, file.passes_floats) {
        (true, _) => (
            Verdict::Fits,
            [
                "floats travel as the board expects",
                "los float viajan como espera la placa",
            ],
        ),
        (false, false) => (
            Verdict::Fits,
            [
                "floats travel otherwise on this board, but the file shows no sign of passing any by value",
                "los float viajan de otro modo en esta placa, pero no parece que el fichero pase ninguno por valor",
            ],
        ),
        (false, true) => (
            Verdict::Doubtful,
            [
                "floats travel otherwise on this board, and the file seems to pass some by value: they may arrive wrong",
                "los float viajan de otro modo en esta placa, y parece que el fichero pasa alguno por valor: pueden llegar mal",
            ],
        ),
    };
    Some(Finding {
        aspect: Aspect::Floats,
        verdict,
        message: lang.pick(texts[0], texts[1]).to_owned(),
        help: None,
    })
}

/// The entries of the function table that take or return a float or double by value: `obj_new_float_from_f`, `_d`,
/// `obj_get_float_to_f`, `_d` (`mp_fun_table_t` in `py/nativeglue.h`).
const FLOAT_ENTRIES: std::ops::RangeInclusive<u8> = 60..=63;

/// Whether the module names one of those entries to the loader, or its Thumb code loads a word at such an entry's
/// distance. Code may look so and mean something else; code that passes floats looks so.
fn passes_floats(bytes: &[u8], dump: &Dump, arch: Arch) -> bool {
    let entry_at = |distance: u64| {
        distance.is_multiple_of(4)
            && u8::try_from(distance / 4).is_ok_and(|entry| FLOAT_ENTRIES.contains(&entry))
    };
    let named = dump
        .raw_code
        .relocations
        .iter()
        .any(|relocation| match relocation.destination {
            Destination::TableEntry(entry) => FLOAT_ENTRIES.contains(&entry),
            Destination::FunctionTable => relocation.addends.iter().any(|addend| entry_at(*addend)),
            _ => false,
        });
    let start = dump.raw_code.offset;
    let text = bytes
        .get(start..start + dump.raw_code.text_size)
        .unwrap_or_default();
    let halfwords: Vec<u16> = text
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let loaded = halfwords.windows(2).any(|pair| {
        // LDR (immediate, T3), and where that is not to be had, on armv6m, MOVS and ADDS (immediate) of a distance
        // that LDR cannot reach (Arm Architecture Reference Manual, A7.7). Elsewhere a MOVS is only a number, such as
        // the mask 0xf0. With the base PC, LDR takes a constant that stands beside the code.
        let wide =
            pair[0] & 0xfff0 == 0xf8d0 && pair[0] != 0xf8df && entry_at(u64::from(pair[1] & 0xfff));
        let narrow = arch <= Arch::Armv6m
            && [0x2000, 0x3000].contains(&(pair[0] & 0xf800))
            && entry_at(u64::from(pair[0] & 0xff));
        wide || narrow
    });
    named || loaded
}

/// Takes and gives back two blocks as large as the module's; `%d` stands for their sizes in bytes. On ESP32, code is
/// copied into memory of its own.
const MEMORY_QUESTION: &str = "
def _u(t,d):
 import gc
 gc.collect()
 f=gc.mem_free()
 g=1
 try:
  a=bytearray(t)
  b=bytearray(d)
  a=b=None
 except MemoryError:
  g=0
 gc.collect()
 c=-1
 try:
  import esp32
  c=max(r[2] for r in esp32.idf_heap_info(esp32.HEAP_EXEC))
 except Exception:
  pass
 print(f,g,c)
_u(%t,%d)
del _u
";

/// Asks the board for as much memory as the module takes.
///
/// # Errors
/// Where the board is lost or answers nonsense.
pub fn ask_memory(board: &mut Board, file: &File) -> Result<Option<Memory>, LinkError> {
    let question = MEMORY_QUESTION
        .replace("%t", &file.text.to_string())
        .replace("%d", &(file.rodata + file.bss).to_string());
    let text = board.exec(&question)?.into_stdout()?;
    let numbers: Vec<i64> = text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    Ok(match numbers[..] {
        [free, gave, code] => Some(Memory {
            free: free.unsigned_abs(),
            gave: gave == 1,
            code: u64::try_from(code).ok(),
        }),
        // A board that cannot say so (one without gc, say) is none the worse for it.
        _ => None,
    })
}

/// Whether the module finds room.
pub fn memory(file: &File, memory: Option<Memory>, lang: Lang) -> Finding {
    let (text, data) = (file.text, file.rodata + file.bss);
    let Some(memory) = memory else {
        let message = lang.pick(
            "the board does not say how much is free",
            "la placa no dice cuánta hay libre",
        );
        return Finding {
            aspect: Aspect::Memory,
            verdict: Verdict::Doubtful,
            message: message.to_owned(),
            help: None,
        };
    };
    let help = lang.pick(
        "free memory: import the module first in main.py, or load fewer modules",
        "libera memoria: importa el módulo al principio de main.py, o carga menos módulos",
    );
    if let Some(code) = memory.code.filter(|code| *code < text as u64) {
        let message = match lang {
            Lang::En => {
                format!("the code takes {text} bytes, the largest free block for code has {code}")
            }
            Lang::Es => format!(
                "el código ocupa {text} bytes, y el mayor bloque libre para código tiene {code}"
            ),
        };
        return finding(Aspect::Memory, true, message, help);
    }
    let message = match (memory.gave, lang) {
        (true, Lang::En) => format!(
            "the module takes {text} + {data} bytes, {} are free",
            memory.free
        ),
        (true, Lang::Es) => format!(
            "el módulo ocupa {text} + {data} bytes, y hay {} libres",
            memory.free
        ),
        (false, Lang::En) => {
            format!(
                "the module takes {text} + {data} bytes, each in one piece; {} are free, but not so",
                memory.free
            )
        }
        (false, Lang::Es) => {
            format!(
                "el módulo ocupa {text} + {data} bytes, cada parte de una pieza; hay {} libres, pero no así",
                memory.free
            )
        }
    };
    finding(Aspect::Memory, !memory.gave, message, help)
}

impl Aspect {
    pub fn name(self, lang: Lang) -> &'static str {
        let [english, spanish] = match self {
            Self::Version => ["version", "versión"],
            Self::Architecture => ["architecture", "arquitectura"],
            Self::Flags => ["flags", "opciones"],
            Self::Floats => ["floats", "float"],
            Self::Memory => ["memory", "memoria"],
        };
        lang.pick(english, spanish)
    }
}

impl Finding {
    /// For `--json`: names in English whatever the language of the message.
    pub fn object(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Fits => "fits",
            Verdict::Doubtful => "doubtful",
            Verdict::Unfit => "unfit",
        };
        json!({ "aspect": self.aspect.name(Lang::En), "verdict": verdict, "message": self.message, "help": self.help })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(mpy: Option<u32>, platform: &str, version: (u32, u32, u32)) -> BoardInfo {
        BoardInfo {
            implementation: "micropython".to_owned(),
            version,
            version_text: String::new(),
            platform: platform.to_owned(),
            machine: "a board".to_owned(),
            mpy: mpy.map(MpyVersion::from_bits),
            unique_id: None,
            free_heap: None,
        }
    }

    /// `sys.implementation._mpy` of version 6.3.
    fn bits(arch: Arch, flags: u32) -> Option<u32> {
        Some(6 | 3 << 8 | u32::from(arch.number()) << 10 | flags << 16)
    }

    fn file(arch: Arch) -> File {
        File {
            version: (6, 3),
            arch: Some(arch),
            flags: 0,
            small_int_bits: 31,
            text: 100,
            rodata: 20,
            bss: 4,
            passes_floats: false,
        }
    }

    fn worst(file: &File, info: &BoardInfo) -> Option<(Aspect, Verdict)> {
        let findings = [Lang::En, Lang::Es].map(|lang| compare(file, info, lang));
        let verdicts = |findings: &[Finding]| {
            findings
                .iter()
                .map(|finding| finding.verdict)
                .collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&findings[0]), verdicts(&findings[1]));
        let bad = findings[0]
            .iter()
            .find(|finding| finding.verdict != Verdict::Fits)?;
        assert_eq!(bad.help.is_some(), bad.verdict == Verdict::Unfit);
        Some((bad.aspect, bad.verdict))
    }

    #[test]
    fn an_arm_board_takes_what_lies_below_its_own() {
        assert!(takes(Arch::Armv7emsp, Arch::Armv6m) && !takes(Arch::Armv6m, Arch::Armv7m));
        assert!(
            !takes(Arch::Xtensawin, Arch::Xtensa)
                && !takes(Arch::Armv7m, Arch::Armv6)
                && !takes(Arch::X64, Arch::X86)
        );
        let all = [
            Arch::X64,
            Arch::Armv6m,
            Arch::Armv7m,
            Arch::Armv7emdp,
            Arch::Rv32imc,
        ];
        assert_eq!(best(Arch::Armv7emsp, all.into_iter()), Some(Arch::Armv7m));
        assert_eq!(best(Arch::Armv7em, all.into_iter()), Some(Arch::Armv7m));
        assert_eq!(best(Arch::Xtensa, all.into_iter()), None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let now = (1, 26, 0);
        let arm = board(bits(Arch::Armv7m, 0), "qemu", now);
        assert_eq!(worst(&file(Arch::Armv6m), &arm), None);
        assert_eq!(
            worst(&file(Arch::Rv32imc), &arm),
            Some((Aspect::Architecture, Verdict::Unfit))
        );
        assert_eq!(
            worst(&file(Arch::X64), &board(None, "esp32", now)),
            Some((Aspect::Version, Verdict::Unfit))
        );
        // MicroPython 1.22 on an ESP32, and a board without native code.
        assert_eq!(
            worst(&file(Arch::Xtensawin), &board(Some(0x2a06), "esp32", now)),
            Some((Aspect::Version, Verdict::Unfit))
        );
        assert_eq!(
            worst(&file(Arch::Xtensawin), &board(Some(0x0306), "esp32", now)),
            Some((Aspect::Architecture, Verdict::Unfit))
        );
        let wide = File {
            small_int_bits: 63,
            arch: None,
            ..file(Arch::X64)
        };
        assert_eq!(worst(&wide, &arm), Some((Aspect::Version, Verdict::Unfit)));
    }

    #[test]
    fn flags_are_there_since_1_28() {
        let zcmp = File {
            flags: 2,
            ..file(Arch::Rv32imc)
        };
        let unfit = Some((Aspect::Flags, Verdict::Unfit));
        assert_eq!(
            worst(&zcmp, &board(bits(Arch::Rv32imc, 3), "rp2", (1, 28, 0))),
            None
        );
        assert_eq!(
            worst(&zcmp, &board(bits(Arch::Rv32imc, 1), "rp2", (1, 28, 0))),
            unfit
        );
        assert_eq!(
            worst(&zcmp, &board(bits(Arch::Rv32imc, 3), "rp2", (1, 27, 0))),
            unfit
        );
    }

    #[test]
    fn floats_are_doubtful_where_they_travel_in_two_ways() {
        let doubtful = Some((Aspect::Floats, Verdict::Doubtful));
        let rp2350 = board(bits(Arch::Armv7emsp, 0), "rp2", (1, 26, 0));
        let stm32 = board(bits(Arch::Armv7emsp, 0), "pyboard", (1, 26, 0));
        let with_floats = |arch| File {
            passes_floats: true,
            ..file(arch)
        };
        assert_eq!(worst(&with_floats(Arch::Armv7emsp), &rp2350), doubtful);
        assert_eq!(worst(&with_floats(Arch::Armv7emsp), &stm32), None);
        assert_eq!(worst(&with_floats(Arch::Armv6m), &stm32), doubtful);
        assert_eq!(worst(&with_floats(Arch::Armv6m), &rp2350), None);
        assert_eq!(worst(&file(Arch::Armv7emsp), &rp2350), None);
    }

    #[test]
    fn memory_must_be_there_in_one_piece() {
        let verdict = |free, gave, code| {
            memory(
                &file(Arch::Xtensawin),
                Some(Memory { free, gave, code }),
                Lang::En,
            )
            .verdict
        };
        assert_eq!(verdict(1000, true, None), Verdict::Fits);
        assert_eq!(verdict(1000, false, None), Verdict::Unfit);
        assert_eq!(verdict(1000, true, Some(99)), Verdict::Unfit);
        assert_eq!(verdict(1000, true, Some(100)), Verdict::Fits);
        assert_eq!(
            memory(&file(Arch::X64), None, Lang::Es).verdict,
            Verdict::Doubtful
        );
    }

    #[test]
    fn code_that_takes_a_float_entry_is_seen() {
        // Header of armv7m, one qstr, a viper function of four bytes, no flags:
        // `ldr.w r0, [r0, #240]` and the same with 236.
        let mpy = |distance: u8| -> Vec<u8> {
            let head = [b'M', 6, 5 << 2 | 3, 31, 1, 0, 2, b'x', 0, 4 << 3 | 2];
            [&head[..], &[0xd0, 0xf8, distance, 0x00, 0]].concat()
        };
        assert!(File::read(&mpy(240)).expect("a file").passes_floats);
        assert!(!File::read(&mpy(236)).expect("a file").passes_floats);
        // `ldr.w r9, [pc, #248]`.
        let head = [b'M', 6, 5 << 2 | 3, 31, 1, 0, 2, b'x', 0, 4 << 3 | 2];
        let literal = [&head[..], &[0xdf, 0xf8, 0xf8, 0x90, 0]].concat();
        assert!(!File::read(&literal).expect("a file").passes_floats);
        assert!(File::read(b"print(1)").is_err());
    }
}
