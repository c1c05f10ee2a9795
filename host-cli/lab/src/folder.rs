//! The student's own program: a script or a folder that the laboratory was started on, read once and saved on request.
//!
//! Everything goes through one open folder, which no name, `..` or link leads out of.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use board_link::Lang;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use thiserror::Error;

use crate::board::check_name;
use crate::protocol::{Project, SourceFile};
use crate::words::Words;

/// The program of a folder.
const MAIN: &str = "main.py";

/// Its parts and wires, in Wokwi's form.
const DIAGRAM: &str = "diagram.json";

/// What of a folder is text that a board or a reader may want.
const TEXTS: [&str; 6] = ["py", "txt", "json", "md", "csv", "html"];

/// Files of a folder, and bytes of one, that are read.
const FILES: usize = 100;
const LONGEST: u64 = 256 << 10;

/// Why a program or folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is not there, or cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read { path: String, source: io::Error },
    /// There is no program in the folder.
    #[error("{path} has no {MAIN}")]
    NoMain { path: String },
    /// Not the text of a program.
    #[error("{path} is no UTF-8 text, or longer than {LONGEST} bytes")]
    NoText { path: String },
    /// Not Wokwi's diagram.
    #[error("{path} is no diagram of Wokwi's: {why}")]
    NoDiagram { path: String, why: String },
}

impl FolderError {
    /// The same in Spanish; texts of the system stay as they are.
    pub fn to_spanish(&self) -> String {
        match self {
            Self::Read { path, source } => {
                let reason = Lang::Es.reason(source);
                format!("no se puede leer {path}: {reason}")
            }
            Self::NoMain { path } => format!("en {path} no hay {MAIN}"),
            Self::NoText { path } => {
                format!("{path} no es texto UTF-8, o pasa de {LONGEST} bytes")
            }
            Self::NoDiagram { path, why } => {
                format!("{path} no es un diagrama de Wokwi: {why}")
            }
        }
    }
}

/// An open folder and what was in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    dir: Dir,
    project: Project,
}

impl Folder {
    /// Opens a script, or a folder with a `main.py`.
    ///
    /// # Errors
    /// What cannot be read, or is no program.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let unreadable = |source| FolderError::Read {
            path: path.display().to_string(),
            source,
        };
        let real = path.canonicalize().map_err(unreadable)?;
        let (folder, main) = if real.is_dir() {
            (real.as_path(), MAIN.to_owned())
        } else {
            let name = real.file_name().and_then(|name| name.to_str());
            let (Some(folder), Some(name)) = (real.parent(), name) else {
                return Err(unreadable(io::ErrorKind::InvalidFilename.into()));
            };
            (folder, name.to_owned())
        };
        let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(unreadable)?;
        let project = read(&dir, folder, &main, real.is_dir())?;
        Ok(Self {
            path: folder.to_owned(),
            dir,
            project,
        })
    }

    /// What was in it.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    pub(crate) fn path(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// Writes a file: whole, or not at all.
    pub(crate) fn save(&self, name: &str, text: &str) -> Result<(), Words> {
        check_name(name)?;
        self.write(name, text).map_err(|error| {
            Words::new(
                format!("{name} was not saved in {}: {error}", self.path()),
                format!("{name} no se guardó en {}: {error}", self.path()),
            )
        })
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        if self.dir.is_dir(name) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (folder, file) = name.rsplit_once('/').unwrap_or((".", name));
        self.dir.create_dir_all(folder)?;
        let folder = self.dir.open_dir(folder)?;
        let partial = format!(".{file}.umqtt-part");
        let written = || {
            let mut out = folder.create(&partial)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            // What others may do with the file stays as it was.
            if let Ok(before) = folder.metadata(file) {
                out.set_permissions(before.permissions())?;
            }
            folder.rename(&partial, &folder, file)
        };
        let done = written();
        if done.is_err() {
            // What failed counts, not whether its rest could be removed.
            let _ = folder.remove_file(&partial);
        }
        done
    }
}

fn read(dir: &Dir, path: &Path, main: &str, whole: bool) -> Result<Project, FolderError> {
    let named = |name: &str| path.join(name).display().to_string();
    let text = |name: &str| -> Result<String, FolderError> {
        let unreadable = |source| FolderError::Read {
            path: named(name),
            source,
        };
        if dir.metadata(name).map_err(unreadable)?.len() > LONGEST {
            return Err(FolderError::NoText { path: named(name) });
        }
        let bytes = dir.read(name).map_err(unreadable)?;
        String::from_utf8(bytes).map_err(|_| FolderError::NoText { path: named(name) })
    };
    if whole && !dir.exists(main) {
        return Err(FolderError::NoMain {
            path: path.display().to_string(),
        });
    }
    let mut files = vec![SourceFile {
        name: main.to_owned(),
        text: text(main)?,
    }];
    if whole {
        for name in others(dir, main) {
            // What is no text after all, or a link to elsewhere, is none of the program's files.
            if let Ok(text) = text(&name) {
                files.push(SourceFile { name, text });
            }
        }
    }
    let diagram = match dir.exists(DIAGRAM) {
        false => None,
        true => {
            let parsed = serde_json::from_str(&text(DIAGRAM)?);
            let why = |error: serde_json::Error| FolderError::NoDiagram {
                path: named(DIAGRAM),
                why: error.to_string(),
            };
            Some(parsed.map_err(why)?)
        }
    };
    Ok(Project {
        files,
        main: main.to_owned(),
        can_save: true,
        diagram,
    })
}

