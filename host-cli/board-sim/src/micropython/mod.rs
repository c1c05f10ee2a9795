//! Which MicroPython runs on this computer: where it is looked for, in which order, and how it is started.
//!
//! The order is: the environment variable `UMQTT_MICROPYTHON`; `micropython` on PATH if it loads .mpy
//! files of version 6.3; a copy in the user's cache; a fresh copy that the machine's own apt fetches into
//! that cache. Nothing outside the cache folder is written, and no step needs root.

mod apt;
mod cache;
mod error;
mod fetch;
mod hint;
mod mirror;
mod probe;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use error::FindError;
pub use fetch::SourcePackage;
pub use probe::Implementation;

/// The environment variable that names a MicroPython program and wins over everything else.
pub const PROGRAM_VARIABLE: &str = "UMQTT_MICROPYTHON";

/// Where to look for MicroPython, and which one will do. The default looks everywhere and takes any
/// whose .mpy version is 6.3.
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    /// This program and no other; stands above `UMQTT_MICROPYTHON`.
    pub program: Option<PathBuf>,
    /// The cache folder instead of `$XDG_CACHE_HOME/umqtt` or `~/.cache/umqtt`.
    pub cache: Option<PathBuf>,
    /// Only a MicroPython whose version starts so, counted in whole numbers: `1.26` takes 1.26.1, not
    /// 1.260. With a version set, `UMQTT_MICROPYTHON` and PATH are left alone: only cache and apt count.
    pub version: Option<String>,
    /// Only a MicroPython for this other kind of computer. With one set, too, only cache and apt count.
    pub foreign: Option<Foreign>,
    /// Never fetch: what is not on the machine is an error.
    pub offline: bool,
    /// Further `-o` settings for apt, such as `Acquire::http::Proxy=http://proxy:3128`.
    pub apt_settings: Vec<String>,
}

/// Another kind of computer whose programs run here as well: by the kernel itself where it can, else by QEMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// The 32-bit PC.
    I386,
}

impl Foreign {
    /// What Debian calls its packages for it.
    fn debian(self) -> &'static str {
        match self {
            Foreign::I386 => "i386",
        }
    }

    /// What runs its programs where the kernel does not.
    fn emulator(self) -> &'static str {
        match self {
            Foreign::I386 => "qemu-i386",
        }
    }
}

/// What the search is doing, for a progress display. `Display` gives one English line.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Somebody else is fetching into the same cache; waiting for the lock.
    WaitingForOther,
    /// The package index of one suite is being downloaded; percent from 0 to 100.
    Index { suite: String, percent: f32 },
    /// The packages are being downloaded; percent from 0 to 100.
    Packages { what: String, percent: f32 },
    /// The packages are being unpacked.
    Unpacking { what: String },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Progress::WaitingForOther => {
                f.write_str("waiting for another download of MicroPython to end")
            }
            Progress::Index { suite, percent } => {
                write!(
                    f,
                    "fetching Debian's package index ({suite}): {percent:.0} %"
                )
            }
            Progress::Packages { what, percent } => write!(f, "fetching {what}: {percent:.0} %"),
            Progress::Unpacking { what } => write!(f, "unpacking {what}"),
        }
    }
}

impl Progress {
    /// The same line in Spanish.
    pub fn to_spanish(&self) -> String {
        match self {
            Progress::WaitingForOther => {
                "esperando a que termine otra descarga de MicroPython".to_string()
            }
            Progress::Index { suite, percent } => {
                format!("descargando el índice de paquetes de Debian ({suite}): {percent:.0} %")
            }
            Progress::Packages { what, percent } => format!("descargando {what}: {percent:.0} %"),
            Progress::Unpacking { what } => format!("desempaquetando {what}"),
        }
    }
}

/// Where a MicroPython was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by `FindOptions::program` or `UMQTT_MICROPYTHON`.
    Named,
    /// `micropython` on PATH.
    Path,
    /// An earlier copy in the user's cache.
    Cache,
    /// Just fetched into the user's cache.
    Fetched,
}

/// A MicroPython of the unix port that runs on this computer and loads native .mpy files of version 6.3.
#[derive(Clone, Debug)]
pub struct MicroPython {
    program: PathBuf,
    loader: Option<Loader>,
    origin: Origin,
    implementation: Implementation,
}

