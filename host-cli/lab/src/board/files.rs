//! Where the files of a program go on a board, and which names they may have.

use std::collections::BTreeSet;

use board_link::{Board, LinkError, NewFile};

use crate::protocol::{Kind, SourceFile};
use crate::words::Words;

/// Files of one program.
const FILES: usize = 100;

/// A real board's own files are left alone: a run's lie here, where what it is lent lies too, and go with that.
const LENT: &str = "/.umqtt-run";

/// The folder for a program's other files. A simulated board is the page's own, so they lie where `open("name")` finds
/// them.
fn folder(kind: Kind) -> &'static str {
    match kind {
        Kind::Sim => "",
        Kind::Real => LENT,
    }
}

/// Refuses what is no program: a name that leads elsewhere, a program without the file to run.
///
/// # Errors
/// What is wrong, in words.
pub fn check(files: &[SourceFile], main: &str) -> Result<(), Words> {
    if files.len() > FILES {
        return Err(Words::new(
            format!("a program has at most {FILES} files"),
            format!("un programa tiene como mucho {FILES} ficheros"),
        ));
    }
    let mut names = BTreeSet::new();
    for file in files {
        check_name(&file.name)?;
        if !names.insert(&file.name) {
            return Err(Words::new(
                format!("there are two files {:?}", file.name),
                format!("hay dos ficheros {:?}", file.name),
            ));
        }
    }
    if !files.iter().any(|file| file.name == main) {
        return Err(Words::new(
            format!("the program has no file {main:?} to run"),
            format!("el programa no tiene un fichero {main:?} que ejecutar"),
        ));
    }
    Ok(())
}

/// A relative path in which each part is a plain name.
///
/// # Errors
/// What is wrong, in words.
pub fn check_name(name: &str) -> Result<(), Words> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with([' ', '.'])
            && !part.contains(['\\', ':', '"', '<', '>', '|', '?', '*'])
            && !part.contains(char::is_control)
    };
    if name.len() <= 120 && name.split('/').all(plain) {
        return Ok(());
    }
    Err(Words::new(
        format!(
            "{name:?} is no file name that a board can have: letters, digits, - and _ always work"
        ),
        format!(
            "{name:?} no es un nombre de fichero para una placa: letras, cifras, - y _ siempre valen"
        ),
    ))
}

/// Puts what the program's main file needs beside it on the board; that itself is only sent to be run.
///
/// # Errors
/// Those of the line and of the board's filesystem.
pub fn put(
    board: &mut Board,
    kind: Kind,
    files: &[SourceFile],
    main: &str,
) -> Result<(), LinkError> {
    let paths: Vec<(String, &str)> = files
        .iter()
        .filter(|file| file.name != main)
        .map(|file| {
            (
                format!("{}/{}", folder(kind), file.name),
                file.text.as_str(),
            )
        })
        .collect();
    if paths.is_empty() {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for (path, _) in &paths {
        let ends = path.match_indices('/').map(|(at, _)| at);
        folders.extend(ends.filter(|at| *at > 0).map(|at| &path[..at]));
    }
    let names: Vec<&str> = paths.iter().map(|(path, _)| path.as_str()).collect();
    let states = board.states(&names)?;
    let differing: Vec<NewFile<'_>> = paths
        .iter()
        .zip(&states)
        .filter(|((_, text), state)| !state.is(text.as_bytes()))
        .map(|((path, text), state)| NewFile {
            path,
            content: text.as_bytes(),
            replaces: state.replaced(),
        })
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    let folders: Vec<&str> = folders.into_iter().collect();
    board.mkdir_all(&folders)?;
    board.put_all(&differing, &mut |_| {})
}

/// The page's name for a file that a traceback names; none for one that is not the page's.
pub fn name_on_page(traced: &str, files: &[SourceFile]) -> Option<String> {
    let name = traced
        .strip_prefix(LENT)
        .unwrap_or(traced)
        .trim_start_matches('/');
    (files.iter())
        .find(|file| file.name == name)
        .map(|file| file.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["main.py", "lib/sensor.py", "datos-1_ñ.txt"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "/main.py",
            "../main.py",
            "a/../b",
            "a//b",
            ".oculto",
            "a\\b",
            "c:x",
            "a\nb",
            "a/",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name(&"x".repeat(121)).is_err());
    }

    #[test]
    fn a_program_needs_its_main_file_once() {
        let file = |name: &str| SourceFile {
            name: name.to_owned(),
            text: String::new(),
        };
        assert!(check(&[file("main.py"), file("a.py")], "main.py").is_ok());
        assert!(check(&[file("a.py")], "main.py").is_err());
        assert!(check(&[file("main.py"), file("main.py")], "main.py").is_err());
    }

    #[test]
    fn a_traceback_names_the_pages_file() {
        let files = [SourceFile {
            name: "sensor.py".to_owned(),
            text: String::new(),
        }];
        for traced in ["sensor.py", "/sensor.py", "/.umqtt-run/sensor.py"] {
            assert_eq!(name_on_page(traced, &files).as_deref(), Some("sensor.py"));
        }
        assert_eq!(name_on_page("umqtt/robust.py", &files), None);
    }
}
