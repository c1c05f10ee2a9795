//! Why no MicroPython could be found or fetched: each error says what failed, why, and what to try.

use std::path::{Path, PathBuf};

use super::PROGRAM_VARIABLE;
use super::hint::InstallHint;

/// Failure of [`super::MicroPython::find`] or [`super::source_package`]. `Display` is English,
/// [`FindError::to_spanish`] Spanish.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// The named program does not run, is no MicroPython or is of the wrong version.
    #[error("{} cannot be used as MicroPython: {reason}. Name another program in {PROGRAM_VARIABLE}, or unset it", program.display())]
    Unusable { program: PathBuf, reason: String },

    /// Fetching was forbidden and the machine has no copy.
    #[error("there is no MicroPython 1.23 or newer on PATH or in {}, and fetching it is switched off. Run once with a network, or name a program in {PROGRAM_VARIABLE}", cache.display())]
    Offline { cache: PathBuf },

    /// This system has no apt that could fetch it.
    #[error("MicroPython is not installed and this system has no Debian package source to fetch it from ({why}). Install it: {}", hint.command)]
    NoPackageSource { why: String, hint: InstallHint },

    /// Neither XDG_CACHE_HOME nor HOME says where the cache is.
    #[error(
        "there is no folder for the cache: neither XDG_CACHE_HOME nor HOME is an absolute path. Set one of them"
    )]
    NoCacheFolder,

    /// apt could not reach the mirror.
    #[error(
        "MicroPython could not be fetched from {mirror}: no answer from the network ({detail}). Connect this computer, or set apt's proxy, and run again"
    )]
    Network { mirror: String, detail: String },

    /// apt does not accept the mirror's signature.
    #[error(
        "MicroPython could not be fetched from {mirror}: its signature cannot be checked ({detail}). Update the keys: sudo apt-get install --only-upgrade debian-archive-keyring"
    )]
    Signature { mirror: String, detail: String },

    /// No suite of the mirror has such a package.
    #[error(
        "{mirror} has no package {package} {version} in any of the suites {suites}. Try another version or mirror"
    )]
    NoSuchPackage {
        mirror: String,
        package: String,
        version: String,
        suites: String,
    },

    /// The cache's disk is full.
    #[error("not enough room in {}: {needed_mb} MB are needed, {free_mb} MB are free. Free some, or set XDG_CACHE_HOME to a folder on another disk", folder.display())]
    DiskFull {
        folder: PathBuf,
        needed_mb: u64,
        free_mb: u64,
    },

    /// Ctrl-C, or the helper program was ended by a signal.
    #[error(
        "fetching MicroPython was interrupted; nothing half-done was kept. Run again to start over"
    )]
    Interrupted,

    /// A file or folder of the cache cannot be read or written.
    #[error("cannot {action} {}: {source}. Check that folder's owner and permissions, or set XDG_CACHE_HOME to another one", path.display())]
    Cache {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    /// One of the system's tools failed for a reason of its own.
    #[error("{tool} failed: {detail}")]
    Tool { tool: String, detail: String },
}

impl FindError {
    pub(super) fn cache(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> FindError {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                FindError::DiskFull {
                    needed_mb: super::cache::NEEDED_MB,
                    free_mb: super::cache::free_mb(&path).unwrap_or(0),
                    folder: path,
                }
            }
            _ => FindError::Cache {
                action,
                path,
                source,
            },
        }
    }

    /// The same message in Spanish. Texts of other programs inside it stay as they are.
    pub fn to_spanish(&self) -> String {
        match self {
            FindError::Unusable { program, reason } => format!(
                "{} no sirve como MicroPython: {reason}. Indica otro programa en {PROGRAM_VARIABLE}, o borra esa variable",
                program.display()
            ),
            FindError::Offline { cache } => format!(
                "no hay MicroPython 1.23 o posterior en PATH ni en {}, y su descarga está desactivada. Ejecuta una vez con red, o indica un programa en {PROGRAM_VARIABLE}",
                cache.display()
            ),
            FindError::NoPackageSource { why, hint } => format!(
                "MicroPython no está instalado y este sistema no tiene de dónde descargarlo ({why}). Instálalo: {}",
                hint.command
            ),
            FindError::NoCacheFolder => "no hay carpeta para la caché: ni XDG_CACHE_HOME ni HOME son rutas absolutas. Define una de las dos".to_string(),
            FindError::Network { mirror, detail } => format!(
                "no se pudo descargar MicroPython de {mirror}: la red no responde ({detail}). Conecta este ordenador, o configura el proxy de apt, y repite"
            ),
            FindError::Signature { mirror, detail } => format!(
                "no se pudo descargar MicroPython de {mirror}: no se puede comprobar su firma ({detail}). Actualiza las claves: sudo apt-get install --only-upgrade debian-archive-keyring"
            ),
            FindError::NoSuchPackage { mirror, package, version, suites } => format!(
                "{mirror} no tiene el paquete {package} {version} en ninguna de sus versiones {suites}. Prueba otra versión u otro servidor"
            ),
            FindError::DiskFull { folder, needed_mb, free_mb } => format!(
                "falta sitio en {}: se necesitan {needed_mb} MB y quedan {free_mb} MB. Libera espacio, o pon XDG_CACHE_HOME en otro disco",
                folder.display()
            ),
            FindError::Interrupted => "se interrumpió la descarga de MicroPython; no quedó nada a medias. Ejecuta de nuevo para empezar otra vez".to_string(),
            FindError::Cache { path, source, .. } => format!(
                "no se puede usar {}: {source}. Revisa el dueño y los permisos de esa carpeta, o pon XDG_CACHE_HOME en otra",
                path.display()
            ),
            FindError::Tool { tool, detail } => format!("falló {tool}: {detail}"),
        }
    }
}
