//! `umqtt fs cp`: decides what is copied where, and leaves alone what is the same already.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use board_link::{Board, FileState, Lang, LinkError, NewFile};
use serde_json::json;

use crate::commands::fs::{join, last_name, printable};
use crate::direct::on_board;
use crate::failure::{self, Failure, Status};
use crate::lines;
use crate::options::board::FsCopy;
use crate::output;
use crate::progress::{Progress, speed};
use crate::whole_file;

/// One file on its way to the board.
#[derive(Debug)]
pub struct Upload {
    pub path: String,
    pub content: Vec<u8>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Summary {
    pub copied: Vec<String>,
    pub bytes: usize,
    pub unchanged: usize,
    pub seconds: f64,
    pub speed: String,
}

pub fn run(options: &FsCopy, lang: Lang) -> Result<(), Failure> {
    let Some((to, from)) = options.paths.split_last() else {
        return Ok(());
    };
    let on_board_now = |path: &&String| path.starts_with(':');
    let boards = from.iter().filter(on_board_now).count();
    if boards == 0 && !to.starts_with(':') {
        let message = lang.pick("no path is on the board", "ninguna ruta es de la placa");
        let help = lang.pick(
            "put a colon in front of those that are: umqtt fs cp main.py :",
            "pon dos puntos delante de las que lo son: umqtt fs cp main.py :",
        );
        return Err(Failure::new(Status::Usage, message, help));
    }
    // Everything of this computer is read before the board is touched.
    let mut local = Vec::new();
    for path in from.iter().filter(|path| !on_board_now(path)) {
        local.push(Source::read(Path::new(path), options.recursive, lang)?);
    }
    on_board(&options.port, lang, |direct| {
        let board = &mut direct.board;
        let started = Instant::now();
        let mut sources = local;
        for path in from.iter().filter(on_board_now) {
            sources.push(Source::fetch(board, &path[1..], options.recursive, lang)?);
        }
        let summary = match to.strip_prefix(':') {
            Some(to) => to_board(board, to, sources, lang)?,
            None => to_computer(Path::new(to), sources, started, lang)?,
        };
        output::print(describe(&summary, lang).as_bytes(), lang)
    })
}

pub fn describe(summary: &Summary, lang: Lang) -> String {
    let (files, bytes, same) = (summary.copied.len(), summary.bytes, summary.unchanged);
    let (seconds, speed) = (summary.seconds, &summary.speed);
    if lines::wanted() {
        let fields = json!({
            "files": summary.copied, "bytes": bytes, "unchanged": same, "seconds": seconds,
        });
        return lines::event("copied", fields);
    }
    match lang {
        Lang::En => format!(
            "copied: {files} files, {bytes} bytes in {seconds:.1} s ({speed}); unchanged: {same}\n"
        ),
        Lang::Es => format!(
            "copiado: {files} ficheros, {bytes} bytes en {seconds:.1} s ({speed}); sin cambios: {same}\n"
        ),
    }
}

/// A file, or a folder with all that is in it; names are relative to it.
struct Source {
    name: String,
    /// A folder's own folders; none for a file.
    folders: Vec<String>,
    is_folder: bool,
    /// `""` for the file itself.
    files: Vec<(String, Vec<u8>)>,
}

impl Source {
    fn read(path: &Path, recursive: bool, lang: Lang) -> Result<Self, Failure> {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut source = Self {
            name: name_of(&whole, lang)?,
            folders: Vec::new(),
            is_folder: path.is_dir(),
            files: Vec::new(),
        };
        if source.is_folder {
            if !recursive {
                return Err(needs_recursive(&path.display().to_string(), lang));
            }
            source.add_folder(path, "", lang)?;
        } else {
            let content = std::fs::read(path).map_err(|error| unreadable(path, &error, lang))?;
            source.files.push((String::new(), content));
        }
        Ok(source)
    }

    fn add_folder(&mut self, folder: &Path, below: &str, lang: Lang) -> Result<(), Failure> {
        let failed = |error| unreadable(folder, &error, lang);
        let mut entries: Vec<PathBuf> = (std::fs::read_dir(folder).map_err(failed)?)
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        entries.sort();
        for path in entries {
            let name = join(below, &name_of(&path, lang)?);
            if path.is_dir() {
                // A link to a folder may lead back to where we are.
                if !path.is_symlink() {
                    self.folders.push(name.clone());
                    self.add_folder(&path, &name, lang)?;
                }
            } else {
                let content =
                    std::fs::read(&path).map_err(|error| unreadable(&path, &error, lang))?;
                self.files.push((name, content));
            }
        }
        Ok(())
    }