/// The other texts of the folder and of the folders right below, by name.
fn others(dir: &Dir, main: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut list = |dir: &Dir, below: &str| -> Vec<String> {
        let mut folders = Vec::new();
        for entry in dir.entries().into_iter().flatten().flatten() {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            let path = format!("{below}{name}");
            let is_text = name
                .rsplit_once('.')
                .is_some_and(|(_, ending)| TEXTS.contains(&ending));
            if kind.is_dir() {
                folders.push(name);
            } else if is_text && check_name(&path).is_ok() && path != main && path != DIAGRAM {
                names.push(path);
            }
        }
        folders
    };
    for folder in list(dir, "") {
        if let Ok(below) = dir.open_dir(&folder) {
            list(&below, &format!("{folder}/"));
        }
    }
    names.sort();
    names.truncate(FILES - 1);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        folder
    }

    #[test]
    fn a_folder_gives_its_texts_and_a_script_only_itself() {
        let folder = folder(&[
            ("main.py", "import sensor"),
            ("lib/sensor.py", ""),
            ("datos.csv", "1,2"),
            ("foto.png", "no"),
            (".oculto.py", "no"),
            ("diagram.json", "{\"version\": 1}"),
        ]);
        let opened = Folder::open(folder.path()).expect("a program");
        let names = |opened: &Folder| -> Vec<String> {
            let files = opened.project().files.iter();
            files.map(|file| file.name.clone()).collect()
        };
        assert_eq!(names(&opened), ["main.py", "datos.csv", "lib/sensor.py"]);
        assert_eq!(
            opened.project().diagram.as_ref().expect("one")["version"],
            1
        );
        let script = Folder::open(&folder.path().join("lib/sensor.py")).expect("a script");
        assert_eq!(names(&script), ["sensor.py"]);
        assert_eq!(script.project().main, "sensor.py");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let none = folder(&[("programa.py", "")]);
        let error = Folder::open(none.path()).expect_err("no main.py");
        assert!(matches!(error, FolderError::NoMain { .. }), "{error}");
        let error = Folder::open(&none.path().join("nada.py")).expect_err("nothing");
        assert!(matches!(error, FolderError::Read { .. }), "{error}");
        let bad = folder(&[("main.py", ""), ("diagram.json", "{")]);
        let error = Folder::open(bad.path()).expect_err("half a diagram");
        assert!(matches!(error, FolderError::NoDiagram { .. }), "{error}");
        std::fs::write(none.path().join("main.py"), b"\xff").expect("a file");
        let error = Folder::open(none.path()).expect_err("no text");
        assert!(error.to_spanish().contains("UTF-8"), "{error}");
    }

    #[test]
    #[cfg(unix)]
    fn nothing_is_read_or_written_outside_of_the_folder() {
        use std::os::unix::fs::symlink;
        let outside = folder(&[("secreto.txt", "clave"), ("carpeta/nota.txt", "clave")]);
        let folder = folder(&[("main.py", "")]);
        symlink(
            outside.path().join("secreto.txt"),
            folder.path().join("enlace.txt"),
        )
        .expect("a link");
        symlink(outside.path(), folder.path().join("fuera")).expect("a link");
        let opened = Folder::open(folder.path()).expect("a program");
        assert_eq!(opened.project().files.len(), 1, "{:?}", opened.project());
        for name in [
            "../x.py",
            "/tmp/x.py",
            "fuera/secreto.txt",
            "fuera/carpeta/nota.txt",
            "",
            ".",
        ] {
            assert!(opened.save(name, "roto").is_err(), "{name}");
        }
        // A link is replaced, not followed.
        opened
            .save("enlace.txt", "mío")
            .expect("a name in the folder");
        let read = |name| std::fs::read_to_string(outside.path().join(name)).expect("a file");
        assert_eq!(read("secreto.txt"), "clave");
        assert_eq!(read("carpeta/nota.txt"), "clave");
    }

    #[test]
    fn a_file_is_saved_whole_and_nothing_else_stays() {
        let folder = folder(&[("main.py", "antes")]);
        let opened = Folder::open(folder.path()).expect("a program");
        opened.save("main.py", "después: ñ\n").expect("saved");
        opened.save("lib/nuevo.py", "x = 1\n").expect("saved");
        let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("a file");
        assert_eq!(read("main.py"), "después: ñ\n");
        assert_eq!(read("lib/nuevo.py"), "x = 1\n");
        std::fs::create_dir(folder.path().join("carpeta.py")).expect("a folder");
        assert!(opened.save("carpeta.py", "").is_err());
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a list").collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }
}
