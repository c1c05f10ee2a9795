//! Decides which crate a module is made of, what Python will call it, and which folders must not show in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::{BuildError, NoProject};

/// A crate that becomes a module.
#[derive(Debug, Clone)]
pub struct Project {
    /// The package's name.
    pub package: String,
    /// What Python imports: `umqtt.simple`.
    pub module: String,
    /// The package's folder.
    pub folder: PathBuf,
    /// The workspace's root, where cargo is run.
    pub root: PathBuf,
    /// cargo's own target folder.
    pub target_folder: PathBuf,
    /// Whether it has the feature `module`, which brings what only the finished module may have.
    pub has_module_feature: bool,
    /// The archive's name without `lib` and `.a`.
    pub library: String,
}

/// The part of `cargo metadata` that counts here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    id: String,
    manifest_path: PathBuf,
    /// `None` for a package of this computer's own.
    source: Option<String>,
    features: std::collections::BTreeMap<String, Vec<String>>,
    targets: Vec<CargoTarget>,
    metadata: Option<PackageMetadata>,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct PackageMetadata {
    micropython: Option<ModuleMetadata>,
}

/// `[package.metadata.micropython]`.
#[derive(Deserialize)]
struct ModuleMetadata {
    /// What Python imports, where that is not the package's name.
    module: Option<String>,
}

impl Project {
    /// The project in a folder: the package there, or the one package of the workspace there that says in
    /// `[package.metadata.micropython]` that it is a module.
    ///
    /// # Errors
    /// Where there is none or several, or cargo does not run.
    pub fn open(folder: &Path) -> Result<Project, BuildError> {
        let fail = |reason| BuildError::NoProject {
            folder: folder.to_owned(),
            reason,
        };
        let folder = &folder
            .canonicalize()
            .map_err(|_| fail(NoProject::NoManifest))?;
        let metadata = metadata(folder, &["--no-deps"])?;
        let manifest = folder.join("Cargo.toml");
        if let Some(package) = metadata
            .packages
            .iter()
            .find(|package| package.manifest_path == manifest)
        {
            return project(package, &metadata);
        }
        let modules: Vec<_> = metadata
            .packages
            .iter()
            .filter(|package| {
                metadata.workspace_members.contains(&package.id) && package.module().is_some()
            })
            .collect();
        match modules[..] {
            [package] => project(package, &metadata),
            [] => Err(fail(NoProject::NoModule)),
            _ => Err(fail(NoProject::Several(
                modules.iter().map(|package| package.name.clone()).collect(),
            ))),
        }
    }

    /// A package of the workspace in a folder, by name.
    ///
    /// # Errors
    /// Where there is none, or cargo does not run.
    pub fn named(folder: &Path, package: &str) -> Result<Project, BuildError> {
        let metadata = metadata(folder, &["--no-deps"])?;
        let found = metadata
            .packages
            .iter()
            .find(|candidate| candidate.name == package);
        let found = found.ok_or_else(|| BuildError::NoProject {
            folder: folder.to_owned(),
            reason: NoProject::NoPackage(package.to_owned()),
        })?;
        project(found, &metadata)
    }

    /// The name that the module carries for tracebacks, and its file's: `simple.mpy`.
    pub fn source_name(&self) -> String {
        let last = self.module.rsplit('.').next().unwrap_or_default();
        format!("{last}.mpy")
    }

    /// Where the file belongs below a folder of Python's path: `umqtt/simple.mpy`.
    pub fn path(&self) -> PathBuf {
        let mut path: PathBuf = self.module.split('.').collect();
        path.set_extension("mpy");
        path
    }

    /// Folders that the compiler will see, and what stands for them in the module; of several that match, the last
    /// counts.
    ///
    /// # Errors
    /// Where cargo cannot say which packages belong to the project.
    pub(crate) fn remaps(&self, locked: bool) -> Result<Vec<(PathBuf, String)>, BuildError> {
        let mut remaps = Vec::new();
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
        remaps.extend(home.map(|home| (home, "cargo".to_owned())));
        // Packages of this computer that are not of this workspace: their folders may be anywhere.
        let metadata = metadata(&self.root, if locked { &["--locked"] } else { &[] })?;
        for package in metadata.packages {
            let folder = package.manifest_path.parent().unwrap_or(Path::new("/"));
            if package.source.is_none() && !folder.starts_with(&self.root) {
                remaps.push((folder.to_owned(), package.name));
            }
        }
        remaps.push((self.root.clone(), "umqtt-rs".to_owned()));
        Ok(remaps)
    }
}