    fn fetch(board: &mut Board, path: &str, recursive: bool, lang: Lang) -> Result<Self, Failure> {
        let link = |error: LinkError| Failure::from_link(&error, lang);
        let (is_folder, size) = match path {
            "" => (true, 0),
            path => match board.state(path).map_err(link)? {
                FileState::Folder => (true, 0),
                FileState::File { size, .. } => (false, size),
                // Reading it says so.
                FileState::Missing => (false, 0),
            },
        };
        let mut source = Self {
            name: last_name(path).to_owned(),
            folders: Vec::new(),
            is_folder,
            files: Vec::new(),
        };
        if !source.is_folder {
            let mut progress = Progress::new(size as usize, printable(path));
            let content = board.get_with(path, &mut |done| progress.at(done));
            source.files.push((String::new(), content.map_err(link)?));
            return Ok(source);
        }
        if !recursive {
            return Err(needs_recursive(&format!(":{path}"), lang));
        }
        let entries = board.ls_all(path).map_err(link)?;
        let total: u64 = entries.iter().map(|entry| entry.size).sum();
        let mut progress = Progress::new(total as usize, "");
        let mut before = 0;
        for entry in entries {
            if !is_harmless(&entry.name) {
                let name = printable(&entry.name);
                let message = match lang {
                    Lang::En => format!("the board has a name that leads elsewhere: {name}"),
                    Lang::Es => format!("la placa tiene un nombre que lleva a otro sitio: {name}"),
                };
                let help = lang.pick(
                    "copy the other files by their names",
                    "copia los otros ficheros por su nombre",
                );
                return Err(Failure::new(Status::Failed, message, help));
            }
            if entry.is_folder {
                source.folders.push(entry.name);
            } else {
                progress.label(printable(&entry.name));
                let path = join(path, &entry.name);
                let content = board.get_with(&path, &mut |done| progress.at(before + done));
                let content = content.map_err(link)?;
                before += content.len();
                source.files.push((entry.name, content));
            }
        }
        Ok(source)
    }
}

/// A file's content, with a bar where it takes its time.
pub fn get(board: &mut Board, path: &str, lang: Lang) -> Result<Vec<u8>, Failure> {
    let mut progress = Progress::open_ended(printable(path));
    let content = board.get_with(path, &mut |done| progress.at(done));
    content.map_err(|error| Failure::from_link(&error, lang))
}

/// A relative path that stays below where it is put, on any system.
pub fn is_harmless(name: &str) -> bool {
    !name.is_empty()
        && !name.split('/').any(|part| {
            ["", ".", ".."].contains(&part)
                || part.contains(['\\', '\0'])
                || cfg!(windows) && part.contains(':')
        })
}

fn name_of(path: &Path, lang: Lang) -> Result<String, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        let path = path.display();
        let message = match lang {
            Lang::En => format!("{path} has no name that a board can store"),
            Lang::Es => format!("{path} no tiene un nombre que una placa pueda guardar"),
        };
        let help = lang.pick("give it another name", "dale otro nombre");
        Failure::new(Status::Usage, message, help)
    })
}

fn needs_recursive(path: &str, lang: Lang) -> Failure {
    let message = match lang {
        Lang::En => format!("{path} is a folder"),
        Lang::Es => format!("{path} es una carpeta"),
    };
    let help = lang.pick(
        "with -r it is copied with all that is in it",
        "con -r se copia con todo lo que contiene",
    );
    Failure::new(Status::Usage, message, help)
}

fn unreadable(path: &Path, error: &std::io::Error, lang: Lang) -> Failure {
    let path = path.display();
    let message = failure::cannot_read(path, error, lang);
    let help = lang.pick("check the path", "revisa la ruta");
    Failure::new(Status::Failed, message, help)
}

fn to_board(
    board: &mut Board,
    to: &str,
    sources: Vec<Source>,
    lang: Lang,
) -> Result<Summary, Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    // Who copies a single file has mostly changed it.
    if sources.len() == 1 && !sources[0].is_folder {
        board.expect_to_write().map_err(link)?;
    }
    let into_folder = to.is_empty()
        || to.ends_with('/')
        || sources.len() > 1
        || board.state(to).map_err(link)? == FileState::Folder;
    let mut folders = Vec::new();
    let mut uploads = Vec::new();
    for source in sources {
        let target = if into_folder && !(source.name.is_empty()) {
            join(to, &source.name)
        } else {
            to.to_owned()
        };
        if source.is_folder {
            folders.push(target.clone());
            folders.extend(source.folders.iter().map(|below| join(&target, below)));
        }
        for (below, content) in source.files {
            let path = if below.is_empty() {
                target.clone()
            } else {
                join(&target, &below)
            };
            uploads.push(Upload { path, content });
        }
    }
    if into_folder && !to.is_empty() {
        folders.insert(0, to.to_owned());
    }
    send(board, &folders, uploads, lang)
}

