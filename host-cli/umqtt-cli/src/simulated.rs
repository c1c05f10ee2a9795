//! Decides how the simulated board is started: which MicroPython, which folder, which host names.
//!
//! Systems without pseudo-terminals have `simulated_unsupported` in its place.

use std::fs::{self, File, TryLockError};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use board_link::{Lang, PortSpec, Transport};
use board_sim::{BrokerHosts, FindOptions, HostMap, MicroPython, Progress, SimBoard, SimConfig};
use weather::Weather;

use crate::broker_choice::StandIn;
use crate::data_folder;
use crate::display::Sender;
use crate::failure::{Failure, Status};
use crate::stop::Stop;
use crate::trace;

/// Names the folder that is the simulated board's filesystem.
const ROOT_VARIABLE: &str = "UMQTT_SIM_ROOT";

/// A simulated board, the folder it lives on, and what it meets in place of the Internet.
pub struct Simulated {
    // The board goes first: its process must not outlive the folder.
    board: SimBoard,
    _flash: Flash,
    _weather: Option<Weather>,
}

/// The folder, and what keeps others from it.
enum Flash {
    /// It stays; the lock on the file beside it goes with this value.
    Kept { path: PathBuf, _lock: File },
    /// Another run has that one; this goes when the run ends.
    Temporary(tempfile::TempDir),
}