impl Package {
    fn module(&self) -> Option<&ModuleMetadata> {
        self.metadata.as_ref()?.micropython.as_ref()
    }
}

fn project(package: &Package, metadata: &Metadata) -> Result<Project, BuildError> {
    let folder = package
        .manifest_path
        .parent()
        .unwrap_or(Path::new("/"))
        .to_owned();
    let library = package
        .targets
        .iter()
        .find(|target| {
            target
                .kind
                .iter()
                .any(|kind| kind == "lib" || kind == "staticlib")
        })
        .map_or_else(
            || package.name.replace('-', "_"),
            |target| target.name.replace('-', "_"),
        );
    let module = package
        .module()
        .and_then(|module| module.module.clone())
        .unwrap_or_else(|| package.name.replace('-', "_"));
    if !module.split('.').all(is_identifier) {
        return Err(BuildError::NoProject {
            folder,
            reason: NoProject::BadName(module),
        });
    }
    Ok(Project {
        package: package.name.clone(),
        module,
        folder,
        root: metadata.workspace_root.clone(),
        target_folder: metadata.target_directory.clone(),
        has_module_feature: package.features.contains_key("module"),
        library,
    })
}

/// Whether Python takes it for a name.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

fn metadata(folder: &Path, arguments: &[&str]) -> Result<Metadata, BuildError> {
    let fail = |reason| BuildError::NoProject {
        folder: folder.to_owned(),
        reason,
    };
    if !folder.join("Cargo.toml").is_file() {
        return Err(fail(NoProject::NoManifest));
    }
    let cargo: PathBuf = std::env::var_os("CARGO")
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "cargo".into())
        .into();
    let run = Command::new(&cargo)
        .current_dir(folder)
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .output()
        .map_err(|error| BuildError::NotStarted {
            program: cargo,
            error,
        })?;
    if !run.status.success() {
        let output = String::from_utf8_lossy(&run.stderr).into_owned();
        return Err(fail(NoProject::Unreadable(output)));
    }
    serde_json::from_slice(&run.stdout)
        .map_err(|error| fail(NoProject::Unreadable(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .canonicalize()
            .expect("the root")
    }

    #[test]
    fn the_repository_is_a_project_of_its_own() {
        let project = Project::open(&repository()).expect("umqtt");
        assert_eq!(
            (project.package.as_str(), project.module.as_str()),
            ("umqtt", "umqtt.simple")
        );
        assert_eq!(
            (project.source_name().as_str(), project.path()),
            ("simple.mpy", "umqtt/simple.mpy".into())
        );
        let same = Project::named(&repository(), "umqtt").expect("umqtt");
        assert_eq!(same.folder, project.folder);
        assert!(project.has_module_feature);
    }

    #[test]
    fn a_folder_without_a_module_is_refused_with_the_reason() {
        let empty = tempfile::tempdir().expect("a folder");
        let error = Project::open(empty.path()).expect_err("there is nothing");
        assert!(error.to_string().contains("no Cargo.toml"), "{error}");
        std::fs::write(empty.path().join("Cargo.toml"), "[package]\nname = 3").expect("a file");
        let error = Project::open(empty.path()).expect_err("nonsense");
        assert!(error.to_string().contains("does not understand"), "{error}");
        std::fs::write(empty.path().join("Cargo.toml"), "[workspace]").expect("a file");
        let error = Project::open(empty.path()).expect_err("no package");
        assert!(
            error.to_string().contains("[package.metadata.micropython]"),
            "{error}"
        );
        let error = Project::named(&repository(), "nothing").expect_err("no such package");
        assert!(error.to_string().contains("nothing"), "{error}");
    }

    #[test]
    fn names_are_what_python_imports() {
        for (name, good) in [
            ("mimodulo", true),
            ("año", true),
            ("_x1", true),
            ("1x", false),
            ("a-b", false),
            ("", false),
        ] {
            assert_eq!(is_identifier(name), good, "{name}");
        }
    }
}
