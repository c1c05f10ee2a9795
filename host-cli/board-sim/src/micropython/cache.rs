//! The user's cache folder: what is in it, who may write it, and how a copy gets there whole or not at all.
//!
//! ```text
//! <cache>/umqtt/lock                      held while fetching
//! <cache>/umqtt/part-…                    work in progress; swept by the next fetch
//! <cache>/umqtt/micropython/<version>/    an unpacked copy with its libraries
//! <cache>/umqtt/micropython-i386/…        the same for another kind of computer
//! <cache>/umqtt/source/<name>-<version>/  an unpacked source package
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::probe::Implementation;
use super::{FindError, FindOptions, Foreign, Loader, MicroPython, Origin, Progress};

/// Room that a fetch takes for a moment: index, packages and the unpacked copy.
pub(super) const NEEDED_MB: u64 = 150;

/// The cache folder `<cache>/umqtt`; it need not exist yet.
pub(super) struct Cache {
    folder: PathBuf,
}

/// The right to write the cache; let go when dropped, also by the death of the process.
pub(super) struct CacheLock {
    _file: File,
}

/// A folder for work in progress, removed when dropped unless it was moved to its place.
pub(super) struct Part {
    pub(super) folder: PathBuf,
}

impl Drop for Part {
    fn drop(&mut self) {
        // Gone already if it was moved to its place; what cannot be removed is swept next time.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Cache {
    pub(super) fn open(options: &FindOptions) -> Result<Cache, FindError> {
        if let Some(folder) = &options.cache {
            return Ok(Cache {
                folder: folder.clone(),
            });
        }
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or(FindError::NoCacheFolder)?;
        Ok(Cache {
            folder: base.join("umqtt"),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The oldest copy that fits and runs: a newer one was fetched for somebody who asked for it.
    pub(super) fn lookup(&self, options: &FindOptions) -> Option<MicroPython> {
        let mut copies: Vec<PathBuf> = fs::read_dir(self.folder.join(copies(options.foreign)))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        copies.sort();
        copies
            .into_iter()
            .find_map(|folder| load(&folder, options, Origin::Cache).ok())
    }

    pub(super) fn source(&self, name: &str, version: &str) -> Option<(PathBuf, String)> {
        let prefix = format!("{name}-");
        fs::read_dir(self.folder.join("source"))
            .ok()?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let file_name = entry.file_name().into_string().ok()?;
                let found = file_name.strip_prefix(&prefix)?;
                super::version_matches(found, version).then(|| (entry.path(), found.to_string()))
            })
            .max()
    }

    /// Waits for the right to write the cache and sweeps what an interrupted fetch left.
    pub(super) fn lock(&self, progress: &mut dyn FnMut(&Progress)) -> Result<CacheLock, FindError> {
        fs::create_dir_all(&self.folder).map_err(FindError::cache("create", &self.folder))?;
        let path = self.folder.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(FindError::cache("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                progress(&Progress::WaitingForOther);
                file.lock().map_err(FindError::cache("lock", &path))?;
            }
            Err(fs::TryLockError::Error(e)) => return Err(FindError::cache("lock", &path)(e)),
        }
        for entry in fs::read_dir(&self.folder).map_err(FindError::cache("read", &self.folder))? {
            let entry = entry.map_err(FindError::cache("read", &self.folder))?;
            if entry.file_name().to_string_lossy().starts_with("part-") {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(FindError::cache("remove", &path))?;
            }
        }
        Ok(CacheLock { _file: file })
    }

    /// A new folder for work in progress, on the same disk as its final place.
    pub(super) fn part(&self, _lock: &CacheLock) -> Result<Part, FindError> {
        let free_mb = free_mb(&self.folder).unwrap_or(u64::MAX);
        if free_mb < NEEDED_MB {
            return Err(FindError::DiskFull {
                folder: self.folder.clone(),
                needed_mb: NEEDED_MB,
                free_mb,
            });
        }
        let folder = self.folder.join(format!("part-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(FindError::cache("create", &folder))?;
        Ok(Part { folder })
    }

    /// Moves a finished folder to its place, `kind/name`, in one step.
    pub(super) fn keep(
        &self,
        _lock: &CacheLock,
        finished: &Path,
        kind: &str,
        name: &str,
    ) -> Result<PathBuf, FindError> {
        let parent = self.folder.join(kind);
        fs::create_dir_all(&parent).map_err(FindError::cache("create", &parent))?;
        let place = parent.join(name);
        if place.exists() {
            // It was there and did not run, or it would have been used.
            fs::remove_dir_all(&place).map_err(FindError::cache("remove", &place))?;
        }
        fs::rename(finished, &place).map_err(FindError::cache("write", &place))?;
        Ok(place)
    }
}

/// Free room for this user on the disk that holds `path` or its nearest existing parent, in MB.
pub(super) fn free_mb(path: &Path) -> Option<u64> {
    path.ancestors()
        .find_map(|folder| rustix::fs::statvfs(folder).ok())
        .map(|room| room.f_bavail.saturating_mul(room.f_frsize) / 1_000_000)
}

/// The folder with the copies for a kind of computer.
pub(super) fn copies(foreign: Option<Foreign>) -> String {
    match foreign {
        Some(foreign) => format!("micropython-{}", foreign.debian()),
        None => "micropython".to_string(),
    }
}

/// Makes a `MicroPython` of an unpacked copy, after trying it.
pub(super) fn load(
    folder: &Path,
    options: &FindOptions,
    origin: Origin,
) -> Result<MicroPython, String> {
    let program = folder.join("usr/bin/micropython");
    if !program.is_file() {
        return Err(format!("{} is missing", program.display()));
    }
    let mut loader =
        find_loader(folder).ok_or_else(|| format!("no dynamic loader in {}", folder.display()))?;
    let native = Implementation::probe(loader.command(&program));
    let implementation = match (native, options.foreign) {
        (Err(reason), Some(foreign)) => {
            let emulator = foreign.emulator();
            loader.emulator = Some(emulator);
            Implementation::probe(loader.command(&program)).map_err(|emulated| {
                format!("{reason}; by {emulator} (Debian's package qemu-user) neither: {emulated}")
            })?
        }
        (implementation, _) => implementation?,
    };
    match implementation.unfit(options.version.as_deref()) {
        Some(reason) => Err(reason),
        None => Ok(MicroPython {
            program,
            loader: Some(loader),
            origin,
            implementation,
        }),
    }
}

/// The dynamic loader of an unpacked copy: `ld-linux-x86-64.so.2`, `ld-linux-aarch64.so.1`, `ld64.so.2` …
/// The libraries stand beside the file that its link leads to.
fn find_loader(folder: &Path) -> Option<Loader> {
    ["usr/lib64", "lib64", "usr/lib", "lib"]
        .iter()
        .find_map(|sub| {
            let mut names: Vec<PathBuf> = fs::read_dir(folder.join(sub))
                .ok()?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    name.starts_with("ld-linux")
                        || name.starts_with("ld64.so")
                        || name.starts_with("ld.so")
                })
                .collect();
            names.sort();
            let program = names.into_iter().next()?.canonicalize().ok()?;
            let libraries = program.parent()?.to_path_buf();
            Some(Loader {
                emulator: None,
                program,
                libraries,
            })
        })
}