impl Flash {
    fn path(&self) -> &Path {
        match self {
            Self::Kept { path, .. } => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

impl Simulated {
    /// Starts the board, fetching MicroPython first where the computer has none. With a stand-in the
    /// names of public brokers lead to it, and that of Open-Meteo to a simulation of it; else all names are real.
    pub fn start(
        broker: Option<StandIn>,
        display: &Sender,
        stop: &Stop,
        lang: Lang,
    ) -> Result<Self, Failure> {
        let micropython = find(stop, lang)?;
        let flash = flash(display, lang)?;
        let version = micropython.implementation().version.clone();
        let mut config = SimConfig::new(flash.path(), micropython);
        let broker = broker.map(|StandIn { tcp, tls }| BrokerHosts { tcp, tls });
        config.hosts = HostMap {
            broker,
            ..HostMap::default()
        };
        let weather = broker.and_then(|_| simulated_weather(display, lang));
        if let Some(weather) = &weather {
            let names = &mut config.hosts.names;
            names.insert(weather::HOST.to_owned(), weather.address());
        }
        let board = SimBoard::start(config).map_err(|error| {
            Failure::complete(
                Status::Failed,
                lang.pick(error.to_string(), error.to_spanish()),
            )
        })?;
        display.note(match lang {
            Lang::En => format!(
                "simulated board: MicroPython {version}, files in {}",
                flash.path().display()
            ),
            Lang::Es => format!(
                "placa simulada: MicroPython {version}, ficheros en {}",
                flash.path().display()
            ),
        });
        Ok(Self {
            board,
            _flash: flash,
            _weather: weather,
        })
    }

    /// Starts one of many: on a folder of its own, which goes with it, and all names lead where they do.
    pub fn one_of_many(stop: &Stop, lang: Lang) -> Result<Self, Failure> {
        let micropython = find(stop, lang)?;
        let failed = |error: std::io::Error| Failure::complete(Status::Failed, error.to_string());
        let folder = tempfile::Builder::new()
            .prefix("umqtt-flash-")
            .tempdir()
            .map_err(failed)?;
        let config = SimConfig::new(folder.path(), micropython);
        let board = SimBoard::start(config).map_err(|error| {
            Failure::complete(
                Status::Failed,
                lang.pick(error.to_string(), error.to_spanish()),
            )
        })?;
        Ok(Self {
            board,
            _flash: Flash::Temporary(folder),
            _weather: None,
        })
    }

    /// Opens its serial line as that of any other board.
    pub fn open(&self, lang: Lang) -> Result<Box<dyn Transport>, Failure> {
        let device = PortSpec::Device(self.board.device().display().to_string());
        let transport =
            board_link::open(&device).map_err(|error| Failure::from_link(&error, lang))?;
        Ok(trace::watched(transport))
    }
}

/// The stand-in for Open-Meteo, which says that it is one as soon as somebody asks it. Without it the name is the real
/// one's, as on a board with Internet.
fn simulated_weather(display: &Sender, lang: Lang) -> Option<Weather> {
    let note = match lang {
        Lang::En => format!(
            "{} is simulated here, its weather is made up; --online asks the real one",
            weather::HOST
        ),
        Lang::Es => format!(
            "{} es aquí una simulación, su tiempo es inventado; --online pregunta al de verdad",
            weather::HOST
        ),
    };
    let teller = display.clone();
    match Weather::start(move || teller.note(note)) {
        Ok(weather) => Some(weather),
        Err(error) => {
            display.note(match lang {
                Lang::En => format!("{} cannot be simulated: {error}", weather::HOST),
                Lang::Es => format!(
                    "no se puede simular {}: {}",
                    weather::HOST,
                    lang.reason(&error)
                ),
            });
            None
        }
    }
}

/// What the laboratory makes its boards of, fetching MicroPython first where the computer has none.
pub fn maker(stop: &Stop, lang: Lang) -> Result<Option<lab::Maker>, Failure> {
    let micropython = find(stop, lang)?;
    Ok(Some(lab::Maker { micropython }))
}

/// MicroPython, with a line on standard error that says what is being fetched.
fn find(stop: &Stop, lang: Lang) -> Result<MicroPython, Failure> {
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    let live = std::io::stderr().is_terminal() && !dumb;
    let mut shown = false;
    let found = MicroPython::find(&FindOptions::default(), &mut |progress: &Progress| {
        let mut errors = std::io::stderr().lock();
        // Standard error may be closed; that is no reason not to fetch.
        if live {
            let text = lang.pick(progress.to_string(), progress.to_spanish());
            let _ = write!(errors, "\r\x1b[K{text}");
            let _ = errors.flush();
        } else if !shown {
            let text = lang.pick(
                "fetching MicroPython, once",
                "descargando MicroPython, solo esta vez",
            );
            let _ = writeln!(errors, "umqtt: {text}");
        }
        shown = true;
    });
    if live && shown {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
    // Ctrl-C ends the helpers of a search, which then looks like a failure of theirs.
    stop.interrupted(lang)?;
    found.map_err(|error| {
        Failure::complete(
            Status::Failed,
            lang.pick(error.to_string(), error.to_spanish()),
        )
    })
}

/// The folder for this run: the user's own, or a temporary one while another run has it.
fn flash(display: &Sender, lang: Lang) -> Result<Flash, Failure> {
    let path = match std::env::var_os(ROOT_VARIABLE).filter(|value| !value.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => data_folder(lang)?.join("umqtt").join("sim").join("flash"),
    };
    let failed = |error: std::io::Error| {
        let message = match lang {
            Lang::En => format!(
                "the simulated board's folder {} cannot be used: {error}",
                path.display()
            ),
            Lang::Es => format!(
                "no se puede usar la carpeta de la placa simulada {}: {}",
                path.display(),
                lang.reason(&error)
            ),
        };
        let help = match lang {
            Lang::En => format!("free some room, or name another folder in {ROOT_VARIABLE}"),
            Lang::Es => format!("libera espacio, o indica otra carpeta en {ROOT_VARIABLE}"),
        };
        Failure::new(Status::Failed, message, help)
    };
    fs::create_dir_all(&path).map_err(failed)?;
    let lock = File::create(path.with_extension("lock")).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(Flash::Kept { path, _lock: lock }),
        Err(TryLockError::WouldBlock) => {
            display.note(match lang {
                Lang::En => format!(
                    "another run uses {}: this one gets a temporary folder",
                    path.display()
                ),
                Lang::Es => format!(
                    "otra ejecución usa {}: esta recibe una carpeta temporal",
                    path.display()
                ),
            });
            tempfile::Builder::new()
                .prefix("umqtt-flash-")
                .tempdir()
                .map(Flash::Temporary)
                .map_err(failed)
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn data_folder(lang: Lang) -> Result<PathBuf, Failure> {
    data_folder::find().ok_or_else(|| {
        let message = lang.pick(
            "there is no folder for the simulated board: HOME is not set",
            "no hay carpeta para la placa simulada: HOME no está definida",
        );
        let help = match lang {
            Lang::En => format!("name one in {ROOT_VARIABLE}"),
            Lang::Es => format!("indica una en {ROOT_VARIABLE}"),
        };
        Failure::new(Status::Failed, message, help)
    })
}
