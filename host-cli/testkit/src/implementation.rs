//! Decides which `umqtt.simple` a program under test imports: ours, or upstream's as PyPI has it.

use std::path::{Path, PathBuf};

/// An implementation of `umqtt.simple`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Implementation {
    /// The native module: `UMQTT_MODULE`, else the prebuilt one.
    Ours,
    /// micropython-umqtt.simple 1.3.4: `UMQTT_UPSTREAM_SIMPLE`, else the cache.
    Upstream,
}

/// A folder to put on MicroPython's path, with the package `umqtt` in it. Removed when dropped.
#[derive(Debug)]
pub struct Module {
    folder: tempfile::TempDir,
}

const FETCHED: &str = "`cargo xtask setup` fetches it";

/// The file that this variable names, else this one, if there is such a file.
fn existing(variable: &str, default: PathBuf, remedy: &str) -> Result<PathBuf, String> {
    let file = std::env::var_os(variable).map_or(default, PathBuf::from);
    if file.is_file() {
        Ok(file)
    } else {
        Err(format!("there is no {}; {remedy}", file.display()))
    }
}

impl Implementation {
    /// The file behind it.
    ///
    /// # Errors
    /// Where it is missing; the text says what makes it.
    pub fn file(self) -> Result<PathBuf, String> {
        match self {
            Implementation::Ours => existing(
                "UMQTT_MODULE",
                crate::repository().join("native-module/prebuilt/x64/umqtt/simple.mpy"),
                "`cargo xtask prebuilt` builds it",
            ),
            Implementation::Upstream => existing(
                "UMQTT_UPSTREAM_SIMPLE",
                crate::cache()?.join("pypi/micropython-umqtt.simple-1.3.4/umqtt/simple.py"),
                FETCHED,
            ),
        }
    }

    /// The `umqtt.robust` that goes with it; upstream's is `UMQTT_UPSTREAM_ROBUST`, else that of the cache.
    ///
    /// # Errors
    /// As [`Implementation::file`].
    pub fn robust(self) -> Result<PathBuf, String> {
        match self {
            Implementation::Ours => Ok(crate::repository().join("python/umqtt/robust.py")),
            Implementation::Upstream => existing(
                "UMQTT_UPSTREAM_ROBUST",
                crate::cache()?.join("pypi/micropython-umqtt.robust/umqtt/robust.py"),
                FETCHED,
            ),
        }
    }

    /// A folder with this implementation as `umqtt.simple`.
    ///
    /// # Errors
    /// As [`Implementation::file`], or where the folder cannot be made.
    pub fn module(self) -> Result<Module, String> {
        let file = self.file()?;
        let module = Module::empty()?;
        let extension = file
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        module.add(&file, &format!("simple.{extension}"))?;
        Ok(module)
    }
}

impl Module {
    /// A folder with an empty package `umqtt`.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn empty() -> Result<Module, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no scratch folder: {error}"))?;
        std::fs::create_dir(folder.path().join("umqtt"))
            .map_err(|error| format!("no scratch folder: {error}"))?;
        Ok(Module { folder })
    }

    /// A folder with one module that has nothing to do with `umqtt`: `name` in the folder itself.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn alone(name: &str, contents: &[u8]) -> Result<Module, String> {
        let module = Module::empty()?;
        let file = module.folder.path().join(name);
        std::fs::write(&file, contents)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok(module)
    }

    /// Puts another file into the package, under a name of its own.
    ///
    /// # Errors
    /// Where it cannot be copied.
    pub fn add(&self, file: &Path, name: &str) -> Result<(), String> {
        std::fs::copy(file, self.folder.path().join("umqtt").join(name))
            .map(drop)
            .map_err(|error| format!("cannot copy {}: {error}", file.display()))
    }

    /// The folder to put on MicroPython's path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}