/// The dynamic loader and libraries that came with a fetched copy, so that it runs whatever the
/// machine's own C library is.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    /// What runs the loader, where the kernel does not.
    pub(crate) emulator: Option<&'static str>,
    pub(crate) program: PathBuf,
    pub(crate) libraries: PathBuf,
}

impl Loader {
    fn command(&self, program: &Path) -> Command {
        let mut command = match self.emulator {
            Some(emulator) => {
                let mut command = Command::new(emulator);
                command.arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command
            .arg("--library-path")
            .arg(&self.libraries)
            .arg(program);
        command
    }
}

impl MicroPython {
    /// Finds MicroPython, fetching it if the machine has none. `progress` is called often while fetching.
    pub fn find(
        options: &FindOptions,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<MicroPython, FindError> {
        if let Some(program) = &options.program {
            return Self::named(program, options);
        }
        if options.version.is_none() && options.foreign.is_none() {
            if let Some(program) = std::env::var_os(PROGRAM_VARIABLE).filter(|v| !v.is_empty()) {
                return Self::named(Path::new(&program), options);
            }
            if let Some(found) = Self::on_path(std::env::var_os("PATH")) {
                return Ok(found);
            }
        }
        let cache = cache::Cache::open(options)?;
        if let Some(found) = cache.lookup(options) {
            return Ok(found);
        }
        if options.offline {
            return Err(FindError::Offline {
                cache: cache.folder().to_path_buf(),
            });
        }
        fetch::micropython(&cache, options, progress)
    }

    /// A program that the user named: anything wrong with it is an error, not a reason to look elsewhere.
    fn named(program: &Path, options: &FindOptions) -> Result<MicroPython, FindError> {
        let implementation =
            Implementation::probe(Command::new(program)).map_err(|reason| FindError::Unusable {
                program: program.to_path_buf(),
                reason,
            })?;
        if let Some(reason) = implementation.unfit(options.version.as_deref()) {
            return Err(FindError::Unusable {
                program: program.to_path_buf(),
                reason,
            });
        }
        Ok(MicroPython {
            program: program.to_path_buf(),
            loader: None,
            origin: Origin::Named,
            implementation,
        })
    }

    /// The first `micropython` on PATH that fits; an older one there is passed over.
    fn on_path(path: Option<OsString>) -> Option<MicroPython> {
        std::env::split_paths(&path?).find_map(|folder| {
            let program = folder.join(format!("micropython{}", std::env::consts::EXE_SUFFIX));
            if !program.is_file() {
                return None;
            }
            let implementation = Implementation::probe(Command::new(&program)).ok()?;
            implementation.unfit(None).is_none().then_some(MicroPython {
                program,
                loader: None,
                origin: Origin::Path,
                implementation,
            })
        })
    }

    /// The program itself. It may need its own loader: start it with [`MicroPython::command`].
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// A command that starts this MicroPython, with loader and library path where needed. The caller adds
    /// MicroPython's own arguments.
    pub fn command(&self) -> Command {
        match &self.loader {
            Some(loader) => loader.command(&self.program),
            None => Command::new(&self.program),
        }
    }

    /// Where it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What it says about itself: version, .mpy version and architecture.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }
}

/// Fetches Debian's source package `name` in the first version that starts with `version` (such as
/// `1.26`) into the cache and returns the folder with the sources; the packaging stands in its
/// `debian` subfolder, its patches not applied. A copy already there is returned at once.
pub fn source_package(
    name: &str,
    version: &str,
    options: &FindOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<SourcePackage, FindError> {
    let cache = cache::Cache::open(options)?;
    fetch::source_package(&cache, name, version, options, progress)
}

/// True if `version` starts with `prefix` in whole numbers: `1.26.1` with `1.26`, not `1.260` with `1.26`.
pub(crate) fn version_matches(version: &str, prefix: &str) -> bool {
    match version.strip_prefix(prefix) {
        Some(rest) => !rest.starts_with(|c: char| c.is_ascii_digit()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::version_matches;

    #[test]
    fn version_prefixes_count_in_whole_numbers() {
        for (version, prefix, fits) in [
            ("1.26.1", "1.26", true),
            ("1.26.1", "1.26.1", true),
            ("1.26.1+ds-1", "1.26.1", true),
            ("1.260.0", "1.26", false),
            ("1.25.0", "1.26", false),
            ("1.26.1", "1", true),
        ] {
            assert_eq!(version_matches(version, prefix), fits, "{version} {prefix}");
        }
    }
}
