//! Decides what belongs on a board so that a lesson finds `umqtt`, and puts there what is missing.

use board_link::{Board, BoardInfo, FileState, Lang, LinkError, MpyVersion};

use crate::display::Sender;

/// The native module per architecture, by the name that MicroPython's tools use.
const NATIVE: [(&str, &[u8]); 1] = [(
    "x64",
    include_bytes!("../../../native-module/prebuilt/x64/umqtt/simple.mpy"),
)];

/// The .mpy version that native modules are made for; MicroPython wants exactly this one.
const MPY_VERSION: (u8, u8) = (6, 3);

const ROBUST: &[u8] = include_bytes!("../../../python/umqtt/robust.py");
const UPIP: &[u8] = include_bytes!("../../../python/upip.py");

/// The root folder comes first on a board's `sys.path`, before what is frozen into the firmware.
const FOLDER: &str = "/umqtt";
const SIMPLE_PATH: &str = "/umqtt/simple.mpy";
const ROBUST_PATH: &str = "/umqtt/robust.py";
const UPIP_PATH: &str = "/upip.py";

/// A Python file of this name wins over the module beside it (`stat_path` in MicroPython's
/// py/builtinimport.c asks for .py before .mpy).
const HIDING_PATH: &str = "/umqtt/simple.py";

/// Why a board cannot have the native module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It takes no .mpy files.
    NoMpy,
    /// It takes .mpy files of another version.
    Version(MpyVersion),
    /// There is no module for its architecture yet.
    Architecture(MpyVersion),
}

impl Unfit {
    /// What failed and why.
    pub fn message(&self, info: &BoardInfo, lang: Lang) -> String {
        let board = if info.machine.is_empty() {
            &info.platform
        } else {
            &info.machine
        };
        let (major, minor) = MPY_VERSION;
        let have = NATIVE.map(|(name, _)| name).join(", ");
        match (self, lang) {
            (Self::NoMpy, Lang::En) => format!("this board ({board}) takes no .mpy files"),
            (Self::NoMpy, Lang::Es) => format!("esta placa ({board}) no admite ficheros .mpy"),
            (Self::Version(mpy), Lang::En) => {
                format!(
                    "this board ({board}) takes .mpy {}.{}, the module is .mpy {major}.{minor}",
                    mpy.version, mpy.sub
                )
            }
            (Self::Version(mpy), Lang::Es) => {
                format!(
                    "esta placa ({board}) admite .mpy {}.{}, y el módulo es .mpy {major}.{minor}",
                    mpy.version, mpy.sub
                )
            }
            (Self::Architecture(mpy), Lang::En) => {
                format!(
                    "there is no native module for this board yet ({board}: {mpy}); there is one for: {have}"
                )
            }
            (Self::Architecture(mpy), Lang::Es) => {
                format!(
                    "aún no hay módulo nativo para esta placa ({board}: {mpy}); lo hay para: {have}"
                )
            }
        }
    }

    /// What to try.
    pub fn help(&self, lang: Lang) -> String {
        match self {
            Self::NoMpy | Self::Version(_) => lang.pick(
                "flash MicroPython 1.23 or newer",
                "graba MicroPython 1.23 o posterior",
            ),
            Self::Architecture(_) => lang.pick(
                "use the simulated board (--port sim), or the umqtt.simple that the firmware has",
                "usa la placa simulada (--port sim), o el umqtt.simple que trae el firmware",
            ),
        }
        .to_owned()
    }
}

/// The native module for this board.
fn native(info: &BoardInfo) -> Result<&'static [u8], Unfit> {
    let mpy = info.mpy.ok_or(Unfit::NoMpy)?;
    if (mpy.version, mpy.sub) != MPY_VERSION {
        return Err(Unfit::Version(mpy));
    }
    let module = NATIVE
        .iter()
        .find(|(name, _)| mpy.arch_name() == Some(*name));
    module
        .map(|(_, bytes)| *bytes)
        .ok_or(Unfit::Architecture(mpy))
}

