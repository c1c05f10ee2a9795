//! Fetching MicroPython, or a source package, from the machine's Debian mirror into the cache.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{self, Index, PrivateApt};
use super::cache::{self, Cache, Part};
use super::mirror::Mirror;
use super::{FindError, FindOptions, MicroPython, Origin, Progress};

/// Debian's releases from the first whose MicroPython loads .mpy 6.3, in the order they are tried.
const SUITES: [&str; 3] = ["trixie", "forky", "sid"];

/// A source package in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePackage {
    /// The folder with the sources.
    pub path: PathBuf,
    /// Debian's version without the revision of the packaging, such as `1.26.1+ds`.
    pub version: String,
}

/// Fetches the program with its libraries.
pub(super) fn micropython(
    cache: &Cache,
    options: &FindOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<MicroPython, FindError> {
    let mut mirror = apt::system_mirror()?;
    if let Some(foreign) = options.foreign {
        mirror.architecture = foreign.debian().to_string();
    }
    let lock = cache.lock(progress)?;
    // Whoever held the lock may have fetched it.
    if let Some(found) = cache.lookup(options) {
        return Ok(found);
    }
    let part = cache.part(&lock)?;
    let (apt, _) = suite_with(
        &part,
        &mirror,
        Index::Packages,
        "micropython",
        options.version.as_deref(),
        options,
        progress,
    )?;
    let what = "MicroPython";
    let packages = apt.download("micropython", &mut |percent| {
        progress(&Progress::Packages {
            what: what.to_string(),
            percent,
        });
    })?;
    progress(&Progress::Unpacking {
        what: what.to_string(),
    });
    let root = part.folder.join("root");
    fs::create_dir_all(&root).map_err(FindError::cache("create", &root))?;
    for package in &packages {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--extract").arg(package).arg(&root);
        run(unpack, &root)?;
    }
    // Documentation and character set converters: half of the size, and never read.
    for unused in ["usr/share", "etc"] {
        let path = root.join(unused);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(FindError::cache("remove", &path))?;
        }
    }
    let tried = cache::load(&root, options, Origin::Fetched).map_err(|e| FindError::Tool {
        tool: "the fetched MicroPython".to_string(),
        detail: e,
    })?;
    let version = &tried.implementation.version;
    let place = cache.keep(&lock, &root, &cache::copies(options.foreign), version)?;
    cache::load(&place, options, Origin::Fetched).map_err(|e| FindError::Tool {
        tool: "the fetched MicroPython".to_string(),
        detail: e,
    })
}

/// Fetches and unpacks a source package.
pub(super) fn source_package(
    cache: &Cache,
    name: &str,
    version: &str,
    options: &FindOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<SourcePackage, FindError> {
    let cached = |cache: &Cache| {
        cache
            .source(name, version)
            .map(|(path, version)| SourcePackage { path, version })
    };
    if let Some(found) = cached(cache) {
        return Ok(found);
    }
    if options.offline {
        return Err(FindError::Offline {
            cache: cache.folder().to_path_buf(),
        });
    }
    let mirror = apt::system_mirror()?;
    let lock = cache.lock(progress)?;
    if let Some(found) = cached(cache) {
        return Ok(found);
    }
    let part = cache.part(&lock)?;
    let (apt, full_version) = suite_with(
        &part,
        &mirror,
        Index::Sources,
        name,
        Some(version),
        options,
        progress,
    )?;
    let what = format!("{name} {full_version} (source)");
    let tarballs = apt.download_source(name, &mut |percent| {
        progress(&Progress::Packages {
            what: what.clone(),
            percent,
        });
    })?;
    progress(&Progress::Unpacking { what: what.clone() });
    let root = part.folder.join("root");
    fs::create_dir_all(&root).map_err(FindError::cache("create", &root))?;
    for tarball in &tarballs {
        let is_upstream = tarball.to_string_lossy().contains(".orig");
        let mut unpack = Command::new("tar");
        unpack.arg("--extract").arg("--file").arg(tarball);
        unpack.arg("--directory").arg(&root);
        if is_upstream {
            // Upstream's tarball has one folder around everything; the packaging's has only `debian`.
            unpack.arg("--strip-components=1");
        }
        run(unpack, &root)?;
    }
    let upstream_version = full_version
        .rsplit_once('-')
        .map_or(full_version.as_str(), |(upstream, _)| upstream)
        .to_string();
    let folder_name = format!("{name}-{upstream_version}");
    let path = cache.keep(&lock, &root, "source", &folder_name)?;
    Ok(SourcePackage {
        path,
        version: upstream_version,
    })
}

/// The first suite that has the package in a fitting version; returns that version too. One suite's
/// index is downloaded at a time, and an unfitting one is removed before the next.
fn suite_with(
    part: &Part,
    mirror: &Mirror,
    index: Index,
    package: &str,
    version: Option<&str>,
    options: &FindOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(PrivateApt, String), FindError> {
    for suite in SUITES {
        let folder = part.folder.join(suite);
        let apt = PrivateApt::create(folder.clone(), mirror, suite, index, &options.apt_settings)?;
        let mut report = |percent| {
            progress(&Progress::Index {
                suite: suite.to_string(),
                percent,
            });
        };
        report(0.0);
        apt.update(&mut report)?;
        match apt.candidate(package)? {
            Some(found) if version.is_none_or(|v| super::version_matches(&found, v)) => {
                return Ok((apt, found));
            }
            _ => fs::remove_dir_all(&folder).map_err(FindError::cache("remove", &folder))?,
        }
    }
    Err(FindError::NoSuchPackage {
        mirror: mirror.uri.clone(),
        package: package.to_string(),
        version: version.unwrap_or("1.23 or newer").to_string(),
        suites: SUITES.join(", "),
    })
}

/// Runs an unpacker to its end.
fn run(mut command: Command, folder: &Path) -> Result<(), FindError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| FindError::Tool {
            tool: tool.clone(),
            detail: e.to_string(),
        })?;
    if output.status.success() {
        return Ok(());
    }
    if output.status.signal() == Some(2) {
        return Err(FindError::Interrupted);
    }
    let complaints = String::from_utf8_lossy(&output.stderr).trim().to_string();
    if complaints.contains("No space left") {
        return Err(FindError::DiskFull {
            folder: folder.to_path_buf(),
            needed_mb: cache::NEEDED_MB,
            free_mb: cache::free_mb(folder).unwrap_or(0),
        });
    }
    Err(FindError::Tool {
        tool,
        detail: complaints,
    })
}
