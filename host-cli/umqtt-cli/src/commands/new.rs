//! `umqtt new`: decides what a fresh module project consists of.

use std::path::{Path, PathBuf};

use board_link::Lang;
use serde_json::json;

use crate::cli::NewOptions;
use crate::failure::{Failure, Status};
use crate::lines;
use crate::output;

/// The files of a project: path, text, text in Spanish. `{name}`, `{module}` and `{layer}` are filled in.
const FILES: [(&str, [&str; 2]); 5] = [
    (
        "Cargo.toml",
        [include_str!("../../template/Cargo.toml.in"); 2],
    ),
    (
        "src/lib.rs",
        [include_str!("../../template/src/lib.rs.in"); 2],
    ),
    (
        "tests/test_{module}.py",
        [include_str!("../../template/tests/test.py.in"); 2],
    ),
    (
        "README.md",
        [
            include_str!("../../template/README.en.md.in"),
            include_str!("../../template/README.es.md.in"),
        ],
    ),
    (
        ".gitignore",
        [include_str!("../../template/gitignore.in"); 2],
    ),
];

/// The repository that this command was built from: where the safe layer is, unless `--umqtt-rs` says otherwise.
const BUILT_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The safe layer's folder in the repository.
const LAYER: &str = "native-module/micropython";

/// Names that a crate or its dependency has already, or that Rust keeps for itself.
const TAKEN: [&str; 46] = [
    "alloc",
    "as",
    "async",
    "await",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "match",
    "micropython",
    "mod",
    "move",
    "mut",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "type",
    "umqtt",
    "union",
    "unsafe",
    "use",
    "where",
    "while",
    "gen",
];

pub fn run(options: &NewOptions, lang: Lang) -> Result<(), Failure> {
    let name = &options.name;
    if !is_good(name) {
        let message = match lang {
            Lang::En => format!("{name:?} is no name for a module"),
            Lang::Es => format!("{name:?} no vale como nombre de módulo"),
        };
        let help = lang.pick(
            "lower-case letters, digits and _ or -, a letter first, no word that Rust keeps for itself: mi_modulo",
            "minúsculas sin tilde, cifras y _ o -, primero una letra, y no una palabra reservada de Rust: mi_modulo",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    let repository = repository(options, lang)?;
    let layer = repository.join(LAYER);
    let folder = PathBuf::from(name);
    let failed = |path: &Path, error: std::io::Error| {
        let there = error.kind() == std::io::ErrorKind::AlreadyExists;
        let path = path.display();
        let message = match (lang, there) {
            (Lang::En, true) => format!("there is a {path} here already, which is left alone"),
            (Lang::Es, true) => format!("aquí ya hay un {path}, que queda como está"),
            (Lang::En, false) => format!("{path} cannot be made: {error}"),
            (Lang::Es, false) => format!("no se puede crear {path}: {}", lang.reason(&error)),
        };
        let help = lang.pick(
            "another name, or another folder",
            "otro nombre, u otra carpeta",
        );
        Failure::new(Status::Failed, message, help)
    };
    // Fails where there is something of this name: nothing of anybody's is written over.
    std::fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
    let module = name.replace('-', "_");
    let fill = |text: &str| {
        text.replace("{name}", name)
            .replace("{module}", &module)
            .replace("{layer}", &toml_text(&layer))
    };
    for (path, texts) in FILES {
        let path = folder.join(fill(path));
        path.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, fill(lang.pick(texts[0], texts[1]))))
            .map_err(|error| failed(&path, error))?;
    }
    // The same versions of everything as the layer was tested with, so that cargo needs nothing that is not here already.
    let lock = folder.join("Cargo.lock");
    std::fs::copy(repository.join("Cargo.lock"), &lock).map_err(|error| failed(&lock, error))?;
    if lines::wanted() {
        let fields = json!({ "name": name, "folder": folder.display().to_string() });
        return lines::print("created", fields, lang);
    }
    let text = match lang {
        Lang::En => format!(
            "{name}/ is there. Next: cd {name} && umqtt build; {name}/README.md says the rest\n"
        ),
        Lang::Es => format!(
            "Ya está {name}/. Sigue con: cd {name} && umqtt build; lo demás, en {name}/README.md\n"
        ),
    };
    output::print(text.as_bytes(), lang)
}

fn is_good(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|character| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "_-".contains(character)
        })
        && !TAKEN.contains(&name)
}

/// A path inside a quoted string of TOML.
fn toml_text(path: &Path) -> String {
    path.display()
        .to_string()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

/// The copy of umqtt-rs that has the safe layer.
fn repository(options: &NewOptions, lang: Lang) -> Result<PathBuf, Failure> {
    let named = options.umqtt_rs.clone();
    let folder = named.unwrap_or_else(|| PathBuf::from(BUILT_FROM));
    if folder.join(LAYER).join("Cargo.toml").is_file()
        && let Ok(folder) = folder.canonicalize()
    {
        return Ok(folder);
    }
    let message = match lang {
        Lang::En => format!(
            "there is no copy of umqtt-rs in {}: a module is built on its {LAYER}",
            folder.display()
        ),
        Lang::Es => format!(
            "no hay ninguna copia de umqtt-rs en {}: un módulo se apoya en su {LAYER}",
            folder.display()
        ),
    };
    let help = lang.pick(
        "get the sources of umqtt-rs and name their folder: umqtt new NAME --umqtt-rs FOLDER",
        "consigue el código de umqtt-rs e indica su carpeta: umqtt new NOMBRE --umqtt-rs CARPETA",
    );
    Err(Failure::new(Status::Failed, message, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_cargo_and_python_take() {
        for (name, good) in [
            ("mimodulo", true),
            ("mi-modulo", true),
            ("m2_x", true),
            ("", false),
            ("2m", false),
            ("año", false),
            ("Mayus", false),
            ("../fuera", false),
            ("fn", false),
            ("micropython", false),
        ] {
            assert_eq!(is_good(name), good, "{name}");
        }
    }
}
