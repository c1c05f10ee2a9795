//! `umqtt fs`: decides what is listed, shown, renamed and removed on a board. Copying is in `fs_copy`.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use board_link::{Board, Digest, Entry, FileState, Lang, LinkError};
use serde_json::{Value, json};

use crate::commands::fs_copy;
use crate::direct::{Direct, on_board};
use crate::failure::{Failure, Status};
use crate::lines;
use crate::options::board::{FsCommand, FsOptions, FsPaths};
use crate::output;
use crate::progress::Waiting;

pub fn run(options: &FsOptions, lang: Lang) -> Result<(), Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    match &options.command {
        FsCommand::Ls(options) => list(options, lang, false),
        FsCommand::Tree(options) => list(options, lang, true),
        FsCommand::Cat(options) => each(options, lang, |direct, path| {
            let content = fs_copy::get(&mut direct.board, path, lang)?;
            if lines::wanted() {
                return lines::print("content", of_content(path, &content), lang);
            }
            output::print(&content, lang)
        }),
        FsCommand::Cp(options) => fs_copy::run(options, lang),
        FsCommand::Mv(options) => on_board(&options.port, lang, |direct| {
            let (from, to) = (on_it(&options.from), on_it(&options.to));
            // `mv a folder/` means a name in it, as everywhere.
            let to = match direct.board.state(to).map_err(link)? {
                FileState::Folder => join(to, last_name(from)),
                _ => to.to_owned(),
            };
            direct.board.mv(from, &to).map_err(link)?;
            report("moved", json!({ "path": from, "to": to }), lang)
        }),
        FsCommand::Rm(options) if options.paths.iter().any(|path| is_root(on_it(path))) => {
            let message = lang.pick(
                "the board's root folder cannot be removed",
                "la carpeta raíz de la placa no se puede borrar",
            );
            let help = lang.pick(
                "name what lies in it: umqtt fs rm -r /FOLDER; umqtt fs ls lists it",
                "di qué borrar de ella: umqtt fs rm -r /CARPETA; umqtt fs ls lo lista",
            );
            Err(Failure::new(Status::Usage, message, help))
        }
        FsCommand::Rm(options) => on_board(&options.port, lang, |direct| {
            for path in options.paths.iter().map(|path| on_it(path)) {
                let waiting = Waiting::new(printable(path));
                direct.board.rm(path, options.recursive).map_err(link)?;
                drop(waiting);
                report("removed", json!({ "path": path }), lang)?;
            }
            Ok(())
        }),
        FsCommand::Mkdir(options) => each(options, lang, |direct, path| {
            direct.board.mkdir_p(path).map_err(link)?;
            report("made", json!({ "path": path }), lang)
        }),
        FsCommand::Df(options) => room(options, lang),
        FsCommand::Sha256(options) => checksums(options, lang),
        FsCommand::Edit(options) => each(options, lang, |direct, path| {
            let changed = edit(&mut direct.board, path, lang)?;
            report("edited", json!({ "path": path, "changed": changed }), lang)
        }),
    }
}

/// What people see by asking for it, and programs want to be told.
fn report(event: &str, fields: Value, lang: Lang) -> Result<(), Failure> {
    if lines::wanted() {
        return lines::print(event, fields, lang);
    }
    Ok(())
}

/// A file's content: `text` where it is text, `base64` where it is not.
fn of_content(path: &str, content: &[u8]) -> Value {
    match std::str::from_utf8(content) {
        Ok(text) => json!({ "path": path, "size": content.len(), "text": text }),
        Err(_) => {
            json!({ "path": path, "size": content.len(), "base64": STANDARD.encode(content) })
        }
    }
}

/// A path as the board knows it: the colon in front is ours.
pub fn on_it(path: &str) -> &str {
    path.strip_prefix(':').unwrap_or(path)
}

fn is_root(path: &str) -> bool {
    path.starts_with('/') && path.trim_matches('/').is_empty()
}

/// `name` in `folder`, which may be the current one (`""`).
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') {
        format!("{folder}{name}")
    } else {
        format!("{folder}/{name}")
    }
}

