//! Decides which architectures a native .mpy can be for, and what each one's number and word size are
//! (`py/persistentcode.h`, `MP_NATIVE_ARCH_…`).

use crate::layout::abi_consts;

abi_consts! {
    /// `MP_NATIVE_ARCH_…`, the values of the header's architecture field.
    ARCH_NUMBERS: u8 {
        /// Bytecode only.
        MP_NATIVE_ARCH_NONE = 0,
        /// 32-bit x86.
        MP_NATIVE_ARCH_X86 = 1,
        /// 64-bit x86.
        MP_NATIVE_ARCH_X64 = 2,
        /// ARM with ARM instructions.
        MP_NATIVE_ARCH_ARMV6 = 3,
        /// Cortex-M0.
        MP_NATIVE_ARCH_ARMV6M = 4,
        /// Cortex-M3.
        MP_NATIVE_ARCH_ARMV7M = 5,
        /// Cortex-M4 without floating point.
        MP_NATIVE_ARCH_ARMV7EM = 6,
        /// Cortex-M4 with single precision.
        MP_NATIVE_ARCH_ARMV7EMSP = 7,
        /// Cortex-M7 with double precision.
        MP_NATIVE_ARCH_ARMV7EMDP = 8,
        /// ESP8266: call0 ABI.
        MP_NATIVE_ARCH_XTENSA = 9,
        /// ESP32, S2, S3: windowed ABI.
        MP_NATIVE_ARCH_XTENSAWIN = 10,
        /// ESP32-C3, C6, H2, C5, P4; RP2350 in RISC-V mode.
        MP_NATIVE_ARCH_RV32IMC = 11,
    }
}

/// `MP_NATIVE_ARCH_RV64IMC`, which came after 1.26.
pub const MP_NATIVE_ARCH_RV64IMC: u8 = 12;

/// An architecture that a native .mpy can be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Arch {
    /// 32-bit x86.
    X86 = MP_NATIVE_ARCH_X86,
    /// 64-bit x86.
    X64 = MP_NATIVE_ARCH_X64,
    /// ARM with ARM instructions.
    Armv6 = MP_NATIVE_ARCH_ARMV6,
    /// Cortex-M0.
    Armv6m = MP_NATIVE_ARCH_ARMV6M,
    /// Cortex-M3.
    Armv7m = MP_NATIVE_ARCH_ARMV7M,
    /// Cortex-M4 without floating point.
    Armv7em = MP_NATIVE_ARCH_ARMV7EM,
    /// Cortex-M4 with single precision.
    Armv7emsp = MP_NATIVE_ARCH_ARMV7EMSP,
    /// Cortex-M7 with double precision.
    Armv7emdp = MP_NATIVE_ARCH_ARMV7EMDP,
    /// ESP8266.
    Xtensa = MP_NATIVE_ARCH_XTENSA,
    /// ESP32, S2, S3.
    Xtensawin = MP_NATIVE_ARCH_XTENSAWIN,
    /// ESP32-C3 and its like.
    Rv32imc = MP_NATIVE_ARCH_RV32IMC,
    /// 64-bit RISC-V.
    Rv64imc = MP_NATIVE_ARCH_RV64IMC,
}

impl Arch {
    /// Every architecture, by number.
    pub const ALL: [Arch; 12] = [
        Arch::X86,
        Arch::X64,
        Arch::Armv6,
        Arch::Armv6m,
        Arch::Armv7m,
        Arch::Armv7em,
        Arch::Armv7emsp,
        Arch::Armv7emdp,
        Arch::Xtensa,
        Arch::Xtensawin,
        Arch::Rv32imc,
        Arch::Rv64imc,
    ];

    /// The value of the header's architecture field.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The architecture of that number; `None` for 0 (bytecode) and for numbers not given out.
    pub const fn from_number(number: u8) -> Option<Arch> {
        if number == 0 || number as usize > Self::ALL.len() {
            None
        } else {
            Some(Self::ALL[number as usize - 1])
        }
    }

    /// The name that `tools/mpy_ld.py` and `mpy-cross -march` give it.
    pub const fn name(self) -> &'static str {
        match self {
            Arch::X86 => "x86",
            Arch::X64 => "x64",
            Arch::Armv6 => "armv6",
            Arch::Armv6m => "armv6m",
            Arch::Armv7m => "armv7m",
            Arch::Armv7em => "armv7em",
            Arch::Armv7emsp => "armv7emsp",
            Arch::Armv7emdp => "armv7emdp",
            Arch::Xtensa => "xtensa",
            Arch::Xtensawin => "xtensawin",
            Arch::Rv32imc => "rv32imc",
            Arch::Rv64imc => "rv64imc",
        }
    }

    /// The size of a machine word in bytes, which relocations count in.
    pub const fn word_size(self) -> usize {
        match self {
            Arch::X64 | Arch::Rv64imc => 8,
            _ => 4,
        }
    }
}
