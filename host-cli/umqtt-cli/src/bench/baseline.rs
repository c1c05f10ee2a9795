//! Decides which umqtt.simple in Python the native module is compared with: the firmware's own, PyPI's, or a file.

use std::path::{Path, PathBuf};
use std::process::Command;

use board_link::{Board, Execution, Lang, LinkError};

use crate::failure::{self, Failure, Status};

/// PyPI's package, and the version that the project is compatible with.
const PACKAGE: &str = "micropython-umqtt.simple";
const VERSION: &str = "1.3.4";
/// Fetches it with pip's own finder; its text says why pip alone cannot.
const FETCH: &str = include_str!("pypi.py");
/// Programs that may be a Python with pip.
const PYTHONS: [&str; 3] = ["python3", "/usr/bin/python3", "python"];

/// What `--baseline` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing was said: the firmware's own, else PyPI's.
    Any,
    Frozen,
    Pypi,
    None,
    File(PathBuf),
}

impl Wanted {
    pub fn from_word(word: Option<&str>) -> Wanted {
        match word {
            None => Wanted::Any,
            Some("frozen") => Wanted::Frozen,
            Some("pypi") => Wanted::Pypi,
            Some("none") => Wanted::None,
            Some(path) => Wanted::File(path.into()),
        }
    }
}

/// The baseline of a run.
#[derive(Debug)]
pub struct Baseline {
    /// For people.
    pub name: String,
    /// The file that goes on the board, and its ending; none for what is frozen.
    pub file: Option<(Vec<u8>, &'static str)>,
}

/// Finds it; a failure before anything was measured.
pub fn find(board: &mut Board, wanted: &Wanted, lang: Lang) -> Result<Option<Baseline>, Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    match wanted {
        Wanted::None => Ok(None),
        Wanted::File(path) => read(path, lang).map(Some),
        Wanted::Pypi => pypi(lang).map(Some),
        Wanted::Frozen => match frozen(board).map_err(link)? {
            Some(baseline) => Ok(Some(baseline)),
            None => Err(Failure::new(
                Status::Failed,
                lang.pick(
                    "this board's firmware has no umqtt.simple of its own",
                    "el firmware de esta placa no trae umqtt.simple",
                ),
                lang.pick(
                    "--baseline pypi takes PyPI's, --baseline FILE one of yours, --baseline none compares with none",
                    "--baseline pypi usa el de PyPI, --baseline FICHERO uno tuyo, --baseline none no compara",
                ),
            )),
        },
        Wanted::Any => match frozen(board).map_err(link)? {
            Some(baseline) => Ok(Some(baseline)),
            None => pypi(lang).map(Some),
        },
    }
}

/// The firmware's own, if it has one.
fn frozen(board: &mut Board) -> Result<Option<Baseline>, LinkError> {
    // A board's own file of that name must not be taken for it.
    let code = "import sys\n\
         _p = sys.path[:]\n\
         sys.path[:] = ['.frozen']\n\
         try:\n    \
             import umqtt.simple\n    \
             print('frozen' if hasattr(umqtt.simple, 'MQTTClient') else 'none')\n\
         except Exception:\n    \
             print('none')\n\
         sys.path[:] = _p\n";
    let said = board.exec(code).and_then(Execution::into_stdout)?;
    Ok((said.trim() == "frozen").then(|| Baseline {
        name: "umqtt.simple (frozen)".to_owned(),
        file: None,
    }))
}

fn read(path: &Path, lang: Lang) -> Result<Baseline, Failure> {
    let ending = match path.extension().and_then(|ending| ending.to_str()) {
        Some("py") => "py",
        Some("mpy") => "mpy",
        _ => {
            let message = match lang {
                Lang::En => format!("{} is neither a .py nor a .mpy file", path.display()),
                Lang::Es => format!("{} no es un fichero .py ni .mpy", path.display()),
            };
            let help = lang.pick(
                "--baseline takes frozen, pypi, none, or a file that has the class MQTTClient",
                "--baseline admite frozen, pypi, none o un fichero que tenga la clase MQTTClient",
            );
            return Err(Failure::new(Status::Usage, message, help));
        }
    };
    let content = std::fs::read(path).map_err(|error| {
        let message = failure::cannot_read(path.display(), &error, lang);
        let help = lang.pick("check its name", "revisa el nombre");
        Failure::new(Status::Usage, message, help)
    })?;
    Ok(Baseline {
        name: path.display().to_string(),
        file: Some((content, ending)),
    })
}

/// PyPI's, from the cache, or fetched into it once.
fn pypi(lang: Lang) -> Result<Baseline, Failure> {
    let failed = |why: String| {
        let message = match lang {
            Lang::En => format!("umqtt.simple {VERSION} cannot be had from PyPI: {why}"),
            Lang::Es => format!("no se puede obtener umqtt.simple {VERSION} de PyPI: {why}"),
        };
        let help = lang.pick(
            "check the network, or --baseline FILE for a copy that you have, --baseline none for no comparison",
            "revisa la red, o usa --baseline FICHERO con una copia que tengas, o --baseline none para no comparar",
        );
        Failure::new(Status::Failed, message, help)
    };
    let absolute = |name: &str| {
        let value = std::env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .or_else(|| absolute("LOCALAPPDATA"))
        .ok_or_else(|| {
            failed(
                lang.pick("HOME is not set", "HOME no está definida")
                    .to_owned(),
            )
        })?;
    // `cargo xtask setup` keeps it in the same place.
    let pypi = cache.join("umqtt/pypi");
    let folder = pypi.join(format!("{PACKAGE}-{VERSION}"));
    let file = folder.join("umqtt/simple.py");
    if !file.is_file() {
        std::fs::create_dir_all(&pypi).map_err(|error| failed(error.to_string()))?;
        let part = tempfile::Builder::new()
            .prefix("part-")
            .tempdir_in(&pypi)
            .map_err(|error| failed(error.to_string()))?;
        fetch(part.path()).map_err(failed)?;
        // Somebody else may have been faster; theirs is as good.
        let moved = std::fs::rename(part.path(), &folder);
        if let Err(error) = moved
            && !file.is_file()
        {
            return Err(failed(error.to_string()));
        }
    }
    let content = std::fs::read(&file).map_err(|error| failed(error.to_string()))?;
    Ok(Baseline {
        name: format!("umqtt.simple {VERSION} (PyPI)"),
        file: Some((content, "py")),
    })
}

fn fetch(folder: &Path) -> Result<(), String> {
    let mut why = String::new();
    for python in PYTHONS {
        let done = Command::new(python)
            .args(["-c", FETCH, PACKAGE, VERSION])
            .arg(folder)
            .output();
        match done {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.lines().rfind(|line| !line.trim().is_empty());
                why = format!("{python}: {}", last.unwrap_or_default());
            }
            Err(error) if why.is_empty() => why = format!("{python}: {error}"),
            Err(_) => {}
        }
    }
    Err(why)
}
