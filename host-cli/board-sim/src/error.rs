//! Why a simulated board cannot be started.

use std::io;
use std::path::PathBuf;

/// Failure of [`crate::SimBoard::start`]. `Display` is English, [`SimError::to_spanish`] Spanish.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The folder that should be the filesystem is missing or no folder.
    #[error("the simulated board's folder {} cannot be used: {source}. Create it, or name another", path.display())]
    Root { path: PathBuf, source: io::Error },

    /// A resource of the system is not to be had.
    #[error("cannot {action} for the simulated board: {source}")]
    System {
        action: &'static str,
        source: io::Error,
    },

    /// MicroPython started, but the board's first code failed in it.
    #[error(
        "MicroPython {version} started but could not become a board: {output}. Name another MicroPython in UMQTT_MICROPYTHON; it must be the standard variant of the unix port"
    )]
    Start { version: String, output: String },

    /// This system has no pseudo-terminals.
    #[error(
        "the simulated board needs Linux or macOS. On Windows run this inside WSL: wsl --install -d Debian"
    )]
    Unsupported,
}

impl SimError {
    #[cfg(unix)]
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> SimError {
        move |source| SimError::System { action, source }
    }

    /// The same message in Spanish. Texts of other programs inside it stay as they are.
    pub fn to_spanish(&self) -> String {
        match self {
            SimError::Root { path, source } => format!(
                "la carpeta {} de la placa simulada no sirve: {source}. Créala, o indica otra",
                path.display()
            ),
            SimError::System { action, source } => {
                format!("la placa simulada no puede arrancar ({action}): {source}")
            }
            SimError::Start { version, output } => format!(
                "MicroPython {version} arrancó pero no pudo convertirse en placa: {output}. Indica otro MicroPython en UMQTT_MICROPYTHON; debe ser la variante estándar para unix"
            ),
            SimError::Unsupported => "la placa simulada necesita Linux o macOS. En Windows ejecútala dentro de WSL: wsl --install -d Debian".to_string(),
        }
    }
}