/// Makes the board's files what `uploads` says, touching only those that differ.
pub fn send(
    board: &mut Board,
    folders: &[String],
    uploads: Vec<Upload>,
    lang: Lang,
) -> Result<Summary, Failure> {
    let link = |error: LinkError| Failure::from_link(&error, lang);
    let paths: Vec<&str> = uploads.iter().map(|upload| upload.path.as_str()).collect();
    let states = board.states_briefly(&paths).map_err(link)?;
    let differing: Vec<NewFile<'_>> = uploads
        .iter()
        .zip(&states)
        .filter(|(upload, state)| !state.is(&upload.content))
        .map(|(upload, state)| NewFile {
            path: &upload.path,
            content: &upload.content,
            replaces: state.replaced(),
        })
        .collect();
    // The folders of files that are there are there as well.
    let mut missing: BTreeSet<String> = BTreeSet::new();
    for folder in folders {
        missing.extend(folder_and_above(folder));
    }
    for file in &differing {
        missing.extend(folder_and_above(
            file.path.rsplit_once('/').map_or("", |(folder, _)| folder),
        ));
    }
    for (path, _) in (paths.iter().zip(&states)).filter(|(_, state)| **state != FileState::Missing)
    {
        for folder in folder_and_above(path.rsplit_once('/').map_or("", |(folder, _)| folder)) {
            missing.remove(&folder);
        }
    }
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    board.mkdir_all(&missing).map_err(link)?;
    let total = differing.iter().map(|file| file.content.len()).sum();
    let mut progress = Progress::new(total, "");
    let mut file = usize::MAX;
    board
        .put_all(&differing, &mut |now| {
            if now.file != file {
                file = now.file;
                progress.label(printable(differing[file].path));
            }
            progress.at(now.taken);
        })
        .map_err(link)?;
    let time = progress.finish();
    Ok(Summary {
        copied: differing.iter().map(|file| file.path.to_owned()).collect(),
        bytes: total,
        unchanged: uploads.len() - differing.len(),
        seconds: time.as_secs_f64(),
        speed: speed(total, time),
    })
}

/// `/a`, `/a/b` of `/a/b`.
fn folder_and_above(folder: &str) -> Vec<String> {
    let folder = folder.trim_end_matches('/');
    let ends = folder.match_indices('/').map(|(at, _)| at);
    ends.chain([folder.len()])
        .filter(|&at| at > 0)
        .map(|at| folder[..at].to_owned())
        .collect()
}

/// `started`: when the files began to come.
fn to_computer(
    to: &Path,
    sources: Vec<Source>,
    started: Instant,
    lang: Lang,
) -> Result<Summary, Failure> {
    let text = to.to_string_lossy();
    let into_folder = to.is_dir() || text.ends_with(['/', '\\']) || sources.len() > 1;
    let mut summary = Summary::default();
    for source in sources {
        let target = if into_folder && !source.name.is_empty() {
            to.join(&source.name)
        } else {
            to.to_owned()
        };
        for folder in &source.folders {
            let folder = target.join(folder);
            std::fs::create_dir_all(&folder).map_err(|e| unwritable(&folder, &e, lang))?;
        }
        for (below, content) in source.files {
            let path = if below.is_empty() {
                target.clone()
            } else {
                target.join(below)
            };
            if std::fs::read(&path).is_ok_and(|old| old == content) {
                summary.unchanged += 1;
                continue;
            }
            write(&path, &content).map_err(|error| unwritable(&path, &error, lang))?;
            summary.bytes += content.len();
            summary.copied.push(path.display().to_string());
        }
    }
    summary.seconds = started.elapsed().as_secs_f64();
    summary.speed = speed(summary.bytes, started.elapsed());
    Ok(summary)
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    whole_file::write(path, content)
}

fn unwritable(path: &Path, error: &std::io::Error, lang: Lang) -> Failure {
    let path = path.display();
    let message = failure::cannot_write(path, error, lang);
    let help = lang.pick(
        "check the folder's owner and the room on this computer's disk",
        "revisa el dueño de la carpeta y el espacio del disco de este equipo",
    );
    Failure::new(Status::Failed, message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["a", "a/b", "año nuevo/x y.py", "a..b", "...", "'\""] {
            assert!(is_harmless(name), "{name}");
        }
        for name in [
            "", "/a", "a/", "..", "a/../b", "./a", "a//b", "a\\b", "a\0b",
        ] {
            assert!(!is_harmless(name), "{name:?}");
        }
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        assert_eq!(folder_and_above("/a/b/"), ["/a", "/a/b"]);
        assert_eq!(folder_and_above("a"), ["a"]);
        assert!(folder_and_above("/").is_empty() && folder_and_above("").is_empty());
    }
}