pub fn last_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// Does `work` with each path; at least one is needed.
fn each(
    options: &FsPaths,
    lang: Lang,
    mut work: impl FnMut(&mut Direct, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if options.paths.is_empty() {
        let message = lang.pick(
            "a path on the board is missing",
            "falta una ruta de la placa",
        );
        let help = lang.pick(
            "umqtt fs ls lists what is there",
            "umqtt fs ls muestra lo que hay",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    on_board(&options.port, lang, |direct| {
        (options.paths.iter()).try_for_each(|path| work(direct, on_it(path)))
    })
}

/// The given folders, else the current one.
fn folders(options: &FsPaths) -> Vec<&str> {
    match options.paths.as_slice() {
        [] => vec![""],
        paths => paths.iter().map(|path| on_it(path)).collect(),
    }
}

fn list(options: &FsPaths, lang: Lang, deep: bool) -> Result<(), Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    on_board(&options.port, lang, |direct| {
        let folders = folders(options);
        for folder in &folders {
            let waiting = Waiting::new(printable(folder));
            let entries = if deep {
                direct.board.ls_all(folder)
            } else {
                direct.board.ls(folder)
            };
            drop(waiting);
            let mut text = String::new();
            if lines::wanted() {
                for entry in entries.map_err(link)? {
                    let fields = json!({
                        "path": join(folder, &entry.name), "folder": entry.is_folder,
                        "size": (!entry.is_folder).then_some(entry.size),
                    });
                    text.push_str(&lines::event("entry", fields));
                }
            } else {
                if deep || folders.len() > 1 {
                    let name = if folder.is_empty() { "." } else { folder };
                    text.push_str(&format!("{}\n", printable(name)));
                }
                for entry in entries.map_err(link)? {
                    text.push_str(&line(&entry, deep));
                }
            }
            output::print(text.as_bytes(), lang)?;
        }
        Ok(())
    })
}

fn line(entry: &Entry, deep: bool) -> String {
    if !deep {
        let slash = if entry.is_folder { "/" } else { "" };
        return format!("{:>9}  {}{slash}\n", entry.size, printable(&entry.name));
    }
    let depth = entry.name.matches('/').count();
    let name = printable(last_name(&entry.name));
    let indent = "  ".repeat(depth + 1);
    if entry.is_folder {
        format!("{indent}{name}/\n")
    } else {
        format!("{indent}{name}  {}\n", entry.size)
    }
}

/// A name from the board cannot change the terminal.
pub fn printable(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn room(options: &FsPaths, lang: Lang) -> Result<(), Failure> {
    on_board(&options.port, lang, |direct| {
        let folders = folders(options);
        let spaces =
            (direct.board.spaces(&folders)).map_err(|error| Failure::from_link(&error, lang))?;
        for (folder, space) in folders.iter().zip(spaces) {
            let name = if folder.is_empty() { "." } else { folder };
            let Some(space) = space else {
                let message = match lang {
                    Lang::En => format!("the board cannot tell how much room {name} has"),
                    Lang::Es => format!("la placa no puede decir cuánto espacio tiene {name}"),
                };
                let help = lang.pick(
                    "check the path with umqtt fs ls; not every filesystem knows its size",
                    "revisa la ruta con umqtt fs ls; no todo sistema de archivos sabe su tamaño",
                );
                return Err(Failure::new(Status::Failed, message, help));
            };
            let used = space.total - space.free.min(space.total);
            let text = if lines::wanted() {
                let fields = json!({
                    "path": name, "total": space.total, "used": used, "free": space.free, "block": space.block,
                });
                lines::event("room", fields)
            } else {
                match lang {
                    Lang::En => format!(
                        "{}: {} bytes free of {}, {used} used\n",
                        printable(name),
                        space.free,
                        space.total
                    ),
                    Lang::Es => format!(
                        "{}: {} bytes libres de {}, {used} usados\n",
                        printable(name),
                        space.free,
                        space.total
                    ),
                }
            };
            output::print(text.as_bytes(), lang)?;
        }
        Ok(())
    })
}

fn checksums(options: &FsPaths, lang: Lang) -> Result<(), Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    on_board(&options.port, lang, |direct| {
        let paths = folders(options);
        let waiting = Waiting::new(lang.pick("the board computes", "la placa calcula"));
        let states = direct.board.states(&paths).map_err(link)?;
        drop(waiting);
        for (path, state) in paths.iter().zip(states) {
            let path = (*path).to_owned();
            let (size, digest) = match state {
                FileState::File { size, digest } => (size, digest),
                FileState::Folder => return Err(link(LinkError::IsFolder { path })),
                FileState::Missing => return Err(link(LinkError::FileMissing { path })),
            };
            let kind = match digest {
                Digest::Sha256(_) | Digest::Brief(_) => "sha256",
                // A board without hashlib.
                Digest::Crc32(_) => "crc32",
            };
            let text = if lines::wanted() {
                let fields = json!({ "path": path, "size": size, kind: digest.to_string() });
                lines::event("checksum", fields)
            } else {
                format!("{digest}  {}\n", printable(&path))
            };
            output::print(text.as_bytes(), lang)?;
        }
        Ok(())
    })
}

/// Fetches the file (or begins a new one), waits for the editor, and writes it back if it changed. Whether it did.
fn edit(board: &mut Board, path: &str, lang: Lang) -> Result<bool, Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    let old = match board.get(path) {
        Ok(content) => content,
        Err(LinkError::FileMissing { .. }) => Vec::new(),
        Err(error) => return Err(link(error)),
    };
    let failed = |what: &str, error: std::io::Error| {
        let message = match lang {
            Lang::En => format!("{what} failed: {error}"),
            Lang::Es => format!("{what} falló: {error}"),
        };
        let help = lang.pick(
            "name your editor in the variable VISUAL or EDITOR; it must wait until the file is closed",
            "indica tu editor en la variable VISUAL o EDITOR; debe esperar a que se cierre el fichero",
        );
        Failure::new(Status::Failed, message, help)
    };
    let folder = tempfile::tempdir().map_err(|error| failed("tempdir", error))?;
    // The name tells the editor what language it is.
    let ending: String = (last_name(path).rsplit('.').next().unwrap_or("txt").chars())
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let file = folder.path().join(format!("umqtt.{ending}"));
    std::fs::write(&file, &old).map_err(|error| failed("tempdir", error))?;
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.trim().is_empty())
        .unwrap_or_else(|| if cfg!(windows) { "notepad" } else { "vi" }.to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program)
        .args(words)
        .arg(&file)
        .status()
        .map_err(|error| failed(program, error))?;
    if !status.success() {
        return Err(failed(program, std::io::Error::other(status.to_string())));
    }
    let new = std::fs::read(&file).map_err(|error| failed(program, error))?;
    if new == old {
        return Ok(false);
    }
    board.put(path, &new).map_err(link)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(on_it(":/a"), "/a");
        assert_eq!(on_it("a"), "a");
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/lib", "a"), "/lib/a");
        assert_eq!(last_name("/lib/a/"), "a");
        assert_eq!(printable("a\x1b[2Jñ"), "a\u{fffd}[2Jñ");
    }
}
