//! A private apt: the machine's own client, mirror and keys, with sources, state and cache of its own.
//!
//! The system's settings still apply (a proxy in apt.conf.d, credentials in auth.conf), except hooks,
//! which would touch the system's cache, and pins.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::FindError;
use super::hint::{InstallHint, os_release_field};
use super::mirror::{self, Mirror};

/// Which index of the archive is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Packages,
    Sources,
}

/// One suite of the mirror, with all that apt keeps about it below `folder`.
pub(super) struct PrivateApt {
    folder: PathBuf,
    mirror: Mirror,
    settings: Vec<String>,
}

/// Settings that no command line option can undo, because they are lists.
const CONFIGURATION: &str = "#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear Binary::apt-get;
#clear APT::Architectures;
";

/// Finds the Debian mirror this machine is configured for.
pub(super) fn system_mirror() -> Result<Mirror, FindError> {
    let no_source = |why: &str| FindError::NoPackageSource {
        why: why.to_string(),
        hint: InstallHint::here(),
    };
    for tool in ["apt-get", "apt-cache", "dpkg-deb"] {
        if !on_path(tool) {
            return Err(no_source(&format!("no {tool} on PATH")));
        }
    }
    let output = plain("apt-get")
        .args(["indextargets", "Identifier: Packages"])
        .output()
        .map_err(|e| tool_error("apt-get", e.to_string()))?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = os_release_field(&release, "VERSION_CODENAME").unwrap_or_default();
    mirror::choose(&String::from_utf8_lossy(&output.stdout), &codename)
        .ok_or_else(|| no_source("its apt has no Debian mirror"))
}

fn on_path(tool: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(tool).is_file()))
}

