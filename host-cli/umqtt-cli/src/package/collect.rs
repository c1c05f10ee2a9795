//! Decides what of a folder belongs to a lesson, and which modules go with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use board_link::Lang;
use mpy_link::Arch;

use super::{MAX_ALL, MAX_FILE, MAX_FILES, Package, paths};
use crate::failure::{self, Failure, Status};
use crate::module;

/// What was left out, for people to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Texts for people, archives, and what programs leave behind.
    pub out: Vec<String>,
    /// Whether the lesson brings an umqtt.simple of its own.
    pub own_umqtt: bool,
}

/// Reads a lesson's folder. It needs a `main.py`; hidden files, texts for people (`.md`), the laboratory's wiring
/// (`diagram.json`), archives, `__pycache__`, and of a Rust project all but what `umqtt build` wrote to `release`, stay
/// out.
///
/// # Errors
/// Where there is no `main.py`, something cannot be read, leads outside the folder, or is more than a board can hold.
pub fn collect(folder: &Path, archs: &[Arch], lang: Lang) -> Result<(Package, Left), Failure> {
    let root = fs::canonicalize(folder).map_err(|error| unreadable(folder, &error, lang))?;
    if !root.is_dir() {
        let message = match lang {
            Lang::En => format!("{} is no folder", folder.display()),
            Lang::Es => format!("{} no es una carpeta", folder.display()),
        };
        let help = lang.pick(
            "name the folder that it lies in; its script must be called main.py",
            "indica la carpeta donde está; su programa debe llamarse main.py",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    if !root.join("main.py").is_file() {
        let message = match lang {
            Lang::En => format!("{} has no main.py", folder.display()),
            Lang::Es => format!("en {} no hay main.py", folder.display()),
        };
        let help = lang.pick(
            "name the lesson's folder; its script must be called main.py",
            "indica la carpeta de la lección; su programa debe llamarse main.py",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    let mut walk = Walk {
        root: &root,
        project: root.join("Cargo.toml").is_file(),
        files: BTreeMap::new(),
        total: 0,
        left: Left::default(),
        lang,
    };
    walk.folder(&root, "")?;
    let (mut files, mut left) = (walk.files, walk.left);
    left.out.sort();

    left.own_umqtt = [
        "umqtt/simple.py",
        "umqtt/simple.mpy",
        "lib/umqtt/simple.py",
        "lib/umqtt/simple.mpy",
    ]
    .into_iter()
    .any(|path| files.contains_key(path));
    let mut modules = BTreeMap::new();
    for arch in archs {
        let mut own = built(&root, *arch, lang)?;
        if !left.own_umqtt {
            let (native, python) = module::umqtt_for(*arch);
            if let Some(item) = native {
                own.entry(item.path.trim_start_matches('/').to_owned())
                    .or_insert_with(|| item.content.into_owned());
            }
            for item in python {
                files
                    .entry(item.path.trim_start_matches('/').to_owned())
                    .or_insert_with(|| item.content.into_owned());
            }
        }
        if !own.is_empty() {
            modules.insert(*arch, own);
        }
    }
    for own in modules.values() {
        let all = files.keys().chain(own.keys()).map(String::as_str);
        paths::check_together(all).map_err(|(path, _)| refuse_path(path, lang))?;
    }
    paths::check_together(files.keys().map(String::as_str))
        .map_err(|(path, _)| refuse_path(path, lang))?;
    let name = root.file_name().map_or_else(
        || "lesson".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    );
    Ok((
        Package {
            name,
            files,
            modules,
        },
        left,
    ))
}

/// What `umqtt build` wrote for this architecture.
fn built(root: &Path, arch: Arch, lang: Lang) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let folder = root.join("release").join(arch.name());
    let mut walk = Walk {
        root: &folder,
        project: false,
        files: BTreeMap::new(),
        total: 0,
        left: Left::default(),
        lang,
    };
    if folder.is_dir() {
        walk.folder(&folder, "")?;
    }
    walk.files.retain(|path, _| path.ends_with(".mpy"));
    Ok(walk.files)
}

struct Walk<'a> {
    root: &'a Path,
    /// The folder is a Rust project as well.
    project: bool,
    files: BTreeMap<String, Vec<u8>>,
    total: u64,
    left: Left,
    lang: Lang,
}

impl Walk<'_> {
    /// `below` is the folder's path in the lesson, with a `/` behind it unless it is the root.
    fn folder(&mut self, folder: &Path, below: &str) -> Result<(), Failure> {
        let entries =
            fs::read_dir(folder).map_err(|error| unreadable(folder, &error, self.lang))?;
        let mut entries: Vec<PathBuf> = entries
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(folder, &error, self.lang))?
            .into_iter()
            .map(|entry| entry.path())
            .collect();
        entries.sort();
        for entry in entries {
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                return Err(refuse_path(&entry.display().to_string(), self.lang));
            };
            let path = format!("{below}{name}");
            if self.stays_out(name, below.is_empty()) {
                self.left.out.push(path);
                continue;
            }
            // A link may lead anywhere, and a lesson that is passed on must not take a stranger's files along.
            let real =
                fs::canonicalize(&entry).map_err(|error| unreadable(&entry, &error, self.lang))?;
            if !real.starts_with(self.root) {
                return Err(refuse_path(&path, self.lang));
            }
            if real.is_dir() {
                // Folders by link could go round in a circle.
                if fs::symlink_metadata(&entry).is_ok_and(|data| data.is_symlink()) {
                    return Err(refuse_path(&path, self.lang));
                }
                self.folder(&entry, &format!("{path}/"))?;
            } else {
                self.file(&real, path)?;
            }
        }
        Ok(())
    }

    fn stays_out(&self, name: &str, at_root: bool) -> bool {
        let extension = Path::new(name)
            .extension()
            .and_then(|extension| extension.to_str());
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        name.starts_with('.')
            || name == "__pycache__"
            // What is wired to the board is the laboratory's to know.
            || at_root && name == "diagram.json"
            || ["md", "zip", "pyc"].contains(&extension.as_str())
            || self.project
                && at_root
                && [
                    "Cargo.toml",
                    "Cargo.lock",
                    "src",
                    "target",
                    "release",
                    "tests",
                ]
                .contains(&name)
    }

    fn file(&mut self, file: &Path, path: String) -> Result<(), Failure> {
        let unreadable = |error| unreadable(file, &error, self.lang);
        let size = fs::metadata(file).map_err(unreadable)?.len();
        self.total = self.total.saturating_add(size);
        if size > MAX_FILE || self.total > MAX_ALL || self.files.len() >= MAX_FILES {
            let message = match self.lang {
                Lang::En => format!("{path} makes the lesson larger than any board"),
                Lang::Es => format!("con {path} la lección es mayor que cualquier placa"),
            };
            let help = self.lang.pick(
                "a folder with the script and what it needs, nothing else",
                "una carpeta con el programa y lo que necesita, nada más",
            );
            return Err(Failure::new(Status::Failed, message, help));
        }
        let content = fs::read(file).map_err(unreadable)?;
        self.files.insert(path, content);
        Ok(())
    }
}

fn refuse_path(path: &str, lang: Lang) -> Failure {
    let message = match lang {
        Lang::En => format!("{path:?} cannot be part of a lesson"),
        Lang::Es => format!("{path:?} no puede formar parte de una lección"),
    };
    let help = lang.pick(
        "names must be UTF-8, differ by more than capital letters, and links must stay inside the folder",
        "los nombres deben ser UTF-8, diferenciarse en algo más que mayúsculas, y los enlaces quedar dentro de la carpeta",
    );
    Failure::new(Status::Failed, message, help)
}

fn unreadable(path: &Path, error: &std::io::Error, lang: Lang) -> Failure {
    let message = failure::cannot_read(path.display(), error, lang);
    let help = lang.pick(
        "name the lesson's folder",
        "indica la carpeta de la lección",
    );
    Failure::new(Status::Failed, message, help)
}