/// Why the files could not be put on the board.
#[derive(Debug)]
pub enum InstallError {
    Unfit(Unfit),
    Link(LinkError),
}

impl From<LinkError> for InstallError {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

/// Makes the board's files what they should be, touching only those that differ, and returns the
/// paths written. What would hide the module is moved aside.
pub fn install(
    board: &mut Board,
    info: &BoardInfo,
    display: &Sender,
    lang: Lang,
) -> Result<Vec<&'static str>, InstallError> {
    let simple = native(info).map_err(InstallError::Unfit)?;
    let wanted = [
        (SIMPLE_PATH, simple),
        (ROBUST_PATH, ROBUST),
        (UPIP_PATH, UPIP),
    ];
    let states = board.states(&[SIMPLE_PATH, ROBUST_PATH, UPIP_PATH, FOLDER, HIDING_PATH])?;
    if states[3] == FileState::Missing {
        board.mkdir_p(FOLDER)?;
    }
    let mut written = Vec::new();
    for ((path, content), state) in wanted.into_iter().zip(&states) {
        let same = matches!(state, FileState::File { size, digest }
            if *size == content.len() as u64 && digest.matches(content));
        if !same {
            board.put(path, content)?;
            written.push(path);
        }
    }
    if matches!(states[4], FileState::File { .. }) {
        let aside = format!("{HIDING_PATH}.old");
        let content = board.get(HIDING_PATH)?;
        board.put(&aside, &content)?;
        board.rm(HIDING_PATH, false)?;
        display.note(match lang {
            Lang::En => format!("{HIDING_PATH} would hide the native module; it is {aside} now"),
            Lang::Es => format!("{HIDING_PATH} taparía el módulo nativo; ahora se llama {aside}"),
        });
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(mpy: Option<u32>) -> BoardInfo {
        BoardInfo {
            implementation: "micropython".to_owned(),
            version: (1, 26, 0),
            version_text: String::new(),
            platform: "esp32".to_owned(),
            machine: "Generic ESP32 module with ESP32".to_owned(),
            mpy: mpy.map(MpyVersion::from_bits),
            unique_id: None,
            free_heap: None,
        }
    }

    #[test]
    fn each_module_is_made_for_the_architecture_it_is_listed_under() {
        for (name, bytes) in NATIVE {
            // The header of a .mpy file: 'M', version, sub-version and architecture << 2, small int
            // bits (py/persistentcode.c, mp_raw_code_load).
            assert_eq!(bytes[..2], [b'M', MPY_VERSION.0], "{name}");
            assert_eq!(bytes[2] & 3, MPY_VERSION.1, "{name}");
            let bits = u32::from(bytes[1]) | u32::from(bytes[2]) << 8;
            assert_eq!(MpyVersion::from_bits(bits).arch_name(), Some(name));
        }
    }

    #[test]
    fn a_board_that_cannot_have_the_module_is_told_why() {
        // sys.implementation._mpy of MicroPython 1.26 on x64 and on an ESP32, of 1.22, and of a board
        // without native code.
        assert!(native(&board(Some(0x0b06))).is_ok());
        let xtensawin = native(&board(Some(0x2b06))).expect_err("no module yet");
        assert!(matches!(xtensawin, Unfit::Architecture(_)));
        let message = xtensawin.message(&board(Some(0x2b06)), Lang::En);
        assert!(
            message.contains("xtensawin") && message.contains("x64"),
            "{message}"
        );
        assert!(matches!(
            native(&board(Some(0x0a06))),
            Err(Unfit::Version(_))
        ));
        assert!(matches!(
            native(&board(Some(0x0306))),
            Err(Unfit::Architecture(_))
        ));
        assert_eq!(native(&board(None)), Err(Unfit::NoMpy));
    }
}