/// A command whose messages are English, so that they can be told apart.
fn plain(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

fn tool_error(tool: &str, detail: String) -> FindError {
    FindError::Tool {
        tool: tool.to_string(),
        detail,
    }
}

impl PrivateApt {
    /// Lays out the private folders for one suite. `folder` is new and empty.
    pub(super) fn create(
        folder: PathBuf,
        mirror: &Mirror,
        suite: &str,
        index: Index,
        settings: &[String],
    ) -> Result<PrivateApt, FindError> {
        for sub in [
            "sources",
            "state/lists/partial",
            "cache/archives/partial",
            "empty",
        ] {
            let path = folder.join(sub);
            fs::create_dir_all(&path).map_err(FindError::cache("create", &path))?;
        }
        let (types, targets) = match index {
            Index::Packages => ("deb", "Packages"),
            Index::Sources => ("deb-src", "Sources"),
        };
        let mut source = format!(
            "Types: {types}\nURIs: {}\nSuites: {suite}\nComponents: main\nTargets: {targets}\nLanguages: none\nPDiffs: no\n",
            mirror.uri
        );
        if index == Index::Packages && !mirror.architecture.is_empty() {
            source += &format!("Architectures: {}\n", mirror.architecture);
        }
        if !mirror.signed_by.is_empty() {
            source += &format!("Signed-By: {}\n", mirror.signed_by);
        }
        for (name, text) in [
            ("sources/umqtt.sources", source.as_str()),
            ("apt.conf", CONFIGURATION),
            ("state/status", ""),
            ("empty/file", ""),
        ] {
            let path = folder.join(name);
            fs::write(&path, text).map_err(FindError::cache("write", &path))?;
        }
        Ok(PrivateApt {
            folder,
            mirror: mirror.clone(),
            settings: settings.to_vec(),
        })
    }

    fn command(&self, program: &str) -> Command {
        let path = |sub: &str| self.folder.join(sub).display().to_string();
        let mut command = plain(program);
        command.arg("-c").arg(path("apt.conf"));
        for setting in [
            format!("Dir::Etc::sourcelist={}", path("empty/file")),
            format!("Dir::Etc::sourceparts={}", path("sources")),
            format!("Dir::Etc::preferences={}", path("empty/file")),
            format!("Dir::Etc::preferencesparts={}", path("empty")),
            format!("Dir::State={}", path("state")),
            format!("Dir::State::lists={}", path("state/lists")),
            format!("Dir::State::status={}", path("state/status")),
            format!("Dir::Cache={}", path("cache")),
            format!("Dir::Cache::archives={}", path("cache/archives")),
            format!("Dir::Log={}", path("state")),
            // As root, apt would hand downloads to the user _apt, who cannot enter the cache.
            "APT::Sandbox::User=root".to_string(),
            "APT::Update::Error-Mode=any".to_string(),
            "APT::Install-Recommends=false".to_string(),
            "APT::Status-Fd=1".to_string(),
            "Acquire::Retries=1".to_string(),
            "Acquire::http::Timeout=20".to_string(),
            "Acquire::https::Timeout=20".to_string(),
            "Acquire::Languages=none".to_string(),
        ]
        .iter()
        .chain(&self.architecture())
        .chain(&self.settings)
        {
            command.arg("-o").arg(setting);
        }
        command
    }

    /// Makes apt take packages of the mirror's architecture for its own, whatever this machine's is.
    fn architecture(&self) -> Vec<String> {
        let architecture = &self.mirror.architecture;
        if architecture.is_empty() {
            return Vec::new();
        }
        ["Architecture", "Architectures"]
            .map(|setting| format!("APT::{setting}={architecture}"))
            .to_vec()
    }

    /// Downloads the suite's index. `percent` is told how far it is, 0 to 100.
    pub(super) fn update(&self, percent: &mut dyn FnMut(f32)) -> Result<(), FindError> {
        let mut command = self.command("apt-get");
        command.args(["-qq", "update"]);
        self.run(command, percent).map(drop)
    }

    /// The newest version of a package in this suite (of the kind of index chosen), such as
    /// `1.25.0+ds-1`; None if the suite has none.
    pub(super) fn candidate(&self, package: &str) -> Result<Option<String>, FindError> {
        let mut command = self.command("apt-cache");
        command.args(["madison", package]);
        let lines = self.run(command, &mut |_| ())?;
        Ok(lines.iter().find_map(|line| {
            let mut columns = line.split('|').map(str::trim);
            (columns.next()? == package).then(|| columns.next().map(str::to_string))?
        }))
    }

    /// Downloads a package and all it depends on; returns the .deb files.
    pub(super) fn download(
        &self,
        package: &str,
        percent: &mut dyn FnMut(f32),
    ) -> Result<Vec<PathBuf>, FindError> {
        let mut command = self.command("apt-get");
        command.args(["-qq", "--yes", "--download-only", "install", package]);
        self.run(command, percent)?;
        self.files(&self.folder.join("cache/archives"), ".deb")
    }

    /// Downloads a source package; returns its tarballs.
    pub(super) fn download_source(
        &self,
        package: &str,
        percent: &mut dyn FnMut(f32),
    ) -> Result<Vec<PathBuf>, FindError> {
        let folder = self.folder.join("source");
        fs::create_dir_all(&folder).map_err(FindError::cache("create", &folder))?;
        let mut command = self.command("apt-get");
        command.args(["-qq", "--download-only", "source", package]);
        command.current_dir(&folder);
        self.run(command, percent)?;
        self.files(&folder, "")
    }

    fn files(&self, folder: &Path, ending: &str) -> Result<Vec<PathBuf>, FindError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(FindError::cache("read", folder))? {
            let path = entry.map_err(FindError::cache("read", folder))?.path();
            let name = path.to_string_lossy();
            if name.contains(".deb") && name.ends_with(ending) || name.contains(".tar.") {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Runs an apt command; returns what it printed, apart from progress.
    fn run(
        &self,
        mut command: Command,
        percent: &mut dyn FnMut(f32),
    ) -> Result<Vec<String>, FindError> {
        let tool = command.get_program().to_string_lossy().into_owned();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|e| tool_error(&tool, e.to_string()))?;
        let mut errors = child.stderr.take();
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(errors) = errors.as_mut() {
                // What was read before a failure is all there is to show.
                let _ = errors.read_to_end(&mut text);
            }
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut lines = Vec::new();
        if let Some(out) = child.stdout.take() {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                match status_percent(&line) {
                    Some(value) => percent(value),
                    None => lines.push(line),
                }
            }
        }
        let status = child.wait().map_err(|e| tool_error(&tool, e.to_string()))?;
        let complaints = complaints.join().unwrap_or_default();
        if status.success() {
            return Ok(lines);
        }
        if status.signal().is_some() || status.code() == Some(130) {
            return Err(FindError::Interrupted);
        }
        Err(self.explain(&tool, &complaints))
    }

    /// Says what apt's complaints mean.
    fn explain(&self, tool: &str, complaints: &str) -> FindError {
        let mirror = self.mirror.uri.clone();
        let detail = first_complaint(complaints);
        let has = |words: &[&str]| words.iter().any(|word| complaints.contains(word));
        if has(&[
            "No space left",
            "not have enough space",
            "Disk quota exceeded",
        ]) {
            return FindError::DiskFull {
                folder: self.folder.clone(),
                needed_mb: super::cache::NEEDED_MB,
                free_mb: super::cache::free_mb(&self.folder).unwrap_or(0),
            };
        }
        if has(&[
            "NO_PUBKEY",
            "not signed",
            "EXPKEYSIG",
            "BADSIG",
            "Sub-process /usr/bin/sqv",
        ]) {
            return FindError::Signature { mirror, detail };
        }
        if has(&[
            "Could not resolve",
            "Temporary failure",
            "Could not connect",
            "Cannot initiate",
            "Connection failed",
            "Connection timed out",
            "Network is unreachable",
            "Failed to fetch",
            "Unable to connect",
            "Unable to fetch",
        ]) {
            return FindError::Network { mirror, detail };
        }
        tool_error(tool, detail)
    }
}

/// The percentage of a line of apt's `APT::Status-Fd` output: `dlstatus:1:20.5:Retrieving file 1 of 2`.
fn status_percent(line: &str) -> Option<f32> {
    let rest = line
        .strip_prefix("dlstatus:")
        .or_else(|| line.strip_prefix("pmstatus:"))?;
    rest.split(':').nth(1)?.parse().ok()
}

/// The first error line, without apt's `E: ` and with the spaces made single.
fn first_complaint(complaints: &str) -> String {
    let line = complaints
        .lines()
        .find(|l| l.starts_with("E:"))
        .or_else(|| complaints.lines().find(|l| !l.trim().is_empty()))
        .unwrap_or("no reason given");
    line.trim_start_matches("E:")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_told_apart() {
        assert_eq!(
            status_percent("dlstatus:3:93.5:Retrieving file 3 of 3"),
            Some(93.5)
        );
        assert_eq!(status_percent("micropython | 1.25.0+ds-1 | x"), None);
        assert_eq!(
            first_complaint("W: x\nE: Failed  to fetch\nE: y"),
            "Failed to fetch"
        );
    }
}
