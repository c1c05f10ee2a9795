//! What kind of board it is: MicroPython's version, the native modules it takes, its name.

use crate::board::Board;
use crate::error::{LinkError, Step};
use crate::files::replies;

/// What the board says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardInfo {
    /// `micropython`, `circuitpython`, …: `sys.implementation.name`.
    pub implementation: String,
    /// `sys.implementation.version`: major, minor, micro.
    pub version: (u32, u32, u32),
    /// `sys.version`: the language's version, the firmware's and its build date, as text.
    pub version_text: String,
    /// `sys.platform`: `esp32`, `rp2`, `linux`, …
    pub platform: String,
    /// `sys.implementation._machine`: the board's and chip's name; empty on old firmware.
    pub machine: String,
    /// The .mpy files it takes; `None` if it takes none.
    pub mpy: Option<MpyVersion>,
    /// `machine.unique_id()` as hexadecimal digits, where there is one.
    pub unique_id: Option<String>,
    /// Free heap, bytes.
    pub free_heap: Option<u64>,
}

/// Version and architecture of the .mpy files that a board takes: `sys.implementation._mpy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MpyVersion {
    /// Major version of the file format.
    pub version: u8,
    /// Sub-version; a native module needs it exactly.
    pub sub: u8,
    /// Architecture number, 0 for none (no native modules); see [`MpyVersion::arch_name`].
    pub arch: u8,
    /// Architecture flags (RV32 extensions).
    pub flags: u32,
}

/// Names by number; source: `MP_NATIVE_ARCH_*` in MicroPython's `py/persistentcode.h`.
const ARCHITECTURES: [&str; 13] = [
    "none",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
    "rv64imc",
];

impl MpyVersion {
    /// Takes `sys.implementation._mpy` apart: version, `sub << 8`, `arch << 10`, `flags << 16`.
    pub fn from_bits(bits: u32) -> MpyVersion {
        MpyVersion {
            version: bits as u8,
            sub: (bits >> 8) as u8 & 3,
            arch: (bits >> 10) as u8 & 0x3f,
            flags: bits >> 16,
        }
    }

    /// The architecture's name as MicroPython's tools write it; `None` for a number that this
    /// program does not know.
    pub fn arch_name(&self) -> Option<&'static str> {
        ARCHITECTURES.get(usize::from(self.arch)).copied()
    }
}

impl std::fmt::Display for MpyVersion {
    /// `6.3 xtensawin`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{} ", self.version, self.sub)?;
        match self.arch_name() {
            Some(name) => f.write_str(name),
            None => write!(f, "arch{}", self.arch),
        }
    }
}

/// Prints one line per fact; see `files` for the marker in front of each.
const QUESTIONS: &str = "
def _u():
 import sys
 i=sys.implementation
 def p(k,v):
  print('\\x1f'+k+' '+str(v))
 p('name',i[0])
 p('version',' '.join(str(n) for n in i[1][:3]))
 p('text',sys.version)
 p('platform',sys.platform)
 p('machine',getattr(i,'_machine',''))
 m=getattr(i,'_mpy',getattr(i,'mpy',None))
 if m is not None:p('mpy',m)
 try:
  import machine
  p('id',''.join('%02x'%b for b in machine.unique_id()))
 except Exception:pass
 try:
  import gc
  gc.collect()
  p('heap',gc.mem_free())
 except Exception:pass
_u()
del _u
";

impl Board {
    /// Asks the board what it is. Stops what is running.
    ///
    /// # Errors
    /// [`LinkError::Protocol`] if the answer makes no sense; those of [`Board::exec`].
    pub fn info(&mut self) -> Result<BoardInfo, LinkError> {
        self.retrying(Board::info_once)
    }

    fn info_once(&mut self) -> Result<BoardInfo, LinkError> {
        let text = self.exec(QUESTIONS)?.into_stdout()?;
        let find = |key: &str| {
            replies(&text)
                .filter_map(|line| line.split_once(' '))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.to_owned())
        };
        let version = find("version").and_then(|text| {
            let mut numbers = text.split(' ').map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some((next()?, next()?, next()?))
        });
        let (Some(implementation), Some(version)) = (find("name"), version) else {
            return Err(LinkError::Protocol {
                port: self.port(),
                step: Step::Read,
                expected: "the board's name and version",
                heard: crate::link::excerpt(text.as_bytes()),
            });
        };
        Ok(BoardInfo {
            implementation,
            version,
            version_text: find("text").unwrap_or_default(),
            platform: find("platform").unwrap_or_default(),
            machine: find("machine").unwrap_or_default(),
            mpy: (find("mpy").and_then(|bits| bits.parse().ok())).map(MpyVersion::from_bits),
            unique_id: find("id").filter(|id| !id.is_empty()),
            free_heap: find("heap").and_then(|bytes| bytes.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::MpyVersion;

    /// The example of MicroPython's documentation and of official ESP32 firmware.
    #[test]
    fn mpy_bits() {
        let esp32 = MpyVersion::from_bits(0x2b06);
        assert_eq!(esp32.to_string(), "6.3 xtensawin");
        assert_eq!((esp32.version, esp32.sub, esp32.flags), (6, 3, 0));
        let rv32 = MpyVersion::from_bits(6 | 3 << 8 | 11 << 10 | 1 << 16);
        assert_eq!((rv32.arch_name(), rv32.flags), (Some("rv32imc"), 1));
        assert_eq!(
            MpyVersion::from_bits(6 | 40 << 10).to_string(),
            "6.0 arch40"
        );
    }
}
