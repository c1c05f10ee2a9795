//! Decides which script is to run and whether its text can be sent to a board.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use board_link::Lang;

use crate::failure::{Failure, Status};

/// A script's text and the name that its tracebacks show.
#[derive(Debug)]
pub struct Script {
    pub name: String,
    pub text: String,
}

impl Script {
    /// Reads the script; its text is passed on as it is, line ends and byte order mark included.
    pub fn read(path: &Path, lang: Lang) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error, lang))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
                let byte = error.as_bytes()[valid.len()];
                Err(Failure::new(
                    Status::Failed,
                    match lang {
                        Lang::En => format!(
                            "{name} is not UTF-8 text: line {line} has the byte 0x{byte:02x}"
                        ),
                        Lang::Es => format!(
                            "{name} no es texto UTF-8: la línea {line} tiene el byte 0x{byte:02x}"
                        ),
                    },
                    lang.pick(
                        "save it as UTF-8 in your editor",
                        "guárdalo como UTF-8 en el editor",
                    ),
                ))
            }
        }
    }
}

fn unreadable(path: &Path, error: &io::Error, lang: Lang) -> Failure {
    let name = path.display();
    if path.is_dir() {
        let inside = main_inside(path);
        let help = match &inside {
            Some(script) => format!("umqtt run {}", script.display()),
            None => lang
                .pick("name the script itself", "indica el propio programa")
                .to_owned(),
        };
        let message = match lang {
            Lang::En => format!("{name} is a folder, not a script"),
            Lang::Es => format!("{name} es una carpeta, no un programa"),
        };
        return Failure::new(Status::Usage, message, help);
    }
    if error.kind() == io::ErrorKind::NotFound {
        let message = match lang {
            Lang::En => format!("there is no script {name}"),
            Lang::Es => format!("no existe el programa {name}"),
        };
        return Failure::new(Status::Usage, message, similar(path, lang));
    }
    let message = match lang {
        Lang::En => format!("the script {name} cannot be read: {error}"),
        Lang::Es => format!(
            "no se puede leer el programa {name}: {}",
            lang.reason(error)
        ),
    };
    Failure::new(
        Status::Failed,
        message,
        lang.pick(
            "check the file's owner and permissions",
            "revisa el dueño y los permisos del fichero",
        ),
    )
}

fn main_inside(folder: &Path) -> Option<PathBuf> {
    let main = folder.join("main.py");
    main.is_file().then_some(main)
}

/// What was perhaps meant: the same name with `.py`, or the scripts that are there.
fn similar(path: &Path, lang: Lang) -> String {
    let with_ending = path.with_extension("py");
    if path.extension().is_none() && with_ending.is_file() {
        return format!("umqtt run {}", with_ending.display());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return match lang {
            Lang::En => format!(
                "there is no folder {} either; check the path",
                folder.display()
            ),
            Lang::Es => format!(
                "tampoco existe la carpeta {}; revisa la ruta",
                folder.display()
            ),
        };
    };
    let mut scripts: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|entry| entry.extension().is_some_and(|ending| ending == "py"))
        .filter_map(|entry| Some(entry.file_name()?.to_string_lossy().into_owned()))
        .collect();
    scripts.sort();
    scripts.truncate(5);
    let folder = folder.display();
    match (lang, scripts.is_empty()) {
        (Lang::En, true) => format!("check the path; {folder} has no scripts (.py)"),
        (Lang::En, false) => format!("check the path; {folder} has {}", scripts.join(", ")),
        (Lang::Es, true) => format!("revisa la ruta; en {folder} no hay programas (.py)"),
        (Lang::Es, false) => format!("revisa la ruta; en {folder} hay {}", scripts.join(", ")),
    }
}
